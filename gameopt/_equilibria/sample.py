"""The sample of a stochastic game that a certificate speaks of."""

from typing import Any

import equinox as eqx
import jax
import jax.extend.core as jex
import jax.numpy as jnp

from gameopt._games.base import AbstractGame
from gameopt._games.finite_sum import AbstractMeanGame
from gameopt._keys import again
from gameopt._types import Key, Players

NO_SAMPLE = "the game draws none"


def sample_of(game: AbstractGame, players: Players, key: Key) -> str:
    """The sample in words: of one key, of stated keys, of all terms, or of a game without any."""
    if key is not None and _depends_on(game, players, key):
        return "one sample, that of the given key"
    inner: Any = game
    while not isinstance(inner, AbstractMeanGame) and isinstance(
        getattr(inner, "game", None), AbstractGame
    ):
        inner = inner.game
    return inner.stated() if isinstance(inner, AbstractMeanGame) else NO_SAMPLE


def _depends_on(game: AbstractGame, players: Players, key: Key) -> bool:
    """True if the losses depend on the key, as far as the outermost operations show."""
    arrays, static = eqx.partition((game, players), eqx.is_array)

    def losses(key, arrays):
        game, players = eqx.combine(arrays, static)
        return game.losses(players, again(key))

    jaxpr = jax.make_jaxpr(losses)(key, arrays).jaxpr
    is_variable = lambda atom: not isinstance(atom, jex.Literal)
    needed = set(filter(is_variable, jaxpr.outvars))
    for equation in reversed(jaxpr.eqns):
        if needed.intersection(equation.outvars):
            needed.update(filter(is_variable, equation.invars))
    return jaxpr.invars[0] in needed


def is_many(key: Any) -> bool:
    """True for an array of keys; a key of the old kind has one axis itself."""
    if key is None:
        return False
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    return key.ndim > (0 if is_typed else 1)
