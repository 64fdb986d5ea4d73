"""The law of grids of codes: causal, normalised, and sampled as its likelihood says."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import models

KEY = jax.random.key(0)


def fresh(codes=3, grid=(2, 2), depth=2):
    """A prior whose head does not begin at 0."""
    prior = models.CodePrior(codes, grid, width=8, depth=depth, heads=2, key=KEY)
    weight = jax.random.normal(jax.random.key(1), prior.head.weight.shape)
    return eqx.tree_at(lambda p: p.head.weight, prior, weight)


@pytest.mark.parametrize("depth", [0, 2])
def test_a_place_depends_on_all_places_before_it_and_on_no_other(depth):
    """By the Jacobian of logits by embedded codes: exactly 0 above the diagonal.

    Below it every place is seen, where there is attention; without, the one before alone.
    """
    prior = fresh(4, (2, 3), depth)
    before = jax.random.normal(KEY, (6, 8))
    jacobian = eqx.filter_jit(lambda prior, x: jax.jacobian(prior.logits_of)(x))
    seen = np.abs(jacobian(prior, before)).max(axis=(1, 3))
    assert (np.triu(seen, 1) == 0).all()
    assert (seen[np.tril_indices(6)] > 0).all() if depth else (np.diag(seen) > 0).all()
    indices = jnp.asarray([[0, 1, 2], [3, 2, 1]])
    logits_of = eqx.filter_jit(lambda prior, indices: prior.logits(indices).reshape(6, 4))
    logits = logits_of(prior, indices)
    for place in range(6):
        row, column = divmod(place, 3)
        other = logits_of(prior, indices.at[row, column].add(-1))
        np.testing.assert_array_equal(other[: place + 1], logits[: place + 1])
        if place < 5:
            assert (other[place + 1] != logits[place + 1]).any()


def test_it_begins_as_the_uniform_law():
    """Exactly: -log p = h w log k for every grid."""
    prior = models.CodePrior(5, (3, 2), width=8, depth=2, heads=4, key=KEY)
    indices = jax.random.randint(KEY, (3, 2), 0, 5)
    np.testing.assert_allclose(prior.log_prob(indices), -6 * np.log(5), rtol=1e-12)


def test_probabilities_add_up_to_one_and_samples_have_them():
    """Over all 81 grids; 20 000 samples by chi-squared.

    The statistic has 80 degrees of freedom, deviation 12.6: above 80 + 6.3 times that by chance in
    less than one of 10^7 runs.
    """
    prior = fresh()
    grids = jnp.asarray(list(itertools.product(range(3), repeat=4))).reshape(-1, 2, 2)
    logs = jax.jit(jax.vmap(prior.log_prob))(grids)
    np.testing.assert_allclose(jnp.sum(jnp.exp(logs)), 1, rtol=1e-12)
    count = 20_000
    drawn = jax.jit(jax.vmap(prior.sample))(jax.random.split(jax.random.key(2), count))
    number = np.asarray(drawn).reshape(count, 4) @ np.array([27, 9, 3, 1])
    expected = count * np.exp(np.asarray(logs))
    found = np.bincount(number, minlength=81)
    assert np.sum((found - expected) ** 2 / expected) < 80 + 6.3 * np.sqrt(160)


def test_codes_with_noise_are_seen_and_the_true_ones_are_scored():
    """Of a first place alone noise makes no difference; a prior that sees itself is the law."""
    prior, indices = fresh(), jnp.asarray([[0, 1], [2, 1]])
    own = prior.log_prob(indices)
    seeing = jax.jit(lambda seen: prior.log_prob(indices, seen))
    np.testing.assert_allclose(seeing(indices), own)
    # The last code is seen by none.
    np.testing.assert_allclose(seeing(jnp.asarray([[0, 1], [2, 0]])), own)
    assert abs(seeing(jnp.asarray([[1, 1], [2, 1]])) - own) > 1e-6


def test_attention_place_by_place_is_attention_at_once():
    """With a memory of keys and values."""
    layer = models.CausalAttention(8, 2, jax.nn.initializers.lecun_normal(), KEY)
    x = jax.random.normal(KEY, (5, 8))

    def step(memory, now):
        answer, memory = layer.step(now[0], memory, now[1])
        return memory, answer

    _, answers = jax.lax.scan(step, layer.memory(5), (x, jnp.arange(5)))
    np.testing.assert_allclose(answers, layer(x), rtol=1e-10)


def test_sizes_out_of_range_are_refused():
    """One line each."""
    with pytest.raises(ValueError, match="8 numbers a place cannot be shared by 3 heads"):
        models.CodePrior(3, (2, 2), width=8, depth=1, heads=3, key=KEY)
    with pytest.raises(ValueError, match="CodePrior needs codes"):
        models.CodePrior(0, (2, 2), width=8, depth=1, heads=2, key=KEY)
