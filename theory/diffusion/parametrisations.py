r"""Parametrisations of a denoiser: noise, data, v, score and velocity, and exact conversions.

With $x = \alpha x_0 + \sigma\varepsilon$, each is the conditional mean given $x$ of a combination
$a x_0 + b\varepsilon$, and so one affine function of $x$ and the denoiser
$\hat x_0(x) = E(x_0|x)$:

| kind | target | source |
|---|---|---|
| `data` | $x_0$ | Ho, Jain & Abbeel (2020) |
| `noise` | $\varepsilon$ | Ho, Jain & Abbeel (2020) |
| `score` | $-\varepsilon/\sigma$, so that it is $\nabla\log p(x)$ | Vincent (2011) |
| `v` | $\alpha\varepsilon - \sigma x_0$ | Salimans & Ho (2022), arXiv:2202.00512 |
| `flow` | $\varepsilon - x_0$, the velocity of straight lines | Lipman et al. (2023) |
| `edm` | $(\sigma x_0/s - \alpha s\varepsilon)/\sqrt{\alpha^2s^2 + \sigma^2}$, with $s$ the data's deviation | Karras et al. (2022) |
"""  # noqa: E501

from typing import Literal, get_args

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Number, check_positive, check_same_shape, floats
from theory.diffusion.levels import NoiseLevel

Prediction = Literal["data", "noise", "score", "v", "flow", "edm"]
PREDICTIONS: tuple[Prediction, ...] = get_args(Prediction)


def denoised_from(
    kind: Prediction,
    prediction: ArrayInput,
    x: ArrayInput,
    level: NoiseLevel,
    data_std: Number = 1.0,
) -> Float[Array, "..."]:
    r"""The denoiser's $\hat x_0$ from a prediction at $x$.

    **Arguments:**

    - `prediction`, `x`: of one shape. `level`: shape `()`, or such that it broadcasts with them.
    - `data_std`: $s$ of `edm`.

    **Returns:** NaN or infinity where the prediction does not determine it: of `noise` and `score`
    at $\alpha = 0$.
    """
    _check_kind(kind)
    p, x, alpha, sigma, std = floats(prediction, x, *level, data_std)
    check_same_shape(prediction=p, x=x)
    check_positive(data_std=std)
    if kind == "data":
        return p
    if kind == "score":
        return (x + sigma**2 * p) / alpha
    a, b = _combination(kind, alpha, sigma, std)
    return (b * x - sigma * p) / (b * alpha - a * sigma)


def prediction_from(
    kind: Prediction,
    denoised: ArrayInput,
    x: ArrayInput,
    level: NoiseLevel,
    data_std: Number = 1.0,
) -> Float[Array, "..."]:
    r"""The prediction of a kind from the denoiser's $\hat x_0$ at $x$; arguments as above.

    $\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$, which $\hat x_0$ does not determine at
    $\sigma = 0$.
    """
    _check_kind(kind)
    denoised, x, alpha, sigma, std = floats(denoised, x, *level, data_std)
    check_same_shape(denoised=denoised, x=x)
    check_positive(data_std=std)
    return _combined(kind, denoised, (x - alpha * denoised) / sigma, alpha, sigma, std)


def prediction_target(
    kind: Prediction,
    data: ArrayInput,
    noise: ArrayInput,
    level: NoiseLevel,
    data_std: Number = 1.0,
) -> Float[Array, "..."]:
    r"""The target of a prediction of a kind, whose conditional mean it is.

    **Arguments:**

    - `data`, `noise`: $x_0$ and $\varepsilon$, of one shape. `level`: shape `()`, or such that it
      broadcasts with them. `data_std`: $s$ of `edm`.

    **Returns:** their combination, at every level; infinite of `score` at $\sigma = 0$.
    """
    _check_kind(kind)
    data, noise, alpha, sigma, std = floats(data, noise, *level, data_std)
    check_same_shape(data=data, noise=noise)
    check_positive(data_std=std)
    return _combined(kind, data, noise, alpha, sigma, std)


def velocity_from(
    denoised: ArrayInput, x: ArrayInput, level: NoiseLevel, rate: NoiseLevel
) -> Float[Array, "..."]:
    r"""The velocity $E(\dot x_t|x_t) = \dot\alpha\hat x_0 + \dot\sigma\hat\varepsilon$ of an
    interpolant: the right-hand side of its probability-flow ODE.

    **Arguments:**

    - `rate`: the interpolant's $(\dot\alpha, \dot\sigma)$ at the time of `level`.
    """
    denoised, x, alpha, sigma, d_alpha, d_sigma = floats(denoised, x, *level, *rate)
    check_same_shape(denoised=denoised, x=x)
    return d_alpha * denoised + d_sigma * (x - alpha * denoised) / sigma


def denoised_from_velocity(
    velocity: ArrayInput, x: ArrayInput, level: NoiseLevel, rate: NoiseLevel
) -> Float[Array, "..."]:
    r"""The denoiser's $\hat x_0$ from an interpolant's velocity at $x$; the inverse of
    `velocity_from`."""
    velocity, x, alpha, sigma, d_alpha, d_sigma = floats(velocity, x, *level, *rate)
    check_same_shape(velocity=velocity, x=x)
    return (d_sigma * x - sigma * velocity) / (alpha * d_sigma - sigma * d_alpha)


def loss_weight(kind: Prediction, level: NoiseLevel, data_std: Number = 1.0) -> Float[Array, "..."]:
    r"""The $w$ with which a squared error of the prediction is $w\|x_0 - \hat x_0\|^2$.

    $w = (a - b\alpha/\sigma)^2$: losses of two kinds have one minimiser, and differ by weights.

    !!! cite "Source"

        Kingma & Gao (2023), arXiv:2303.00848, table 1.
    """
    _check_kind(kind)
    alpha, sigma, std = floats(*level, data_std)
    check_positive(data_std=std)
    if kind == "data":
        return jnp.ones_like(alpha)
    if kind == "score":
        return (alpha / sigma**2) ** 2
    a, b = _combination(kind, alpha, sigma, std)
    return (a - b * alpha / sigma) ** 2


def _combined(
    kind: str, data: Array, noise: Array, alpha: Array, sigma: Array, data_std: Array
) -> Float[Array, "..."]:
    """The target's combination of a datum and its noise."""
    if kind == "data":
        return data
    if kind == "score":
        return -noise / sigma
    a, b = _combination(kind, alpha, sigma, data_std)
    return a * data + b * noise


def _combination(
    kind: str, alpha: Array, sigma: Array, data_std: Array
) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """a and b of the target, of the kinds that have them at every level."""
    one = jnp.ones_like(alpha)
    if kind == "noise":
        return 0 * one, one
    if kind == "flow":
        return -one, one
    if kind == "v":
        return -sigma, alpha
    total = jnp.sqrt((alpha * data_std) ** 2 + sigma**2)
    return sigma / (data_std * total), -alpha * data_std / total


def _check_kind(kind: str) -> None:
    if kind not in PREDICTIONS:
        raise ValueError(f"kind must be one of {', '.join(PREDICTIONS)}, got {kind!r}.")
