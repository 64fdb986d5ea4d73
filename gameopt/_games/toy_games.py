"""Toy games with published critical points, zero-sum and general-sum."""

import math
from collections.abc import Callable

import jax.numpy as jnp

from gameopt._games.toy_game import PlanarPoint, ToyGame, ZeroSumToyGame
from gameopt._types import Scalar


def _mazumdar_fiez(x: Scalar, y: Scalar) -> Scalar:
    envelope = jnp.exp(-0.01 * (x**2 + y**2))
    return -envelope * ((0.3 * x**2 + y) ** 2 + (0.5 * y**2 + x) ** 2)


# Three differential Nash equilibria, and an attractor that is none: it is a strict local minimax.
_MAZUMDAR_FIEZ_POINTS = (
    PlanarPoint(-12.476604033044492, -8.6779255959460286, True, True, True),
    PlanarPoint(-11.426652020836208, 8.004295345248245, True, True, True),
    PlanarPoint(12.39500714641877, -6.3728313184442351, True, True, True),
    PlanarPoint(-1.3165279824134077, -1.2242747225581982, False, True, True),
    PlanarPoint(-13.842761708081047, 1.1904648457814671, False, False, False),
    PlanarPoint(-2.8114422176724974, -2.3712622029933752, False, False, False),
    PlanarPoint(0.0, 0.0, False, False, False),
    PlanarPoint(0.91470934767350376, -14.01180346651863, False, False, False),
    PlanarPoint(1.0829595985292568, 13.991007028925848, False, False, False),
)


def _wang_g1(x: Scalar, y: Scalar) -> Scalar:
    return -3 * x**2 - y**2 + 4 * x * y


def _wang_g2(x: Scalar, y: Scalar) -> Scalar:
    return 3 * x**2 + y**2 + 4 * x * y


def _wang_g3(x: Scalar, y: Scalar) -> Scalar:
    quartic = 0.4 * x**2 - 0.1 * (y - 3 * x + 0.05 * x**3) ** 2 - 0.01 * y**4
    return quartic * jnp.exp(-0.01 * (x**2 + y**2))


# The value is even, so that every point but the origin comes with its negative.
_WANG_G3_HALF = (
    (1.1056659651872089, -13.836793022264823),
    (8.1012576948319435, -0.62066192784378504),
    (10.060026300541208, 13.11326318422271),
    (11.387239165735544, -13.399203277074834),
    (18.607231417692816, 0.38244602262812105),
)
# The origin is the only local minimax, and it repels the flow.
_WANG_G3_POINTS = (
    PlanarPoint(0.0, 0.0, False, True, False),
    *(PlanarPoint(s * x, s * y, False, False, False) for x, y in _WANG_G3_HALF for s in (1, -1)),
)


def _adolphs(x: Scalar, y: Scalar) -> Scalar:
    return 2 * x**2 + y**2 + 4 * x * y + 4 / 3 * y**3 - 0.25 * y**4


# The field vanishes where x = -y and y (y^2 - 4 y + 2) = 0. The origin attracts and is no saddle
# in the players' own directions: y could do better there.
_FAR, _NEAR = 2 + math.sqrt(2), 2 / (2 + math.sqrt(2))
_ADOLPHS_POINTS = (
    PlanarPoint(-_FAR, _FAR, True, True, True),
    PlanarPoint(-_NEAR, _NEAR, False, False, False),
    PlanarPoint(0.0, 0.0, False, False, True),
)


def _forsaken(x: Scalar, y: Scalar) -> Scalar:
    phi = lambda z: z**2 / 4 - z**4 / 2 + z**6 / 6
    return x * (y - 0.45) + phi(x) - phi(y)


def _almost_bilinear(x: Scalar, y: Scalar) -> Scalar:
    return x * y + 0.1 * (y**2 / 2 - y**4 / 4)


def _global_forsaken(x: Scalar, y: Scalar) -> Scalar:
    psi = lambda z: 2 * z**6 / 21 - z**4 / 3 + z**2 / 3
    return x * y + psi(x) - psi(y)


def _jin_no_minimax(x: Scalar, y: Scalar) -> Scalar:
    return y**2 - 2 * x * y


def _jin_not_stationary(x: Scalar, y: Scalar) -> Scalar:
    return 0.2 * x * y - jnp.cos(y)


def _origin(nash: bool, minimax: bool, attractor: bool) -> tuple[PlanarPoint, ...]:
    return (PlanarPoint(0.0, 0.0, nash, minimax, attractor),)


_WANG = "Wang, Zhang & Ba (2020), arXiv:1910.07512"
_HSIEH = "Hsieh, Mertikopoulos & Cevher (2021), arXiv:2006.09065"
_JIN = "Jin, Netrapalli & Jordan (2020), arXiv:1902.00618"

ZERO_SUM_TOY_GAMES: dict[str, Callable[[], ZeroSumToyGame]] = {
    # -e^{-0.01 (x^2 + y^2)} ((0.3 x^2 + y)^2 + (0.5 y^2 + x)^2); the points are all those with
    # |x|, |y| <= 20.
    "mazumdar_fiez": lambda: ZeroSumToyGame(
        _mazumdar_fiez,
        "mazumdar_fiez",
        "Mazumdar, Jordan & Sastry (2019), arXiv:1901.00838; Fiez & Ratliff (2021)",
        _MAZUMDAR_FIEZ_POINTS,
    ),
    # A local minimax that repels the flow.
    "wang_g1": lambda: ZeroSumToyGame(_wang_g1, "wang_g1", _WANG, _origin(False, True, False)),
    # An attractor that is no local minimax.
    "wang_g2": lambda: ZeroSumToyGame(_wang_g2, "wang_g2", _WANG, _origin(False, False, True)),
    # A sixth-order polynomial under a Gaussian; the points are all those with |x|, |y| <= 20.
    "wang_g3": lambda: ZeroSumToyGame(_wang_g3, "wang_g3", _WANG, _WANG_G3_POINTS),
    # One Nash equilibrium, one repelling point, one spurious attractor.
    "adolphs": lambda: ZeroSumToyGame(
        _adolphs,
        "adolphs",
        "Adolphs, Daneshmand, Lucchi & Hofmann (2019), arXiv:1805.05751",
        _ADOLPHS_POINTS,
    ),
    # One critical point that attracts from within a repelling cycle; beyond that an attracting
    # cycle, which is where play ends. V_yy > 0 at the point: it is no strict local minimax.
    "forsaken": lambda: ZeroSumToyGame(
        _forsaken,
        "forsaken",
        _HSIEH,
        (PlanarPoint(0.078026668738460092, 0.41193385136581984, False, False, True),),
    ),
    # x y + e (y^2 / 2 - y^4 / 4) with e = 0.1: an attracting cycle of radius 2 / sqrt(3) + O(e),
    # and inside it nothing but a repelling point.
    "almost_bilinear": lambda: ZeroSumToyGame(
        _almost_bilinear, "almost_bilinear", _HSIEH, _origin(False, False, False)
    ),
    # The origin is a Nash equilibrium against every deviation, and an attracting cycle is around.
    "global_forsaken": lambda: ZeroSumToyGame(
        _global_forsaken,
        "global_forsaken",
        "Pethick, Latafat, Patrinos, Fercoq & Cevher (2022), arXiv:2302.09831",
        _origin(True, True, True),
    ),
    # On [-1, 1]^2: global minimax points (0, 1) and (0, -1), and no local minimax at all.
    "jin_no_minimax": lambda: ZeroSumToyGame(
        _jin_no_minimax, "jin_no_minimax", _JIN, _origin(False, False, False)
    ),
    # For |x| <= 1, |y| <= 2 pi: global minimax points (0, pi) and (0, -pi), where the field is not
    # zero; the one critical point is nothing.
    "jin_not_stationary": lambda: ZeroSumToyGame(
        _jin_not_stationary, "jin_not_stationary", _JIN, _origin(False, False, False)
    ),
}


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


TOY_GAMES: dict[str, Callable[[], ToyGame | ZeroSumToyGame]] = {
    **ZERO_SUM_TOY_GAMES,
    **GENERAL_SUM_TOY_GAMES,
}
"""The toy games that analyses are held against, each made by a call without arguments."""
