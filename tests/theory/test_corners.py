"""Properties of every public function of `theory`, over the table in `corner_cases`.

NaN in, NaN out; every number type gives what float64 gives; units, origins and orders do not
matter; empty arrays and wrong shapes are refused with one clear line.
"""

import contextlib
import inspect

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

import theory
from tests.theory.corner_cases import CASES, NOT_IN_THE_TABLE

CLEAR = r"must|at least"

each_case = pytest.mark.parametrize("name", CASES)
each_array = pytest.mark.parametrize(
    ("name", "array"), [(name, array) for name, case in CASES.items() for array in case.whole]
)


def floats_of(result):
    """All floating leaves, as NumPy arrays."""
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(result)]
    return [leaf for leaf in leaves if leaf.dtype.kind in "fc"]


def in_float64(case):
    return case.call(**{name: array.astype(float) for name, array in case.whole.items()})


def refused_in_one_line(call):
    """Calls it; a refusal is a `ValueError` of one line, and no other error."""
    try:
        call()
    except ValueError as refusal:
        if "\n" in str(refusal):
            raise AssertionError("a refusal of more than one line") from refusal
        raise


def test_every_public_function_is_in_the_table():
    """Or is named there with the reason why not; and nothing is in it that is gone."""
    public = {
        name
        for name in dir(theory)
        if not name.startswith("_") and inspect.isfunction(getattr(theory, name))
    }
    covered = {name.split("[")[0] for name in CASES} | set(NOT_IN_THE_TABLE)
    methods = {name for name in covered if "." in name}
    assert public == covered - methods
    assert not {name.split("[")[0] for name in CASES} & set(NOT_IN_THE_TABLE)


@each_array
def test_nan_in_nan_out(name, array):
    """A single NaN in any array is one in every number that comes out, or is refused."""
    case = CASES[name]
    arrays = {key: value.astype(float) for key, value in case.whole.items()}
    poisoned = np.array(arrays[array])
    poisoned[(0,) * poisoned.ndim] = np.nan
    if case.on_host:
        with pytest.raises(ValueError, match=r"NaN|finite"):
            case.call(**{**arrays, array: poisoned})
        return
    result = floats_of(case.call(**{**arrays, array: poisoned}))
    if array in case.quiet:
        honest = floats_of(in_float64(case))
        assert all(
            np.all((got <= best) | np.isnan(got)) for got, best in zip(result, honest, strict=True)
        )
        return
    for leaf in result:
        assert np.isnan(leaf).any(), f"{name} of a NaN in {array} is {leaf}"


DTYPES = [np.int64, np.int32, np.uint8, np.float16, ml_dtypes.bfloat16, np.float32]


@each_case
def test_number_types_give_what_float64_gives(name):
    """Whole numbers as integers of any kind, half, single and double precision, lists and tuples.

    They are exact in all of these, so that results differ by the rounding of single precision only:
    half precision is summed in single, and comes out in it.
    """
    case = CASES[name]
    expected = floats_of(in_float64(case))
    largest = max(np.abs(leaf[np.isfinite(leaf)]).max(initial=0.0) for leaf in expected)
    for dtype in DTYPES:
        arrays = {key: value.astype(dtype) for key, value in case.whole.items()}
        if dtype in (np.int32, np.float16, np.float32):
            arrays = {key: jnp.asarray(value) for key, value in arrays.items()}
        single = np.dtype(dtype).kind not in "iu" and not case.on_host
        for leaf, best in zip(floats_of(case.call(**arrays)), expected, strict=True):
            assert leaf.dtype.itemsize >= (4 if single else 8), (name, dtype)
            tolerance = 2e-4 * max(largest, 1e-3) if single else 1e-10 * max(largest, 1)
            np.testing.assert_allclose(leaf, best, rtol=1e-4, atol=tolerance, err_msg=name)
    lists = {key: value.tolist() for key, value in case.whole.items()}
    for leaf, best in zip(floats_of(case.call(**lists)), expected, strict=True):
        np.testing.assert_allclose(leaf, best, rtol=1e-10, atol=1e-10 * max(largest, 1))


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].degree is not None])
@pytest.mark.parametrize("exponent", [-100, -30, 100])
def test_units_do_not_matter(name, exponent):
    """Data in other units, by a power of two, give the number in those units to 1e-6.

    In double precision and to 2^100, about 1e30: squares stay in its range, and an absolute
    tolerance anywhere would show.
    """
    case = CASES[name]
    assert case.degree is not None
    unit = 2.0**exponent
    scaled = case.scaled or tuple(case.whole)
    arrays = {
        key: value.astype(float) * (unit if key in scaled else 1)
        for key, value in case.whole.items()
    }
    for got, plain in zip(floats_of(case.call(**arrays)), floats_of(in_float64(case)), strict=True):
        np.testing.assert_allclose(got, plain * unit**case.degree, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "name", [name for name in CASES if CASES[name].shifted or CASES[name].orderless]
)
def test_the_origin_and_the_order_do_not_matter(name):
    """A shift of all points by 1000, exact in float64, and rows in another order."""
    case = CASES[name]
    rng = np.random.default_rng(0)
    moved = {
        key: value.astype(float) + (1000 if key in case.shifted else 0)
        for key, value in case.whole.items()
    }
    mixed = {
        key: rng.permutation(value) if key in case.orderless else value
        for key, value in moved.items()
    }
    expected = floats_of(in_float64(case))
    for arrays in (moved, mixed):
        for got, plain in zip(floats_of(case.call(**arrays)), expected, strict=True):
            np.testing.assert_allclose(got, plain, rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.parametrize(
    ("name", "array"),
    [(name, key) for name, case in CASES.items() for key, v in case.whole.items() if v.ndim],
)
def test_empty_arrays_are_refused_or_are_empty_sums(name, array):
    """A clear `ValueError`; functions of every entry on its own may have none."""
    case = CASES[name]
    arrays = dict(case.whole)
    arrays[array] = arrays[array][:0]
    refused = contextlib.suppress(ValueError)
    with pytest.raises(ValueError, match=CLEAR) if case.empty else refused:
        refused_in_one_line(lambda: case.call(**arrays))


@each_case
def test_single_points_give_a_number_or_a_reason(name):
    """One row of every array: no error but a `ValueError` that says what is needed."""
    case = CASES[name]
    arrays = {key: value[:1] if value.ndim else value for key, value in case.whole.items()}
    with contextlib.suppress(ValueError):
        refused_in_one_line(lambda: case.call(**arrays))


CLOUD, LAW = CASES["prdc"].whole["x"], CASES["wasserstein2_gaussian"].whole


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: theory.prdc(CLOUD, CLOUD[:, :2]), "x|real and fake must agree in the dimension"),
        (lambda: theory.frechet_distance(CLOUD, CLOUD[:, :2]), "must agree in the dimension"),
        (lambda: theory.mmd2_unbiased(CLOUD, CLOUD[:, :2]), "must agree in the dimension"),
        (lambda: theory.sinkhorn_divergence(CLOUD, CLOUD[:, :2], 1), "agree in the dimension"),
        (lambda: theory.memorised_share(CLOUD, CLOUD, CLOUD[:, 1:]), "agree in the dimension"),
        (lambda: theory.wasserstein_1d([], []), "x must have at least one point"),
        (lambda: theory.wasserstein_1d([1, 2], [3], x_weights=[1, -1]), "must not be negative"),
        (lambda: theory.wasserstein_1d([1, 2], [3], x_weights=[0, 0]), "must not all be 0"),
        (lambda: theory.wasserstein_1d([1, 2], [3], x_weights=[1]), r"must have the shape \(2,\)"),
        (lambda: theory.wasserstein_1d([[1, 2]], [3]), r"must have the shape \(n,\)"),
        (lambda: theory.wasserstein_1d([1], [2], p=0.5), "p >= 1 only, got p = 0.5"),
        (lambda: theory.wasserstein_1d([1], [2], p=np.nan), "p >= 1 only, got p = nan"),
        (lambda: theory.wasserstein_1d(["a"], [2]), "expected numbers"),
        (lambda: theory.wasserstein1_normal(0, -1, 0, 1), "std_x must not be negative, got -1"),
        (lambda: theory.kl_normal(0, 1, 0, -1), "std_q must be positive, got -1"),
        (lambda: theory.Normal(0.0, -1.0), "scale must be positive, got -1"),
        (lambda: theory.kl_discrete([1.5, -0.5], [1, 0]), "p must not be negative"),
        (lambda: theory.kl_density([0.0], [0.0, 1.0], [1.0]), "must agree in shape"),
        (lambda: theory.mode_coverage(CLOUD, CLOUD, -1.0), "std must be positive"),
        (lambda: theory.occupancy([0.5, 1.0], 3), "labels must be whole numbers"),
        (lambda: theory.gaussian_kernel(0.0), "bandwidth must be positive"),
        (lambda: theory.sinkhorn(CLOUD, np.float32(-1)), "epsilon must be positive"),
        (lambda: theory.sinkhorn(CLOUD, jnp.float32(0)), "epsilon must be positive"),
        (lambda: theory.sinkhorn(CLOUD, 1.0, tol=-1.0), "tol must be positive"),
        (lambda: theory.sinkhorn(CLOUD, np.array([1, 2.0])), "epsilon must be a single number"),
        (lambda: theory.wasserstein_1d([1], [2], p=np.array([1, 2])), "p must be a single number"),
        (lambda: theory.wasserstein_1d([[1.0], [1, 2]], [1.0]), "in rows of one length"),
        (lambda: theory.optimal_transport(["a"], [0]), "expected numbers"),
        (lambda: theory.optimal_transport([1j], [0]), "expected numbers"),
        (lambda: theory.optimal_transport(CLOUD, CLOUD, p=np.inf), "p must be finite"),
        (lambda: theory.sliced_wasserstein(CLOUD, CLOUD, CLOUD, p=np.inf), "p must be finite"),
        (lambda: theory.prdc(CLOUD, CLOUD, 2.5), "k must be from 1 to 11, a whole number"),
        (lambda: theory.prdc(CLOUD, CLOUD, True), "k must be from 1 to 11, a whole number"),
        (lambda: theory.quadrature(0, 1, 0), "num must be 1 or more, a whole number"),
        (lambda: theory.max_stable_step(CLOUD), "jacobian must be a square matrix"),
        (
            lambda: theory.wasserstein2_gaussian(
                LAW["mean_x"], LAW["cov_x"], LAW["mean_x"], [1, 2]
            ),
            "the second Gaussian must have a mean",
        ),
    ],
)
def test_bad_input_is_refused_with_one_clear_line(call, says):
    """The line says what is wrong, where, and what is needed."""
    with pytest.raises(ValueError, match=says) as refusal:
        call()
    assert "\n" not in str(refusal.value)


def test_whole_numbers_of_any_kind_count():
    """Python's, NumPy's and JAX's integers are one."""
    for k in (2, np.int64(2), np.uint8(2), jnp.asarray(2)):
        np.testing.assert_array_equal(theory.prdc(CLOUD, CLOUD, k), theory.prdc(CLOUD, CLOUD, 2))


def test_single_precision_far_from_the_origin():
    """Integers and doubles far from 0 keep their differences, although they become single."""
    with jax.enable_x64(False):
        times = np.array([1_700_000_000, 1_700_003_600])
        np.testing.assert_allclose(theory.wasserstein_1d(times, times + 30), 30)
        np.testing.assert_allclose(theory.wasserstein_1d([2**40], [2**40 + 30]), 30)
        x, y = np.random.default_rng(0).normal(size=(2, 60, 3))
        for name, function in {
            "prdc": lambda a, b: theory.prdc(a, b, 3),
            "sliced": lambda a, b: theory.sliced_wasserstein(a, b, np.eye(3)),
            "frechet": lambda a, b: theory.frechet_distance(a, b)[:3],
            "neighbours": lambda a, b: theory.nearest_neighbours(a, b, 2).distances,
            "sinkhorn": lambda a, b: theory.sinkhorn_divergence(a, b, 1.0),
            "modes": lambda a, b: theory.mode_coverage(a, b[:4], 1.0)[1:3],
        }.items():
            far = floats_of(function(x + 1e8, y + 1e8))
            for got, plain in zip(far, floats_of(function(x, y)), strict=True):
                np.testing.assert_allclose(got, plain, rtol=1e-3, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("scale", [1e-60, 1e-45, 1e38, 1e60, 1e300])
def test_the_size_of_weights_does_not_matter(scale):
    """Weights are shares, whatever their sum; in single precision too."""
    for x64 in (False, True):
        with jax.enable_x64(x64):
            weights = scale * np.array([1.0, 3.0])
            np.testing.assert_allclose(theory.wasserstein_1d([0, 1], [0, 3], weights), 1.25)
    plan = theory.optimal_transport([0, 1], [0, 3], scale * np.array([1.0, 3.0]))
    np.testing.assert_allclose(plan.distance, 1.25)


def test_traced_arguments_out_of_range_give_nan():
    """NaN stands for values that a check refuses eagerly and cannot see under a trace."""
    x, y = jnp.array([0.0, 1.0]), jnp.array([0.0, 3.0])
    costs = jnp.array([[0.0, 1.0], [1.0, 0.0]])
    assert jnp.isnan(jax.jit(lambda p: theory.wasserstein_1d(x, y, p=p))(0.5))
    assert jnp.isnan(jax.jit(lambda a: theory.wasserstein_1d(x, y, a))(jnp.array([2.0, -1.0])))
    for epsilon in (0.0, -0.1):
        assert jnp.isnan(jax.jit(lambda e: theory.sinkhorn(costs, e).value)(epsilon))


@pytest.mark.parametrize("large", [3e9, 1e12])
def test_parameters_may_be_large(large):
    """Beyond the integers of 32 bits: in squared units of any size."""
    costs = np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0]])
    expected = theory.sinkhorn(costs, 0.5).value
    np.testing.assert_allclose(theory.sinkhorn(large * costs, large / 2).value, large * expected)
    blurred = theory.entropic_gaussian([0, 0], np.eye(2), [1, 0], np.eye(2), large)
    assert jnp.isfinite(blurred)
