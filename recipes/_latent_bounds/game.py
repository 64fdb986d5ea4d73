"""Maximum likelihood of one latent-variable model by several bounds, side by side in one game."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import gameopt as go
from models import LatentModel, StandardNormalPrior
from recipes._latent.elbo import TimedModel

Method = Literal["jensen", "prior_samples", "elbo", "iwae"]
METHODS: tuple[Method, ...] = ("jensen", "prior_samples", "elbo", "iwae")
WITH_ENCODER = ("elbo", "iwae")
NAMES = {
    "jensen": "Jensen's bound",
    "prior_samples": "log-mean-exp",
    "elbo": "ELBO",
    "iwae": "IWAE",
}
"""The methods as tables and pictures call them."""


def prior_of(model: LatentModel) -> StandardNormalPrior:
    """The prior, which is standard normal in every model here."""
    assert isinstance(model.prior, StandardNormalPrior)
    return model.prior


def prior_fits(
    model: LatentModel, points: Float[Array, "n *shape"], samples: int, key: go.Key
) -> Float[Array, "n l"]:
    r"""$\log p(x_i|z_l)$ of codes from the prior that all points share."""
    assert key is not None
    codes = jax.vmap(prior_of(model).sample)(jax.random.split(key, samples))
    numbers = jax.vmap(model.network)(codes)
    of_point = jax.vmap(model.likelihood.log_prob, in_axes=(0, None))
    return jax.vmap(of_point, in_axes=(None, 0))(numbers, points)


class PriorSampleGame(go.IdenticalInterestGame):
    r"""A model against a batch, without an encoder: its codes come from the prior.

    The loss is, in nats and averaged over the batch, with $z_l \sim p(z)$,

    $$-\frac1L\sum_l\log p(x|z_l) \quad\text{(jensen)}, \qquad
      -\log\frac1L\sum_l p(x|z_l) \quad\text{(prior\_samples)}.$$

    The codes are shared among the points of a batch, which changes no expectation.

    - `sampler`, `batch_size`: of points. `samples`: L. `jensen`: which of the two.
    """

    sampler: go.Samples
    batch_size: int = eqx.field(static=True)
    samples: int = eqx.field(static=True)
    jensen: bool = eqx.field(static=True)

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        assert key is not None
        key_rows, key_codes = jax.random.split(key)
        points = self.sampler(key_rows, self.batch_size)
        fits = prior_fits(players.x.model, points, self.samples, key_codes)
        if self.jensen:
            return -jnp.mean(fits)
        return -jnp.mean(jax.nn.logsumexp(fits, axis=1) - jnp.log(float(self.samples)))


class SideBySide(go.IdenticalInterestGame):
    """Games that have nothing to do with each other, played as one: the loss is their sum.

    x has a model for each of them, y an encoder for those with one, each by the game's name. No
    gradient crosses, so that optimizers which work entry by entry train each as if it were alone.

    - `games`: by name.
    """

    games: dict[str, go.AbstractGame]

    def each(self, players: go.Players, key: go.Key = None) -> dict[str, Float[Array, ""]]:
        """The loss of every game, by name."""
        return {
            name: game.losses(pair_of(players, name), key).x for name, game in self.games.items()
        }

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        return sum(self.each(players, key).values(), jnp.zeros(()))

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        """The bound of every game on the batch, in nats."""
        return {f"bound_{name}": -loss for name, loss in self.each(players, key).items()}


class ModelsAlone(go.OnePlayerGame):
    """Games without encoders: y is absent, and this is an optimisation problem of x.

    - `together`: the games as two players would play them.
    """

    together: SideBySide

    def loss(self, x: Any, key: go.Key = None) -> Float[Array, ""]:
        return self.together.loss(go.Players(x, None), key)

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        """The bound of every game on the batch, in nats."""
        return self.together.metrics(players, key)


def names_of(players: go.Players) -> tuple[Method, ...]:
    """The names of the games, in the order of `METHODS`: a pytree forgets that of its keys."""
    return tuple(name for name in METHODS if name in players.x)


def pair_of(players: go.Players, name: str) -> go.Players:
    """The model and the encoder, or `None`, of one of the games."""
    encoders: dict[str, Any] = players.y or {}
    return go.Players(players.x[name], encoders.get(name))


def model_of(players: go.Players, name: str) -> LatentModel:
    """The model of one of the games."""
    timed: TimedModel = players.x[name]
    return timed.model
