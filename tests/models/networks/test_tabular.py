"""Heads of a conditional generator of rows: their laws, and that labels are those asked for."""

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from models import ConditionalLatent, gumbel_softmax, tabular_generator

LATENT = ConditionalLatent(jnp.log(jnp.asarray([1.0, 2.0, 5.0])), 4, 5)


def generator(label_weight=1.0):
    return tabular_generator(
        4, 3, 2, (2, 3), width=8, depth=1, key=jax.random.key(0), label_weight=label_weight
    )


def test_rows_are_numbers_probabilities_and_the_label_asked_for():
    """Each block of categories sums to one up to rounding, and the label comes out untouched."""
    labels = jnp.asarray([0, 1, 2, 2, 0, 1] * 20)
    rows = go.generated(generator(3.0), LATENT.given(jax.random.key(1), labels))
    assert rows.shape == (120, 2 + 2 + 3 + 3)
    for block in (rows[:, 2:4], rows[:, 4:7]):
        assert float(block.min()) >= 0
        np.testing.assert_allclose(block.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(rows[:, 7:], 3 * np.eye(3)[labels])


def test_the_label_changes_the_row():
    """The same noise with another label is another row, so that the generator is conditional."""
    rows = [
        go.generated(generator(), LATENT.given(jax.random.key(1), jnp.full(9, label)))[:, :7]
        for label in (0, 1)
    ]
    assert float(jnp.abs(rows[0] - rows[1]).max(axis=1).min()) > 1e-3


def test_the_largest_entry_has_the_probabilities_of_the_logits():
    """The Gumbel-max identity, at 2 temperatures; 4.5 deviations of 20 000 draws: false alarms
    below 6 x 7e-6 for a random key, and none for this one."""
    logits, n = jnp.asarray([0.3, -1.0, 1.2]), 20_000
    noise = jax.random.gumbel(jax.random.key(2), (n, 3))
    expected = np.asarray(jax.nn.softmax(logits))
    for temperature in (0.2, 2.0):
        drawn = jax.vmap(lambda g, t=temperature: gumbel_softmax(logits, g, t))(noise)
        shares = np.bincount(np.asarray(drawn.argmax(axis=1)), minlength=3) / n
        assert np.all(np.abs(shares - expected) < 4.5 * np.sqrt(expected * (1 - expected) / n))


def test_labels_are_drawn_by_their_frequencies():
    """1 : 2 : 5, within 4.5 deviations: false alarms below 3 x 7e-6."""
    n = 20_000
    labels = np.asarray(LATENT(jax.random.key(3), n))[:, 4:7]
    np.testing.assert_array_equal(labels.sum(axis=1), 1)
    expected = np.asarray([1, 2, 5]) / 8
    errors = np.sqrt(expected * (1 - expected) / n)
    assert np.all(np.abs(labels.mean(axis=0) - expected) < 4.5 * errors)
