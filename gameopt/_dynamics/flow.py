"""Flows: integration of a game's field in continuous time."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optimistix
from jaxtyping import Array, Bool, Float

from gameopt._checks import count_field
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._keys import again, as_data, as_keys
from gameopt._trees import float_array, per_player, split_played, strong, tree_scale
from gameopt._types import Key, Players, Real


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
    """Settings of `diffrax.diffeqsolve`: method and tolerances.

    - `solver`: a diffrax solver. `rtol`, `atol`: of the adaptive step.
    - `max_steps`: more of them than this are a failure.
    """

    solver: diffrax.AbstractSolver = diffrax.Dopri8()
    rtol: float = 1e-8
    atol: float = 1e-8
    max_steps: int = count_field("max_steps", default=100_000)


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
    r"""Integrate $\dot z = -(r_x\nabla_x L_x, r_y\nabla_y L_y)$ from `players`.

    With `rates` the learning rates of a solver, time is measured in rounds of it.

    **Arguments:**

    - `duration`: the end of time. `key`: the sample of a stochastic game, held fixed.
    - `rates`: $r$, a number or a `Players`.
    - `save_at`: times from 0 to `duration`, increasing; 100 equal ones by default.
    - `event`: a real function of the players; the flow stops where it changes sign.
    - `integrator`: tolerances and method.
    """
    check_strategies(game, players)
    velocity = _Descent(game, key, per_player(rates))
    return integrate(velocity, players, duration, save_at, event, integrator)


class _Descent(eqx.Module):
    game: AbstractGame
    key: Key
    rates: Players

    def __call__(self, t: Any, played: Players, rest: Players) -> Players:
        del t
        field = self.game.losses_and_field(eqx.combine(played, rest), again(self.key))[1]
        return Players(tree_scale(-self.rates.x, field.x), tree_scale(-self.rates.y, field.y))


class _Crossing(eqx.Module):
    """The user's event, of the players alone."""

    event: Callable[[Players], Array]
    with_speed: bool = eqx.field(static=True)

    # diffrax calls it by these names.
    def __call__(self, t: Any, y: Any, args: Players, **kwargs: Any) -> Array:
        del t, kwargs
        return self.event(eqx.combine(y[0] if self.with_speed else y, as_keys(args)))


class _Velocity(eqx.Module):
    """A velocity whose keys are plain numbers, as diffrax knows no typed keys."""

    plain: Any

    def __call__(self, t: Any, state: Any, args: Players) -> Any:
        return as_keys(self.plain)(t, state, as_keys(args))


def integrate(
    velocity: Callable[[Any, Any, Players], Any],
    players: Players,
    duration: Real,
    save_at: Float[Array, " t"] | None,
    event: Callable[[Players], Array] | None,
    integrator: Integrator | None,
    speed: Players | None = None,
) -> Flow:
    """Integrate a velocity of the played leaves, or of them and their speed.

    **Arguments:**

    - `velocity`: `(t, state, rest) -> d state / dt`; a module, so that two calls of one kind of
      flow are one compiled program.
    - `speed`: the initial one of a second-order equation: the state is then (players, speed).
    """
    end = float_array(duration)
    times = None if save_at is None else float_array(save_at)
    return _integrate(velocity, players, end, times, event, integrator or Integrator(), speed)


@eqx.filter_jit
def _integrate(velocity, players, end, times, event, integrator: Integrator, speed) -> Flow:
    played, rest = split_played(strong(players))
    state = played if speed is None else (played, speed)
    position = lambda state: state if speed is None else state[0]
    dtype = jax.tree.leaves(played)[0].dtype
    end = end.astype(dtype)
    times = jnp.linspace(0, 1, 100, dtype=dtype) * end if times is None else times.astype(dtype)
    stop = None
    if event is not None:
        crossing = _Crossing(event, speed is not None)
        stop = diffrax.Event(crossing, optimistix.Newton(integrator.rtol, integrator.atol))
    # diffrax mixes integers with floats, which strict promotion forbids, and puts constants on the
    # device while it is traced.
    with jax.numpy_dtype_promotion("standard"), jax.transfer_guard("allow"):
        solution = diffrax.diffeqsolve(
            diffrax.ODETerm(_Velocity(as_data(velocity))),
            integrator.solver,
            t0=jnp.zeros((), dtype),
            t1=end,
            dt0=None,
            y0=state,
            args=as_data(rest),
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
