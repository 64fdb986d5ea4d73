"""Games that are means over a finite set, and deterministic games made of stochastic ones."""

import abc
from collections.abc import Callable
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key as KeyArray

from gameopt._checks import Integer, check_count, count_field
from gameopt._games.base import AbstractGame, AbstractGameOf, check_game, sets_of
from gameopt._games.bilinear import Bilinear
from gameopt._keys import again, require_key
from gameopt._trees import float_array
from gameopt._types import Key, Losses, Players, Projection

Indices = Int[Array, " k"]


class AbstractFiniteSumGame(AbstractGame):
    r"""Losses that are means over $n$ terms, $L = \frac1n\sum_i L_i$.

    A subclass writes `size`, `losses_at` and `draw_indices`; `losses` is the mean over the terms
    that the key draws. `over(game, "all")` is the whole sum.
    """

    @property
    @abc.abstractmethod
    def size(self) -> int:
        """$n$, the number of terms."""

    @abc.abstractmethod
    def losses_at(self, players: Players, indices: Indices, key: Key = None) -> Losses:
        """The mean of the losses over the terms with these indices, shape `(k,)`."""

    @abc.abstractmethod
    def draw_indices(self, key: Key) -> Indices:
        """Draw the indices of a minibatch, of one size for every key."""

    def losses(self, players: Players, key: Key = None) -> Losses:
        key_draw, key_rest = jax.random.split(require_key(key, self))
        return self.losses_at(players, self.draw_indices(key_draw), key_rest)


class OnIndices(AbstractGameOf):
    """The deterministic game of the terms with the given indices.

    - `indices`: shape `(k,)`. A key given to `losses` goes on to `losses_at`.
    """

    game: AbstractFiniteSumGame  # pyright: ignore[reportIncompatibleVariableOverride]
    indices: Indices

    def losses(self, players: Players, key: Key = None) -> Losses:
        return self.game.losses_at(players, self.indices, key)

    def project(self, players: Players) -> Players:
        return self.game.project(players)

    def sets(self, players: Players) -> Players[Projection | None, Projection | None]:
        return sets_of(self.game, players)


Meaning = Callable[[Array], tuple[AbstractGame, Key, float]]


class AbstractMeanGame(AbstractGameOf):
    """The weighted mean of deterministic games that are made from slices of one array."""

    @abc.abstractmethod
    def stated(self) -> str:
        """The samples of the mean, in words."""

    @abc.abstractmethod
    def parts(self) -> tuple[Array, Meaning, Array | None]:
        """Slices along the first axis, the meaning of each, and a last slice of another length."""

    def _mean(self, evaluate: Callable[[AbstractGame, Key], Any]) -> Any:
        slices, meaning, last = self.parts()

        def weighted(piece: Array) -> Any:
            game, key, weight = meaning(piece)
            return jax.tree.map(lambda leaf: weight * leaf, evaluate(game, key))

        # One slice in memory at a time, also in the backward pass.
        add = lambda total, piece: (jax.tree.map(jnp.add, total, weighted(piece)), None)
        total = weighted(slices[0])
        total, _ = jax.lax.scan(jax.checkpoint(add), total, slices[1:])
        return total if last is None else add(total, last)[0]

    def losses(self, players: Players, key: Key = None) -> Losses:
        del key
        return self._mean(lambda game, key: game.losses(players, key))

    def losses_and_field(self, players: Players, key: Key = None) -> tuple[Losses, Players]:
        del key
        return self._mean(lambda game, key: game.losses_and_field(players, key))

    def project(self, players: Players) -> Players:
        return self.game.project(players)

    def sets(self, players: Players) -> Players[Projection | None, Projection | None]:
        return sets_of(self.game, players)


class _OverKeys(AbstractMeanGame):
    keys: KeyArray[Array, " m"]

    def stated(self) -> str:
        return f"the mean over {len(self.keys)} stated samples"

    def parts(self):
        # The same samples at every evaluation.
        return again(self.keys), lambda key: (self.game, key, 1 / len(self.keys)), None


class _OverAll(AbstractMeanGame):
    game: AbstractFiniteSumGame  # pyright: ignore[reportIncompatibleVariableOverride]
    chunk: int = eqx.field(static=True)

    def stated(self) -> str:
        return f"the mean over all {self.game.size} terms"

    def parts(self):
        n, chunk = self.game.size, min(self.chunk, self.game.size)
        indices, whole = jnp.arange(n), n // chunk * chunk
        meaning = lambda piece: (OnIndices(self.game, piece), None, len(piece) / n)
        last = indices[whole:] if whole < n else None
        return indices[:whole].reshape(-1, chunk), meaning, last


def over(
    game: AbstractGame, samples: KeyArray[Array, "..."] | Literal["all"], *, chunk: Integer = 1024
) -> AbstractGame:
    """The deterministic game that is the mean of a stochastic one over stated samples.

    What a certificate of a stochastic game speaks of, and what a full gradient is.

    **Arguments:**

    - `samples`: an array of keys, of shape `(m,)`: the mean over their samples; or `"all"`, for a
      finite-sum game: the mean over all of its terms, no key going to `losses_at`.
    - `chunk`: for `"all"`, how many terms are in memory at once.

    **Raises:** `ValueError` for `"all"` if the game is no finite sum, or for no keys.
    """
    check_game(game)
    chunk = check_count("chunk", chunk, 1, at_least="at least")
    if isinstance(samples, str):
        if not isinstance(game, AbstractFiniteSumGame):
            raise ValueError(
                f'over(game, "all") needs a finite-sum game, and {type(game).__name__} is none. '
                "Give an array of keys: jax.random.split(key, 100)."
            )
        return _OverAll(game, chunk)
    if samples.ndim != 1 or len(samples) == 0:
        raise ValueError(f"over needs keys of shape (m,) with m >= 1, got shape {samples.shape}.")
    return _OverKeys(game, samples)


class StochasticBilinear(AbstractFiniteSumGame):
    r"""$V = \frac1n\sum_i x^\top A_i y + b_i^\top x + c_i^\top y$.

    - `matrices`: $A_i$, shape `(n, p, q)`. `offsets_x`: $b_i$, `(n, p)`. `offsets_y`: $c_i$,
      `(n, q)`. `batch_size`: terms that a sample sees.

    Its noise does not vanish at the equilibrium, so that plain extragradient diverges with any
    constant step while variance-reduced extragradient converges.

    !!! cite "Source"

        Chavdarova et al. (2019), arXiv:1904.08598, section 2.2 and figure 4.
    """

    matrices: Float[Array, "n p q"] = eqx.field(converter=float_array)
    offsets_x: Float[Array, "n p"] = eqx.field(converter=float_array)
    offsets_y: Float[Array, "n q"] = eqx.field(converter=float_array)
    batch_size: int = count_field("batch_size", static=True, default=1)

    def __check_init__(self):
        n, p, q = self.matrices.shape
        if self.offsets_x.shape != (n, p) or self.offsets_y.shape != (n, q):
            raise ValueError(
                f"StochasticBilinear needs offsets of shapes {(n, p)} and {(n, q)} to fit the "
                f"matrices, got {self.offsets_x.shape} and {self.offsets_y.shape}."
            )

    @property
    def size(self) -> int:
        return self.matrices.shape[0]

    @property
    def is_zero_sum(self) -> bool:
        return True

    def draw_indices(self, key: Key) -> Indices:
        """Uniform, with replacement."""
        return jax.random.randint(require_key(key, self), (self.batch_size,), 0, self.size)

    def losses_at(self, players: Players, indices: Indices, key: Key = None) -> Losses:
        del key
        mean = lambda terms: jnp.mean(terms[indices], axis=0)
        x, y = players.x, players.y
        bilinear = x @ mean(self.matrices) @ y
        value = bilinear + mean(self.offsets_x) @ x + mean(self.offsets_y) @ y
        return Players(value, -value)

    def equilibria(self) -> tuple[Players, ...]:
        """The equilibrium of smallest norm of the whole sum."""
        mean = lambda terms: np.mean(np.asarray(terms), axis=0)
        return Bilinear(
            mean(self.matrices), mean(self.offsets_x), mean(self.offsets_y)
        ).equilibria()
