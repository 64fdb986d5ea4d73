"""Certificates: published verdicts, dense algebra, degenerate points, what must not fool them."""

from typing import Literal

import equinox as eqx
import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from gameopt import VERDICT
from tests.gameopt.equilibria.test_spectrum import NETS, net
from tests.solvers import point

METHODS: list[Literal["dense", "krylov"]] = ["dense", "krylov"]
EITHER = ["dense", pytest.param("krylov", marks=pytest.mark.slow)]
"""Krylov spaces with the slow tests, where they take long to compile."""


def word(verdict):
    return (
        None
        if verdict is None
        else next(n for n in ("yes", "no", "inconclusive") if verdict == getattr(VERDICT, n))
    )


def answer(flag):
    return None if flag is None else ("yes" if flag else "no")


QUICK_TOYS = ("jin_no_minimax", "tandem")
"""By Krylov spaces too; the others so with the slow tests."""

DENSE_TOYS = sorted(go.TOY_GAMES)[::2]
"""By dense matrices; `recipes.certify` has all of them too."""

TOYS = [
    pytest.param(name, "dense", marks=() if name in DENSE_TOYS else pytest.mark.slow)
    for name in sorted(go.TOY_GAMES)
] + [
    pytest.param(name, "krylov", marks=() if name in QUICK_TOYS else pytest.mark.slow)
    for name in sorted(go.TOY_GAMES)
]


@pytest.mark.parametrize(("name", "method"), TOYS)
def test_published_verdicts_of_every_toy_game(name, method):
    """At every critical point. On a line of equilibria the Jacobian is singular, which no product
    can tell from slightly attracting: there it says degenerate, and of attraction nothing. Krylov
    spaces refute attraction by a condition number, and a defective eigenvalue has none."""
    game = go.TOY_GAMES[name]()
    for critical in game.critical_points():
        report = go.classify(game, critical.players, method=method, learning_rate=None)
        assert report.stationary == VERDICT.yes
        assert word(report.dne) == answer(critical.nash)
        assert word(report.minimax) == answer(critical.minimax)
        if word(report.degenerate) == "yes":
            assert not critical.attractor
            assert word(report.attractor) == "inconclusive"
            continue
        spurious = critical.attractor and not critical.nash
        undecided = method == "krylov" and report.leftmost.condition > 1e6
        found = word(report.attractor)
        assert found == answer(critical.attractor) or (undecided and found == "inconclusive")
        assert undecided or word(report.spurious) == answer(spurious)


def definite(matrix):
    values = np.linalg.eigvalsh((matrix + matrix.T) / 2)
    return "yes" if values[0] > 1e-9 else ("no" if values[0] < -1e-9 else "inconclusive")


def expected_of(a, c, d, b):
    """By the eigenvalues of J = [[a, c], [d, b]] and of rounds at `RATES`."""
    p = len(a)
    jacobian = np.block([[a, c], [d, b]])
    real = np.linalg.eigvals(jacobian).real
    sign = lambda margin: "yes" if margin > 1e-7 else ("no" if margin < -1e-7 else "near")
    nash = [definite(a), definite(b)]
    first, second = np.eye(len(jacobian)), np.eye(len(jacobian))
    first[:p] -= 0.1 * jacobian[:p]
    second[p:] -= 0.2 * jacobian[p:]
    steps = np.append(np.full(p, 0.1), np.full(len(b), 0.2))[:, None]
    radius = lambda m: np.abs(np.linalg.eigvals(m)).max()
    return {
        "dne": "no" if "no" in nash else ("yes" if nash == ["yes", "yes"] else "near"),
        "attractor": sign(real.min()),
        "attractor_simultaneous": sign(1 - radius(np.eye(len(jacobian)) - steps * jacobian)),
        "attractor_alternating": sign(1 - radius(second @ first)),
        "saddle": "yes"
        if real.min() < -1e-7 and real.max() > 1e-7
        else ("no" if real.min() > 1e-7 or real.max() < -1e-7 else "near"),
    }


RATES = go.Players(0.1, 0.2)
seeds = st.integers(0, 10**6)


def drawn(seed, p, q, zero_sum):
    rng = np.random.default_rng(seed)
    symmetric = lambda n: (
        (lambda m: m + m.T)(rng.normal(size=(n, n))) / 2 + rng.normal() * 2 * np.eye(n)
    )
    a, b, c = symmetric(p), symmetric(q), rng.normal(size=(p, q))
    return a, c, -c.T if zero_sum else rng.normal(size=(q, p)), b


def quadratic(a, c, d, b, zero_sum):
    """With a's and b's the own Hessians and c, d the blocks off the diagonal of J."""
    if zero_sum:
        return go.ZeroSumQuadratic(a, c, -b)
    return go.game_from_losses(
        jax.tree_util.Partial(_loss_x, jnp.asarray(a), jnp.asarray(c)),
        jax.tree_util.Partial(_loss_y, jnp.asarray(b), jnp.asarray(d)),
    )


def _loss_x(a, c, x, y):
    return 0.5 * x @ a @ x + x @ c @ y


def _loss_y(b, d, x, y):
    return 0.5 * y @ b @ y + y @ d @ x


@pytest.mark.parametrize("method", EITHER)
@pytest.mark.parametrize("zero_sum", [True, False])
@hyp.given(seed=seeds)
@hyp.settings(max_examples=40)
def test_quadratic_games_agree_with_dense_algebra(zero_sum, method, seed):
    """Yes or no as eigenvalues say, if they are 1e-7 or more from the line. Krylov spaces are of
    the whole dimension here, so that they decide too."""
    blocks = drawn(seed, 3, 2, zero_sum)
    game, zero = quadratic(*blocks, zero_sum), point(jnp.zeros(3), jnp.zeros(2))
    report = go.classify(game, zero, method=method, learning_rate=RATES)
    for name, expected in expected_of(*blocks).items():
        found = word(getattr(report, name))
        assert found == expected or expected == "near" or found == "inconclusive", name
        if expected != "near" and method == "dense":
            assert found == expected, name
    if not zero_sum:
        assert report.minimax is None
        return
    a, c, d, b = blocks
    leads = lambda own, schur: (
        "no" if "no" in (own, schur) else ("yes" if own == schur == "yes" else "near")
    )
    if definite(b) != "inconclusive":
        schur = definite(a - c @ np.linalg.solve(b, d)) if definite(b) == "yes" else "no"
        assert word(report.minimax) == leads(definite(b), schur)
    if definite(a) != "inconclusive":
        schur = definite(b - d @ np.linalg.solve(a, c)) if definite(a) == "yes" else "no"
        assert word(report.maximin) == leads(definite(a), schur)


@pytest.mark.parametrize("method", EITHER)
@hyp.given(seed=seeds, rank=st.integers(0, 2))
@hyp.settings(max_examples=30)
def test_degenerate_games_are_never_called_yes(method, seed, rank):
    """A singular own Hessian of x: Nash is inconclusive, or no for another reason."""
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(3, rank))
    b = np.eye(2) * rng.choice([-1.0, 1.0])
    c = rng.normal(size=(3, 2))
    game = go.ZeroSumQuadratic(half @ half.T, c, -b)
    report = go.classify(game, point(jnp.zeros(3), jnp.zeros(2)), method=method)
    assert word(report.hessian_x.positive) == "inconclusive"
    assert word(report.dne) == ("no" if b[0, 0] < 0 else "inconclusive")
    flat = go.ZeroSumQuadratic(half @ half.T, np.zeros((3, 2)), -b)
    singular = go.classify(flat, point(jnp.zeros(3), jnp.zeros(2)), method=method)
    assert word(singular.degenerate) == "yes"
    assert word(singular.attractor) in ("inconclusive", "no")


def test_a_quartic_bowl_that_newton_nears_is_not_certified():
    """f = x^4 - y^2 at x = 1e-4: a small field, with a curvature of 1.2e-7 far above rounding.
    Newton's map is no contraction on the way to 0, where there is none, with or without `tol`."""
    game = go.zero_sum_game(lambda x, y: x**4 - y**2)
    for tol in (None, 1e-8):
        report = go.classify(game, point(1e-4, 0.0), tol=tol)
        assert word(report.stationary) == word(report.dne) == "inconclusive"
        assert report.radius == jnp.inf
        assert word(report.hessian_x.positive) == "yes"


def test_nothing_is_an_equilibrium_where_the_field_is_not_small():
    """And a tolerance is what decides."""
    game = go.zero_sum_game(lambda x, y: x**2 - y**2)
    for method in METHODS:
        away = go.classify(game, point(0.01, 0.0), method=method)
        assert word(away.stationary) == word(away.dne) == word(away.attractor) == "no"
        assert word(away.hessian_x.positive) == "yes"
        assert word(away.leftmost.positive) == "yes"
        assert word(go.classify(game, point(0.01, 0.0), method=method, tol=0.1).dne) == "yes"


@pytest.mark.parametrize("method", EITHER)
def test_what_is_not_finite_is_no_equilibrium(method):
    """NaN strategies, and infinite curvature: a verdict, no hang and no error."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(x**2) - jnp.sum(y**2))
    report = go.classify(game, point(jnp.array([jnp.nan, 0.0]), jnp.zeros(2)), method=method)
    assert word(report.stationary) == word(report.dne) == "no"
    assert "inf or nan" in str(report)
    root = go.zero_sum_game(lambda x, y: jnp.sum(x**1.5) - jnp.sum(y**2))
    edge = go.classify(root, point(jnp.zeros(2), jnp.zeros(2)), method=method)
    assert word(edge.dne) in ("no", "inconclusive")


def test_reports_print_and_map():
    """A table of one point; a batch of points is its members one by one."""
    game = go.TOY_GAMES["wang_g1"]()
    text = str(go.classify(game, point(0.0, 0.0)))
    for line in ("strict local minimax", "stationary", "smallest eigenvalue of H_xx"):
        assert line in text
    assert "probability 1e-06" in str(go.classify(game, point(0.0, 0.0), method="krylov"))
    batch = point(jnp.array([0.0, 1.0]), jnp.array([0.0, 2.0]))
    many = eqx.filter_jit(jax.vmap(lambda p: go.classify(game, p)))(batch)
    assert "2" in str(many)
    for i in range(2):
        one = go.classify(game, jax.tree.map(lambda leaf, i=i: leaf[i], batch))
        picked = jax.tree.map(lambda leaf, i=i: leaf[i] if leaf.ndim else leaf, many)
        assert word(picked.dne) == word(one.dne)
        np.testing.assert_allclose(picked.leftmost.value, one.leftmost.value)


@pytest.mark.parametrize("dtype", [jnp.float32, pytest.param(jnp.float64, marks=pytest.mark.slow)])
def test_equinox_players(dtype):
    """Dense and Krylov verdicts of one game of modules agree, with vectors in its structure."""
    players = go.Players(net(0, dtype), net(1, dtype))
    reports = [go.classify(NETS, players, method=m, tol=1e3, vectors=True) for m in METHODS]
    dense, krylov = reports
    for name in ("stationary", "dne", "attractor", "saddle"):
        assert word(getattr(dense, name)) == word(getattr(krylov, name))
    np.testing.assert_allclose(dense.hessian_x.value, krylov.hessian_x.value, rtol=1e-3, atol=1e-5)
    assert dense.hessian_x.vector.weight.shape == krylov.hessian_x.vector.weight.shape == (3, 4)
    assert dense.hessian_x.vector.name == "net"


def test_one_compilation_a_shape():
    """Other data and another point of the same shape are not traced again."""
    traces = []

    def value(matrix, x, y):
        traces.append(1)
        return x @ matrix @ y

    for method in METHODS:
        counts = []
        for seed in range(3):
            matrix = jnp.asarray(np.random.default_rng(seed).normal(size=(4, 4)))
            game = go.zero_sum_game(jax.tree_util.Partial(value, matrix))
            go.classify(game, point(jnp.ones(4), seed * jnp.ones(4)), method=method)
            counts.append(len(traces))
        assert counts[0] == counts[2]


def test_a_box_that_the_field_presses_against_makes_a_strict_minimum():
    """x^2 falls to 1 on [1, 2], and -x^2 does on [-1, 1]; inside of it -x^2 has a maximum."""
    box = go.Box
    bowl = go.zero_sum_game(lambda x, y: x**2 - y**2)
    held = go.constrained(bowl, x=box(1.0, 2.0))
    report = go.classify(held, point(1.0, 0.0))
    assert not report.interior
    assert word(report.stationary) == word(report.dne) == word(report.attractor) == "yes"
    hill = go.constrained(go.zero_sum_game(lambda x, y: -(x**2) - y**2), x=box(-1.0, 1.0))
    assert word(go.classify(hill, point(1.0, 0.0)).dne) == "yes"
    assert word(go.classify(hill, point(0.0, 0.0)).dne) == "no"


# What was built to fool short Krylov runs.


def diagonal_game(values):
    """x's own Hessian is diagonal, y's is the identity; no interaction."""
    return go.zero_sum_game(jax.tree_util.Partial(_diagonal_value, jnp.asarray(values)))


def _diagonal_value(values, x, y):
    return 0.5 * jnp.sum(values * x**2) - 0.5 * jnp.sum(y**2)


@pytest.mark.parametrize("speck", [-1e-3, -1e-6])
def test_a_speck_of_negative_curvature_below_a_wide_spectrum(speck):
    """One of 2000 eigenvalues is slightly negative, the largest is 1e3: 20 products do not see it,
    and say so. With a positive one in its place they cannot know either."""
    values = np.geomspace(1e-2, 1e3, 2000)
    players = point(jnp.zeros(2000), jnp.zeros(1))
    for smallest in (speck, -speck):
        values[0] = smallest
        report = go.classify(diagonal_game(values), players, method="krylov", num_matvecs=20)
        assert word(report.hessian_x.positive) == "inconclusive"
        assert word(report.dne) == "inconclusive"
        assert report.hessian_x.lower <= smallest <= report.hessian_x.value


def test_enough_products_do_decide():
    """The same with an isolated eigenvalue of -1 or of 1 below [2, 3]."""
    for smallest, expected in ((-1.0, "no"), (1.0, "yes")):
        values = np.append(smallest, np.linspace(2, 3, 1999))
        players = point(jnp.zeros(2000), jnp.zeros(1))
        report = go.classify(diagonal_game(values), players, method="krylov", num_matvecs=40)
        assert word(report.dne) == word(report.attractor) == expected


def coupled_game(matrix):
    """J is a given matrix of even size with symmetric blocks on its diagonal."""
    return go.game_from_losses(
        jax.tree_util.Partial(_coupled, jnp.asarray(matrix), 0),
        jax.tree_util.Partial(_coupled, jnp.asarray(matrix), 1),
    )


def _coupled(matrix, player, x, y):
    n = len(x)
    own, other = (x, y) if player == 0 else (y, x)
    rows = slice(0, n) if player == 0 else slice(n, 2 * n)
    columns = slice(n, 2 * n) if player == 0 else slice(0, n)
    return 0.5 * own @ matrix[rows, rows] @ own + own @ matrix[rows, columns] @ other


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.3, 0.01])
def test_pseudospectra_fool_ritz_values_and_not_the_verdict(shift):
    """J = [[s I, N], [N', s I]] with x and y shifting each other's entries by factors of 5 and 0:
    all eigenvalues are s > 0, while matrices within 1e-10 have them all around."""
    n = 150
    up = 5.0 * np.eye(n)
    down = 5.0 * np.diag(np.ones(n - 1), 1)
    matrix = np.block([[shift * np.eye(n), up], [down, shift * np.eye(n)]])
    np.testing.assert_allclose(np.linalg.eigvals(matrix[:4, :4]).real, shift)
    players = point(jnp.zeros(n), jnp.zeros(n))
    for num_matvecs in (20, 60, 120):
        report = go.classify(
            coupled_game(matrix), players, method="krylov", num_matvecs=num_matvecs
        )
        assert report.leftmost.value.real < 0  # fooled
        assert word(report.attractor) == "inconclusive"
        assert word(report.saddle) == "inconclusive"
        assert word(report.attractor_simultaneous) in ("inconclusive", "yes")
        assert word(report.attractor_alternating) in ("inconclusive", "yes")
    dense = go.classify(coupled_game(matrix), players, method="dense")
    assert word(dense.attractor) == "inconclusive"


@pytest.mark.parametrize("method", EITHER)
@pytest.mark.parametrize("turn", [0.0, 0.3, 1.0])
def test_a_singular_jacobian_has_no_stable_step_and_no_time_scale(method, turn):
    """The tandem game at its line of equilibria, and singular blocks turned so that 0 is a rounding
    error: eigenvalues 0 and positive ones. No step draws play to the point."""
    tandem = go.TOY_GAMES["tandem"]()
    c, s = np.cos(turn), np.sin(turn)
    rotation = np.array([[c, -s], [s, c]])
    block = rotation @ np.diag([3.0, 0.0]) @ rotation.T
    turned = go.Quadratic(block, 0.1 * block, 0.1 * block, block)
    for game, players in (
        (tandem, tandem.critical_points()[0].players),
        (turned, point([0.0, 0.0], [0.0, 0.0])),
    ):
        report = go.classify(game, players, method=method)
        assert report.max_step == 0
        assert str(report.attractor) != "yes"
        if method == "dense":
            assert str(report.degenerate) == "yes"
            assert report.tau_star == np.inf
    # A defective eigenvalue on the right of the axis is no reason to say 0: 2 / 1 here.
    jordan = go.Quadratic(jnp.eye(1), jnp.ones((1, 1)), jnp.zeros((1, 1)), jnp.eye(1))
    np.testing.assert_allclose(
        go.classify(jordan, point([0.0], [0.0]), method=method).max_step, 2.0, rtol=1e-6
    )


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_data_of_the_same_seed_do_not_hide_from_the_random_start(seed):
    """A direction of large curvature drawn by default_rng(seed).normal, as users draw: were it the
    start of the Krylov space, the curvature -.02 of all others would not be seen."""
    a = jnp.asarray(np.random.default_rng(seed).normal(size=400))
    value = lambda x, y: 0.5 * (a @ x) ** 2 - 0.01 * x @ x - 0.5 * y @ y
    game, origin = go.zero_sum_game(value), point(np.zeros(400), np.zeros(400))
    report = go.classify(game, origin, method="krylov", seed=seed, learning_rate=None)
    assert str(report.dne) == str(report.attractor) == "no"
    np.testing.assert_allclose(report.hessian_x.value, -0.02, rtol=1e-6)
    density = go.spectral_density(game, origin, num_probes=2, num_matvecs=4, seed=seed)
    assert float(jnp.min(density.nodes)) < -0.019
    # Nearly all of 400 eigenvalues are -.02, and the weights say so: 5 % for the other one.
    weights = jnp.sum(jnp.where(density.nodes < 0, density.weights, 0), axis=1)
    assert float(jnp.min(weights)) > 0.95


def test_losses_that_are_not_finite_make_no_equilibrium():
    """A constant that is NaN has derivatives that are 0, and so has a quadratic game at NaN."""
    quadratic = lambda x, y: x**2 - y**2
    for game, players in (
        (go.zero_sum_game(lambda x, y: quadratic(x, y) + jnp.nan), point(0.0, 0.0)),
        (go.zero_sum_game(quadratic), point(jnp.nan, 0.0)),
    ):
        report = go.classify(game, players)
        assert not report.finite
        words = [str(getattr(report, name)) for name in ("dne", "minimax", "attractor")]
        assert "yes" not in [*words, str(report.hessian_x.positive), str(report.stationary)]
