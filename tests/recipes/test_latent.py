"""Four bounds on a likelihood, against the linear-Gaussian model and the constant decoder."""

import dataclasses
import json
from typing import Any

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
import recipes
import theory
from models import GaussianLikelihood, LatentModel, StandardNormalPrior, mlp_generator
from recipes import latent
from recipes._latent.elbo import TimedModel
from recipes._latent_bounds import conditional, exact, pictures, report
from recipes._latent_bounds.game import PriorSampleGame, SideBySide, prior_fits
from recipes._runtime import cli
from recipes._runtime.optimizers import adam

POINTS = np.random.default_rng(0).normal(size=(40, 3)) * np.array([1.5, 1.0, 0.4]) + 0.3
DATA = theory.moments(POINTS)
FLAGS: dict[str, Any] = {"width": 8, "depth": 1, "batch_size": 16, "samples": 2, "eval_size": 16}
TINY = latent.Args(
    optimizer=adam(5e-3, decay_steps=2000),
    steps=4, eval_every=2, log_every=1, latent_size=1, condition_samples=20, **FLAGS
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(pictures, "CODES", 1024)
    monkeypatch.setitem(exact.FINE, 1, 1001)


def linear_model(size, deviation=0.5):
    """A model with an affine decoder of 3 entries, in float64, and the law that it is."""
    network = mlp_generator(size, (3,), width=1, depth=0, key=jax.random.key(1), bounded=False)
    likelihood = GaussianLikelihood(jnp.log(jnp.asarray(deviation)))
    model = LatentModel(StandardNormalPrior(size), network, likelihood)
    mean = network(jnp.zeros(size))
    weights = jax.vmap(network)(jnp.eye(size)).T - mean[:, None]
    return model, theory.LinearGaussian(weights, mean, deviation**2)


@pytest.mark.parametrize("size", [1, 2])
def test_quadrature_is_exact_of_a_linear_decoder(size):
    """Densities, marginals, both conditionals, Jensen's bound and the spread are closed forms.

    The trapezoidal rule's error is below e^-50 here, and rounding leaves 1e-9.
    """
    model, known = linear_model(size)
    law = exact.on_nodes(model, {1: 1001, 2: 201}, 3)
    of = lambda method: np.asarray(jax.vmap(method)(jnp.asarray(POINTS)))
    np.testing.assert_allclose(exact.log_densities(law, POINTS), of(known.log_prob), rtol=1e-8)
    for case in conditional.cases_of(np.array([True, False, False])):
        found = exact.log_densities(law, POINTS, case.observed)
        part = theory.LinearGaussian(
            known.weights[case.observed], known.mean[case.observed], known.variance
        )
        marginal = jax.vmap(part.log_prob)(jnp.asarray(POINTS[:, case.observed]))
        np.testing.assert_allclose(found, marginal, rtol=1e-8)
        expected = report.exact_linear(known, jnp.asarray(POINTS), case)
        np.testing.assert_allclose(
            conditional.exact_conditional(law, POINTS, case), expected, rtol=1e-7
        )
    bound = theory.prior_sample_bound(known, *DATA)
    np.testing.assert_allclose(exact.jensen_bound(law, POINTS).mean(), bound, rtol=1e-7)
    np.testing.assert_allclose(exact.spread(law), jnp.sum(known.weights**2), rtol=1e-6)


def test_the_mean_given_a_part_is_the_gaussian_conditional():
    """E[x|x*] by quadrature is that of N(mu, W W^T + sigma^2 I) given its first entry."""
    model, known = linear_model(2)
    law = exact.on_nodes(model, {2: 201}, 3)
    observed = np.array([True, False, False])
    found = conditional.exact_mean(law, POINTS[0], observed)
    expected = theory.gaussian_conditional(known.mean, known.covariance, POINTS[0], observed).mean
    np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_estimates_rise_to_the_exact_value_with_the_bias_of_theory():
    """L codes of the prior: below log p(x), nearer with every L, by Var(w)/2Lp^2 at the last.

    2^17 codes for each of 40 points, and 5 standard errors over groups: a false alarm in 10^6 runs;
    a fifth of the bias is for its next order, which is a tenth of it here.
    """
    model, known = linear_model(1)
    weights = jax.jit(lambda key: prior_fits(model, jnp.asarray(POINTS), 2**17, key))(
        jax.random.key(0)
    )
    value = jnp.mean(jax.vmap(known.log_prob)(jnp.asarray(POINTS)))
    moments = jax.vmap(lambda x: theory.log_second_moment(known, x))(jnp.asarray(POINTS))
    gaps, errors = [], []
    for count in (1, 4, 16, 64):
        # The points share their codes: groups of codes are independent, points are not.
        groups = jnp.mean(theory.log_mean_exp(weights.reshape(40, -1, count)), axis=0)
        gaps.append(float(value - jnp.mean(groups)))
        errors.append(float(jnp.std(groups)) / len(groups) ** 0.5)
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] > -5 * errors[-1]
    bias = -float(jnp.mean(theory.log_mean_exp_bias(moments, 64)))
    assert abs(gaps[-1] - bias) < 5 * errors[-1] + 0.2 * bias
    assert 5 * errors[-1] < bias


class AllPoints(go.Samples):
    """All points, whatever batch is asked for."""

    def __call__(self, key, n):
        del key, n
        return self.points


def test_jensens_bound_ends_at_the_constant_decoder():
    """Trained on all points it has no slope left, and is the constant Gaussian's likelihood.

    With the same 32 codes each round the best affine decoder is the data's mean whatever they are:
    regressing a constant on codes gives no slopes. Log-mean-exp from there goes above it.
    """
    model, _ = linear_model(2)
    game = PriorSampleGame(AllPoints(jnp.asarray(POINTS), jnp.int32(40)), 40, 32, True)
    adam = optax.adam(optax.cosine_decay_schedule(0.05, 1500))
    solver = go.Simultaneous(go.Players(adam, None))
    start, key = go.Players(TimedModel(model), ()), jax.random.key(3)

    def trained(game, players):
        arrays, rest = eqx.partition((players, solver.init(game, players, key)), eqx.is_array)

        def round(arrays, _):
            players, state = eqx.combine(arrays, rest)
            players, state, _ = solver.step(game, players, state, key)
            return eqx.filter((players, state), eqx.is_array), None

        return eqx.combine(jax.lax.scan(round, arrays, None, 1500)[0], rest)[0]

    players = eqx.filter_jit(trained)(game, start)
    best = theory.constant_gaussian_log_likelihood(jnp.diagonal(DATA.covariance))
    np.testing.assert_allclose(-game.loss(players, key), best, atol=1e-6)
    network = players.x.model.network
    slopes = jax.vmap(network)(jnp.eye(2)) - network(jnp.zeros(2))[None]
    np.testing.assert_allclose(slopes, 0, atol=1e-3)
    np.testing.assert_allclose(network(jnp.zeros(2)), DATA.mean, atol=1e-3)
    mean = dataclasses.replace(game, jensen=False)
    assert -mean.loss(eqx.filter_jit(trained)(mean, start), key) > best + 0.05


def test_conditionals_by_importance_sampling_are_exact():
    """From the prior and from the posterior, for the rest of a point and for a further one.

    200 estimates of each; 5 standard errors of the mean (6e-7), and 1e-3 for the bias, which is of
    the order of one over the 2000 codes. Proposals near the posterior leave more samples.
    """
    _, known = linear_model(2, 0.4)
    point = jnp.broadcast_to(jnp.asarray(POINTS[0]), (200, 3))
    decoder = exact.linear_decoder(known)
    for case in conditional.cases_of(np.array([True, False, False])):
        observed, target = jnp.asarray(case.observed), jnp.asarray(case.target)
        posterior = jax.vmap(lambda x, o=observed: known.posterior(x, o))(point)
        value = report.exact_linear(known, point[:1], case)[0]
        sizes = []
        for proposals in (None, posterior):
            found = conditional.estimates(
                decoder, point, proposals, observed, target, 2000, 2, jax.random.key(0)
            )
            error = float(jnp.std(found.value)) / 200**0.5
            assert abs(float(jnp.mean(found.value) - value)) < 5 * error + 1e-3
            sizes.append(float(jnp.mean(found.effective_samples)))
        assert sizes[0] < sizes[1] <= 2000


def test_completions_have_the_exact_conditional_moments():
    """Means and variances of 1000 draws of the rest of a point, from the prior and the posterior.

    5 standard errors of independent draws, twice: draws share 5000 codes, of which some weigh.
    """
    _, known = linear_model(2, 0.4)
    observed = np.array([True, False, False])
    law = theory.gaussian_conditional(known.mean, known.covariance, POINTS[0], observed)
    posterior = jax.tree.map(lambda leaf: leaf[None], known.posterior(POINTS[0], observed))
    for proposals in (None, theory.Moments(*posterior)):
        _, draws = conditional.completions(
            exact.linear_decoder(known), jnp.asarray(POINTS[:1]), proposals,
            jnp.asarray(observed), 5000, 2, 1000, jax.random.key(1),
        )  # fmt: skip
        variance = jnp.diagonal(law.covariance)
        error = 10 * jnp.sqrt(variance / 1000)
        assert (jnp.abs(jnp.mean(draws[0], axis=0) - law.mean) <= error + 1e-12).all()
        ratio = jnp.var(draws[0], axis=0)[1:] / variance[1:]
        np.testing.assert_allclose(ratio, 1, atol=10 * (2 / 1000) ** 0.5)


def test_games_side_by_side_do_not_touch_each_other(float32):
    """The field of each method is that of its own game; the loss is the sum."""
    args, data = latent.resolve(dataclasses.replace(TINY, data="ring"))
    game, players = latent.set_up(args, data)
    key = jax.random.key(0)
    loss, field = game.losses_and_field(players, key)
    total = 0.0
    assert isinstance(game, SideBySide)
    for name, alone in game.games.items():
        own = SideBySide({name: alone})
        encoders = {name: players.y[name]} if name in players.y else {}
        losses, found = own.losses_and_field(go.Players({name: players.x[name]}, encoders), key)
        chex.assert_trees_all_close(found.x[name], field.x[name], rtol=1e-5)
        if encoders:
            chex.assert_trees_all_close(found.y[name], field.y[name], rtol=1e-5)
        total += float(losses.x)
    np.testing.assert_allclose(total, loss.x, rtol=1e-6)


def test_a_run_shows_the_trap_and_the_way_out(tmp_path, float32):
    """On the ring in the plane: Jensen's decoder ignores its code, and is below the constant one.

    300 rounds are enough to tell: a spread below a hundredth of the data's variance against above a
    half, and likelihoods on either side of the constant decoder's.
    """
    args = dataclasses.replace(
        TINY, data="ring", steps=300, eval_every=300, log_every=100, batch_size=64, width=32,
        samples=4, methods=("jensen", "prior_samples"), out=tmp_path / "run",
    )  # fmt: skip
    result = latent.run(args)
    summary = result.summary
    assert summary["spread_jensen"] < 0.01
    assert summary["spread_prior_samples"] > 0.5
    _, data = latent.resolve(args)
    best = report.references(args, data).constant_value
    assert best is not None
    assert summary["exact"]["jensen"] < best + 0.05
    assert summary["exact"]["prior_samples"] > best + 0.2
    # Bounds are below what they bound; that of few samples by more than the noise.
    assert summary["bounds"]["jensen"] <= summary["exact"]["jensen"]
    for name in ("table.md", "conditional.md", "conditional.png", "over_time.png", "table.csv"):
        assert (result.folder / name).stat().st_size > 200
    text = (result.folder / "metrics.jsonl").read_text(encoding="utf-8")
    train = [json.loads(line) for line in text.splitlines()][-1]
    assert {"exact_jensen", "w1_prior_samples", "w1_floor"} <= train.keys()


@pytest.mark.slow
def test_it_resumes_to_the_same_bits_and_is_read_back(tmp_path, float32):
    """Half a run and the rest are a whole run; samples have a first axis of methods."""
    short = dataclasses.replace(TINY, methods=("iwae",))
    whole = latent.run(dataclasses.replace(short, out=tmp_path / "whole"))
    half = latent.run(dataclasses.replace(short, out=tmp_path / "half", steps=2))
    resumed = cli.parse(latent.Args, ["--resume", str(half.folder), "--steps", "4"])
    chex.assert_trees_all_equal(
        go.playable(latent.run(resumed).players), go.playable(whole.players)
    )
    for name in ("metrics.jsonl", "generated.npy", "table.csv"):
        assert (half.folder / name).read_bytes() == (whole.folder / name).read_bytes()
    samples = recipes.load_run(whole.folder).sample(jax.random.key(0), 5)
    assert samples.shape == (1, 5, 8, 8)
    for name in ("samples.png", "conditional.png", "estimates.png"):
        assert (whole.folder / name).stat().st_size > 500
