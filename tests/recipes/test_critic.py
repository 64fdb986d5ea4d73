"""The critic recipe: what is measured is what theory says of the same laws."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
import theory
from models import MLP
from recipes import critic
from recipes._critic.laws import FixedLaws
from recipes._critic.studies import score_gradient_norms
from recipes._runtime.errors import UserError

SMALL = {
    "points": 40, "steps": 300, "batch_size": 40, "width": 32, "depth": 2, "deep_depth": 3,
    "deep_width": 8, "deep_steps": 20, "deep_clips": (1.0, 0.05),
}  # fmt: skip


def studied(tmp_path, **flags):
    return critic.run(critic.Args(out=tmp_path / "run", **{**SMALL, **flags}))


@pytest.mark.slow
def test_one_way_alone(tmp_path, float32):
    """Spectral normalisation between a normal and its shift by 2, whose critic is linear.

    1-Lipschitz by its weights, and so never above W1; 300 rounds bring it three quarters there.
    """
    few = {"constraints": ("sn",), "deep_clips": (), "depth": 1}
    result = studied(tmp_path, data="normal", shift=2.0, noise=0.0, **few)
    numbers = result.critics["sn"].numbers
    np.testing.assert_allclose(numbers["lipschitz_bound"], 1.0, rtol=1e-3)
    assert 0.75 * result.exact.w1 < numbers["estimate"] <= result.exact.w1 * (1 + 1e-4)
    assert result.depths is None
    assert result.discriminator is not None
    value = result.discriminator.numbers
    assert -np.log(4) < value["value"] <= value["value_at_optimum"] + 1e-5
    for name in ("critics", "histograms", "discriminator"):
        assert (result.folder / f"{name}.png").stat().st_size > 1000
    assert not (result.folder / "gradients.png").exists()


@pytest.mark.slow
def test_a_line_with_exact_densities(tmp_path, float32):
    """Two normals, the generator shifted by 2: W1 of the samples by quantiles, D below its bound.

    No critic passes W1 times its steepest slope on the coupling's lines; gaps between the 9 points
    of a line leave 2 %. The value of D is at most -log 4 + 2 JS, and above -log 4.
    """
    result = studied(tmp_path, data="two_normals", shift=2.0, noise=0.3)
    laws = FixedLaws("two_normals", 0.3, 2.0, 40, 0)
    clouds = laws.clouds(jax.random.split(jax.random.key(0), 4)[0])
    w1 = theory.wasserstein_1d(clouds.real[:, 0], clouds.fake[:, 0])
    np.testing.assert_allclose(result.exact.w1, w1, rtol=1e-5)
    np.testing.assert_allclose(result.exact.critic.value, w1, rtol=1e-5)
    numbers = {way: trained.numbers for way, trained in result.critics.items()}
    for found in numbers.values():
        assert 0 < found["estimate_per_slope"] <= 1.02 * result.exact.w1
    assert numbers["sn"]["slope_max"] <= 1 + 1e-4
    assert abs(numbers["sn"]["lipschitz_bound"] - 1) < 1e-3
    assert numbers["lp"]["estimate"] > 0.9 * result.exact.w1
    assert numbers["clip"]["share_at_limit"] > 0.3
    d = result.discriminator
    assert d is not None
    assert -np.log(4) < d.numbers["value"] <= d.numbers["value_at_optimum"] + 1e-5
    lines = [
        json.loads(s)
        for s in (result.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kinds = [line["kind"] for line in lines]
    assert kinds == ["critic"] * 4 + ["deep_critic"] * 3 + ["discriminator"]
    for name in ("critics", "histograms", "gradients", "discriminator"):
        assert (result.folder / f"{name}.png").stat().st_size > 1000
    assert result.depths is not None
    assert result.depths.norms.shape == (3, 4)
    np.testing.assert_array_equal(result.depths.norms[:, -1], 1.0)
    # A bound of 0.05 with 8 units: at most 0.05 * 8 from layer to layer.
    clipped = result.depths.norms[1]
    assert (clipped[:-1] <= 0.4 * 1.001 * clipped[1:]).all()


@pytest.mark.slow
def test_points_without_a_density(tmp_path, float32):
    """The same on a file of points: there is no D* to be compared with."""
    np.save(tmp_path / "p.npy", np.random.default_rng(0).normal(size=(60, 2)))
    result = studied(tmp_path, data=str(tmp_path / "p.npy"), steps=20, noise=0.5)
    assert result.discriminator is None
    assert result.summary["discriminator"] is None
    assert not (result.folder / "discriminator.png").exists()
    assert (result.folder / "critics.png").stat().st_size > 1000


def test_the_generators_exact_law():
    """Data, shifted and with noise: means move, variances add; 2e5 samples within 5 errors."""
    laws = FixedLaws("ring", 1.0, 0.5, 10, 0)
    points = laws.data.sample(jax.random.key(0), 200_000)
    moved = points + jax.random.normal(jax.random.key(1), points.shape) + jnp.array([[0.5, 0.0]])
    exact = laws.generated.sample(jax.random.key(2), 200_000)
    # Deviations of 1.7 along either axis; second moments have deviations of 5 at most.
    np.testing.assert_allclose(moved.mean(axis=0), exact.mean(axis=0), atol=5 * 1.7 * 0.0032)
    np.testing.assert_allclose(
        (moved**2).mean(axis=0), (exact**2).mean(axis=0), atol=5 * 5 * 0.0032
    )
    np.testing.assert_allclose(
        laws.generated.scale_trils[0], np.sqrt(0.2**2 + 1) * np.eye(2), rtol=1e-12
    )


def test_gradients_in_what_layers_put_out():
    """Of a linear network they are norms of products of the weights that follow."""
    network = MLP((3,), (), width=4, depth=2, activation=jax.nn.identity, key=jax.random.key(0))
    points = jax.random.normal(jax.random.key(1), (5, 3))
    second, third = (layer.weight for layer in network.layers[1:])
    expected = [jnp.linalg.norm(second @ third), jnp.linalg.norm(third), 1.0]
    np.testing.assert_allclose(score_gradient_norms(network, points), expected, rtol=1e-12)
    assert go.critic_scores(network, points).shape == (5,)


def test_clouds_of_points_are_disjoint_halves(tmp_path):
    """Data and generator share no point, and with a shift alone each stands shift further on."""
    points = np.random.default_rng(0).normal(size=(61, 2)).astype(np.float32)
    np.save(tmp_path / "p.npy", points)
    laws = FixedLaws(str(tmp_path / "p.npy"), 0.0, 2.0, 100, 0)
    assert not laws.exact
    real, fake = map(np.asarray, laws.clouds(jax.random.key(0)))
    back = fake - np.array([2.0, 0.0])
    together = np.concatenate([real, back])
    assert together.shape == (60, 2)
    nearest = np.abs(together[:, None] - points[None]).sum(axis=2)
    assert nearest.min(axis=1).max() < 1e-12
    assert len(set(nearest.argmin(axis=1))) == 60


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"data": "spiral"}, "--data spiral is none of normal, two_normals"),
        ({"data": "missing.npy"}, "--data missing.npy: there is no such file"),
        ({"points": 1000}, "--points must be from 2 to 300"),
        ({"noise": 0.0}, "--noise 0 and --shift 0 leave nothing"),
        ({"noise": float("nan")}, "--noise must be from 0"),
        ({"clip": -1.0}, "--clip must be positive"),
        ({"deep_depth": 0}, "--deep-depth must be at least 1"),
        ({"deep_clips": (0.0,)}, "--deep-clips must be positive"),
        ({"constraints": ()}, "--constraints must be different ones of clip, gp, lp, sn"),
        ({"constraints": ("gp", "gp")}, "--constraints must be different"),
        ({"seed": -1}, "--seed must be 0 or more"),
    ],
)
def test_flags_that_cannot_work(tmp_path, flags, message):
    """One line, before anything is written."""
    with pytest.raises(UserError, match=message):
        studied(tmp_path, **flags)
    assert not (tmp_path / "run").exists()


def test_data_of_another_dimension(tmp_path):
    """Only the plane can be drawn, and two points cannot be halved into clouds."""
    np.save(tmp_path / "three.npy", np.ones((9, 3)))
    with pytest.raises(UserError, match="points of 3 numbers; 2 are needed here"):
        studied(tmp_path, data=str(tmp_path / "three.npy"))
    np.save(tmp_path / "few.npy", np.ones((3, 2)))
    with pytest.raises(UserError, match="has 3 points; at least 4"):
        studied(tmp_path, data=str(tmp_path / "few.npy"))
