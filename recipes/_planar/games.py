"""Games on the plane by name, with the window to look at and what their critical points are."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

import gameopt as go


class PlanarGame(NamedTuple):
    """A game with strategies of shape `()`.

    - `make`: gives it. `centre`, `half_width`: of the square window that shows it.
    """

    make: Callable[[], go.AbstractGame]
    half_width: float = 2.0
    centre: tuple[float, float] = (0.0, 0.0)


class Verdict(NamedTuple):
    """A critical point and what it is, computed from the Jacobian and the own Hessians."""

    players: go.Players
    nash: bool
    minimax: bool | None
    attractor: bool
    degenerate: bool
    """Whether no own Hessian is negative and one is 0: second order does not decide Nash."""
    circles: bool
    """Whether every eigenvalue of the Jacobian is imaginary."""

    @property
    def word(self) -> str:
        """A few words for a legend."""
        if self.nash:
            return "Nash equilibrium" if self.attractor else "Nash, not attracting"
        if self.degenerate and (self.circles or self.attractor):
            return "degenerate, the flow circles" if self.circles else "degenerate attractor"
        if self.minimax:
            return "local minimax, not Nash"
        return "spurious attractor" if self.attractor else "critical, repelling"


def _quadratic() -> go.AbstractGame:
    return go.zero_sum_game(_quadratic_value)


def _quadratic_value(x, y):
    return 0.1 * x**2 + x * y - 0.1 * y**2


def _dirac(variant: str) -> Callable[[], go.AbstractGame]:
    return lambda: go.DIRAC_GAN_VARIANTS[variant]()


WINDOWS = {
    "mazumdar_fiez": (16.0, (0.0, 0.0)),
    "wang_g3": (21.0, (0.0, 0.0)),
    "adolphs": (5.0, (-1.0, 1.0)),
    "forsaken": (1.6, (0.0, 0.2)),
    "almost_bilinear": (2.5, (0.0, 0.0)),
    "polar": (2.6, (0.0, 0.0)),
    "tandem": (2.0, (0.5, 0.5)),
}

PLANAR_GAMES: dict[str, PlanarGame] = {
    "bilinear": PlanarGame(lambda: go.Bilinear(1.0)),
    "quadratic": PlanarGame(_quadratic),
    **{
        "dirac_gan" + ("" if name == "gan" else f"_{name}"): PlanarGame(_dirac(name))
        for name in go.DIRAC_GAN_VARIANTS
    },
    **{
        name: PlanarGame(make, *WINDOWS.get(name, (2.0, (0.0, 0.0))))
        for name, make in go.TOY_GAMES.items()
    },
}
"""Every game that a phase portrait can show."""


def critical_points(game: go.AbstractGame) -> list[Verdict]:
    """The known critical points, or the known equilibria, each judged anew."""
    points = [point.players for point in game.critical_points()] or list(game.equilibria())
    if isinstance(game, go.ZeroSumGame) and not points:
        points = [go.Players(jnp.zeros(()), jnp.zeros(()))]
    points = [p for p in points if float(go.stationarity(game, p)) < 1e-6]
    return [judge(game, players) for players in points]


def judge(game: go.AbstractGame, players: go.Players) -> Verdict:
    """Nash, strict local minimax and attractor of the flow, from second derivatives."""
    jacobian = np.asarray(go.jacobian(game, players))
    xx, yy = jacobian[0, 0], jacobian[1, 1]
    # In a zero-sum game L_y = -V, so V_yy = -yy and the Schur complement is xx - xy yx / yy.
    minimax = None
    if game.is_zero_sum:
        minimax = bool(yy > 0 and xx - jacobian[0, 1] * jacobian[1, 0] / yy > 0)
    real = np.linalg.eigvals(jacobian).real
    nash, degenerate = bool(xx > 0 and yy > 0), bool(min(xx, yy) >= 0)
    attractor, circles = bool(real.min() > 1e-9), bool(np.abs(real).max() <= 1e-9)
    return Verdict(players, nash, minimax, attractor, degenerate, circles)
