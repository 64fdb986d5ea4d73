"""SVRE: extragradient on finite sums with variance-reduced gradients."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from gameopt._checks import check_count, count_field
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.finite_sum import AbstractFiniteSumGame, OnIndices, over
from gameopt._keys import require_key
from gameopt._solvers.base import AbstractSolver, RoundInfo, descend_plainly, round_info
from gameopt._trees import per_player, playable
from gameopt._types import Key, Players, Scalar


class SVREState(eqx.Module):
    """The snapshot, the whole field there, and how many rounds were played."""

    snapshot: Players
    field: Players
    count: Int[Array, ""]


def _epoch(value: Any) -> int | None:
    return None if value is None else check_count("epoch", value, 1, at_least="at least")


class SVRE(AbstractSolver[SVREState]):
    r"""$z^{1/2} = z - \eta\,d_i(z)$, then $z^+ = z - \eta\,d_j(z^{1/2})$, with
    $d_i(z) = \xi_i(z) - \xi_i(\hat z) + \xi(\hat z)$ and $i, j$ independent.

    - `learning_rate`: $\eta$, a number or a `Players`.
    - `epoch`: rounds from one snapshot $\hat z$ to the next; the number of minibatches in the
      game by default.
    - `coin`: a key. With one, every round takes a snapshot with probability 1/`epoch` instead, as
      published. The coin is the solver's own and not the round's key, so that it is the same for
      all seeds of a `vmap`, and none of them pays for a snapshot that it does not take.
    - `chunk`: terms in memory at once while the whole field is taken.

    Eight gradients of a minibatch a round, and at a snapshot two of the whole sum, each of which
    counts as many as there are minibatches in it.

    !!! cite "Source"

        Chavdarova, Gidel, Fleuret & Lacoste-Julien (2019), arXiv:1904.08598, algorithm 1.
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)
    epoch: int | None = eqx.field(converter=_epoch, default=None)
    coin: Key = None
    chunk: int = count_field("chunk", default=1024)

    @property
    def no_single_rate(self) -> str:
        return "SVRE draws its terms at random and takes snapshots now and then"

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> SVREState:
        del key
        _check(game)
        check_strategies(game, players)
        played = playable(players)
        return SVREState(played, jax.tree.map(jnp.zeros_like, played), jnp.zeros((), jnp.int32))

    def step(
        self, game: AbstractGame, players: Players, state: SVREState, key: Key = None
    ) -> tuple[Players, SVREState, RoundInfo]:
        game = _check(game)
        key_first, key_second = jax.random.split(require_key(key, game))
        due = self._is_due(game, state.count)

        def take():
            field = over(game, "all", chunk=self.chunk).losses_and_field(players)[1]
            return playable(players), playable(field)

        snapshot, mean = jax.lax.cond(due, take, lambda: (state.snapshot, state.field))
        anchor = eqx.combine(snapshot, players)

        def reduced(point: Players, key: Key):
            term = OnIndices(game, game.draw_indices(key))
            losses, field = term.losses_and_field(point)
            _, field_there = term.losses_and_field(anchor)
            change = lambda here, there, whole: here - there + whole
            return losses, jax.tree.map(change, field, field_there, mean)

        _, direction = reduced(players, key_first)
        ahead = descend_plainly(game, self.learning_rate, direction, players)
        losses, direction = reduced(ahead, key_second)
        new = descend_plainly(game, self.learning_rate, direction, players)
        info = round_info(losses, 8 + 2 * _minibatches(game) * due.astype(jnp.int32))
        return new, SVREState(snapshot, mean, state.count + 1), info

    def _is_due(self, game: AbstractFiniteSumGame, count: Int[Array, ""]) -> Array:
        epoch = self.epoch or _minibatches(game)
        if self.coin is None:
            return count % epoch == 0
        heads = jax.random.bernoulli(jax.random.fold_in(self.coin, count), 1 / epoch)
        return heads | (count == 0)


def _minibatches(game: AbstractFiniteSumGame) -> int:
    """The number of minibatches in the whole sum."""
    # A function of its own: JAX compares bound methods, and with them the game's traced arrays.
    draw = lambda key: game.draw_indices(key)
    batch = jax.eval_shape(draw, jax.eval_shape(jax.random.key, 0)).shape[0]
    return max(1, -(-game.size // batch))


def _check(game: AbstractGame) -> AbstractFiniteSumGame:
    if not isinstance(game, AbstractFiniteSumGame):
        raise ValueError(
            f"SVRE needs a finite-sum game (AbstractFiniteSumGame), and {type(game).__name__} is "
            "none."
        )
    return game
