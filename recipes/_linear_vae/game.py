"""The linear VAE as a game of one interest: affine decoder x, affine encoder y.

The loss is written out for data with given moments, and so are the best answers; recipes.linear_vae
holds both against `theory`, which shares no line with them.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go


class Decoder(eqx.Module):
    r"""$p(x|z) = N(Wz + \mu, \sigma^2 I)$.

    - `weights`: $W$, shape `(d, k)`. `mean`: shape `(d,)`.
    - `log_variance`: $\log\sigma^2$, shape `()`; a `Fixed` one is not learned.
    """

    weights: Float[Array, "d k"]
    mean: Float[Array, " d"]
    log_variance: Float[Array, ""] | go.Fixed

    def variance(self) -> Float[Array, ""]:
        r"""$\sigma^2$."""
        log = self.log_variance
        return jnp.exp(log.value if isinstance(log, go.Fixed) else log)


class DiagonalEncoder(eqx.Module):
    r"""$q(z|x) = N(Vx + b, \operatorname{diag} s)$.

    - `weights`: $V$, shape `(k, d)`. `offset`: $b$, shape `(k,)`. `log_variances`: $\log s$,
      shape `(k,)`.
    """

    weights: Float[Array, "k d"]
    offset: Float[Array, " k"]
    log_variances: Float[Array, " k"]

    def covariance(self) -> Float[Array, "k k"]:
        """The covariance of every posterior."""
        return jnp.diag(jnp.exp(self.log_variances))

    def log_det(self) -> Float[Array, ""]:
        """The logarithm of its determinant."""
        return jnp.sum(self.log_variances)


class FullEncoder(eqx.Module):
    """An encoder like `DiagonalEncoder` whose posteriors have a full covariance, shape `(k, k)`."""

    weights: Float[Array, "k d"]
    offset: Float[Array, " k"]
    spread: Float[Array, "k k"]

    def covariance(self) -> Float[Array, "k k"]:
        """The covariance of every posterior."""
        return self.spread

    def log_det(self) -> Float[Array, ""]:
        """The logarithm of its determinant."""
        return jnp.linalg.slogdet(self.spread)[1]


class LinearVAEGame(go.IdenticalInterestGame):
    r"""Distortion + $\beta$ rate of a linear VAE over data with given moments, in nats.

    - `mean`, `covariance`: of the data, shapes `(d,)` and `(d, d)`. `beta`: shape `()`.

    !!! cite "Source"

        Lucas et al. (2019), arXiv:1911.02469, section 3.
    """

    mean: Float[Array, " d"]
    covariance: Float[Array, "d d"]
    beta: Float[Array, ""]

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        del key
        rate, distortion = self.rate_and_distortion(players)
        return distortion + self.beta * rate

    def rate_and_distortion(self, players: go.Players) -> tuple[Array, Array]:
        """Both in nats, exactly: the codes are Gaussian, so that only moments come in."""
        decoder, encoder = players.x, players.y
        weights, spread = encoder.weights, encoder.covariance()
        k, d = weights.shape
        centre = weights @ self.mean + encoder.offset
        codes = weights @ self.covariance @ weights.T + jnp.outer(centre, centre)
        rate = 0.5 * (jnp.trace(codes) + jnp.trace(spread) - k - encoder.log_det())
        variance = decoder.variance()
        # E |x - Wz - mu|^2, from the second moments of data and codes.
        left = self.mean - decoder.mean
        cross = (self.covariance @ weights.T) + jnp.outer(left, centre)
        error = jnp.trace(self.covariance) + left @ left
        error += jnp.sum((decoder.weights @ (codes + spread)) * decoder.weights)
        error -= 2 * jnp.sum(decoder.weights * cross)
        distortion = 0.5 * (d * jnp.log(2 * jnp.pi * variance) + error / variance)
        return rate, distortion

    def encoder_answer(self, players: go.Players) -> FullEncoder:
        r"""The best encoder: the exact posterior, at $\beta = 1$; the E step."""
        decoder = players.x
        noise = self.beta * decoder.variance()
        k = decoder.weights.shape[1]
        inner = decoder.weights.T @ decoder.weights + noise * jnp.eye(k, dtype=noise.dtype)
        gains = jnp.linalg.solve(inner, decoder.weights.T)
        return FullEncoder(gains, -gains @ decoder.mean, noise * jnp.linalg.inv(inner))

    def decoder_answer(self, players: go.Players) -> Decoder:
        """The best decoder for the codes: least squares; the M step."""
        encoder = players.y
        weights = encoder.weights
        cross = self.covariance @ weights.T
        codes = weights @ cross + encoder.covariance()
        best = jnp.linalg.solve(codes, cross.T).T
        mean = self.mean - best @ (weights @ self.mean + encoder.offset)
        old = players.x.log_variance
        if isinstance(old, go.Fixed):
            return Decoder(best, mean, old)
        error = jnp.trace(self.covariance) - jnp.sum(best * cross)
        return Decoder(best, mean, jnp.log(error / len(mean)))


class SampledLinearVAE(go.IdenticalInterestGame):
    """The same loss from a minibatch and one reparameterised code for each of its points.

    - `sampler`: of points `(d,)`. `beta`: shape `()`.
    """

    sampler: go.Samples
    batch_size: int = eqx.field(static=True)
    beta: Float[Array, ""]

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        key_rows, key_noise = jax.random.split(key)
        points = self.sampler(key_rows, self.batch_size)
        decoder, encoder = players.x, players.y
        means = points @ encoder.weights.T + encoder.offset[None]
        variances = jnp.diagonal(encoder.covariance())
        noise = jax.random.normal(key_noise, means.shape, means.dtype)
        codes = means + jnp.sqrt(variances)[None] * noise
        errors = points - codes @ decoder.weights.T - decoder.mean[None]
        variance = decoder.variance()
        d, k = decoder.weights.shape
        error = jnp.mean(jnp.sum(errors**2, axis=1))
        distortion = 0.5 * (d * jnp.log(2 * jnp.pi * variance) + error / variance)
        squares = jnp.mean(jnp.sum(means**2, axis=1)) + jnp.sum(variances)
        return distortion + self.beta * 0.5 * (squares - k - encoder.log_det())


def expectation_maximisation() -> go.BestAnswers:
    """EM: the encoder's best answer, then the decoder's."""
    return go.BestAnswers(
        go.Players(
            lambda game, players, key: game.decoder_answer(players),
            lambda game, players, key: game.encoder_answer(players),
        )
    )


def fresh_players(
    size: int, mean: Float[Array, " d"], key: PRNGKeyArray, log_variance: Any, full: bool = False
) -> go.Players:
    """Random players with `size` latents, at the data's mean.

    There EM keeps it, and its rate is that of weights and variance alone.

    - `full`: with an encoder of full covariance.
    """
    key_x, key_y = jax.random.split(key)
    shape, dtype = mean.size, mean.dtype
    scale = jnp.sqrt(jnp.asarray(shape, dtype))
    weights = jax.random.normal(key_y, (size, shape), dtype) / scale
    offset = -weights @ mean
    decoder = Decoder(jax.random.normal(key_x, (shape, size), dtype) / scale, mean, log_variance)
    if full:
        return go.Players(decoder, FullEncoder(weights, offset, jnp.eye(size, dtype=dtype)))
    return go.Players(decoder, DiagonalEncoder(weights, offset, jnp.zeros(size, dtype)))
