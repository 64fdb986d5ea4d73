r"""Monte Carlo estimators of gradients of expectations under a diagonal Gaussian.

$z = \mu + \sigma\epsilon$, $\epsilon \sim N(0, I)$; gradients are in $\mu$ and $\log\sigma$. Noise
is an argument, so that an estimator is a function of it: its expectation is a quadrature away.
"""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Number, check_same, check_square, floats
from theory._numeric import Scalar
from theory.latent.bounds import log_mean_exp

LogJoint: TypeAlias = Callable[[Any], Any]
"""$z \\mapsto \\log p(x, z)$, from shape `(k,)` to `()`."""

Gradient: TypeAlias = Literal["plain", "stl", "dreg"]


class GaussianGradients(NamedTuple):
    r"""Gradients in $\mu$ and in $\log\sigma$, of one shape; or their variances."""

    mean: Float[Array, "..."]
    log_deviation: Float[Array, "..."]


def reparameterised_gradients(
    f: Callable[[Any], Any], mean: ArrayInput, log_deviation: ArrayInput, noise: ArrayInput
) -> GaussianGradients:
    r"""One gradient of $E f(z)$ a sample: $\nabla f(z)$ and $\nabla f(z)\,\sigma\epsilon$.

    **Arguments:**

    - `f`: from shape `(k,)` to `()`, differentiable.
    - `mean`, `log_deviation`: shape `(k,)`. `noise`: standard normal, shape `(L, k)`.

    **Returns:** shape `(L, k)` each; the mean over samples is the unbiased estimate.

    !!! cite "Source"

        Kingma & Welling (2014), arXiv:1312.6114, section 2.4.
    """
    mean, log_deviation, noise = _gaussian(mean, log_deviation, noise)
    value = lambda m, s, e: f(m + jnp.exp(s) * e)
    slopes = jax.vmap(jax.grad(value, argnums=(0, 1)), in_axes=(None, None, 0))
    return GaussianGradients(*slopes(mean, log_deviation, noise))


def score_function_gradients(
    f: Callable[[Any], Any],
    mean: ArrayInput,
    log_deviation: ArrayInput,
    noise: ArrayInput,
    baseline: Number | Literal["others"] = 0.0,
) -> GaussianGradients:
    r"""One gradient of $E f(z)$ a sample: $(f(z) - b)\nabla\log q(z)$; f need not be smooth.

    **Arguments:**

    - `f`: from shape `(k,)` to `()`.
    - `mean`, `log_deviation`: shape `(k,)`. `noise`: standard normal, shape `(L, k)`.
    - `baseline`: b, a number; `"others"` is the mean of f at the other samples, which leaves the
      mean over samples unbiased.

    **Returns:** shape `(L, k)` each.

    !!! cite "Source"

        Williams (1992), Machine Learning 8; Mnih & Rezende (2016), arXiv:1602.06725, for the
        baseline from other samples.
    """
    mean, log_deviation, noise = _gaussian(mean, log_deviation, noise)
    deviation = jnp.exp(log_deviation)[None]
    values = jax.vmap(f)(mean[None] + deviation * noise)
    if isinstance(baseline, str):
        if baseline != "others" or len(noise) < 2:
            raise ValueError(
                'baseline must be a number, or "others" of at least two samples, '
                f"got {baseline!r} and {len(noise)}."
            )
        level = (jnp.sum(values) - values) / (len(noise) - 1)
    else:
        level = floats(baseline)[0].astype(values.dtype)
    centred = (values - level)[:, None]
    return GaussianGradients(centred * noise / deviation, centred * (noise**2 - 1))


def reparameterised_variances(
    matrix: ArrayInput, vector: ArrayInput, mean: ArrayInput, log_deviation: ArrayInput
) -> GaussianGradients:
    r"""Exact variances of `reparameterised_gradients` for $f = \tfrac12z^\top Az + b^\top z + c$.

    With $h = A\mu + b$: $\sum_jA_{ij}^2\sigma_j^2$ in $\mu_i$, and
    $\sigma_i^2(h_i^2 + \sum_jA_{ij}^2\sigma_j^2 + A_{ii}^2\sigma_i^2)$ in $\log\sigma_i$.

    **Arguments:**

    - `matrix`: A, symmetric, shape `(k, k)`. `vector`: b, shape `(k,)`.
    - `mean`, `log_deviation`: shape `(k,)`.

    **Returns:** for one sample, shape `(k,)` each.
    """
    slope, scaled, deviation = _quadratic(matrix, vector, mean, log_deviation)
    spread = jnp.sum(scaled**2, axis=1)  # of sigma_i A_ij sigma_j
    lengths = (slope * deviation) ** 2 + spread + jnp.diagonal(scaled) ** 2
    return GaussianGradients(spread / deviation**2, lengths)


def score_function_variances(
    matrix: ArrayInput,
    vector: ArrayInput,
    constant: Number,
    mean: ArrayInput,
    log_deviation: ArrayInput,
    baseline: Number = 0.0,
) -> GaussianGradients:
    r"""Exact variances of `score_function_gradients` for $f = \tfrac12z^\top Az + b^\top z + c$.

    With $B = \sigma A\sigma$, $g = \sigma(A\mu + b)$, $m = Ef - \text{baseline}$ and $S = m^2 +
    \|g\|^2 + \tfrac12\|B\|_F^2$, by Stein's lemma:

    $$\bigl(S + g_i^2 + 2(B^2)_{ii} + 2mB_{ii}\bigr)/\sigma_i^2, \qquad
      2S + 8(g_i^2 + (B^2)_{ii}) + 8mB_{ii} + 5B_{ii}^2.$$

    **Arguments:**

    - `matrix`: A, symmetric, shape `(k, k)`. `vector`: b, shape `(k,)`. `constant`: c.
    - `mean`, `log_deviation`: shape `(k,)`. `baseline`: a number.

    **Returns:** for one sample, shape `(k,)` each.
    """
    matrix, vector, constant, mean, log_deviation, baseline = floats(
        matrix, vector, constant, mean, log_deviation, baseline
    )
    slope, scaled, deviation = _quadratic(matrix, vector, mean, log_deviation)
    g, own = slope * deviation, jnp.diagonal(scaled)
    at_mean = 0.5 * mean @ (matrix @ mean) + vector @ mean + constant
    level = at_mean + 0.5 * jnp.sum(own) - baseline
    square = level**2 + g @ g + 0.5 * jnp.sum(scaled**2)
    rows = jnp.sum(scaled**2, axis=1)
    return GaussianGradients(
        (square + g**2 + 2 * rows + 2 * level * own) / deviation**2,
        2 * square + 8 * (g**2 + rows) + 8 * level * own + 5 * own**2,
    )


def gaussian_log_weights(
    log_joint: LogJoint, mean: ArrayInput, log_deviation: ArrayInput, noise: ArrayInput
) -> Float[Array, " L"]:
    r"""$\log p(x, z_l) - \log q(z_l|x)$ at $z_l = \mu + \sigma\epsilon_l$, shape `(L,)`.

    **Arguments:**

    - `log_joint`: $z \mapsto \log p(x, z)$, from shape `(k,)` to `()`.
    - `mean`, `log_deviation`: shape `(k,)`. `noise`: standard normal, shape `(L, k)`.
    """
    mean, log_deviation, noise = _gaussian(mean, log_deviation, noise)
    return _weights(log_joint, _points(mean, log_deviation, noise), mean, log_deviation)


def iwae_objective(
    log_joint: LogJoint,
    mean: ArrayInput,
    log_deviation: ArrayInput,
    noise: ArrayInput,
    *,
    gradient: Gradient = "plain",
) -> Scalar:
    r"""$\log\frac1L\sum_l w_l$, with an estimator of the bound's gradient by name.

    One sample is the ELBO. Gradients in parameters of `log_joint` are plain in all three, $\sum_l
    \tilde w_l\nabla\log w_l$ with $\tilde w$ the normalised weights. In $\mu$ and $\log\sigma$, and
    whatever they come from:

    - `"plain"`: the derivative of the value. Its signal-to-noise ratio falls as $1/\sqrt L$.
    - `"stl"`: $\sum_l\tilde w_l\,\partial_z\log w_l\,dz_l$, without the score of q. Exactly 0
      at the exact posterior; unbiased for one sample only.
    - `"dreg"`: $\sum_l\tilde w_l^2\,\partial_z\log w_l\,dz_l$: unbiased for every L, and its
      signal-to-noise ratio rises as $\sqrt L$.

    **Arguments:**

    - `log_joint`: $z \mapsto \log p(x, z)$, from shape `(k,)` to `()`.
    - `mean`, `log_deviation`: shape `(k,)`. `noise`: standard normal, shape `(L, k)`.

    !!! cite "Source"

        Burda, Grosse & Salakhutdinov (2016), arXiv:1509.00519; Roeder, Wu & Duvenaud (2017),
        arXiv:1703.09194 ("Sticking the landing"); Tucker, Lawson, Gu & Maddison (2019),
        arXiv:1810.04152 ("Doubly reparameterized gradient estimators").
    """
    if gradient not in ("plain", "stl", "dreg"):
        raise ValueError(f'gradient must be "plain", "stl" or "dreg", got {gradient!r}.')
    mean, log_deviation, noise = _gaussian(mean, log_deviation, noise)
    points = _points(mean, log_deviation, noise)
    if gradient == "plain":
        return log_mean_exp(_weights(log_joint, points, mean, log_deviation))
    stopped = jax.lax.stop_gradient
    fixed = stopped(mean), stopped(log_deviation)
    if gradient == "dreg":
        shares = jax.nn.softmax(stopped(_weights(log_joint, points, *fixed)))[:, None]
        # The same points; what flows back through them is multiplied by their shares.
        points = stopped(points) + shares * (points - stopped(points))
    return log_mean_exp(_weights(log_joint, points, *fixed))


def signal_to_noise(gradients: ArrayInput) -> Float[Array, "..."]:
    r"""$|\text{mean}|/\text{standard deviation}$ of every entry over independent gradients.

    **Arguments:**

    - `gradients`: shape `(n, ...)`, n at least 2.

    **Returns:** shape `(...)`; infinite for a gradient without noise, 0 for one that is always 0.

    !!! cite "Source"

        Rainforth et al. (2018), arXiv:1802.04537, "Tighter variational bounds are not necessarily
        better", definition 1.
    """
    (gradients,) = floats(gradients)
    if gradients.ndim == 0 or len(gradients) < 2:
        raise ValueError(f"gradients must be at least two, (n, ...), got {gradients.shape}.")
    signal = jnp.abs(jnp.mean(gradients, axis=0))
    ratio = signal / jnp.std(gradients, axis=0, ddof=1)
    return jnp.where(signal == 0, 0, ratio)


def _gaussian(mean: ArrayInput, log_deviation: ArrayInput, noise: ArrayInput) -> list[Array]:
    mean, log_deviation, noise = floats(mean, log_deviation, noise)
    if mean.ndim != 1 or mean.size == 0 or noise.shape[1:] != mean.shape or len(noise) == 0:
        raise ValueError(
            "mean must have the shape (k,) and noise (L, k), k and L at least 1, "
            f"got {mean.shape} and {noise.shape}."
        )
    check_same("shape", mean=mean.shape, log_deviation=log_deviation.shape)
    return [mean, log_deviation, noise]


def _points(mean: Array, log_deviation: Array, noise: Array) -> Float[Array, "L k"]:
    return mean[None] + jnp.exp(log_deviation)[None] * noise


def _weights(
    log_joint: LogJoint, points: Float[Array, "L k"], mean: Array, log_deviation: Array
) -> Float[Array, " L"]:
    white = (points - mean[None]) * jnp.exp(-log_deviation)[None]
    log_q = -jnp.sum(0.5 * (white**2 + jnp.log(2 * jnp.pi)) + log_deviation[None], axis=1)
    return jax.vmap(log_joint)(points) - log_q


def _quadratic(
    matrix: ArrayInput, vector: ArrayInput, mean: ArrayInput, log_deviation: ArrayInput
) -> tuple[Array, Array, Array]:
    """The slope at the mean, the curvature in units of the deviations, and these."""
    matrix, vector, mean, log_deviation = floats(matrix, vector, mean, log_deviation)
    check_square("matrix", matrix)
    size = matrix.shape[:1]
    check_same("size", matrix=size, vector=vector.shape, mean=mean.shape)
    check_same("shape", mean=mean.shape, log_deviation=log_deviation.shape)
    deviation = jnp.exp(log_deviation)
    scaled = deviation[:, None] * matrix * deviation[None]
    return matrix @ mean + vector, scaled, deviation
