r"""f-GANs: a critic bounds an f-divergence by $\mathbb{E}_p T - \mathbb{E}_q f^*(T)$, as a game."""

from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._gans.gan import AbstractGAN
from gameopt._types import Scalar

_LOG_2 = 0.6931471805599453


@jax.custom_jvp
def _expm1(v: Float[Array, "..."]) -> Float[Array, "..."]:
    """$e^v - 1$, whose slope $e^v$ is not rounded to 0 far below 0."""
    return jnp.expm1(v)


_expm1.defjvps(lambda tangent, out, v: jnp.exp(v) * tangent)


@jax.custom_jvp
def _tanh(v: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\tanh v$, whose slope $\operatorname{sech}^2 v$ is not rounded to 0 far from 0."""
    return jnp.tanh(v)


def _squared_sech(v: Float[Array, "..."]) -> Float[Array, "..."]:
    tail = jnp.exp(-2 * jnp.abs(v))
    return 4 * tail / jnp.square(1 + tail)


_tanh.defjvps(lambda tangent, out, v: _squared_sech(v) * tangent)


class FGANDual(NamedTuple):
    r"""Both sides of a bound, pointwise in the critic's output $v$, a number of any size.

    - `on_data`: $g_f(v)$, the critic $T$ itself, in the domain of $f^*$.
    - `on_generated`: $f^*(g_f(v))$, in one formula that neither cancels nor leaves the domain.
    """

    on_data: Callable[[Float[Array, "..."]], Float[Array, "..."]]
    on_generated: Callable[[Float[Array, "..."]], Float[Array, "..."]]


FGAN_DUALS: dict[str, FGANDual] = {
    "kl": FGANDual(lambda v: v, lambda v: jnp.exp(v - 1)),
    "reverse_kl": FGANDual(lambda v: -jnp.exp(-v), lambda v: v - 1),
    "js": FGANDual(
        lambda v: 0.5 * (_LOG_2 - jax.nn.softplus(-v)),
        lambda v: 0.5 * (jax.nn.softplus(v) - _LOG_2),
    ),
    "gan": FGANDual(lambda v: -jax.nn.softplus(-v), jax.nn.softplus),
    "squared_hellinger": FGANDual(lambda v: -0.5 * _expm1(-v), lambda v: 0.5 * _expm1(v)),
    "pearson": FGANDual(lambda v: v, lambda v: v + 0.25 * v**2),
    "neyman": FGANDual(lambda v: -_expm1(-v), lambda v: -2 * _expm1(-0.5 * v)),
    "tv": FGANDual(lambda v: 0.5 * _tanh(v), lambda v: 0.5 * _tanh(v)),
}
r"""By name, in nats where there is a logarithm. JS and squared Hellinger carry a factor 1/2, and so
are at most $\log 2$ and 1; `gan` is $2\,\mathrm{JS} - \log 4$; `pearson` is
$\chi^2 = \int (p - q)^2/q$ with $p$ the data, `neyman` has $p$ below. Pearson's $f^*$ is the
parabola on both sides, as in the paper: a lower bound too, and it draws back outputs below -2."""


def f_gan_value(divergence: str, real: Float[Array, " n"], fake: Float[Array, " m"]) -> Scalar:
    r"""$\mathbb{E}\,g_f(\mathrm{real}) - \mathbb{E}\,f^*(g_f(\mathrm{fake}))$.

    **Arguments:**

    - `divergence`: a key of `FGAN_DUALS`.
    - `real`, `fake`: the critic's outputs, shapes `(n,)` and `(m,)`. Values and slopes are exact
      for outputs of any size, up to rounding, where both sides are representable: in float32 and
      bfloat16 for outputs between -50 and 50. Duals with an exponential overflow far beyond.

    **Returns:** shape `()`; in expectation at most $D_f(\text{data}\,\|\,\text{generated})$.

    **Raises:** `ValueError` for a name that is not there.

    !!! cite "Source"

        Nowozin, Cseke & Tomioka (2016), arXiv:1606.00709, equation 6, tables 2 and 6. Activations
        that fall there have the sign of their argument turned, so that all increase.
    """
    dual = _dual(divergence)
    return jnp.mean(dual.on_data(real)) - jnp.mean(dual.on_generated(fake))


def _dual(name: str) -> FGANDual:
    if name not in FGAN_DUALS:
        raise ValueError(f"no f-GAN is known for {name!r}; one of {', '.join(FGAN_DUALS)}.")
    return FGAN_DUALS[name]


class FGAN(AbstractGAN):
    r"""The zero-sum game whose value is the bound of an f-divergence: the critic makes it tight.

    - `divergence`: a key of `FGAN_DUALS`. The critic's output is any number: the activation that
      brings it into the domain of $f^*$ is applied here.

    At the optimal critic, $T^* = f'(p_d/p_g)$, the generator minimises $D_f(p_d\|p_g)$.

    !!! cite "Source"

        Nowozin, Cseke & Tomioka (2016), arXiv:1606.00709, equation 5.
    """

    divergence: str = eqx.field(static=True, default="js")

    value_name: ClassVar[str] = "divergence_bound"

    def __check_init__(self):
        _dual(self.divergence)

    def score_value(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return f_gan_value(self.divergence, real, fake)

    def generator_loss(self, real: Float[Array, " n"], fake: Float[Array, " n"]) -> Scalar:
        return f_gan_value(self.divergence, real, fake)
