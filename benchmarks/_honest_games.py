"""Planted honest games whose answer is a clear yes or no, one kind for each row of the faults.

Margins are a tenth of the scale and more, so that an inconclusive verdict is a loss of power.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from models import operator_norm
from tests.gameopt.equilibria.adversary import (
    FIELDS,
    Method,
    classify_all,
    precision,
    said_of,
    stacked,
)
from tests.gameopt.equilibria.data_games import PermutedGAN
from tests.gameopt.equilibria.draws import Shape, clear_case
from tests.gameopt.equilibria.exact import truth_of

RATE = 0.125


class Honest(NamedTuple):
    """A game, a point, and the Jacobian there, from which its verdicts follow."""

    game: Any
    players: go.Players
    jacobian: np.ndarray


class Row(NamedTuple):
    """A kind of games: one from a seed, or cases of a shape whose truth is exact."""

    number: int
    name: str
    dtype: str
    draw: Callable[[int], Honest] | None
    shape: Shape | None = None
    offset: float = 0.0


def verdicts(jacobian: np.ndarray, p: int) -> dict[str, bool] | None:
    """The definitions in double precision; `None` where a margin is small."""
    a, b, c, d = jacobian[:p, :p], jacobian[:p, p:], jacobian[p:, :p], jacobian[p:, p:]
    two = len(d) > 0
    margins: list[float] = []

    def positive(numbers) -> bool:
        margins.extend(np.abs(numbers))
        return bool(np.min(numbers) > 0)

    own_x = positive(np.linalg.eigvalsh(a))
    own_y = positive(np.linalg.eigvalsh(d)) if two else True
    real = np.linalg.eigvals(jacobian).real
    attractor = positive(real)
    one = np.eye(len(jacobian))
    first, second = one.copy(), one.copy()
    first[:p] -= RATE * jacobian[:p]
    second[p:] -= RATE * jacobian[p:]
    contracts = lambda m: positive([4 * (1 - np.abs(np.linalg.eigvals(m)).max())])
    found = {
        "stationary": True,
        "dne": own_x and own_y,
        "degenerate": False,
        "attractor": attractor,
        "attractor_simultaneous": contracts(one - RATE * jacobian),
        "spurious": attractor and not (own_x and own_y),
        "saddle": bool(real.min() < 0 < real.max()),
    }
    if two:
        found["attractor_alternating"] = contracts(second @ first)
        margins.append(float(np.linalg.svd(jacobian, compute_uv=False)[-1]))
        schur = lambda a, b, c, d: positive(np.linalg.eigvalsh(a - b @ np.linalg.solve(d, c)))
        found["minimax"] = own_y and schur(a, b, c, d)
        found["maximin"] = own_x and schur(d, c, b, a)
    return found if min(margins) > 0.1 else None


def _definite(rng, n: int, sign: float) -> np.ndarray:
    turned = np.linalg.qr(rng.normal(size=(n, n)))[0]
    return sign * turned @ np.diag(rng.uniform(0.4, 2, n)) @ turned.T


def _clear_jacobian(rng, p: int, q: int) -> np.ndarray:
    """A zero-sum Jacobian whose verdicts are clear."""
    while True:
        signs = rng.choice((-1, 1), 2, p=(0.3, 0.7))
        across = rng.normal(size=(p, q)) / np.sqrt(p + q)
        made = np.block(
            [[_definite(rng, p, signs[0]), across], [-across.T, _definite(rng, q, signs[1])]]
        )
        if verdicts(made, p) is not None:
            return made


def _quadratic(jacobian: np.ndarray, p: int, dtype: Any = np.float64) -> go.ZeroSumQuadratic:
    own = lambda m: jnp.asarray(((m + m.T) / 2).astype(dtype))
    across = jnp.asarray(jacobian[:p, p:].astype(dtype))
    return go.ZeroSumQuadratic(own(jacobian[:p, :p]), across, -own(jacobian[p:, p:]))


def _zeros(p: int, q: int, dtype: Any = np.float64) -> go.Players:
    return go.Players(jnp.zeros(p, dtype), jnp.zeros(q, dtype))


def common_seed(seed: int) -> Honest:
    """Data of the seed that the Krylov start has, too."""
    jacobian = _clear_jacobian(np.random.default_rng(seed), 12, 6)
    return Honest(_quadratic(jacobian, 12), _zeros(12, 6), jacobian)


def gan(seed: int) -> Honest:
    """Row 2 with ridges far above the rounding of the means, in float32."""
    rng = np.random.default_rng(seed)
    real = rng.normal(size=1024).astype(np.float32)
    ridge = rng.choice((-1, 1), 2, p=(0.3, 0.7)) * rng.uniform(0.3, 2, 2)
    pair = go.Players(*(jnp.asarray(r, jnp.float32) for r in ridge))
    game = PermutedGAN(jnp.asarray(real), jnp.asarray(rng.permutation(real)), pair)
    point = go.Players(jnp.ones(1, jnp.float32), jnp.zeros(1, jnp.float32))
    return Honest(game, point, np.diag(ridge))


class NormGame(go.ZeroSumGame):
    """-c |W| + m |W|²/2 + <B, W> - r |y|²/2 with the operator norm."""

    linear: jax.Array
    numbers: jax.Array

    def value(self, players, key=None):
        del key
        w, y = players.x, players.y
        c, m, r = self.numbers
        straight = jnp.vdot(self.linear, w) + m * jnp.vdot(w, w) / 2
        return straight - c * operator_norm(w) - r * jnp.vdot(y, y) / 2


def _norm_hessian(weight: np.ndarray, step: float = 1e-4) -> np.ndarray:
    """Central differences of the gradient of the largest singular value."""

    def gradient(w):
        u, _, v = np.linalg.svd(w)
        return np.outer(u[:, 0], v[0]).ravel()

    units = np.eye(weight.size).reshape(-1, *weight.shape)
    moved = lambda unit: gradient(weight + step * unit) - gradient(weight - step * unit)
    return np.array([moved(unit) for unit in units]).T / 2 / step


def spectral(seed: int) -> Honest:
    """Row 3: the operator norm where it is simple."""
    rng = np.random.default_rng(seed)
    while True:
        u, _, v = np.linalg.svd(rng.normal(size=(3, 2)), full_matrices=False)
        weight = u @ np.diag([2.0, rng.uniform(0.2, 1)]) @ v
        c, r = rng.uniform(0.3, 1.5), rng.choice((-1, 1)) * rng.uniform(0.3, 2)
        m = rng.choice((-1, 1)) * rng.uniform(0.3, 2)
        linear = c * np.outer(u[:, 0], v[0]) - m * weight
        jacobian = np.zeros((7, 7))
        jacobian[:6, :6] = m * np.eye(6) - c * _norm_hessian(weight)
        jacobian[6, 6] = r
        if verdicts(jacobian, 6) is not None:
            game = NormGame(jnp.asarray(linear), jnp.array([c, m, r]))
            return Honest(game, go.Players(jnp.asarray(weight), jnp.zeros(1)), jacobian)


class Piecewise(go.ZeroSumGame):
    """A quadratic game and relu of linear forms of x whose kinks are elsewhere."""

    smooth: go.ZeroSumQuadratic
    directions: jax.Array
    shifts: jax.Array
    linear: jax.Array

    def value(self, players, key=None):
        bent = jnp.sum(jax.nn.relu(self.directions @ players.x + self.shifts))
        return self.smooth.value(players, key) + bent + self.linear @ players.x


def piecewise(seed: int) -> Honest:
    """Row 6: at a point where the function is smooth."""
    rng = np.random.default_rng(seed)
    jacobian, directions = _clear_jacobian(rng, 3, 2), rng.normal(size=(4, 3))
    shifts = rng.choice((-1, 1), 4) * rng.uniform(0.5, 2, 4)
    linear = -directions.T @ (shifts > 0)
    game = Piecewise(_quadratic(jacobian, 3), *map(jnp.asarray, (directions, shifts, linear)))
    return Honest(game, _zeros(3, 2), jacobian)


def single(seed: int) -> Honest:
    """Row 7: rounds and flows in float32, away from their thresholds."""
    jacobian = _clear_jacobian(np.random.default_rng(seed), 3, 3)
    game = _quadratic(jacobian, 3, np.float32)
    return Honest(game, _zeros(3, 3, np.float32), jacobian)


def _form(matrix, x):
    return x @ (matrix @ x) / 2


def one_player(seed: int) -> Honest:
    """Row 8: an optimisation problem, whose second player is absent."""
    jacobian = _clear_jacobian(np.random.default_rng(seed), 4, 1)[:4, :4]
    loss = jax.tree_util.Partial(_form, jnp.asarray(jacobian))
    return Honest(go.one_player_game(loss), go.Players(jnp.zeros(4), None), jacobian)


class Noisy(go.ZeroSumGame):
    """A quadratic game whose blocks vary with the key by 1 %."""

    smooth: go.ZeroSumQuadratic

    def value(self, players, key=None):
        assert key is not None
        vary = 1 + 0.01 * jax.random.normal(key, ())
        return vary * self.smooth.value(players, None)


def minibatch(seed: int) -> Honest:
    """Row 9: the mean over stated samples."""
    jacobian = _clear_jacobian(np.random.default_rng(seed), 3, 2)
    keys = jax.random.split(jax.random.key(seed), 4)
    return Honest(go.over(Noisy(_quadratic(jacobian, 3)), keys), _zeros(3, 2), jacobian)


ROWS = (
    Row(1, "data of the start's seed", "float64", common_seed),
    Row(2, "GAN in float32, ridge 0.3 to 2", "float32", gan),
    Row(3, "operator norm", "float64", spectral),
    Row(
        4, "box, with multipliers", "float64", None, Shape((2, 2), True, "float64", ("box", "box"))
    ),
    Row(
        4,
        "simplex and ball",
        "float64",
        None,
        Shape((3, 2), True, "float64", ("simplex", "ball")),
    ),
    Row(5, "points off by 1e-10", "float64", None, Shape((3, 2), True, "float64"), 1e-10),
    Row(5, "points off by 1e-6, float32", "float32", None, Shape((3, 2), True, "float32"), 1e-6),
    Row(6, "relu away from its kink", "float64", piecewise),
    Row(7, "rounds in float32", "float32", single),
    Row(8, "one player", "float64", one_player),
    Row(9, "mean over four samples", "float64", minibatch),
)


@eqx.filter_jit
def _report(game, players, method: Method):
    report = go.classify(game, players, method=method, learning_rate=RATE)
    return {name: getattr(report, name) for name in FIELDS}


def inconclusive_share(row: Row, method: Method, count: int, seed: int) -> tuple[int, str, int]:
    """The number of verdicts with an answer, the share of inconclusive ones, the wrong ones."""
    with precision(row.dtype):
        pairs = (
            _from_cases(row, method, count, seed)
            if row.shape
            else _from_games(row, method, count, seed)
        )
    judged = inconclusive = wrong = 0
    for words, holds in pairs:
        for name, holding in holds.items():
            word = words[name]
            judged += 1
            inconclusive += word == "inconclusive"
            wrong += word == ("no" if holding else "yes")
    return judged, f"{100 * inconclusive / judged:.2f} %", wrong


def _from_games(row: Row, method: Method, count: int, seed: int):
    assert row.draw is not None
    drawn = [row.draw(s) for s in range(seed, seed + count)]
    for each in drawn:
        found = jax.device_get(_report(each.game, each.players, method))
        one = stacked([found])
        words = said_of(one, stacked([each.players]))[0].words
        p = np.size(each.players.x)
        holds = verdicts(each.jacobian, p)
        yield words, {n: v for n, v in (holds or {}).items() if words[n] is not None}


def _from_cases(row: Row, method: Method, count: int, seed: int):
    assert row.shape is not None
    cases = [clear_case(row.shape, s, row.offset) for s in range(seed, seed + count)]
    for case, said in zip(cases, classify_all(cases, method), strict=True):
        truth = truth_of(case)
        if truth.criticals:
            holds = truth.criticals[0].holds
            yield said.words, {n: bool(holds[n]) for n in FIELDS if holds.get(n) is not None}
