"""Likelihoods: laws of an observation, given the numbers that a decoder returns.

The log-likelihood is summed over the dimensions of the observation, in nats. That of bits and
levels is the logarithm of a probability, that of a Gaussian of a density in the units of the data.
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from gameopt import Fixed
from models.latent.gaussian import LOG_2PI

Parameters = Float[Array, "*parameters"]
Point = Float[Array, "*shape"]


class AbstractLikelihood(eqx.Module):
    """A law of points of `shape`, given `parameters_shape(shape)` numbers."""

    def parameters_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the decoder's numbers for points of `shape`; as the points' by default."""
        return shape

    @abc.abstractmethod
    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        """The log-likelihood of a point, in nats, summed over its dimensions."""

    @abc.abstractmethod
    def mean(self, parameters: Parameters) -> Point:
        """The expectation of the law: a point of `shape`."""

    @abc.abstractmethod
    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        """One draw from the law."""


class BernoulliLikelihood(AbstractLikelihood):
    """Independent bits, points of 0 and 1; the parameters are their logits.

    Of points between 0 and 1 it is the expected log-likelihood of bits with these means.
    """

    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        return jnp.sum(point * parameters - jax.nn.softplus(parameters))

    def mean(self, parameters: Parameters) -> Point:
        return jax.nn.sigmoid(parameters)

    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        drawn = jax.random.bernoulli(key, jax.nn.sigmoid(parameters))
        return drawn.astype(parameters.dtype)


class GaussianLikelihood(AbstractLikelihood):
    r"""$N(\mu, \sigma^2 I)$ with the decoder's $\mu$ and one deviation for all points.

    - `log_deviation`: $\log\sigma$, of a shape that broadcasts against a point; a `Fixed` one is
      carried and not learned.
    """

    log_deviation: Float[Array, "..."] | Fixed

    def _log_deviation(self) -> Float[Array, "..."]:
        deviation = self.log_deviation
        return deviation.value if isinstance(deviation, Fixed) else deviation

    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        return _gaussian_log_prob(point - parameters, self._log_deviation())

    def mean(self, parameters: Parameters) -> Point:
        return parameters

    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        noise = jax.random.normal(key, parameters.shape, parameters.dtype)
        return parameters + jnp.exp(self._log_deviation()) * noise


def _gaussian_log_prob(error: Point, log_deviation: Float[Array, "..."]) -> Float[Array, ""]:
    white = error * jnp.exp(-log_deviation)
    return jnp.sum(-0.5 * (white**2 + LOG_2PI) - log_deviation)


class _Pairs(AbstractLikelihood):
    """A location and a log-scale for every number of a point, stacked along a last axis of 2.

    The log-scale is kept above `least_log_scale`, softly: a density has no upper bound where one
    point can be hit exactly.
    """

    least_log_scale: float = eqx.field(static=True, default=-5.0)

    def parameters_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, 2)

    def _parts(self, parameters: Parameters) -> tuple[Point, Point]:
        least = self.least_log_scale
        return parameters[..., 0], least + jax.nn.softplus(parameters[..., 1] - least)

    def mean(self, parameters: Parameters) -> Point:
        return parameters[..., 0]


class LearnedGaussianLikelihood(_Pairs):
    r"""$N(\mu, \operatorname{diag}\sigma^2)$ with the decoder's $\mu$ and $\log\sigma$."""

    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        location, log_scale = self._parts(parameters)
        return _gaussian_log_prob(point - location, log_scale)

    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        location, log_scale = self._parts(parameters)
        noise = jax.random.normal(key, location.shape, location.dtype)
        return location + jnp.exp(log_scale) * noise


class DiscretizedLogisticLikelihood(_Pairs):
    r"""Logistic laws of pixels, integrated over the cell of each of `levels` values.

    The levels are equally spaced in [-1, 1]. The first and the last cell reach to infinity, so that
    the probabilities sum to 1. A point between two levels is in the cell around itself.

    !!! cite "Source"

        Kingma et al. (2016), arXiv:1606.04934, appendix; Salimans et al. (2017),
        arXiv:1701.05517, equation 2.
    """

    levels: int = eqx.field(static=True, default=256)

    def __check_init__(self):
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2, got {self.levels}.")

    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        location, log_scale = self._parts(parameters)
        half = 1 / (self.levels - 1)
        inverse = jnp.exp(-log_scale)
        upper = (point - location + half) * inverse
        lower = (point - location - half) * inverse
        # F(u) - F(l) = F(u) F(-l) (1 - e^(l-u)), none of which cancels.
        inside = jax.nn.log_sigmoid(upper) + jax.nn.log_sigmoid(-lower)
        inside += _log1mexp(jnp.log(jnp.asarray(2 * half, location.dtype)) - log_scale)
        first, last = point <= -1 + half, point >= 1 - half
        log_prob = jnp.where(first, jax.nn.log_sigmoid(upper), inside)
        return jnp.sum(jnp.where(last, jax.nn.log_sigmoid(-lower), log_prob))

    def mean(self, parameters: Parameters) -> Point:
        """The location, within [-1, 1]."""
        return jnp.clip(parameters[..., 0], -1, 1)

    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        location, log_scale = self._parts(parameters)
        noise = jax.random.logistic(key, location.shape, location.dtype)
        return _to_levels(location + jnp.exp(log_scale) * noise, self.levels)


def _log1mexp(log_x: Float[Array, "..."]) -> Float[Array, "..."]:
    r"""$\log(1 - e^{-x})$ from $\log x$, accurate at both ends, and where $x$ underflows."""
    tiny, small = log_x < -12, log_x < -0.36651292058166435  # the second is log(log 2)
    x = jnp.exp(jnp.where(tiny, 0, log_x))
    near = jnp.log(-jnp.expm1(-jnp.where(small & ~tiny, x, 1)))
    far = jnp.log1p(-jnp.exp(-jnp.where(small, 1, x)))
    first_order = log_x - 0.5 * jnp.exp(jnp.where(tiny, log_x, 0))
    return jnp.where(tiny, first_order, jnp.where(small, near, far))


def _to_levels(points: Point, levels: int) -> Point:
    """The nearest of `levels` values in [-1, 1]."""
    steps = (levels - 1) / 2
    return jnp.round((jnp.clip(points, -1, 1) + 1) * steps) / steps - 1


class CategoricalLikelihood(AbstractLikelihood):
    """A probability for each of `levels` values, equally spaced in [-1, 1], of every number.

    The parameters are logits, along a last axis. A point between two levels is taken as the
    nearest.
    """

    levels: int = eqx.field(static=True, default=256)

    def __check_init__(self):
        if self.levels < 2:
            raise ValueError(f"levels must be at least 2, got {self.levels}.")

    def parameters_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape, self.levels)

    def log_prob(self, parameters: Parameters, point: Point) -> Float[Array, ""]:
        steps = (self.levels - 1) / 2
        level = jnp.round((jnp.clip(point, -1, 1) + 1) * steps)
        log_probs = jax.nn.log_softmax(parameters, axis=-1)
        index = jnp.where(jnp.isnan(level), 0, level).astype(jnp.int32)
        chosen = jnp.take_along_axis(log_probs, index[..., None], axis=-1)[..., 0]
        return jnp.sum(jnp.where(jnp.isnan(point), point, chosen))

    def mean(self, parameters: Parameters) -> Point:
        values = jnp.linspace(-1, 1, self.levels, dtype=parameters.dtype)
        return jax.nn.softmax(parameters, axis=-1) @ values

    def sample(self, parameters: Parameters, key: PRNGKeyArray) -> Point:
        level = jax.random.categorical(key, parameters, axis=-1)
        return level.astype(parameters.dtype) / ((self.levels - 1) / 2) - 1
