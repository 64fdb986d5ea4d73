"""The motion that a recorded path ends in: rest, a closed orbit, or departure."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from gameopt._dynamics.measured_rate import machine_epsilon, rounding_floor
from gameopt._dynamics.recurrence import Recurrence, recurrence, turn_sizes
from gameopt._enumerations import Enumeration
from gameopt._linalg.krylov import ROUNDING
from gameopt._trees import float_array, playable
from gameopt._types import Real, Scalar

_SHORTEST = 32
"""Rounds that are left to judge, at least."""


class MOTIONS(Enumeration):
    """The motion that a path ends in. The text of each, `MOTIONS[motion]`, says what it is."""

    settled: ClassVar["MOTIONS"]
    diverging: ClassVar["MOTIONS"]
    undecided: ClassVar["MOTIONS"]
    cycle: ClassVar["MOTIONS"]


MOTIONS.define(
    settled="It has come to rest, to the tolerance.",
    diverging=(
        "It leaves: it is inf or nan, passed `max_norm`, or grows by the same factor all along."
    ),
    undecided=(
        "It moves, and repeats nothing to the tolerance. If `drift` is below zero it is still "
        "nearing, above zero still growing: record more rounds. If `period` is infinite, or the "
        "drift small, it may have several periods or none, be noisy, or the record may be too "
        "coarse: an orbit needs about six records, and the path at least three turns. An orbit "
        "whose `amplitude` is near the precision of the records is rounding, or cannot be told."
    ),
    cycle=(
        "It repeats one closed orbit, neither nearing it any more nor leaving it, as far as the "
        "record shows: by no more a turn than `drift` and `drift_error`."
    ),
)


class LimitCycle(eqx.Module):
    """The motion that a path ends in, and its orbit.

    Entries are of shape `()`, or `(paths,)` of a batch.

    - `motion`: one of `MOTIONS`; its text says what may be done.
    - `period`: of a turn, in records of the path; infinite where nothing like a turn was found.
    - `amplitude`: the largest distance from `center` in the rounds that were judged.
    - `drift`: by what share the size of the orbit changes from one turn to the next, from a line
      through its logarithm; 0 without turns. `drift_error`: how far that may be off, by the sizes'
      scatter, the splines and the rounding of the records; infinite without turns. A `cycle` may
      near or leave its orbit by no more than both.
    - `mismatch`: the distance between the path and itself some turns on, relative to its size (root
      mean squares): the largest for 1, 2, 4, ... turns, as many as the record has; infinite
      without turns.
    - `center`: the mean over whole turns, with the structure of a record.
    """

    motion: MOTIONS
    period: Scalar
    amplitude: Scalar
    drift: Scalar
    drift_error: Scalar
    mismatch: Scalar
    center: Any


def limit_cycle(
    path: Any,
    *,
    batched: bool = False,
    skip: float = 0.5,
    tol: Real = 1e-4,
    closure: Real = 1e-2,
    max_norm: Real = 1e8,
) -> LimitCycle:
    r"""The verdict on a recorded path: at rest, diverging, a cycle, or undecided.

        play = lambda start: go.rollout(game, solver, start, 2000, record=go.record_players).records
        found = go.limit_cycle(jax.vmap(play)(starts), batched=True)
        found.motion == go.MOTIONS.cycle  # shape (paths,)

    The lag after which the path repeats itself is found between the records by splines, and is
    followed from one turn to as many as the record holds: over these the path must still lie on
    itself to `closure`. Two incommensurate periods, chaos and noise fail there. A spiral must
    change little enough to pass; then it is still no cycle if the size of its turns drifts by more
    than a tenth of `closure` in all, or by less but as steadily in the last turns as in the first,
    down to what noise and splines resolve. A cycle that is being reached slows down instead, and
    is one. An orbit that is so small beside the distance from 0 that rounding is more than
    `closure` of its size is undecided, since rounding alone makes a path repeat itself.

    On the host, in float64. A path that settles or diverges costs under a millisecond; one that
    turns costs some tens for 1000 records. About twenty records a turn are enough: record every few
    rounds, `rollout(..., every=n)`.

    **Arguments:**

    - `path`: a trajectory, `rollout(..., record=record_players).records`: any pytree of arrays with
      a first axis of rounds, for instance one array of shape `(t, n)`.
    - `batched`: whether there is an axis of paths before that of rounds, as `jax.vmap` makes it.
      Every path is judged on its own.
    - `skip`: the share of rounds at the beginning that is not judged.
    - `tol`: at rest is a last eighth that moves less than this share of the whole path's extent.
    - `closure`: how well a cycle must repeat, relative to its size.
    - `max_norm`: a joint strategy whose norm passes it has diverged.

    Growth by the same factor all along is reported as diverging. Growth that would saturate beyond
    the record is also reported as diverging.

    **Raises:** `ValueError` if `skip` is no share, if the arrays have no first axis of one length,
    or if fewer than 32 rounds are left to judge.
    """
    if not 0 <= skip < 1:
        raise ValueError(f"skip must be at least 0 and less than 1, got {skip}.")
    if batched:
        return _of_each(path, skip=skip, tol=tol, closure=closure, max_norm=max_norm)
    path = playable(jax.tree.map(_as_array, path))
    vectors, unravel = _vectors(path)
    tail = vectors[int(skip * len(vectors)) :]
    if len(tail) < _SHORTEST:
        raise ValueError(
            f"only {len(tail)} of {len(vectors)} rounds are left to judge, and {_SHORTEST} are "
            "needed: record more rounds, or skip fewer."
        )
    if not np.isfinite(vectors).all() or np.linalg.norm(vectors, axis=1).max() > max_norm:
        found = _Found("diverging", None, tail[-1], np.inf)
        return _report(found, unravel)
    dtypes = [leaf.dtype for leaf in jax.tree.leaves(path)]
    # The coarsest decides.
    rounding, eps = max(map(rounding_floor, dtypes)), max(map(machine_epsilon, dtypes))
    return _report(_judge(vectors, tail, float(tol), float(closure), rounding, eps), unravel)


def _of_each(paths: Any, **settings: Any) -> LimitCycle:
    """The verdicts on paths along a first axis, stacked."""
    # Brought here once, and not once a path.
    paths = jax.tree.map(np.asarray, jax.device_get(playable(jax.tree.map(_as_array, paths))))
    sizes = {leaf.shape[:1] for leaf in jax.tree.leaves(paths)}
    if len(sizes) != 1 or sizes & {(), (0,)}:
        raise ValueError("a batch of limit_cycle needs arrays with one first axis of paths.")
    (number,) = next(iter(sizes))
    each = (jax.tree.map(lambda leaf, i=i: leaf[i], paths) for i in range(number))
    found = [limit_cycle(path, **settings) for path in each]
    stack = lambda *leaves: jax.device_put(np.stack(jax.device_get(leaves)))
    return jax.tree.map(stack, *found)


class _Found(NamedTuple):
    motion: str
    orbit: Recurrence | None
    center: np.ndarray
    amplitude: float
    drift: float = 0.0
    drift_error: float = np.inf


def _as_array(leaf: Any) -> Any:
    return jax.device_put(leaf) if isinstance(leaf, np.ndarray) else leaf


def _vectors(path: Any) -> tuple[Float[np.ndarray, "t n"], Any]:
    """The records as rows, and the function that puts a row back."""
    leaves, structure = jax.tree.flatten(path)
    if not leaves or any(leaf.ndim < 1 or len(leaf) != len(leaves[0]) for leaf in leaves):
        raise ValueError("limit_cycle needs a path: arrays with one first axis of rounds.")
    shapes = [leaf.shape[1:] for leaf in leaves]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    rows = [np.asarray(leaf, np.float64).reshape(len(leaf), -1) for leaf in leaves]

    def unravel(row: np.ndarray) -> Any:
        pieces = np.split(row, ends[:-1])
        shaped = [
            jax.device_put(np.asarray(piece.reshape(shape), leaf.dtype))
            for piece, shape, leaf in zip(pieces, shapes, leaves, strict=True)
        ]
        return jax.tree.unflatten(structure, shaped)

    return np.concatenate(rows, axis=1), unravel


def _judge(vectors, tail, tol: float, closure: float, rounding: float, eps: float) -> _Found:
    extents = _extents(tail)
    extent = np.linalg.norm(vectors - tail[-1], axis=1).max()
    size = max(np.linalg.norm(vectors, axis=1).max(), extent)
    center = tail.mean(axis=0)
    amplitude = np.linalg.norm(tail - center, axis=1).max()
    if extents[-1] <= rounding * size:
        return _Found("settled", None, center, amplitude)
    orbit, drift, drift_error = recurrence(tail, closure), 0.0, np.inf
    motion = "undecided"
    if orbit is not None:
        turns = turn_sizes(tail, orbit.period)
        center, drift = turns.center, float(np.expm1(turns.slope))
        amplitude = np.linalg.norm(tail - center, axis=1).max()
        # Records are rounded in units of their size, and the orbit may be far from 0.
        blur = ROUNDING * eps * float(np.linalg.norm(tail, axis=1).max()) / amplitude
        drift_error = turns.slope_error(blur)
        steady = not turns.drifts(0.1 * closure, max(10 * rounding, blur))
        if orbit.mismatch <= closure and blur <= closure and steady:
            motion = "cycle"
    if motion == "undecided" and extents[-1] <= tol * extent:
        motion = "settled"
    if motion == "undecided" and _grows(extents):
        motion = "diverging"
    return _Found(motion, orbit, center, amplitude, drift, drift_error)


def _extents(tail: Float[np.ndarray, "t n"]) -> Float[np.ndarray, " 8"]:
    """The root mean square distance from their mean, of eight pieces one after the other."""
    pieces = np.array_split(tail, 8)
    return np.array([np.sqrt(piece.var(axis=0).sum()) for piece in pieces])


def _grows(extents: Float[np.ndarray, " 8"]) -> bool:
    """Doubled at least, along a line in the logarithm that does not bend down."""
    if not (extents > 0).all():
        return False
    logs = np.log(extents)
    steps = np.arange(len(logs))
    line = np.polyval(np.polyfit(steps, logs, 1), steps)
    straight = ((logs - line) ** 2).sum() <= 0.05 * ((logs - logs.mean()) ** 2).sum()
    early, late = logs[3] - logs[0], logs[7] - logs[4]
    return bool(straight and logs[-1] - logs[0] >= np.log(2) and late >= 0.5 * early > 0)


def _report(found: _Found, unravel: Any) -> LimitCycle:
    motion: Any = getattr(MOTIONS, found.motion)
    number = lambda value: float_array(float(value))
    orbit = Recurrence(np.inf, np.inf, np.inf) if found.orbit is None else found.orbit
    return LimitCycle(
        motion,
        number(orbit.period),
        number(found.amplitude),
        number(found.drift),
        number(found.drift_error),
        number(orbit.mismatch),
        unravel(found.center),
    )
