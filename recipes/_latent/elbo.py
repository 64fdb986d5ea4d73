"""Variational learning as a game of one interest: model x and encoder y raise one bound."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.lax import stop_gradient
from jaxtyping import Array, Float, Int, PRNGKeyArray

import gameopt as go
from models import DiagonalGaussian, GaussianEncoder, LatentModel, StandardNormalPrior

Objective = Literal["elbo", "iwae", "dreg"]


class TimedModel(eqx.Module):
    """A model, and the rounds that it has been played, which nobody plays."""

    model: LatentModel
    round: Int[Array, ""]

    def __init__(self, model: LatentModel):
        """At round 0."""
        self.model, self.round = model, jnp.zeros((), jnp.int32)


def timed(solver: go.AbstractSolver) -> go.Carrying:
    """The solver, with the model's rounds counted."""

    def advance(game: go.AbstractGame, players: go.Players, key: go.Key) -> go.Players:
        del game, key
        return eqx.tree_at(lambda p: p.x.round, players, players.x.round + 1)

    return go.Carrying(solver, advance)


def label_of(point: Any) -> tuple[Any, ...]:
    """The label of a labelled point, as further arguments; none of any other."""
    return (point.condition,) if isinstance(point, go.Conditioned) else ()


class Draw(NamedTuple):
    """Codes drawn for one point, and their log-densities, in nats.

    Of a batch all have its axis in front.

    - `law`: $q(z|x)$. `codes`: shape `(l, k)`.
    - `log_likelihood`: $\\log p(x|z)$, `log_prior`, `log_posterior`: shape `(l,)`.
    """

    law: DiagonalGaussian
    codes: Float[Array, "... l k"]
    log_likelihood: Float[Array, "... l"]
    log_prior: Float[Array, "... l"]
    log_posterior: Float[Array, "... l"]

    @property
    def log_weights(self) -> Float[Array, "... l"]:
        r"""$\log p(x, z) - \log q(z|x)$."""
        return self.log_likelihood + self.log_prior - self.log_posterior


def draw_codes(
    model: LatentModel,
    prior: Any,
    encoder: GaussianEncoder,
    point: Any,
    noise: Float[Array, "l k"],
    pathwise: Float[Array, " l"] | None = None,
) -> Draw:
    """Reparameterised codes of one point.

    **Arguments:**

    - `prior`: the law of codes, `model.prior.law(encoder)`. `noise`: standard normal.
    - `pathwise`: factors of the gradients through each code; the density of the posterior is then
      held fixed, as for the doubly reparameterised gradient.
    """
    label = label_of(point)
    law = encoder(go.value_of(point), *label)
    codes = _of_each(law.at, noise)
    density = law
    if pathwise is not None:
        codes = stop_gradient(codes) + pathwise[:, None] * (codes - stop_gradient(codes))
        density = stop_gradient(law)
    fit = _of_each(lambda z: model.log_likelihood(z, go.value_of(point), *label), codes)
    log_prior, log_posterior = _of_each(prior.log_prob, codes), _of_each(density.log_prob, codes)
    return Draw(law, codes, fit, log_prior, log_posterior)


def _of_each(function: Callable[[Array], Array], codes: Float[Array, "l k"]) -> Array:
    """The function at every code; a lone one, mapped, would cost XLA a tenth of a step."""
    return function(codes[0])[None] if len(codes) == 1 else jax.vmap(function)(codes)


def rates(model: LatentModel, draw: Draw) -> Float[Array, " units"]:
    """KL divergences of posterior and prior, in nats: exact ones of each unit for the standard
    normal prior, and else one estimate for all units."""
    if isinstance(model.prior, StandardNormalPrior):
        return draw.law.kl_to_standard()
    return jnp.mean(draw.log_posterior - draw.log_prior, keepdims=True)


class VariationalGame(go.IdenticalInterestGame):
    r"""Maximum likelihood of $p(x) = \int p(x|z)\,p(z)\,dz$ by a bound; model x, encoder y.

    The loss is, in nats and averaged over a batch, with $l$ reparameterised samples for a point,

    $$-\frac1l\sum_i \log p(x|z_i) + \beta\sum_j \max(\lambda, \mathrm{KL}_j)
      \quad\text{(elbo)}, \qquad
      -\log \frac1l \sum_i \frac{p(x, z_i)}{q(z_i|x)} \quad\text{(iwae, dreg)}.$$

    $\lambda$, the free bits, bounds the batch's mean of each unit. `dreg` is the value of `iwae`
    with a gradient for the encoder whose signal does not vanish with many samples.

    - `sampler`: draws points, with labels for a conditional model.
    - `beta`, `anneal_steps`: $\beta$ grows from 0 over so many rounds.
    - `dynamic`: points are chances, of which bits are drawn anew each time.

    !!! cite "Source"

        Kingma & Welling (2014), arXiv:1312.6114; Higgins et al. (2017), beta-VAE; Burda, Grosse &
        Salakhutdinov (2016), arXiv:1509.00519; Kingma et al. (2016), arXiv:1606.04934, section 5.1
        (free bits); Tucker et al. (2019), arXiv:1810.04152 (doubly reparameterised gradients).
    """

    sampler: go.Samples
    batch_size: int = eqx.field(static=True)
    samples: int = eqx.field(static=True)
    objective: Objective = eqx.field(static=True)
    dynamic: bool = eqx.field(static=True)
    beta: Float[Array, ""]
    anneal_steps: Int[Array, ""]
    free_bits: Float[Array, ""]

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        batch, noise = self._batch(players, key)
        if self.objective == "elbo":
            draws = self._draws(players, batch, noise)
            fit, rates_ = self._parts(players, draws)
            return -fit + self.weight(players.x.round) * jnp.sum(
                jnp.maximum(rates_, self.free_bits)
            )
        if self.objective == "iwae":
            return -jnp.mean(_log_mean_exp(self._draws(players, batch, noise).log_weights))
        return self._dreg_loss(players, batch, noise)

    def _dreg_loss(self, players: go.Players, batch: Any, noise: Array) -> Float[Array, ""]:
        """The negative bound; its gradients have weights $w$ for x, and $w^2$ for y's codes."""
        log_weights = self._draws(stop_gradient(players), batch, noise).log_weights
        weights = jax.nn.softmax(log_weights, axis=-1)
        # The factor on the codes' path makes the weights of the encoder's gradient w^2.
        again = self._draws(players, batch, noise, weights).log_weights
        surrogate = jnp.mean(jnp.sum(weights * again, axis=-1))
        bound = jnp.mean(_log_mean_exp(log_weights))
        return -(bound + surrogate - stop_gradient(surrogate))

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        """`distortion` and `rate` of the batch, in nats, and the present `beta`."""
        assert key is not None
        draws = self._draws(players, *self._batch(players, key))
        fit, rates_ = self._parts(players, draws)
        beta = self.weight(players.x.round)
        return {"distortion": -fit, "rate": jnp.sum(rates_), "beta": beta}

    def weight(self, round: Int[Array, ""]) -> Float[Array, ""]:
        """The weight of the KL term in a round."""
        dtype = self.beta.dtype
        share = (round + 1).astype(dtype) / jnp.maximum(self.anneal_steps, 1).astype(dtype)
        return self.beta * jnp.where(self.anneal_steps > 0, jnp.minimum(share, 1), 1)

    def _batch(self, players: go.Players, key: PRNGKeyArray) -> tuple[Any, Float[Array, "n l k"]]:
        key_rows, key_bits, key_noise = jax.random.split(key, 3)
        batch = self.sampler(key_rows, self.batch_size)
        values = go.value_of(batch)
        if self.dynamic:
            bits = jax.random.bernoulli(key_bits, values).astype(values.dtype)
            batch = go.Conditioned(bits, batch.condition) if label_of(batch) else bits
        one = jax.tree.map(lambda leaf: leaf[0], batch)
        size = jax.eval_shape(players.y, go.value_of(one), *label_of(one)).mean.shape
        noise = jax.random.normal(key_noise, (self.batch_size, self.samples, *size), values.dtype)
        return batch, noise

    def _draws(
        self, players: go.Players, batch: Any, noise: Array, pathwise: Array | None = None
    ) -> Draw:
        model, encoder = players.x.model, players.y
        prior = model.prior.law(encoder)
        draw = lambda point, noise, factors: draw_codes(
            model, prior, encoder, point, noise, factors
        )
        return jax.vmap(draw)(batch, noise, pathwise)

    def _parts(self, players: go.Players, draws: Draw) -> tuple[Array, Array]:
        each = jax.vmap(lambda draw: rates(players.x.model, draw))(draws)
        return jnp.mean(draws.log_likelihood), jnp.mean(each, axis=0)


def _log_mean_exp(log_weights: Float[Array, "... l"]) -> Float[Array, "..."]:
    return jax.nn.logsumexp(log_weights, axis=-1) - jnp.log(float(log_weights.shape[-1]))
