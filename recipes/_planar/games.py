"""Games on the plane by name, with the window to look at and what their critical points are."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

import gameopt as go


class PlanarGame(NamedTuple):
    """A game with strategies of shape `()`.

    - `make`: gives it. `centre`, `half_width`: of the square window that shows it.
    """

    make: Callable[[], go.AbstractGame]
    half_width: float = 2.0
    centre: tuple[float, float] = (0.0, 0.0)


class Verdict(NamedTuple):
    """A critical point and the report of `gameopt.classify` on it."""

    players: go.Players
    report: go.EquilibriumReport

    def is_(self, name: str) -> bool | None:
        """A verdict of the report by name; `None` if it is inconclusive, or was not asked."""
        found = getattr(self.report, name)
        if found is None or found == go.VERDICT.inconclusive:
            return None
        return bool(found == go.VERDICT.yes)

    @property
    def word(self) -> str:
        """A few words for a legend."""
        nash, attractor = self.is_("dne"), self.is_("attractor")
        if nash:
            return "Nash equilibrium" if attractor else "Nash, not attracting"
        # An own Hessian of 0: second order does not decide Nash.
        if nash is None and attractor:
            return "degenerate attractor"
        # The product of the eigenvalues is not 0, and their real parts are: an imaginary pair.
        if nash is None and attractor is None and self.is_("degenerate") is False:
            return "degenerate, the flow circles"
        if self.is_("minimax"):
            return "local minimax, not Nash"
        if attractor is None:
            return "critical, undecided"
        return "spurious attractor" if attractor else "critical, repelling"


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
    """The known critical points, or else the known equilibria, each classified anew."""
    points = [point.players for point in game.critical_points()] or list(game.equilibria())
    if isinstance(game, go.ZeroSumGame) and not points:
        points = [go.Players(jnp.zeros(()), jnp.zeros(()))]
    points = [p for p in points if float(go.stationarity(game, p)) < 1e-6]
    return [judge(game, players) for players in points]


def judge(game: go.AbstractGame, players: go.Players) -> Verdict:
    """Classify a critical point."""
    return Verdict(players, go.classify(game, players, learning_rate=None))
