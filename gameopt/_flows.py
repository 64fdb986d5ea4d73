"""Continuous time: the flow of a game's field, and the flows that discrete play really follows."""

from collections.abc import Callable
from typing import Any, Literal

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float

from gameopt._fields import jvp
from gameopt._games.base import AbstractGame
from gameopt._second_derivatives import Player
from gameopt._trees import check_playable, per_player, playable, strong, tree_scale
from gameopt._types import Key, Players, Real, check_choice

Play = Literal["simultaneous", "alternating"]
ONE_EACH = Players(1, 1)


class Flow(eqx.Module):
    """A trajectory in continuous time.

    - `times`: shape `(t,)`. `players`: their played leaves, with a first axis of times; infinite
      after an event.
    - `end_time`, `end`: where it ended, earlier than the last time if an event stopped it.
    - `successful`: whether the integrator got there within its steps.
    """

    times: Float[Array, " t"]
    players: Players
    end_time: Float[Array, ""]
    end: Players
    successful: Bool[Array, ""]


class Integrator(eqx.Module):
    """How a flow is integrated: what `diffrax.diffeqsolve` wants to know.

    - `solver`: a diffrax solver. `rtol`, `atol`: of the adaptive step.
    - `max_steps`: more of them than this are a failure.
    """

    solver: diffrax.AbstractSolver = diffrax.Dopri8()
    rtol: float = 1e-8
    atol: float = 1e-8
    max_steps: int = 100_000


def flow(
    game: AbstractGame,
    players: Players,
    duration: Real,
    key: Key = None,
    *,
    rates: Players[Real, Real] | Real = 1.0,
    save_at: Float[Array, " t"] | None = None,
    event: Callable[[Players], Array] | None = None,
    integrator: Integrator | None = None,
) -> Flow:
    r"""Integrates $\dot z = -(r_x\nabla_x L_x, r_y\nabla_y L_y)$ from `players`.

    With `rates` the learning rates of a solver, time is measured in rounds of it.

    **Arguments:**

    - `duration`: the end of time. `key`: the sample of a stochastic game, held fixed.
    - `rates`: $r$, a number or a `Players`.
    - `save_at`: times from 0 to `duration`, increasing; 100 equal ones if left out.
    - `event`: a real function of the players; the flow stops where it changes sign.
    - `integrator`: tolerances and method.
    """
    each = per_player(rates)

    def velocity(played: Players, rest: Players) -> Players:
        field = game.losses_and_field(eqx.combine(played, rest), key)[1]
        return Players(tree_scale(-each.x, field.x), tree_scale(-each.y, field.y))

    return _integrate(velocity, players, duration, save_at, event, integrator)


def modified_flow(
    game: AbstractGame,
    players: Players,
    rounds: Real,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
    save_at: Float[Array, " t"] | None = None,
    integrator: Integrator | None = None,
) -> Flow:
    """The flow that gradient play with finite steps follows to third order; time is in rounds.

    See `modified_field` for the equation; the arguments are those of it and of `flow`.
    """

    def velocity(played: Players, rest: Players) -> Players:
        return modified_field(
            game,
            eqx.combine(played, rest),
            key,
            learning_rate=learning_rate,
            play=play,
            order=order,
            inner_steps=inner_steps,
        )

    return _integrate(velocity, players, rounds, save_at, None, integrator)


def modified_field(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
) -> Players:
    r"""The velocity a round whose flow is one round of gradient play up to $O(\eta^3)$.

    With the parts $a = (-\eta_x\nabla_x L_x, 0)$ and $b = (0, -\eta_y\nabla_y L_y)$, each the field
    of one player's moves, and $w = a + b$:

    - simultaneous: $w - \tfrac12 Dw\,w$;
    - alternating, x first, $n_x$ and $n_y$ inner steps: $n_x a + n_y b - \tfrac12(n_x Da\,a +
      n_y Db\,b) + \tfrac12 n_x n_y(Db\,a - Da\,b)$; the last bracket changes sign if y is first.
      At $n_x = n_y = 1$ this is simultaneous play's with the sign of $Db\,a$, through which y sees
      x, reversed.

    **Arguments:**

    - `learning_rate`: $\eta$, a number or a `Players`. `play`: both at once or in turn.
    - `order`, `inner_steps`: of alternating play.

    !!! cite "Source"

        Rosca, Wu, Dherin & Barrett (2021), arXiv:2105.13922, theorems 3.1 and 3.2; with inner steps
        by the Baker-Campbell-Hausdorff formula for the two players' maps.
    """
    check_choice("play", play, ("simultaneous", "alternating"))
    if play == "simultaneous" and (inner_steps.x, inner_steps.y) != (1, 1):
        raise ValueError("simultaneous play has no inner steps: leave inner_steps out.")
    rates = per_player(learning_rate)
    field = playable(game.losses_and_field(players, key)[1])
    zero = jax.tree.map(jnp.zeros_like, field)
    part = {
        "x": Players(tree_scale(-rates.x, field.x), zero.y),
        "y": Players(zero.x, tree_scale(-rates.y, field.y)),
    }
    steps = {"x": inner_steps.x, "y": inner_steps.y}

    def change(along: Players) -> dict[str, Players]:
        """How both parts change along a direction: $Da\\,v$ and $Db\\,v$."""
        moved = playable(jvp(game, players, along, key))
        return {
            "x": Players(tree_scale(-rates.x, moved.x), zero.y),
            "y": Players(zero.x, tree_scale(-rates.y, moved.y)),
        }

    by = {name: change(part[name]) for name in ("x", "y")}
    first, second = order if play == "alternating" else ("x", "y")
    n, m = steps[first], steps[second]
    # Weights of (part that changes, part along which).
    terms = [(-n / 2, first, first), (-m / 2, second, second), (-n * m / 2, first, second)]
    terms.append((n * m / 2 if play == "alternating" else -n * m / 2, second, first))
    velocity = _weighted((steps["x"], part["x"]), (steps["y"], part["y"]))
    corrections = [(weight, by[along][changing]) for weight, changing, along in terms]
    return _weighted((1, velocity), *corrections)


def high_resolution_flow(
    game: AbstractGame,
    players: Players,
    rounds: Real,
    key: Key = None,
    *,
    solver: Literal["gda", "extragradient", "optimistic", "lookahead"],
    learning_rate: float,
    steps: int = 2,
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
    beta, k = 2 / learning_rate, steps if solver == "lookahead" else 1
    pull = k * alpha if solver == "lookahead" else 1.0

    def acceleration(point: Players, speed: Players) -> Players:
        field = playable(game.losses_and_field(point, key)[1])
        total = _weighted((-beta, speed), (-pull * beta, field))
        if solver == "extragradient":
            return _weighted((1, total), (2.0, jvp(game, point, field, key)))
        if solver == "optimistic":
            return _weighted((1, total), (-2.0, jvp(game, point, speed, key)))
        if solver == "lookahead":
            bend = k * (k - 1) * alpha
            return _weighted((1, total), (bend, jvp(game, point, field, key)))
        return total

    def velocity(state: tuple[Players, Players], rest: Players) -> tuple[Players, Players]:
        position, speed = state
        point = eqx.combine(position, rest)
        # One unit of time is a round.
        return (
            tree_scale(learning_rate, speed),
            tree_scale(learning_rate, acceleration(point, speed)),
        )

    start = playable(game.losses_and_field(players, key)[1])
    speed = tree_scale(-pull, start)
    return _integrate(velocity, players, rounds, save_at, None, integrator, speed)


def _weighted(*terms: tuple[Real, Players]) -> Players:
    """The weighted sum of trees."""
    add = lambda *leaves: sum(leaves[1:], start=leaves[0])
    return jax.tree.map(add, *(tree_scale(weight, tree) for weight, tree in terms))


def _integrate(
    velocity: Callable[[Any, Players], Any],
    players: Players,
    duration: Real,
    save_at: Float[Array, " t"] | None,
    event: Callable[[Players], Array] | None,
    integrator: Integrator | None,
    speed: Players | None = None,
) -> Flow:
    check_playable(players)
    played, rest = eqx.partition(strong(players), eqx.is_inexact_array)
    integrator = integrator or Integrator()
    state = played if speed is None else (played, speed)
    position = (lambda state: state) if speed is None else (lambda state: state[0])
    dtype = jax.tree.leaves(played)[0].dtype
    end = jnp.asarray(duration, dtype)
    times = jnp.linspace(0, 1, 100, dtype=dtype) * end if save_at is None else save_at
    stop = None
    if event is not None:
        crossing = lambda t, y, args, **kwargs: event(eqx.combine(position(y), rest))
        stop = diffrax.Event(crossing, optimistix.Newton(integrator.rtol, integrator.atol))
    # diffrax mixes integers with floats, which strict promotion forbids.
    with jax.numpy_dtype_promotion("standard"):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(lambda t, y, args: velocity(y, rest)),
            integrator.solver,
            t0=jnp.zeros((), dtype),
            t1=end,
            dt0=None,
            y0=state,
            saveat=diffrax.SaveAt(subs=[diffrax.SubSaveAt(ts=times), diffrax.SubSaveAt(t1=True)]),
            stepsize_controller=diffrax.PIDController(integrator.rtol, integrator.atol),
            max_steps=integrator.max_steps,
            event=stop,
            throw=False,
        )
    done = (solution.result == diffrax.RESULTS.successful) | (
        solution.result == diffrax.RESULTS.event_occurred
    )
    assert solution.ys is not None
    assert solution.ts is not None
    path, last = solution.ys
    ended = jax.tree.map(lambda leaf: leaf[0], position(last))
    return Flow(times, position(path), solution.ts[1][0], eqx.combine(ended, rest), done)
