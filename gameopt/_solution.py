"""Results of the loops."""

from typing import Any, ClassVar

import equinox as eqx

from gameopt._enumerations import Enumeration
from gameopt._types import Count, Losses, Players, Scalar


class RESULTS(Enumeration):
    """Reasons for a solve to end. `RESULTS[result]` is the remedy; a success has none."""

    max_rounds_reached: ClassVar["RESULTS"]
    diverged: ClassVar["RESULTS"]
    nonfinite: ClassVar["RESULTS"]
    successful: ClassVar["RESULTS"]


RESULTS.define(
    max_rounds_reached=(
        "The solve used all of `max_rounds` before the joint strategy was stationary to `tol`. If "
        "`stats.stationarity` was still falling, raise `max_rounds`; if the players circle, use an "
        "alternating solver or a smaller step; if it is a stochastic game, `tol` may lie below its "
        "noise."
    ),
    diverged=(
        "The joint strategy left the ball of radius `max_norm`. Simultaneous play spirals outward "
        "on rotational games for every step size: use an alternating solver, or lower the learning "
        "rates."
    ),
    nonfinite=(
        "The joint strategy, the field or what the solver remembers became inf or nan. Lower the "
        "learning rates, and check that the losses are finite at the start."
    ),
    successful="",
)


class Stats(eqx.Module):
    """Statistics of a solve.

    - `rounds`: rounds played. `stationarity`: of the returned players (see `stationarity`).
    - `losses`: of the returned players; `None` for an absent one.
    """

    rounds: Count
    stationarity: Scalar
    losses: Losses


class Solution(eqx.Module):
    """The result of a solve.

    - `players`: the joint strategy, as the solver evaluates it. `result`: its text is the remedy.
    - `stats`: rounds, stationarity, losses.
    - `iterate`, `state`: what the solver goes on from, to continue by hand.
    """

    players: Players
    result: RESULTS
    stats: Stats
    iterate: Players
    state: Any


class Rollout(eqx.Module):
    """The result of a fixed number of rounds.

    - `players`, `state`: after the last round, to go on from.
    - `round`: how many rounds have been played in all: the `start` of the next rollout.
    - `records`: what `record` returned, stacked along a new first axis.
    """

    players: Players
    state: Any
    round: Count
    records: Any
