"""Gradient penalties: per sample, for any shape and batch, smooth where they should be."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go

shapes = st.sampled_from([(), (1,), (5,), (4, 3), (2, 3, 3)])


@hyp.given(
    seed=st.integers(0, 2**31 - 1),
    shape=shapes,
    batch=st.integers(1, 7),
    target=st.floats(0.0, 3.0),
    one_sided=st.booleans(),
)
def test_penalty_of_a_linear_critic(seed, shape, batch, target, one_sided):
    """(|w| - target)^2 for every batch size and every shape; one-sided: only above the target."""
    rng = np.random.default_rng(seed)
    w, points = rng.normal(size=shape), jnp.asarray(rng.normal(size=(batch, *shape)))
    penalty = go.gradient_penalty(lambda x: jnp.sum(w * x), points, target, one_sided)
    excess = np.sqrt(np.sum(w**2)) - target
    if one_sided and target > 0:
        excess = max(excess, 0.0)
    np.testing.assert_allclose(penalty, excess**2, rtol=1e-12, atol=1e-15)


def test_norms_are_of_each_sample_alone():
    """f(x) = |x|^2 / 2 has slope |x_i| at x_i: their mean square excess, not one joint norm."""
    points = jnp.array([[3.0, 4.0], [0.6, 0.8], [0.0, 2.0]])
    critic = lambda x: 0.5 * jnp.sum(x**2)
    np.testing.assert_allclose(go.gradient_norms(critic, points), [5, 1, 2], rtol=1e-14)
    np.testing.assert_allclose(go.gradient_penalty(critic, points), (16 + 0 + 1) / 3, rtol=1e-14)


def test_permuting_a_batch_changes_nothing_and_repeating_it_neither():
    """A mean over samples."""
    points = jax.random.normal(jax.random.key(0), (6, 2))
    critic = lambda x: jnp.sum(jnp.tanh(x) ** 3)
    penalty = go.gradient_penalty(critic, points)
    np.testing.assert_allclose(go.gradient_penalty(critic, points[::-1]), penalty, rtol=1e-14)
    twice = jnp.concatenate([points, points])
    np.testing.assert_allclose(go.gradient_penalty(critic, twice), penalty, rtol=1e-14)


def test_zero_centred_penalty_is_smooth_at_a_flat_critic():
    """|w|^2 at w = 0: value 0, gradient 0, Hessian 2 I."""
    points = jnp.ones((4, 2))
    penalty = lambda w: go.gradient_penalty(lambda x: w @ x, points, target=0)
    zero = jnp.zeros(2)
    assert penalty(zero) == 0
    np.testing.assert_array_equal(jax.grad(penalty)(zero), 0)
    np.testing.assert_allclose(jax.hessian(penalty)(zero), 2 * jnp.eye(2))


def test_a_flat_critic_has_a_finite_penalty_gradient():
    """At w = 0 the norm has a corner: the penalty is 1 and its gradient is taken as 0, not nan."""
    penalty = lambda w: go.gradient_penalty(lambda x: w @ x, jnp.ones((4, 2)))
    value, gradient = jax.value_and_grad(penalty)(jnp.zeros(2))
    assert value == 1
    np.testing.assert_array_equal(gradient, 0)


def test_a_critic_gives_one_number_a_point():
    """A critic that wants the batch axis is refused with the shapes that were seen."""
    with pytest.raises(ValueError, match=r"one point and gives one number.*\(3,\)"):
        go.gradient_penalty(lambda x: x, jnp.ones((4, 3)))


def test_a_critic_may_give_its_number_in_an_array_of_one():
    """Shape (1,) is one number."""
    assert go.gradient_penalty(lambda x: jnp.sum(x, keepdims=True), jnp.ones((4, 1))) == 0


def test_interpolates_have_a_weight_for_each_sample():
    """Each lies on its own line, and the weights of a batch differ."""
    real, fake = jnp.ones((50, 2, 3)), jnp.zeros((50, 2, 3))
    points = go.interpolates(real, fake, jax.random.key(0))
    weights = points[:, 0, 0]
    expected = jnp.broadcast_to(weights[:, None, None], points.shape)
    np.testing.assert_array_equal(points, expected)
    assert len(np.unique(weights)) == 50
    assert weights.min() >= 0
    assert weights.max() <= 1


@pytest.mark.parametrize("where", ["real", "fake", "interpolates"])
def test_penalty_is_taken_where_it_says(where):
    """f(x) = x^2/2 has slope |x|: 3 on the data, 1 on the samples, in between on the lines."""
    penalty = go.GradientPenalty(10.0, target=0.0, where=where)
    real, fake = jnp.full((400, 1), 3.0), jnp.full((400, 1), 1.0)
    measured = penalty(lambda x: 0.5 * jnp.sum(x**2), real, fake, jax.random.key(0))
    if where == "interpolates":
        # E (1 + 2u)^2 = 13/3; 400 uniforms: standard error 0.117, five of them: 6e-7 false alarms.
        assert abs(measured / 10 - 13 / 3) < 5 * 0.117
    else:
        np.testing.assert_allclose(measured, 90.0 if where == "real" else 10.0)
