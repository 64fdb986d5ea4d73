r"""The forward Markov chain between any two noise levels, and its posteriors.

A pair is a `cleaner` and a `noisier` level, whose signal-to-noise ratio is less; of a chain with
steps $\beta_t$ they are $(\sqrt{\bar\alpha_{t-1}}, \sqrt{1 - \bar\alpha_{t-1}})$ and
$(\sqrt{\bar\alpha_t}, \sqrt{1 - \bar\alpha_t})$. All is elementwise in levels of one shape.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._inputs import Number, check_not_negative, check_same_shape, concrete, floats
from theory._numeric import safe_sqrt
from theory.diffusion.levels import NoiseLevel


class Transition(NamedTuple):
    r"""$q(x_t|x_s) = N(rx_s, \beta I)$: its `factor` $r$ and its `variance` $\beta$."""

    factor: Float[Array, "..."]
    variance: Float[Array, "..."]


class ReverseStep(NamedTuple):
    r"""$N(ax_t + bx_0, vI)$, a law of $x_s$ given $x_t$ and $x_0$.

    - `of_noisier`: $a$. `of_data`: $b$. `variance`: $v$.
    """

    of_noisier: Float[Array, "..."]
    of_data: Float[Array, "..."]
    variance: Float[Array, "..."]


def transition(cleaner: NoiseLevel, noisier: NoiseLevel) -> Transition:
    r"""$q(x_t|x_s)$: $r = \alpha_t/\alpha_s$ and $\beta = \sigma_t^2 - r^2\sigma_s^2$.

    **Arguments:**

    - `cleaner`, `noisier`: the levels of s and t, of one shape; $\alpha_s > 0$.

    **Returns:** a variance of 0 for levels in the wrong order, between which nothing is added.

    !!! cite "Source"

        Kingma et al. (2021), arXiv:2107.00630, appendix A.1.
    """
    return _transition(*_pair(cleaner, noisier))


def reverse_step(cleaner: NoiseLevel, noisier: NoiseLevel, eta: Number = 1.0) -> ReverseStep:
    r"""The posterior $q(x_s|x_t, x_0)$ of the chain, or DDIM's for another $\eta$.

    $$v = \eta^2\frac{\sigma_s^2\beta}{\sigma_t^2}, \qquad
      a = \frac{\sqrt{\sigma_s^2 - v}}{\sigma_t}, \qquad b = \alpha_s - a\alpha_t$$

    For $\eta = 1$ they are $a = r\sigma_s^2/\sigma_t^2$ and $b = \alpha_s\beta/\sigma_t^2$: Ho's
    $\tilde\mu$ and $\tilde\beta$. All of them leave $x_s = \alpha_sx_0 + \sigma_s\varepsilon$ the
    law that it has.

    **Arguments:**

    - `cleaner`, `noisier`: the levels of s and t, of one shape; $\alpha_s, \sigma_t > 0$.
    - `eta`: from 0, which is deterministic, to 1; shape `()`.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 7; Song, Meng & Ermon (2021),
        arXiv:2010.02502, equation 7.
    """
    check_eta(eta)
    cleaner, noisier = _pair(cleaner, noisier)
    eta = floats(eta)[0].astype(cleaner.alpha.dtype)
    factor, beta = _transition(cleaner, noisier)
    most = cleaner.sigma**2
    # Rounding alone lets it be more than that.
    variance = jnp.minimum(eta**2 * most * beta / noisier.sigma**2, most)
    along = safe_sqrt(most - variance)
    # sigma_t^2 - (r along)^2 over its second factor: alpha_s - a alpha_t without cancellation.
    added = beta + factor**2 * variance
    of_data = cleaner.alpha * added / (noisier.sigma * (noisier.sigma + factor * along))
    return ReverseStep(along / noisier.sigma, of_data, variance)


def check_eta(eta: Number) -> None:
    """Check for a number from 0 to 1; NaN and a traced one pass."""
    found = concrete(eta)
    if found is not None and ((found < 0) | (found > 1)).any():
        raise ValueError(f"eta must be from 0 to 1, got {found:g}.")


def _pair(cleaner: NoiseLevel, noisier: NoiseLevel) -> tuple[NoiseLevel, NoiseLevel]:
    values = floats(*cleaner, *noisier)
    names = ("cleaner_alpha", "cleaner_sigma", "noisier_alpha", "noisier_sigma")
    named = dict(zip(names, values, strict=True))
    check_same_shape(**named)
    check_not_negative(**named)
    return NoiseLevel(*values[:2]), NoiseLevel(*values[2:])


def _transition(cleaner: NoiseLevel, noisier: NoiseLevel) -> Transition:
    factor = noisier.alpha / cleaner.alpha
    kept = factor * cleaner.sigma
    return Transition(factor, jnp.maximum((noisier.sigma - kept) * (noisier.sigma + kept), 0))
