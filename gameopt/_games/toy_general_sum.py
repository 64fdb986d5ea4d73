"""General-sum toy games on the plane: each player minimises its own loss."""

from collections.abc import Callable

from gameopt._games.toy_game import PlanarPoint, ToyGame
from gameopt._types import Scalar


def _avoided_nash_x(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * x**2 + 2 * x * y


def _avoided_nash_y(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * y**2 + 2 * x * y


def _balduzzi_stable_x(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * x**2 + 10 * x * y


def _balduzzi_stable_y(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * y**2 - 10 * x * y


def _balduzzi_unstable_x(x: Scalar, y: Scalar) -> Scalar:
    return -0.5 * x**2 + 10 * x * y


def _balduzzi_unstable_y(x: Scalar, y: Scalar) -> Scalar:
    return -0.5 * y**2 - 10 * x * y


def _ratliff_x(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * x**2 - x * y


def _ratliff_y(x: Scalar, y: Scalar) -> Scalar:
    return 0.5 * y**2 - x * y


def _tandem_x(x: Scalar, y: Scalar) -> Scalar:
    return (x + y) ** 2 - 2 * x


def _tandem_y(x: Scalar, y: Scalar) -> Scalar:
    return (x + y) ** 2 - 2 * y


# The flow of the polar game is r' = r g(r^2), angle' = 1, with g(s) = (s - 1)(4 - s) / 4. In
# Cartesian coordinates x' = x g - y and y' = y g + x, and a player's loss is minus the integral of
# its own component over its own variable: P(r^2) + x y and P(r^2) - x y, with P' = -g / 2.
def _polar_potential(x: Scalar, y: Scalar) -> Scalar:
    s = x**2 + y**2
    return s**3 / 24 - 5 * s**2 / 16 + s / 2


def _polar_x(x: Scalar, y: Scalar) -> Scalar:
    return _polar_potential(x, y) + x * y


def _polar_y(x: Scalar, y: Scalar) -> Scalar:
    return _polar_potential(x, y) - x * y


def _point(x: float, y: float, nash: bool, attractor: bool) -> tuple[PlanarPoint, ...]:
    return (PlanarPoint(x, y, nash, None, attractor),)


_BALDUZZI = "Balduzzi et al. (2018), arXiv:1802.05642"

GENERAL_SUM_TOY_GAMES: dict[str, Callable[[], ToyGame]] = {
    # A Nash equilibrium that gradient play avoids: eigenvalues 3 and -1. No zero-sum game has one.
    "avoided_nash": lambda: ToyGame(
        _avoided_nash_x,
        _avoided_nash_y,
        "avoided_nash",
        "after Mazumdar, Ratliff & Sastry (2020), arXiv:1804.05464",
        _point(0.0, 0.0, True, False),
    ),
    # Eigenvalues 1 +- 10 i.
    "balduzzi_stable": lambda: ToyGame(
        _balduzzi_stable_x,
        _balduzzi_stable_y,
        "balduzzi_stable",
        _BALDUZZI,
        _point(0.0, 0.0, True, True),
    ),
    # Eigenvalues -1 +- 10 i.
    "balduzzi_unstable": lambda: ToyGame(
        _balduzzi_unstable_x,
        _balduzzi_unstable_y,
        "balduzzi_unstable",
        _BALDUZZI,
        _point(0.0, 0.0, False, False),
    ),
    # Every point of the line x = y is an equilibrium: eigenvalues 0 and 2, and none is isolated.
    "ratliff": lambda: ToyGame(
        _ratliff_x,
        _ratliff_y,
        "ratliff",
        "Ratliff, Burden & Sastry (2016), arXiv:1411.2168",
        _point(0.0, 0.0, True, False),
    ),
    # Every point of the line x + y = 1 is an equilibrium: eigenvalues 0 and 4. Opponent shaping
    # moves its fixed points off the line.
    "tandem": lambda: ToyGame(
        _tandem_x,
        _tandem_y,
        "tandem",
        "Letcher, Foerster, Balduzzi, Rocktäschel & Whiteson (2019), arXiv:1811.08469",
        _point(0.5, 0.5, True, False),
    ),
    # r' = r (r^2 - 1)(4 - r^2) / 4: a repelling cycle of radius 1, an attracting one of radius 2,
    # and the origin attracts from within the first.
    "polar": lambda: ToyGame(
        _polar_x,
        _polar_y,
        "polar",
        "a normal form in polar coordinates, derived here",
        _point(0.0, 0.0, True, True),
    ),
}
