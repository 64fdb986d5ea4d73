"""Every toy game on the plane, by name."""

from collections.abc import Callable

from gameopt._games.toy_game import ToyGame, ZeroSumToyGame
from gameopt._games.toy_general_sum import GENERAL_SUM_TOY_GAMES
from gameopt._games.toy_zero_sum import ZERO_SUM_TOY_GAMES

TOY_GAMES: dict[str, Callable[[], ToyGame | ZeroSumToyGame]] = {
    **ZERO_SUM_TOY_GAMES,
    **GENERAL_SUM_TOY_GAMES,
}
"""The toy games that analyses are held against, each made by a call without arguments."""
