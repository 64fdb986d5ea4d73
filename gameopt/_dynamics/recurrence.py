"""The lag after which a recorded path repeats itself, found between the records by splines."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.interpolate import BSpline, make_interp_spline
from scipy.optimize import minimize_scalar
from scipy.signal import fftconvolve

_CANDIDATES = 12
"""Lags that are followed, at most."""
_DEGREE = 7
_AT_MOST = 2000
"""Points of the path at which it is compared with itself."""


class Recurrence(NamedTuple):
    """The period in rounds, and the relative mismatch of the path after many turns.

    - `first`: the mismatch after one turn.
    """

    period: float
    mismatch: float
    first: float


class TurnSizes(NamedTuple):
    """The sizes of the turns of a path, one after the other.

    - `center`: the mean over whole turns, shape `(n,)`. `logs`: logarithm of each turn's root mean
      square distance from it. `resolved`: how small a change of them the splines resolve.
    """

    center: Float[np.ndarray, " n"]
    logs: Float[np.ndarray, " turns"]
    resolved: float

    @property
    def slope(self) -> float:
        """The change of the logarithm from one turn to the next."""
        return _line(self.logs)[0]

    def slope_error(self, blur: float) -> float:
        """The error of `slope`: by scatter, as a wobble, and by what is not resolved.

        **Arguments:** `blur`: the relative rounding of the records.
        """
        turns = len(self.logs)
        if turns < 3:
            return np.inf
        steps = np.arange(turns) - (turns - 1) / 2
        scatter = np.abs(self.logs - self.logs.mean() - self.slope * steps).max()
        off = float(scatter) + self.resolved + blur
        return off * float(np.abs(steps).sum() / (steps @ steps))

    def drifts(self, allowed: float, rounding: float) -> bool:
        """True if the sizes change by more than `allowed`, or steadily by more than their error."""
        slope, error = _line(self.logs)
        change = abs(slope) * (len(self.logs) - 1)
        if change > allowed:
            return True
        half = len(self.logs) // 2
        if change <= max(self.resolved, rounding) or abs(slope) <= 5 * error or half < 2:
            return False
        early, late = _line(self.logs[:half])[0], _line(self.logs[-half:])[0]
        return early * late > 0 and abs(late) >= 0.5 * abs(early)


def recurrence(path: Float[np.ndarray, "t n"], closure: float) -> Recurrence | None:
    """The shortest lag after which the path repeats itself to `closure`.

    **Returns:** if there is none, the lag after which the path is nearest to itself among those
    tried; `None` if it is never near.
    """
    lags = _near_returns(path)
    if not len(lags):
        return None
    spline = make_interp_spline(np.arange(len(path)), path, k=_DEGREE)
    size = np.sqrt(path.var(axis=0).sum())
    followed = []
    for lag in lags[:_CANDIDATES]:
        followed.append(_follow(spline, len(path), float(lag), size))
        # A spiral comes near itself after one turn and not after many: a longer lag is no better.
        if followed[-1].first <= closure:
            return followed[-1]
    return followed[0]


def _near_returns(path: Float[np.ndarray, "t n"]) -> np.ndarray:
    """Lags in whole rounds, ascending, at which the mean square difference has a low minimum."""
    rounds, longest = len(path), len(path) // 3
    centered = path - path.mean(axis=0)
    products = fftconvolve(centered, centered[::-1], axes=0).sum(axis=1)[rounds - 1 :]
    squares = (centered**2).sum(axis=1)
    lags = np.arange(1, longest + 2)
    before = np.cumsum(squares)[rounds - 1 - lags]
    after = np.cumsum(squares[::-1])[rounds - 1 - lags]
    # |z_{t+k} - z_t|^2 over the squares of both: 0 where they agree, 1 where they are unrelated.
    difference = 1 - 2 * products[lags] / (before + after)
    inner = difference[1:-1]
    low = (inner <= difference[:-2]) & (inner < difference[2:]) & (inner < 0.35)
    return lags[1:-1][low]


def _follow(spline: BSpline, rounds: int, lag: float, size: float) -> Recurrence:
    """Refine a lag over 1, 2, 4, ... turns, up to two thirds of the record."""
    most = max(int(rounds * 2 / 3 / lag), 1)
    turns, period = 1, _refined(spline, rounds, lag, min(1.0, 0.4 * lag))
    mismatch = first = _difference(spline, rounds, period)
    while turns < most:
        turns = min(2 * turns, most)
        period = _refined(spline, rounds, turns * period, min(0.5, 0.2 * lag)) / turns
        mismatch = max(mismatch, _difference(spline, rounds, turns * period))
    return Recurrence(period, mismatch / size, first / size)


def _refined(spline: BSpline, rounds: int, lag: float, reach: float) -> float:
    low, high = lag - reach, min(lag + reach, rounds - 8.0)
    if high <= low:  # a record so short leaves no room
        return lag
    off = lambda value: _difference(spline, rounds, value)
    found = minimize_scalar(off, bounds=(low, high), method="bounded", options={"xatol": 1e-9})
    # Bounded search never lands on a whole number of rounds, where there is no spline error.
    return min(float(found.x), lag, float(round(lag)), key=off)


def _difference(spline: BSpline, rounds: int, lag: float) -> float:
    """The root mean square of $|z(t + lag) - z(t)|$ over the rounds that have both."""
    both = rounds - 1 - lag
    # The spline is less sure at the end of the record.
    count = max(int(both - min(16, both // 4)) + 1, 1)
    times = np.unique(np.linspace(0, count - 1, min(count, _AT_MOST)).astype(int))
    moved = spline(np.minimum(times + lag, rounds - 1.0)) - spline(times)
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def turn_sizes(path: Float[np.ndarray, "t n"], period: float) -> TurnSizes:
    """The size of every whole turn of the path, by splines at the same phases of each."""
    spline = make_interp_spline(np.arange(len(path)), path, k=_DEGREE)
    whole = period == round(period)
    # At the records themselves a spline has no error, and a whole period has all its phases there.
    phases = np.arange(period) / period if whole else (np.arange(64) + 0.5) / 64
    turns = max(int(len(path) / period), 1)
    times = (np.arange(turns)[:, None] + phases) * period
    points = spline(np.minimum(times, len(path) - 1.0))
    center = points.mean(axis=(0, 1))
    logs = np.log(np.sqrt(((points - center) ** 2).sum(axis=2).mean(axis=1)) + np.finfo(float).tiny)
    # A spline's error on a sine is about 2 (1 / period)^8; up to the third harmonic.
    resolved = 0.0 if whole else 2 * (3 / period) ** (_DEGREE + 1)
    return TurnSizes(center, logs, resolved)


def _line(values: np.ndarray) -> tuple[float, float]:
    """The slope of a line through values at 0, 1, 2, ..., and its standard error."""
    if len(values) < 3:
        return float(values[-1] - values[0]) / max(len(values) - 1, 1), 0.0
    steps = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(steps @ values / (steps @ steps))
    scatter = values - values.mean() - slope * steps
    return slope, float(np.sqrt(scatter @ scatter / (len(values) - 2) / (steps @ steps)))
