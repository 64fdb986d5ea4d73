"""Convergence rates of solvers in closed form.

Every function takes numbers: step sizes $\\eta$, a singular value $s$ of the bilinear part, and a
curvature $\\mu$ of $f = \\tfrac12\\mu x^2 + sxy - \\tfrac12\\mu y^2$, which is bilinear at
$\\mu = 0$. Rates are spectral radii of one round. Nothing here plays a game.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import ArrayInput, Count, Number, as_count, check_square, floats
from theory._numeric import all_numbers, nan_unless, safe_divide

Rate = Float[Array, "..."]


def max_stable_step(jacobian: ArrayInput) -> Rate:
    r"""The largest step of simultaneous play: $\min_\lambda 2\,\mathrm{Re}\lambda/|\lambda|^2$.

    **Arguments:**

    - `jacobian`: $J$ of the field, shape `(n, n)`.

    **Returns:** shape `()`; 0 or less if no step is stable. A singular $J$ has none, nor has one
    with an imaginary eigenvalue: real parts within $4n$ units of rounding of $\|J\|_2$ count as 0,
    so that the sign of a rounding error decides nothing.

    !!! cite "Source"

        Mescheder, Nowozin & Geiger (2017), arXiv:1705.10461, lemma 4 (with $A = -J$).
    """
    (jacobian,) = floats(jacobian)
    check_square("jacobian", jacobian)
    singular = jnp.linalg.svd(jacobian, compute_uv=False)
    unit = jnp.where(singular[0] == 0, 1, singular[0])  # in it no square leaves the range
    values = jnp.linalg.eigvals(jacobian / unit)
    rounding = 4 * len(jacobian) * jnp.finfo(jacobian.dtype).eps
    real = jnp.where(jnp.abs(values.real) <= rounding, 0, values.real)
    step = jnp.min(safe_divide(2 * real, jnp.abs(values) ** 2)) / unit
    step = jnp.where(singular[-1] <= rounding * unit, jnp.minimum(step, 0), step)
    return nan_unless(all_numbers(jacobian), step)


def simultaneous_rate(eta: Number, s: Number, mu: Number = 0.0) -> Rate:
    r"""$\sqrt{(1 - \eta\mu)^2 + \eta^2s^2}$: at least 1 on bilinear games."""
    eta, s, mu = floats(eta, s, mu)
    return jnp.hypot(1 - eta * mu, eta * s)


def alternating_rate(eta: Number, s: Number, mu: Number = 0.0) -> Rate:
    r"""The larger root of $\lambda^2 - (2r - a^2)\lambda + r^2$; $r = 1 - \eta\mu$, $a = \eta s$.

    Exactly $|r|$ while $a^2 \le 4r$: alternating play feels no rotation.
    """
    eta, s, mu = floats(eta, s, mu)
    r, a = 1 - eta * mu, eta * s
    return _largest_root([1.0, -(2 * r - a**2), r**2])


def proximal_rate(eta: Number, s: Number, mu: Number = 0.0) -> Rate:
    r"""$1/|1 + \eta w|$, $w = \mu + is$: below 1 for every step size."""
    eta, s, mu = floats(eta, s, mu)
    return 1 / jnp.hypot(1 + eta * mu, eta * s)


def extragradient_rate(
    eta: Number, s: Number, mu: Number = 0.0, gamma: Number | None = None
) -> Rate:
    r"""$|1 - \eta w + \eta\gamma w^2|$, $w = \mu + is$, $\gamma$ the step of the look ahead."""
    gamma = eta if gamma is None else gamma
    w, (eta_, gamma_) = _mode(mu, s), _complex(eta, gamma)
    return jnp.abs(1 - eta_ * w + eta_ * gamma_ * w**2)


def optimistic_rate(eta: Number, s: Number, mu: Number = 0.0) -> Rate:
    r"""The larger root of $\lambda^2 - (1 - 2\eta w)\lambda - \eta w$, $w = \mu + is$.

    On bilinear games below 1 iff $\eta s < 1/\sqrt3$.
    """
    w = _complex(eta)[0] * _mode(mu, s)
    return _largest_root([1.0, -(1 - 2 * w), -w])


def consensus_rate(eta: Number, s: Number, mu: Number = 0.0, gamma: Number = 1.0) -> Rate:
    r"""$|1 - \eta(w + \gamma|w|^2)|$, $w = \mu + is$: $J$ is normal, $J^\top J = |w|^2$."""
    w, (eta_, gamma_) = _mode(mu, s), _complex(eta, gamma)
    return jnp.abs(1 - eta_ * (w + gamma_ * w * jnp.conj(w)))


def sga_rate(eta: Number, s: Number, mu: Number = 0.0, strength: Number = 1.0) -> Rate:
    r"""$|1 - \eta(1 - i\lambda s)w|$, $w = \mu + is$, without sign alignment."""
    eta, s, mu, strength = floats(eta, s, mu, strength)
    return jnp.abs(1 - _complex(eta)[0] * _mode(1.0, -strength * s) * _mode(mu, s))


def runge_kutta_rate(eta: Number, s: Number, mu: Number = 0.0, order: Count = 4) -> Rate:
    r"""$|\sum_{k \le p} (-\eta w)^k/k!|$, $w = \mu + is$, for p stages of order p (1 to 4)."""
    w = -_complex(eta)[0] * _mode(mu, s)
    terms = [jnp.ones_like(w)]
    for k in range(1, as_count("order", order, 1, 4) + 1):
        terms.append(terms[-1] * w / k)
    return jnp.abs(sum(terms[1:], start=terms[0]))


def heavy_ball_rate(
    eta: Number, s: Number, momentum: Number, *, alternating: bool, mu: Number = 0.0
) -> Rate:
    r"""Momentum $\beta$ of either sign, on bilinear games ($\mu = 0$) or $w = \mu + is$.

    Simultaneous: the larger root of $\lambda^2 - (1 + \beta - \eta w)\lambda + \beta$.
    Alternating (bilinear): of $(\lambda - 1)^2(\lambda - \beta)^2 + \eta^2s^2\lambda^3$.

    !!! cite "Source"

        Gidel et al. (2019), arXiv:1807.04740, theorems 4 and 5.
    """
    eta, s, momentum, mu = floats(eta, s, momentum, mu)
    if not alternating:
        w = _complex(eta)[0] * _mode(mu, s)
        return _largest_root([1.0, w - _complex(1 + momentum)[0], momentum])
    b, c = momentum, (eta * s) ** 2
    # With curvature: rows (x, x-memory) and (y, y-memory) couple through s alone.
    r = 1 + b - eta * mu
    square = [1.0, -2 * r, r**2 + 2 * b, -2 * r * b, b**2]
    return _largest_root([square[0], square[1] + c, square[2], square[3], square[4]])


def alex_rate(eta: Number, s: Number, gamma: Number, delta: Number) -> Rate:
    r"""Bilinear: with $\mu = \lambda - 1$ and $c = \eta^2s^2$, the roots of
    $\mu^3 + (1 + \gamma\delta c)\mu^2 + (\gamma + \delta)c\mu + c = 0$.

    !!! cite "Source"

        Lee, Cho & Yun (2024), arXiv:2402.10475, section 5.
    """
    eta, s, gamma, delta = floats(eta, s, gamma, delta)
    c = (eta * s) ** 2
    roots = _roots([1.0, 1 + gamma * delta * c, (gamma + delta) * c, c])
    return jnp.max(jnp.abs(roots + 1))


def lookahead_rate(modes: ArrayInput, steps: Count, alpha: Number) -> Rate:
    r"""$\max_T |1 - \alpha + \alpha T^k|$ over the inner solver's modes, complex, shape `(m,)`."""
    alpha_, modes = _complex(alpha, modes)
    return jnp.max(jnp.abs(1 - alpha_ + alpha_ * modes ** as_count("steps", steps)))


def max_lookahead_alpha(mode: ArrayInput, steps: Count) -> Rate:
    r"""$2(1 - \mathrm{Re}\,T^k)/|1 - T^k|^2$: below it, lookahead is stable over the mode $T$."""
    power = _complex(mode)[0] ** as_count("steps", steps)
    return 2 * (1 - jnp.real(power)) / jnp.abs(1 - power) ** 2


def dirac_gan_eigenvalues(
    variant: str, strength: Number = 0.0, slope: Number = 0.5, curvature: Number = -0.25
) -> Array:
    r"""Eigenvalues of the flow's Jacobian $-J$ at the Dirac-GAN's equilibrium, shape `(2,)`.

    **Arguments:**

    - `variant`: `gan`, `nsgan`: $\pm i f'(0)$. `r1`: $-\gamma/2 \pm \sqrt{\gamma^2/4 - f'(0)^2}$.
      `instance_noise`: $f''(0)\sigma^2 \pm \sqrt{f''(0)^2\sigma^4 - f'(0)^2}$.
      `consensus`: $-\gamma f'(0)^2 \pm i f'(0)$.
    - `strength`: $\gamma$ or $\sigma$. `slope`, `curvature`: $f'(0)$ and $f''(0)$; by default
      for $-\log(1 + e^{-t})$.

    **Raises:** `ValueError` for another variant.

    !!! cite "Source"

        Mescheder, Geiger & Nowozin (2018), arXiv:1801.04406, lemmas 2.3-3.4 and appendix.
    """
    strength, slope, curvature = floats(strength, slope, curvature)
    middles = {
        "gan": 0.0,
        "nsgan": 0.0,
        "r1": -strength / 2,
        "instance_noise": curvature * strength**2,
        "consensus": -strength * slope**2,
    }
    if variant not in middles:
        raise ValueError(f"variant must be one of {sorted(middles)}, got {variant!r}.")
    (middle,) = _complex(middles[variant])
    inside = -(slope**2) if variant == "consensus" else middles[variant] ** 2 - slope**2
    root = jnp.sqrt(_complex(inside)[0])
    return jnp.stack([middle + root, middle - root])


BILINEAR_RATES: dict[str, Callable[[Number, Number], Rate]] = {
    "simultaneous": simultaneous_rate,
    "alternating": alternating_rate,
    "extragradient": extragradient_rate,
    "optimistic": optimistic_rate,
    "proximal_point": proximal_rate,
    "cgd": proximal_rate,
    "rk4": runge_kutta_rate,
    "consensus": consensus_rate,
    "sga": sga_rate,
}
"""The rate of a solver on $f = sxy$ by the solver's name: `(eta, s) -> rate`."""


def _complex(*numbers: Any) -> list[Array]:
    """Convert to complex arrays, for strict promotion in formulas with an imaginary part."""
    return [jnp.asarray(number).astype(jnp.result_type(complex)) for number in numbers]


def _mode(mu: Number, s: Number) -> Array:
    r"""The mode $w = \mu + is$."""
    mu_, s_, i = _complex(mu, s, 1j)
    return mu_ + i * s_


def _largest_root(coefficients: list) -> Rate:
    return jnp.max(jnp.abs(_roots(coefficients)))


def _roots(coefficients: list) -> Array:
    stacked = jnp.stack(_complex(*coefficients))
    # The leading coefficient is 1: nothing to strip, so that it can be jitted and mapped.
    return jnp.roots(stacked, strip_zeros=False)
