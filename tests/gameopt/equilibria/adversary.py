r"""An adversary of `classify`: cases of one shape judged in one call, and compared with the truth.

**Definition of a wrong verdict**, with the report's `radius` $r$, within which it says that a
critical point is (of reports without it $r = 10^{-6}(1 + \|z\|)$), and exact critical points
$z^\star$ of the game, whose arrays are read as exact numbers:

- `yes` is wrong if no critical point within $r$ of the given point has the property; for
  `stationary`, if there is none within $r$; `radius` is wrong if it is finite and there is none.
- `no` is wrong if the nearest critical point has the property and is *near*: within $10^{-10}$
  in float64, $10^{-5}$ in float32, in units of the length over which the game changes; or within
  $r$ where the report says that the point is stationary; where it says that it is not, within the
  report's `reach` too. So a `no` that only says "not stationary" is wrong at a critical point, and
  right away from all of them.
- `degenerate`: `no` is wrong if the Jacobian is exactly singular there; `yes` (it is *numerically*
  singular) if the smallest singular value is above $10^4$ units in the last place of the largest
  sum of moduli of terms that an entry is made of, and ten times the Jacobian's change on the way
  to the critical point.
- inconclusive is never wrong; it costs power, which `benchmarks/certificates.py` measures.

A property is the definition in the report's docstring. On sets it is the second-order condition on
the face with all multipliers positive: on the critical cone, for `dne`, where one is zero, and then
the other verdicts are not judged.
"""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from tests.gameopt.equilibria.draws import Shape
from tests.gameopt.equilibria.exact import Case, Critical, Set, Terms, Truth, search_again

FIELDS = go.EquilibriumReport.verdict_names
"""Verdicts of a report."""

Method = Literal["dense", "krylov"]

SHAPES = (
    *(Shape(sizes, True, d) for sizes in ((1, 1), (3, 2), (4, 4)) for d in ("float64", "float32")),
    *(Shape(sizes, False, d) for sizes in ((2, 1), (3, 4)) for d in ("float64", "float32")),
    *(
        Shape(sizes, True, dtype, (kind, other))
        for sizes, kind, other in (((2, 2), "box", "box"), ((3, 2), "simplex", "ball"))
        for dtype in ("float64", "float32")
    ),
)
"""Shapes of cases; each is compiled once for each method."""


class SmoothLoss(eqx.Module):
    """See `Terms`."""

    terms: Terms

    def __call__(self, x, y):
        t, z = self.terms, jnp.concatenate([x, y])
        a, b, c = t.directions @ z + t.shifts
        nonlinear = jnp.stack([jnp.cos(a), jnp.tanh(b), c**4])
        return z @ (t.matrix @ z) / 2 + t.linear @ z + t.weights @ nonlinear


class SmoothZeroSum(go.ZeroSumGame):
    """A zero-sum game of one `SmoothLoss`."""

    loss: SmoothLoss

    def value(self, players, key=None):
        del key
        return self.loss(players.x, players.y)


class SmoothGeneralSum(go.AbstractGame):
    """A game of two of them."""

    own: tuple[SmoothLoss, SmoothLoss]

    def losses(self, players, key=None):
        del key
        first, second = self.own
        return go.Players(first(players.x, players.y), second(players.x, players.y))


def _projection(own: Set | None) -> Any:
    if own is None:
        return None
    if own.kind == "box":
        return go.Box(own.lower, own.upper)
    return go.Simplex(own.size) if own.kind == "simplex" else go.Ball(own.size)


def game_of(case: Case) -> tuple[Any, go.Players, go.Players]:
    """The game of a case, its point and its step sizes."""
    losses = [SmoothLoss(terms) for terms in case.terms]
    zero_sum = len(losses) == 1
    game = SmoothZeroSum(losses[0]) if zero_sum else SmoothGeneralSum((losses[0], losses[1]))
    if any(own is not None for own in case.sets):
        x, y = map(_projection, case.sets)
        game = go.constrained(game, x=x, y=y)
    x, y = np.split(case.point, [case.sizes[0]])
    return game, go.Players(x, y), go.Players(case.rates[0], case.rates[1])


class Said(NamedTuple):
    """A report's verdicts as words, `None` where there is none, its radius and its reach."""

    words: Mapping[str, str | None]
    radius: float
    reach: float = np.inf


def _words(verdict: Any, count: int) -> Sequence[str | None]:
    if verdict is None:
        return [None] * count
    yes, no = np.asarray(go.is_yes(verdict)), np.asarray(go.is_no(verdict))
    return list(np.where(yes, "yes", np.where(no, "no", "inconclusive")).tolist())


@eqx.filter_jit
def _reports(games, players, rates, method: Method, num_matvecs: int):
    dynamic, static = eqx.partition(games, eqx.is_array)

    def one(arguments):
        arrays, point, pair = arguments
        game = eqx.combine(arrays, static)
        options = {"learning_rate": pair, "method": method, "num_matvecs": num_matvecs}
        report = go.classify(game, point, **options)
        extra = {n: getattr(report, n) for n in ("radius", "reach") if hasattr(report, n)}
        return {name: getattr(report, name) for name in FIELDS} | extra

    # One program for a case, as for a user's own, not one of batched products.
    return jax.lax.map(one, (dynamic, players, rates))


def stacked(trees: Iterable[Any]) -> Any:
    """Trees of one structure as one, with a first axis."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(a) for a in leaves]), *trees)


def precision(dtype: str) -> contextlib.AbstractContextManager:
    """The settings of a user of that precision."""
    return jax.enable_x64(dtype == "float64")


def classify_all(cases: Sequence[Case], method: Method, num_matvecs: int = 64) -> list[Said]:
    """Reports of `classify` on cases of one shape."""
    with precision(cases[0].point.dtype.name):
        games, players, rates = stacked([game_of(case) for case in cases])
        found = jax.device_get(_reports(games, players, rates, method, num_matvecs))
        return said_of(found, players)


def said_of(found: dict[str, Any], players: go.Players) -> list[Said]:
    """Words of fields with a first axis; see `Said`."""
    count = len(jax.tree.leaves(players)[0])
    sizes = np.sqrt(
        sum(
            np.square(np.asarray(a, np.float64)).reshape(count, -1).sum(1)
            for a in jax.tree.leaves(players)
        )
    )
    radius = found.get("radius")
    radius = 1e-6 * (1 + sizes) if radius is None else np.asarray(radius, np.float64)
    rows = {name: _words(found[name], count) for name in FIELDS}
    reach = np.asarray(found.get("reach", np.full(count, np.inf)), np.float64)
    words = [{n: row[i] for n, row in rows.items()} for i in range(count)]
    return [Said(words[i], float(radius[i]), float(reach[i])) for i in range(count)]


def wrong(report: Said, truth: Truth) -> list[str]:
    """The names of the verdicts that are wrong, by the definition in the module's docstring."""
    words = report.words
    found = [n for n in FIELDS if n != "degenerate" and _is_wrong(n, words[n], report, truth)]
    nearest = truth.criticals[0] if truth.criticals else None
    stationary = words["stationary"] == "yes"
    if nearest is not None and nearest.distance <= _reach(report, truth):
        side = {"yes": "regular", "no": "singular"}.get(str(words["degenerate"]))
        if side is not None and nearest.holds[side]:
            found.append("degenerate")
    has_radius = np.isfinite(report.radius) and stationary
    if has_radius and _is_wrong("stationary", "yes", report, truth):
        found.append("radius")
    return found


def _reach(report: Said, truth: Truth) -> float:
    if report.words["stationary"] == "yes" and np.isfinite(report.radius):
        return max(truth.near, report.radius)
    return min(truth.near, report.reach) if report.words["stationary"] == "no" else truth.near


def _is_wrong(name: str, word: str | None, report: Said, truth: Truth) -> bool:
    if word == "no":
        if not truth.criticals or truth.criticals[0].distance > _reach(report, truth):
            return False
        return truth.criticals[0].holds[name] is True
    if word != "yes":
        return False
    # A radius in the precision of the point is compared up to its rounding.
    radius = report.radius * (1 + 1e-6) + 1e-15 * truth.near
    proves = lambda c: c.distance <= radius and c.holds[name] is not False
    if any(map(proves, truth.criticals)):
        return False
    more: list[Critical] = []
    if isinstance(truth.case, Case) and np.isfinite(radius):
        more = search_again(truth, radius)
    return not any(map(proves, more))
