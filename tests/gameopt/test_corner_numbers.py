"""Paths, critics, scores and sets: NaN stays NaN, and gradients exist where they are claimed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from gameopt._arithmetic import square_root
from tests.gameopt.public import CRITIC, OF_CRITICS, OF_PATHS, OF_SCORES, SETS
from tests.gameopt.test_corners import numbers

POINTS = np.array([[0.3, -0.7], [1.2, 0.4], [0.0, 0.0]])
SCORES = np.array([0.4, -1.3, 2.0]), np.array([-0.6, 0.1, 1.1])
DTYPES = [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64]


def path(values=None) -> jax.Array:
    """Eighty rounds that near 0."""
    return jnp.asarray(0.9 ** np.arange(80) if values is None else values)


@pytest.mark.parametrize("dtype", DTYPES)
def test_norms_and_distances_do_not_depend_on_the_unit(dtype):
    """Also where squares would under- or overflow, with slopes that are those of a length."""
    rng = np.random.default_rng(2)
    # Powers of 2, which change no digit.
    for unit in (2.0**-13, 1.0, 2.0**12) if dtype == jnp.float16 else (2.0**-90, 1.0, 2.0**90):
        a, b = (jnp.asarray(unit * rng.normal(size=n), dtype) for n in (5, 3))
        tree = {"a": a, "b": b, "none": None}
        exact = np.linalg.norm(np.concatenate([np.asarray(part, np.float64) for part in (a, b)]))
        few = 8 * float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(float(go.tree_norm(tree)), exact, rtol=few)
        slope = jax.grad(go.tree_norm)({"a": a, "b": b})["a"]
        np.testing.assert_allclose(
            np.asarray(slope, float), np.asarray(a, float) / exact, rtol=2 * few
        )
        rows = go.Players(jnp.stack([a, 2 * a]), jnp.stack([b, 2 * b]))
        zero = go.Players(jnp.zeros_like(a), jnp.zeros_like(b))
        found = np.asarray(go.distances(rows, zero), float)
        np.testing.assert_allclose(found, [exact, 2 * exact], rtol=few)


@pytest.mark.parametrize("name", sorted(OF_PATHS))
@pytest.mark.parametrize("where", [20, 79])
def test_a_path_with_nan_neither_settles_nor_has_a_rate(name, where):
    """It diverges, or the number is NaN, also where it neared the point before."""
    broken = np.asarray(path()).copy()
    broken[where:] = np.nan
    found = OF_PATHS[name](path(broken))
    if name == "limit_cycle":
        assert found.motion == go.MOTIONS.diverging
    elif name == "measured_rate":
        assert np.isnan(found.rate)
        assert np.isnan(found.standard_error)
        # A path that overflows has a rate.
        growing = np.where(np.arange(80) < 50, 1.5 ** np.arange(80), np.inf)
        np.testing.assert_allclose(OF_PATHS[name](path(growing)).rate, 1.5, rtol=1e-9)
    else:
        assert np.isnan(numbers(found)[where:]).all()


@pytest.mark.parametrize("name", sorted(OF_PATHS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_paths_of_every_precision(name, dtype):
    """The rate of a path in half precision to what it resolves; JAX's and NumPy's arrays alike."""
    found = OF_PATHS[name](path().astype(dtype))
    assert np.isfinite(numbers(found)).any()
    if name == "measured_rate":
        np.testing.assert_allclose(found.rate, 0.9, rtol=0.02)
    if dtype != jnp.bfloat16:
        given: Any = np.asarray(path()).astype(dtype)
        hosted = OF_PATHS[name](given)
        np.testing.assert_array_equal(numbers(hosted), numbers(found))


@pytest.mark.parametrize("name", sorted(OF_CRITICS))
def test_a_critic_that_is_nan_has_no_good_number(name):
    """NaN in one entry of one point: in that point's number, and in every mean."""
    broken = POINTS.copy()
    broken[1, 0] = np.nan
    found = np.asarray(OF_CRITICS[name](CRITIC, jnp.asarray(broken)))
    assert np.isnan(found if found.ndim == 0 else found[1]).any()


@pytest.mark.parametrize("name", sorted(OF_CRITICS))
@pytest.mark.parametrize("dtype", DTYPES)
def test_critics_of_every_precision(name, dtype):
    """The dtype of the points is that of the result, within its own rounding."""
    found = OF_CRITICS[name](CRITIC, jnp.asarray(POINTS, dtype))
    assert found.dtype == dtype
    assert np.isfinite(np.asarray(found, np.float64)).all()
    if dtype != jnp.float64 and name not in ("interpolates", "surroundings", "augmented"):
        reference = np.asarray(OF_CRITICS[name](CRITIC, jnp.asarray(POINTS)))
        if name.startswith("GradientPenalty") or name == "Penalties":
            return  # other random points in another precision
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(np.asarray(found, np.float64), reference, atol=40 * eps)


# The norm itself has a corner at 0, where the subgradient 0 is taken.
_CORNERS = ("gradient_norms", "gradient_penalty", "GradientPenalty", "lipschitz_lower_bound")


@pytest.mark.parametrize("name", sorted(OF_CRITICS))
def test_gradients_of_critics_exist_at_flat_ones(name):
    """By a parameter of the critic, at zero gradients too: the central difference where the
    function is smooth, and finite where it has a corner."""
    critic = lambda scale: lambda x: jnp.sum(jnp.tanh(scale * x) ** 2)
    for points in (POINTS, np.zeros((3, 2))):
        total = lambda s, points=points: jnp.sum(OF_CRITICS[name](critic(s), jnp.asarray(points)))
        for scale in (0.8, 0.0):
            slope, h = jax.grad(total)(scale), 1e-6
            assert np.isfinite(slope)
            if not (name.startswith(_CORNERS) and scale == 0.0):
                difference = (total(scale + h) - total(scale - h)) / (2 * h)
                np.testing.assert_allclose(slope, difference, atol=1e-6)


@pytest.mark.parametrize("name", sorted(OF_SCORES))
def test_scores_that_are_nan_or_half_precise(name):
    """NaN in, NaN out, by either kind that the loss sees; every dtype is kept; a finite slope of
    scores that are equal, zero, or large."""
    real, fake = map(jnp.asarray, SCORES)
    broken = jnp.asarray([0.4, np.nan, 2.0])
    lost = [OF_SCORES[name](broken, fake), OF_SCORES[name](real, broken)]
    if name not in ("non_saturating_generator_loss", "least_squares_generator_loss"):
        assert np.isnan(lost[0])
    assert np.isnan(lost[1])
    for dtype in DTYPES:
        found = OF_SCORES[name](real.astype(dtype), fake.astype(dtype))
        assert found.dtype == dtype
        exact = float(OF_SCORES[name](real, fake))
        tolerance = 30 * float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(float(found), exact, rtol=tolerance, atol=tolerance)
    for scores in (jnp.zeros(3), jnp.full(3, 30.0), jnp.full(3, -30.0)):
        slopes = jax.grad(OF_SCORES[name], argnums=(0, 1))(scores, scores)
        assert all(np.isfinite(slope).all() for slope in slopes)


@pytest.mark.parametrize("name", sorted(SETS))
def test_projections_keep_nan_and_have_gradients_on_the_edge(name):
    """Inside, outside, on the edge, and at 0: the gradient is finite, and away from the edge the
    central difference."""
    project = SETS[name]
    assert np.isnan(project(jnp.asarray([np.nan, 0.2]))).any()
    for dtype in DTYPES:
        assert project(jnp.asarray([3.0, -0.2], dtype)).dtype == dtype
    weights, h = jnp.asarray([0.7, -0.4]), 1e-6
    smooth = {"inside": [0.3, 0.2], "outside": [2.1, -1.7]}
    edges = {"zero": [0.0, 0.0], "edge": [1.0, 0.0], "corner": [1.0, -1.0]}
    for where, start in {**smooth, **edges}.items():
        value = lambda v: weights @ project(v)
        slope = jax.grad(value)(jnp.asarray(start))
        assert np.isfinite(slope).all(), where
        if where in smooth:
            for i, unit in enumerate(np.eye(2)):
                ahead, back = (value(jnp.asarray(start + s * h * unit)) for s in (1, -1))
                np.testing.assert_allclose(slope[i], (ahead - back) / (2 * h), atol=1e-6)


def test_norms_and_solves_keep_nan_and_have_gradients_at_zero():
    """The square root at 0 has the derivative 0; a residual of nothing is 0, of NaN it is NaN."""
    assert jax.grad(lambda x: go.tree_norm({"a": x}))(jnp.zeros(2)).tolist() == [0, 0]
    assert np.isnan(go.tree_norm({"a": jnp.asarray([np.nan, 0.0])}))
    np.testing.assert_array_equal(square_root(jnp.asarray([4.0, 0.0, np.nan])), [2, 0, np.nan])

    def solve(right):
        return go.solve_linear(lambda v: 2 * v, right, positive_definite=True)

    assert solve(jnp.zeros(2)).residual == 0
    assert np.isnan(solve(jnp.asarray([np.nan, 1.0])).residual)
    slope = jax.grad(lambda r: solve(r).value[0] + solve(r).residual)(jnp.zeros(2))
    assert np.isfinite(slope).all()


def test_labels_that_are_no_class_are_nan():
    """Below 0 too, where an index would count from the end."""

    class Judge:
        def __call__(self, x):
            return x[0]

        def class_logits(self, x):
            return x

    for label, finite in ((0, True), (1, True), (2, False), (-1, False)):
        points = go.Conditioned(jnp.asarray([[0.2, 0.5]]), jnp.asarray([label], jnp.int32))
        assert np.isfinite(go.class_cross_entropy(Judge(), points)) == finite


@pytest.mark.parametrize(
    "game",
    [
        go.Bilinear(1.0),
        go.ZeroSumQuadratic(jnp.zeros((1, 1)), jnp.eye(1), jnp.zeros((1, 1))),
        go.ZeroSumQuadratic(jnp.eye(1), jnp.eye(1), -jnp.eye(1)),
        go.matching_pennies(),
    ],
)
@pytest.mark.parametrize("method", ["exact", "ascent"])
def test_the_gap_of_nan_is_infinite(game, method):
    """Where the other player stands at the equilibrium, so that only NaN could be gained."""
    shape = {go.Bilinear: (), go.MatrixGame: (2,)}.get(type(game), (1,))
    broken = go.Players(jnp.full(shape, jnp.nan), jnp.zeros(shape))
    assert go.duality_gap(game, broken, method=method, steps=3).total == np.inf
    payoff = go.Bilinear(jnp.nan)
    assert go.duality_gap(payoff, go.Players(*[jnp.zeros(())] * 2)).total == np.inf
