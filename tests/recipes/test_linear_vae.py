"""Linear VAEs against their optimum: trained bounds, collapse, rate-distortion, rates, resuming."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import recipes
from recipes import linear_vae
from recipes._data import load
from recipes._linear_vae import studies
from recipes._linear_vae.game import LinearVAEGame, SampledLinearVAE, fresh_players
from recipes._linear_vae.rates import leading_axes, measured_rates
from recipes._runtime.optimizers import adam

KEY = jax.random.key(0)
DIGITS = studies.spectrum_of(load("digits").points.reshape(1797, -1))
TINY = {
    "steps": 4, "eval_every": 2, "log_every": 1, "batch_size": 8, "eval_size": 8, "metrics": False,
    "latent_size": 2, "optimizer": adam(1e-2),
}  # fmt: skip


SMALL = leading_axes(DIGITS, 6)


@pytest.fixture
def _short(monkeypatch):
    monkeypatch.setattr(studies, "ROUNDS", 4)
    monkeypatch.setattr(linear_vae, "measured_rates", lambda *_: measured_rates(SMALL, 2, KEY))


def test_trained_bounds_reach_probabilistic_pca_within_a_twentieth_of_a_nat(float32):
    """Real digits, two latent sizes; the decoder's variance is the mean dropped eigenvalue."""
    for size, elbo, best, gap, variance, exact in studies.sizes_table(DIGITS, (3, 12), KEY):
        assert -1e-3 < gap < 0.05, size
        np.testing.assert_allclose(best - elbo, gap)
        np.testing.assert_allclose(variance, exact, rtol=1e-2)


def test_as_many_units_collapse_as_predicted(float32):
    """For variances between any two eigenvalues that are apart."""
    rows = studies.collapse_table(DIGITS, 4, KEY)
    assert [row[1] for row in rows] == [row[2] for row in rows]
    assert {row[1] for row in rows} >= {0, 4}


def test_em_and_gradient_play_have_their_exact_rates():
    """Within 2 %, of six leading axes and two latents: EM's to far less."""
    for found in measured_rates(SMALL, 2, KEY):
        np.testing.assert_allclose(found.measured, found.exact, rtol=0.02, err_msg=found.name)
        # rates near 1: the share that is lost in a round is what tells
        np.testing.assert_allclose(1 - found.measured, 1 - found.exact, rtol=0.05)


def test_sampled_gradients_are_those_of_the_exact_expectation_on_average(float32):
    """Of 4000 batches, within 5.5 standard errors in 3 numbers: by chance not once in 10^6 runs."""
    points = jnp.asarray(load("digits").points.reshape(1797, -1)[:, 10:13])
    mean, covariance = jnp.mean(points, axis=0), jnp.cov(points.T, bias=True)
    beta = jnp.float32(1.0)
    players = fresh_players(2, mean, KEY, jnp.zeros(()))
    exact = LinearVAEGame(mean, covariance, beta).losses_and_field(players)[1]
    game = SampledLinearVAE(go.Samples(points), 16, beta)
    drawn = jax.vmap(lambda key: game.losses_and_field(players, key)[1])(
        jax.random.split(KEY, 4000)
    )
    for many, one in zip(*map(jax.tree.leaves, (drawn, exact)), strict=True):
        error = np.std(many, axis=0) / np.sqrt(4000)
        assert (np.abs(np.mean(many, axis=0) - one) < 5.5 * error + 1e-4).all()


@pytest.mark.usefixtures("_short")
@pytest.mark.parametrize("gradients", [pytest.param("exact", marks=pytest.mark.slow), "sampled"])
def test_a_resumed_run_is_an_unbroken_one(gradients, tmp_path, float32):
    """The same bits; its tables and pictures are there; samples of the run read back."""
    flags = {**TINY, "gradients": gradients, "latent_sizes": (2,), "betas": (1.0,)}
    whole = linear_vae.run(linear_vae.Args(out=tmp_path / "whole", **flags))
    linear_vae.run(linear_vae.Args(out=tmp_path / "cut", **{**flags, "steps": 2}))
    again = linear_vae.run(linear_vae.Args(resume=tmp_path / "cut", **flags))
    chex.assert_trees_all_equal(whole.players, again.players)
    names = {path.name for path in whole.folder.iterdir()}
    assert {"studies.md", "rates.md", "curves.png", "studies.png", "rates.png"} <= names
    samples = recipes.load_run(whole.folder).sample(KEY, 3)
    assert samples.shape == (3, 8, 8)
