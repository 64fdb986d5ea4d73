"""Spectra of games: dense and Krylov against NumPy, on pytrees, under jit and vmap."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.solvers import point

WHICH = ["jacobian", "symmetric", "antisymmetric", "hessian_x", "hessian_y", "schur_x", "schur_y"]
P, Q = 9, 6


def matrices(seed, definite=True):
    """V_xx, V_xy, V_yy of a value; with `definite`, V_xx and -V_yy positive definite."""
    rng = np.random.default_rng(seed)
    symmetric = lambda n: (lambda m: m @ m.T / n + 0.3 * np.eye(n))(rng.normal(size=(n, n)))
    sign = 1 if definite else rng.choice([-1, 1])
    return sign * symmetric(P), rng.normal(size=(P, Q)), -symmetric(Q)


def quadratic(seed, definite=True):
    a, c, b = matrices(seed, definite)
    return go.ZeroSumQuadratic(a, c, b), point(jnp.ones(P), jnp.ones(Q))


def dense_operators(seed):
    """By NumPy, from the matrices themselves."""
    a, c, b = matrices(seed)
    jacobian = np.block([[a, c], [-c.T, -b]])
    return {
        "jacobian": jacobian,
        "symmetric": (jacobian + jacobian.T) / 2,
        "antisymmetric": (jacobian - jacobian.T) / 2,
        "hessian_x": a,
        "hessian_y": -b,
        "schur_x": a - c @ np.linalg.solve(b, c.T),
        "schur_y": -(b - c.T @ np.linalg.solve(a, c)),
    }


def in_order(numbers) -> Any:
    values: Any = np.asarray(numbers)
    values = values[~np.isnan(values.real)]
    return values[np.lexsort((np.round(values.imag, 8), np.round(values.real, 8)))]


@pytest.mark.parametrize("method", ["dense", "krylov"])
@pytest.mark.parametrize("which", WHICH)
@pytest.mark.parametrize("seed", [0, 1])
def test_values_are_those_of_the_matrix(which, method, seed):
    """The antisymmetric part has rank 12 of 15: Krylov spaces show an eigenvalue once."""
    game, players = quadratic(seed)
    found = go.spectrum(game, players, which=which, method=method)
    exact: Any = in_order(np.linalg.eigvals(dense_operators(seed)[which]).astype(complex))
    if which == "antisymmetric" and method == "krylov":
        exact = np.append(exact[np.abs(exact) > 1e-9], 0)
        exact = exact[np.lexsort((exact.imag, np.zeros(len(exact))))]
        np.testing.assert_allclose(np.sort(in_order(found.values).imag), exact.imag, atol=1e-8)
    else:
        np.testing.assert_allclose(in_order(found.values), in_order(exact), atol=1e-8)
    ends = in_order(exact).imag if which == "antisymmetric" else exact.real
    assert found.lower <= ends.min() + 1e-8
    assert found.upper >= ends.max() - 1e-8
    np.testing.assert_allclose([found.lower, found.upper], [ends.min(), ends.max()], atol=1e-4)


@pytest.mark.parametrize("method", ["dense", "krylov"])
@pytest.mark.parametrize("which", WHICH)
def test_vectors_are_eigenvectors(which, method):
    """A v = lambda v for the two from each end; their residuals are what is left."""
    game, players = quadratic(2)
    found = go.spectrum(game, players, which=which, method=method, k=2, vectors=True)
    assert found.values.shape == (4,)
    matrix = dense_operators(2)[which]
    leaves = [leaf.reshape(4, -1) for leaf in jax.tree.leaves(found.vectors)]
    vectors = np.concatenate(leaves, axis=1)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-9)
    rest = vectors @ matrix.T - np.asarray(found.values)[:, None] * vectors
    np.testing.assert_allclose(rest, 0, atol=1e-7)


@pytest.mark.parametrize("which", ["hessian_x", "jacobian"])
def test_few_products_give_residuals_and_errors_that_hold(which):
    """Before convergence: the stated residuals are ||Av - lambda v||, and errors cover."""
    game, players = quadratic(3)
    found = go.spectrum(game, players, which=which, method="krylov", num_matvecs=5, vectors=True)
    matrix = dense_operators(3)[which]
    leaves = [leaf.reshape(5, -1) for leaf in jax.tree.leaves(found.vectors)]
    vectors = np.concatenate(leaves, axis=1)
    rest = vectors @ matrix.T - np.asarray(found.values)[:, None] * vectors
    np.testing.assert_allclose(np.linalg.norm(rest, axis=1), found.residuals, atol=1e-10)
    assert np.max(found.residuals) > 1e-3
    if which == "hessian_x":
        gaps = np.abs(np.asarray(found.values)[:, None] - np.linalg.eigvalsh(matrix)).min(axis=1)
        assert (gaps <= found.errors).all()


@pytest.mark.parametrize("which", ["symmetric", "jacobian"])
def test_restarts_reach_what_one_space_does_not(which):
    """An isolated pair at each end of 300, by spaces of 8."""
    n = 150
    a = np.append(np.linspace(1, 2, n - 1), 2.3)
    b = np.append(np.linspace(1, 2, n - 1), 0.7)
    game = go.ZeroSumQuadratic(np.diag(a), 0.1 * np.eye(n), -np.diag(b))
    players = point(jnp.ones(n), jnp.ones(n))
    settings = {"which": which, "method": "krylov", "num_matvecs": 8, "k": 1}
    once = go.spectrum(game, players, **settings)
    again = go.spectrum(game, players, **settings, restarts=30, tol=1e-9)
    dense = go.spectrum(game, players, which=which, method="dense", k=1)
    assert np.abs(once.values - dense.values).max() > 1e-4
    np.testing.assert_allclose(again.values, dense.values, atol=1e-6)
    assert again.num_matvecs > once.num_matvecs
    # The bounds stay those of the random start.
    np.testing.assert_allclose([again.lower, again.upper], [once.lower, once.upper], rtol=1e-12)


def test_condition_numbers_are_those_of_the_eigenvalues():
    """[[1, c], [0, 2]] has eigenvalues of condition sqrt(1 + c^2)."""
    for c in (0.0, 1.0, 100.0):
        loss_x = lambda x, y, c=c: 0.5 * x**2 + c * x * y
        game = go.game_from_losses(loss_x, lambda x, y: y**2)
        for method in ("dense", "krylov"):
            found = go.spectrum(game, point(0.0, 0.0), method=method)
            np.testing.assert_allclose(found.values, [1, 2], atol=1e-9)
            np.testing.assert_allclose(found.conditions, np.hypot(1, c), rtol=1e-6)


class Net(eqx.Module):
    """Leaves that are no arrays beside weights."""

    weight: jax.Array
    bias: jax.Array
    steps: jax.Array
    name: str
    activation: Callable = eqx.field(static=True, default=jnp.tanh)

    def __call__(self, v):
        return jnp.sum(self.weight @ self.activation(v + self.bias))


def net(seed, dtype=jnp.float64):
    keys = jax.random.split(jax.random.key(seed))
    weight = jax.random.normal(keys[0], (3, 4), dtype)
    return Net(weight, jax.random.normal(keys[1], (4,), dtype), jnp.arange(2), "net")


NETS = go.game_from_losses(
    lambda x, y: jnp.sin(x(y.bias)) + 0.1 * jnp.sum(x.weight**2),
    lambda x, y: jnp.cos(y(x.bias)) - 0.1 * jnp.sum(y.weight**2) * jnp.sum(x.bias),
)


@pytest.mark.parametrize("which", WHICH[:5])
def test_equinox_players(which):
    """Krylov and dense agree, and vectors have the structure of the players."""
    players = go.Players(net(0), net(1))
    dense = go.spectrum(NETS, players, which=which, method="dense", vectors=True)
    krylov = go.spectrum(NETS, players, which=which, method="krylov", vectors=True)
    key = (lambda v: np.sort(v.imag)) if which == "antisymmetric" else (lambda v: np.sort(v.real))
    exact, found = key(np.asarray(dense.values)), key(in_order(krylov.values))
    np.testing.assert_allclose(found[[0, -1]], exact[[0, -1]], atol=1e-8)
    for spectrum in (dense, krylov):
        strategies = (
            spectrum.vectors.x if isinstance(spectrum.vectors, go.Players) else spectrum.vectors
        )
        assert strategies.weight.shape[1:] == (3, 4)
        assert strategies.steps is None


def test_float32_has_a_noise_floor_that_covers_its_rounding():
    """The float32 eigenvalues are within the noise of those in float64."""
    for method in ("dense", "krylov"):
        single = go.spectrum(
            NETS,
            go.Players(net(0, jnp.float32), net(1, jnp.float32)),
            which="hessian_x",
            method=method,
        )
        players = jax.tree.map(
            lambda a: a.astype(jnp.float64) if eqx.is_inexact_array(a) else a,
            go.Players(net(0, jnp.float32), net(1, jnp.float32)),
        )
        double = go.spectrum(NETS, players, which="hessian_x", method="dense")
        ends = np.real(np.asarray(double.values)[[0, -1]])
        there = np.asarray(single.values.real)
        there = there[~np.isnan(there)]
        assert np.abs(there[[0, -1]] - ends).max() <= single.noise
        assert 1e-7 < single.noise < 1e-3


def test_one_compilation_a_shape():
    """Other data of the same shape, another point, another key: traced once."""
    traces = []

    def value(matrix, x, y):
        traces.append(1)
        return x @ matrix @ y

    before = None
    for seed in range(3):
        rng = np.random.default_rng(seed)
        game = go.zero_sum_game(
            jax.tree_util.Partial(value, jnp.asarray(rng.normal(size=(20, 20))))
        )
        go.spectrum(game, point(jnp.ones(20), rng.normal(size=20)), method="krylov", num_matvecs=10)
        before = before or len(traces)
    assert len(traces) == before


@pytest.mark.parametrize("method", ["dense", "krylov"])
def test_under_jit_and_vmap(method):
    """A batch is its members one by one."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(x**3 * y) + jnp.sum(x**2))
    batch = point(jnp.arange(6.0).reshape(3, 2) + 1, jnp.ones((3, 2)))
    one = lambda p: go.spectrum(game, p, method=method)
    many = eqx.filter_jit(jax.vmap(one))(batch)
    for i in range(3):
        single = one(jax.tree.map(lambda leaf, i=i: leaf[i], batch))
        np.testing.assert_allclose(many.values[i], single.values, atol=1e-9)


@pytest.mark.parametrize("method", ["dense", "krylov"])
def test_what_is_not_finite_gives_nan_and_no_hang(method):
    """At x = 0 the root's curvature is infinite."""
    game = go.zero_sum_game(lambda x, y: jnp.sum(jnp.sqrt(x)) * jnp.sum(y))
    found = go.spectrum(game, point(jnp.zeros(2), jnp.ones(2)), method=method)
    assert np.isnan(found.values).all()
    assert np.isnan(found.lower)


def test_bad_arguments_are_told():
    """One clear line each."""
    game, players = quadratic(0)
    with pytest.raises(ValueError, match="num_matvecs and k >= 1"):
        go.spectrum(game, players, num_matvecs=0)
    with pytest.raises(ValueError, match="zero-sum games only"):
        go.spectrum(NETS, go.Players(net(0), net(1)), which="schur_x")
    with pytest.raises(ValueError, match="no floating-point"):
        go.spectrum(game, go.Players(1, 2))


def test_density_of_a_known_spectrum():
    """Stochastic quadrature against the smoothed eigenvalues, within 6 of its standard errors.

    The largest of 200 deviations of a right code passes 6 with a probability below 1e-3: the key is
    fixed, and the errors come from 20 probes.
    """
    n = 300
    values = np.concatenate([np.linspace(-1, 1, 200), np.full(90, 3.0), np.linspace(5, 6, 10)])
    game = go.ZeroSumQuadratic(np.diag(values), np.zeros((n, 1)), -np.eye(1))
    players = point(jnp.ones(n), jnp.ones(1))
    found = go.spectral_density(game, players, num_probes=20, num_matvecs=40, points=200, width=0.3)
    grid = np.asarray(found.grid)
    bumps = np.exp(-0.5 * ((grid[:, None] - values) / 0.3) ** 2) / (0.3 * np.sqrt(2 * np.pi))
    exact = bumps.mean(axis=1)
    off = np.abs(found.density - exact)
    assert (off <= 6 * found.standard_error + 1e-3).all()
    np.testing.assert_allclose(found.weights.sum(axis=1), 1, atol=1e-10)
    np.testing.assert_allclose(np.trapezoid(found.density, found.grid), 1, atol=1e-3)
    with pytest.raises(ValueError, match="num_probes >= 2"):
        go.spectral_density(game, players, num_probes=1)
    with pytest.raises(ValueError, match="which must be one of symmetric"):
        go.spectral_density(game, players, which="jacobian")


def test_moments_of_a_density_are_traces():
    """On the mean over probes of a multiple of the identity every moment is exact."""
    game = go.ZeroSumQuadratic(2 * np.eye(5), np.zeros((5, 5)), -np.eye(5))
    found = go.spectral_density(game, point(jnp.ones(5), jnp.ones(5)), which="hessian_x")
    np.testing.assert_allclose((found.nodes * found.weights).sum(axis=1), 2, rtol=1e-12)
