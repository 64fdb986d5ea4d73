"""Potentials and critics against plans, and against each other."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import theory
from tests.theory.transport.test_closed_form import clouds

seeds = st.integers(0, 2**31 - 1)
sizes = st.integers(1, 7)


@hyp.settings(max_examples=20)
@hyp.given(seed=seeds, n=sizes, m=sizes, p=st.sampled_from([1.0, 2.0]))
def test_plan_and_potentials_prove_each_other_optimal(seed, n, m, p):
    """Network simplex for the plan, HiGHS for the potentials: no gap, nothing passed, no slack."""
    x, y, a, b = clouds(seed, n, m, 2)
    plan = theory.optimal_transport(x, y, a, b, p=p)
    potentials = theory.dual_potentials(plan.costs, a, b)
    check = theory.check_duality(plan, potentials)
    np.testing.assert_allclose(check, 0, atol=1e-9)
    np.testing.assert_allclose(potentials.value, plan.distance**p, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(a @ potentials.source, 0, atol=1e-12)


def test_a_wrong_pair_is_found_out():
    """A plan that is not optimal leaves a gap and slack; potentials too large, infeasibility."""
    x = np.array([0.0, 1.0])
    right = theory.optimal_transport(x, x + 0.1)
    wrong = right._replace(plan=right.plan[::-1])
    potentials = theory.dual_potentials(right.costs)
    check = theory.check_duality(wrong, potentials)
    assert check.gap > 0.5
    assert check.slackness > 0.1
    raised = potentials._replace(target=potentials.target + 0.3)
    np.testing.assert_allclose(theory.check_duality(right, raised).infeasibility, 0.3)


@hyp.settings(max_examples=20)
@hyp.given(seed=seeds, n=sizes, m=sizes)
def test_kantorovich_and_rubinstein_find_the_distance(seed, n, m):
    """The largest gain of a 1-Lipschitz f is W1; f falls at slope 1 along every move of a plan."""
    x, y, a, b = clouds(seed, n, m, 2)
    plan = theory.optimal_transport(x, y, a, b)
    critic = theory.kantorovich_rubinstein(x, y, a, b)
    np.testing.assert_allclose(critic.value, plan.distance, rtol=1e-8, atol=1e-10)
    for move in theory.moves(plan, tol=1e-9):
        fall = critic.on_x[move.source] - critic.on_y[move.target]
        np.testing.assert_allclose(fall, move.distance, rtol=1e-7, atol=1e-8)
    everywhere = np.concatenate([x, y])
    values = np.concatenate([critic.on_x, critic.on_y])
    quotients = np.abs(values[:, None] - values[None]) - np.linalg.norm(
        everywhere[:, None] - everywhere[None], axis=-1
    )
    assert quotients.max() < 1e-9


@hyp.settings(max_examples=20)
@hyp.given(seed=seeds)
def test_an_extension_meets_its_values_and_keeps_the_constant(seed):
    """McShane's function through an optimal critic: equal at the points, slope 1 off them."""
    x, y, a, b = clouds(seed, 4, 5, 2)
    critic = theory.kantorovich_rubinstein(x, y, a, b)
    points, values = jnp.asarray(np.concatenate([x, y])), np.concatenate([critic.on_x, critic.on_y])
    extension = lambda at: theory.lipschitz_extension(jnp.asarray(values), points, at)
    np.testing.assert_allclose(extension(points), values, atol=1e-9)
    others = jnp.asarray(np.random.default_rng(seed).normal(size=(8, 2))) * 3
    slopes = jax.vmap(jax.grad(lambda z: extension(z[None, :])[0]))(others)
    np.testing.assert_allclose(jnp.linalg.norm(slopes, axis=1), 1.0, rtol=1e-9)
    assert bool(jnp.all(jnp.isfinite(jax.grad(lambda z: extension(z[None, :])[0])(points[0]))))


@hyp.settings(max_examples=20)
@hyp.given(seed=seeds)
def test_c_transforms(seed):
    """Feasible, no worse than any start, thrice as once; -f if f is Lipschitz; optimal stays so."""
    x, y, a, b = clouds(seed, 5, 5, 2)
    costs = jnp.linalg.norm(jnp.asarray(x)[:, None] - jnp.asarray(y)[None], axis=-1)
    start = jnp.asarray(np.random.default_rng(seed).normal(size=5))
    partner = theory.c_transform(start, costs)
    assert float(jnp.min(costs - start[:, None] - partner[None, :])) >= -1e-12
    back = theory.c_transform(partner, costs.T)
    assert bool(jnp.all(back >= start - 1e-12))
    np.testing.assert_allclose(theory.c_transform(back, costs), partner, atol=1e-12)
    own = jnp.linalg.norm(jnp.asarray(x)[:, None] - jnp.asarray(x)[None], axis=-1)
    lipschitz = 0.7 * jnp.asarray(x)[:, 0]
    np.testing.assert_allclose(theory.c_transform(lipschitz, own), -lipschitz, atol=1e-12)
    potentials = theory.dual_potentials(np.asarray(costs), a, b)
    improved = theory.c_transform(jnp.asarray(potentials.source), costs)
    np.testing.assert_allclose(a @ potentials.source + b @ improved, potentials.value, atol=1e-9)


def test_points_that_coincide_and_single_points():
    """Identical clouds cost 0; one point each costs its distance; a weight of 0 does not matter."""
    x = np.array([[0.0, 0.0], [1.0, 2.0], [1.0, 2.0]])
    assert abs(theory.kantorovich_rubinstein(x, x).value) < 1e-12
    np.testing.assert_allclose(theory.kantorovich_rubinstein([[0.0, 0.0]], [[3.0, 4.0]]).value, 5.0)
    value = theory.kantorovich_rubinstein([0.0, 99.0], [1.0], [1.0, 0.0]).value
    np.testing.assert_allclose(value, 1.0)


WRONG = {
    "costs": (lambda: theory.dual_potentials([[np.inf]]), "finite matrix"),
    "weights": (lambda: theory.dual_potentials([[1.0]], [-1.0]), "none negative"),
    "dimension": (lambda: theory.kantorovich_rubinstein(np.zeros((1, 2)), [[0.0]]), "one shape"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_impossible_input_is_refused(name):
    """With one line that says what is wrong."""
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1e-4, 1.0, 1e4, 1e9])
def test_duality_at_every_scale(unit):
    """Both duals are W_1 and W_2^2 times the unit, to 1e-9, and never above them."""
    rng = np.random.default_rng(3)
    x, y = unit * rng.normal(size=(20, 2)), unit * (rng.normal(size=(25, 2)) + 0.5)
    plan = theory.optimal_transport(x, y, p=2)
    dual = theory.dual_potentials(plan.costs)
    primal = plan.distance**2
    assert (1 - 1e-9) * primal < dual.value <= (1 + 1e-12) * primal
    assert theory.check_duality(plan, dual).infeasibility <= 1e-14 * plan.costs.max()
    w1, critic = theory.wasserstein(x, y), theory.kantorovich_rubinstein(x, y)
    assert (1 - 1e-9) * w1 < critic.value <= (1 + 1e-12) * w1
    points, values = np.concatenate([x, y]), np.concatenate([critic.on_x, critic.on_y])
    slopes = np.abs(values[:, None] - values[None, :])
    gaps = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    assert (slopes <= gaps * (1 + 1e-9) + 1e-13 * unit).all()


@pytest.mark.parametrize("far", [1e3, 1e9, 1e13, 1e15])
def test_one_far_place_changes_nothing_for_the_others(far):
    """With mass on both sides, or with none: the duals of what is near, to 1e-6 and proved."""
    near = theory.kantorovich_rubinstein([0.0, 1, far], [1.0, 3, far])
    np.testing.assert_allclose(near.value, 1, rtol=1e-6)
    weightless = theory.kantorovich_rubinstein([0.0, 1, far], [1.0, 3, 3], [1, 1, 0], [1, 1, 0])
    np.testing.assert_allclose(weightless.value, 1.5, rtol=1e-6)
    dual = theory.dual_potentials([[2.0, 1.0], [far, far]], [1, 0])
    np.testing.assert_allclose(dual.value, 1.5, rtol=1e-6)
    costs = np.array([[2, 1], [far, far]])
    assert (dual.source[:, None] + dual.target <= costs + 1e-9).all()


def test_costs_may_be_negative():
    """A constant added to all costs is added to the value, and -c is as good a cost as c."""
    costs = np.random.default_rng(0).normal(size=(6, 8))
    value = theory.dual_potentials(costs).value
    np.testing.assert_allclose(theory.dual_potentials(costs + 10).value, value + 10, rtol=1e-9)
    assert theory.dual_potentials([[-3.0]]).value == -3
