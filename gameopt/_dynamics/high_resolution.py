"""High-resolution differential equations of solvers."""

from typing import Any, Literal

import equinox as eqx
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_choice, check_count
from gameopt._dynamics.flow import Flow, Integrator, integrate
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.derivatives import jvp
from gameopt._keys import again
from gameopt._trees import float_array, playable, tree_scale, tree_weighted
from gameopt._types import Key, Players, Real, Scalar

Kind = Literal["gda", "extragradient", "optimistic", "lookahead"]


def high_resolution_flow(
    game: AbstractGame,
    players: Players,
    rounds: Real,
    key: Key = None,
    *,
    solver: Kind,
    learning_rate: Real,
    steps: Integer = 2,
    alpha: float = 0.5,
    save_at: Float[Array, " t"] | None = None,
    integrator: Integrator | None = None,
) -> Flow:
    r"""The second-order equation that tells apart solvers whose plain flow is the same.

    With $V = \xi$, $J = D\xi$ and $\beta = 2/\gamma$: $\ddot z = -\beta\dot z - \beta V$ (`gda`),
    $\dots + 2JV$ (`extragradient`), $\dots - 2J\dot z$ (`optimistic`), and
    $-\beta\dot z - k\alpha\beta V + k(k-1)\alpha JV$ (`lookahead` over GDA). It begins at
    $\dot z = -V$ ($-k\alpha V$ for `lookahead`). On bilinear games GDA's is unstable, those of
    extragradient and optimism are stable, and Lookahead's iff $\alpha < 1 - 1/k$.

    **Arguments:**

    - `rounds`: time is measured in rounds, each of $\gamma$ in the equation's own time.
    - `learning_rate`: $\gamma$. `steps`, `alpha`: $k$ and $\alpha$ of `lookahead`.

    !!! cite "Source"

        Chavdarova, Jordan & Zampetakis (2021), arXiv:2112.13826, equations 3.1-3.4.
    """
    check_choice("solver", solver, ("gda", "extragradient", "optimistic", "lookahead"))
    check_strategies(game, players)
    steps = check_count("steps", steps, 1)
    velocity = _HighResolution(game, key, float_array(learning_rate), solver, steps, alpha)
    speed = _begin(velocity, players)
    return integrate(velocity, players, rounds, save_at, None, integrator, speed)


@eqx.filter_jit
def _begin(velocity: "_HighResolution", players: Players) -> Players:
    field = playable(velocity.game.losses_and_field(players, again(velocity.key))[1])
    return tree_scale(-velocity.pull, field)


class _HighResolution(eqx.Module):
    game: AbstractGame
    key: Key
    learning_rate: Scalar
    solver: Kind = eqx.field(static=True)
    steps: int = eqx.field(static=True)
    alpha: float = eqx.field(static=True)

    @property
    def pull(self) -> float:
        """The strength of the field's pull: $k\\alpha$ for lookahead, else 1."""
        return self.steps * self.alpha if self.solver == "lookahead" else 1.0

    def __call__(self, t: Any, state: tuple[Players, Players], rest: Players):
        del t
        position, speed = state
        acceleration = self._acceleration(eqx.combine(position, rest), speed)
        # One unit of time is a round.
        rate = self.learning_rate
        return tree_scale(rate, speed), tree_scale(rate, acceleration)

    def _acceleration(self, point: Players, speed: Players) -> Players:
        field = playable(self.game.losses_and_field(point, again(self.key))[1])
        beta = 2 / self.learning_rate
        terms = [(-beta, speed), (-self.pull * beta, field)]
        if self.solver == "extragradient":
            terms.append((2.0, jvp(self.game, point, field, self.key)))
        elif self.solver == "optimistic":
            terms.append((-2.0, jvp(self.game, point, speed, self.key)))
        elif self.solver == "lookahead":
            bend = self.steps * (self.steps - 1) * self.alpha
            terms.append((bend, jvp(self.game, point, field, self.key)))
        return tree_weighted(*terms)
