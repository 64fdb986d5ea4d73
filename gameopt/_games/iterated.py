"""Iterated two-action games between memory-one strategies, as exact differentiable games."""

from typing import Literal, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame
from gameopt._trees import float_array
from gameopt._types import Key, Players, Real, Scalar

Normalisation = Literal["mean", "sum"]

_AS_THE_OTHER_SEES_IT = np.array([0, 2, 1, 3])
"""The states CC, CD, DC, DD with the two actions exchanged."""


class IteratedGame(AbstractGame):
    r"""A game of two actions, C and D, played for ever by strategies that remember one round.

    $$L_x = -c\, p_0^\top (I - \gamma P)^{-1} r_x$$

    and the same with $r_y$ for the other: minus the discounted rewards. $p_0$ are the probabilities
    of the states CC, CD, DC, DD in the first round, $P$ those of going from one to another, shape
    `(4, 4)`.

    - `reward_x`, `reward_y`: shape `(2, 2)`, the first player's action and the second's.
    - `discount`: $\gamma$ below 1, shape `()`.
    - `normalisation`: `mean`, $c = 1 - \gamma$, so that a loss is minus a mean reward a round; or
      `sum`, $c = 1$, as it is published. Published step sizes are for `sum`: for `mean` they are
      to be divided by $1 - \gamma$, 25 times as large at $\gamma = 0.96$, those of opponents too.

    A strategy is five logits of playing C, shape `(5,)`: in the first round, and after CC, CD, DC
    and DD, in which a player's own action comes first. Infinite logits are pure strategies.

    !!! cite "Source"

        Foerster et al. (2018), arXiv:1709.04326, whose appendix has the exact value; their table 1
        gives $(1 - \gamma)$ times it.
    """

    reward_x: Float[Array, "2 2"] = eqx.field(converter=float_array)
    reward_y: Float[Array, "2 2"] = eqx.field(converter=float_array)
    discount: Float[Array, ""] = eqx.field(converter=float_array, default=0.96)
    normalisation: Normalisation = eqx.field(static=True, default="mean")

    def __check_init__(self):
        check_choice("normalisation", self.normalisation, get_args(Normalisation))
        for name in ("reward_x", "reward_y"):
            shape = getattr(self, name).shape
            if shape != (2, 2):
                raise ValueError(f"IteratedGame.{name} must be of shape (2, 2), got {shape}.")

    def losses(self, players: Players, key: Key = None) -> Players[Scalar, Scalar]:
        del key
        x, y = jax.nn.sigmoid(players.x), jax.nn.sigmoid(players.y)
        start = _joint(x[0], y[0])
        transition = jax.vmap(_joint)(x[1:], y[1:][_AS_THE_OTHER_SEES_IT])
        # One solve for both: the discounted time that is spent in each state.
        resolvent = jnp.eye(4, dtype=x.dtype) - self.discount * transition.T
        occupancy = jnp.linalg.solve(resolvent, start)
        if self.normalisation == "mean":
            occupancy = (1 - self.discount) * occupancy
        return Players(-occupancy @ self.reward_x.ravel(), -occupancy @ self.reward_y.ravel())

    def equilibria(self) -> tuple[Players, ...]:
        """The fully mixed Nash equilibrium of one round, in every round; none if there is none.

        Equilibria in pure strategies, such as to defect for ever, have infinite logits.
        """
        chance_x = _indifference(np.asarray(self.reward_y).T)
        chance_y = _indifference(np.asarray(self.reward_x))
        if not (0 < chance_x < 1 and 0 < chance_y < 1):
            return ()
        logits = lambda chance: jnp.full(5, np.log(chance / (1 - chance)), self.reward_x.dtype)
        return (Players(logits(chance_x), logits(chance_y)),)


def _joint(x: Scalar, y: Scalar) -> Float[Array, "4"]:
    """The probabilities of CC, CD, DC, DD, where C has probability x and y."""
    return jnp.stack([x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)])


def _indifference(reward: np.ndarray) -> float:
    """The opponent's chance of C that makes both rows of `reward` worth the same; or nan."""
    gain_on_c, gain_on_d = reward[0] - reward[1]
    return float("nan") if gain_on_c == gain_on_d else gain_on_d / (gain_on_d - gain_on_c)


def iterated_prisoners_dilemma(
    discount: Real = 0.96, normalisation: Normalisation = "mean"
) -> IteratedGame:
    """Rewards -1 for both who cooperate, -2 for both who defect, 0 and -3 for one of each.

    To defect for ever is an equilibrium, at the mean loss 2 each; so is tit for tat, at 1. The
    arguments are those of `IteratedGame`: published step sizes are for `normalisation="sum"`.
    """
    reward = np.array([[-1.0, -3.0], [0.0, -2.0]])
    return IteratedGame(reward, reward.T, discount, normalisation)


def iterated_matching_pennies(
    discount: Real = 0.96, normalisation: Normalisation = "mean"
) -> IteratedGame:
    """The first player gains 1 from the other if the coins agree, and loses 1 otherwise."""
    reward = np.array([[1.0, -1.0], [-1.0, 1.0]])
    return IteratedGame(reward, -reward, discount, normalisation)
