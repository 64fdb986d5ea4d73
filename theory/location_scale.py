"""Location-scale families on the line: densities, distribution functions, quantiles, moments."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from theory._inputs import (
    ArrayInput,
    Count,
    Number,
    as_count,
    check_positive,
    check_same,
    floats,
)
from theory._numeric import Scalar, nan_unless
from theory.distributions import AbstractDistribution


def _number(value: Number) -> Scalar:
    return jnp.asarray(value, float)


class AbstractLocationScale(AbstractDistribution):
    r"""$x = \text{loc} + \text{scale}\cdot u$ with $u$ of the family's standard law.

    - `loc`, `scale`: shape `()`; the scale is positive. Points are of shape `()`.
    """

    loc: eqx.AbstractVar[Scalar]
    scale: eqx.AbstractVar[Scalar]

    def __check_init__(self):
        check_same("shape, which is ()", loc=self.loc.shape, scale=self.scale.shape, a_number=())
        check_positive(scale=self.scale)

    @abc.abstractmethod
    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        """The standard law's log density."""

    @abc.abstractmethod
    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        """The standard law's distribution function."""

    @abc.abstractmethod
    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        """The inverse of `standard_cdf`."""

    @abc.abstractmethod
    def standard_moments(self) -> tuple[float, float]:
        """The standard law's mean and variance."""

    def log_prob(self, x: ArrayInput) -> Float[Array, "..."]:
        """The log density, in nats, of points of any shape; NaN at NaN."""
        x = self._points(x)
        return self.standard_log_prob((x - self.loc) / self.scale) - jnp.log(self.scale)

    def cdf(self, x: ArrayInput) -> Float[Array, "..."]:
        """The probability of at most x."""
        x = self._points(x)
        return self.standard_cdf((x - self.loc) / self.scale)

    def quantile(self, level: ArrayInput) -> Float[Array, "..."]:
        """The quantile at a `level` in [0, 1]; NaN outside."""
        level = self._points(level)
        inside = (level >= 0) & (level <= 1)
        points = self.standard_quantile(jnp.where(inside, level, 0.5))
        return nan_unless(inside, self.loc + self.scale * points)

    def _points(self, x: ArrayInput) -> Float[Array, "..."]:
        """Convert points to the precision of the law."""
        return floats(x)[0].astype(self.loc.dtype)

    def mean(self) -> Scalar:
        """The mean, shape `()`."""
        return self.loc + self.scale * self.standard_moments()[0]

    def variance(self) -> Scalar:
        """The variance, shape `()`."""
        return self.scale**2 * self.standard_moments()[1]

    def sample(self, key: PRNGKeyArray, n: Count) -> Float[Array, " n"]:
        n = as_count("n", n, 0)
        tiny = jnp.finfo(self.loc.dtype).tiny  # so that no level is 0, whose quantile is infinite
        levels = jax.random.uniform(key, (n,), self.loc.dtype, minval=tiny)
        return self.quantile(levels)


class Normal(AbstractLocationScale):
    """The normal law: `loc` is the mean, `scale` the standard deviation."""

    loc: Scalar = eqx.field(converter=_number, default=0.0)
    scale: Scalar = eqx.field(converter=_number, default=1.0)

    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return -0.5 * (u**2 + jnp.log(2 * jnp.pi))

    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.scipy.special.ndtr(u)

    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.scipy.special.ndtri(level)

    def standard_moments(self) -> tuple[float, float]:
        return 0.0, 1.0


class Laplace(AbstractLocationScale):
    r"""The Laplace law, $p(u) = \tfrac12 e^{-|u|}$."""

    loc: Scalar = eqx.field(converter=_number, default=0.0)
    scale: Scalar = eqx.field(converter=_number, default=1.0)

    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return -jnp.abs(u) - jnp.log(2.0)

    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        tail = 0.5 * jnp.exp(-jnp.abs(u))
        return jnp.where(u < 0, tail, 1 - tail)

    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(level < 0.5, jnp.log(2 * level), -jnp.log(2 * (1 - level)))

    def standard_moments(self) -> tuple[float, float]:
        return 0.0, 2.0


class Logistic(AbstractLocationScale):
    r"""The logistic law, $F(u) = \sigma(u)$."""

    loc: Scalar = eqx.field(converter=_number, default=0.0)
    scale: Scalar = eqx.field(converter=_number, default=1.0)

    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.log_sigmoid(u) + jax.nn.log_sigmoid(-u)

    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jax.nn.sigmoid(u)

    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.log(level) - jnp.log1p(-level)

    def standard_moments(self) -> tuple[float, float]:
        return 0.0, float(jnp.pi) ** 2 / 3


class Uniform(AbstractLocationScale):
    """The uniform law on [loc, loc + scale]."""

    loc: Scalar = eqx.field(converter=_number, default=0.0)
    scale: Scalar = eqx.field(converter=_number, default=1.0)

    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where((u < 0) | (u > 1), -jnp.inf, 0 * u)

    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.clip(u, 0, 1)

    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        return level

    def standard_moments(self) -> tuple[float, float]:
        return 0.5, 1 / 12


class Exponential(AbstractLocationScale):
    r"""The exponential law, $p(u) = e^{-u}$ for $u \ge 0$: `scale` is one over the rate."""

    loc: Scalar = eqx.field(converter=_number, default=0.0)
    scale: Scalar = eqx.field(converter=_number, default=1.0)

    def standard_log_prob(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return jnp.where(u < 0, -jnp.inf, -u)

    def standard_cdf(self, u: Float[Array, "..."]) -> Float[Array, "..."]:
        return -jnp.expm1(-jnp.maximum(u, 0))

    def standard_quantile(self, level: Float[Array, "..."]) -> Float[Array, "..."]:
        return -jnp.log1p(-level)

    def standard_moments(self) -> tuple[float, float]:
        return 1.0, 1.0
