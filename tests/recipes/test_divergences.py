"""The divergences recipe: closed forms of its curves, bounds of its critics, errors of one line."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from recipes import divergences
from recipes._divergences.curves import (
    NAMES,
    DivergenceTraining,
    exact_curves,
    learnable,
    moving_gaussian,
)
from recipes._runtime.errors import UserError


def test_the_exact_gaussian_curves(float32):
    """KL = theta^2 / 2 with slope theta, W1 = |theta|; JS's slope is odd and falls far out.

    Single precision and 600 nodes leave 1e-5.
    """
    thetas = np.linspace(-6, 6, 25, dtype=np.float32)
    curves = exact_curves(moving_gaussian(1.0, 6.0), thetas)
    np.testing.assert_allclose(curves.values["kl"], thetas**2 / 2, atol=1e-5)
    np.testing.assert_allclose(curves.gradients["kl"], thetas, atol=1e-5)
    np.testing.assert_allclose(curves.values["w1"], np.abs(thetas), atol=1e-5)
    slope = curves.gradients["js"]
    np.testing.assert_allclose(slope, -slope[::-1], atol=1e-5)
    assert slope[-1] < 0.1 * slope.max()
    assert curves.values["js"].max() < np.log(2)


@pytest.mark.slow
def test_learned_points_lie_on_the_curves_and_below(tmp_path, float32):
    """Five thetas, short training: W1 = |theta| and JS = log 2 for lines, KL beyond every scale.

    Every learned number bounds the exact one from below: quadrature leaves 1e-3 at most.
    """
    result = divergences.run(
        divergences.Args(out=tmp_path / "run", thetas=5, steps=400, reach=2.0, std=0.9)
    )
    exact, learned = result.curves["lines"]
    assert np.isinf(exact.values["kl"]).all()
    np.testing.assert_array_equal(np.sign(exact.gradients["w1"]), np.sign(exact.thetas))
    ends = [0, -1]
    np.testing.assert_allclose(learned.values["js"][ends], np.log(2), atol=0.01)
    np.testing.assert_allclose(learned.gradients["js"][ends], 0.0, atol=0.01)
    np.testing.assert_allclose(learned.values["w1"][ends], 1.0, atol=0.1)
    np.testing.assert_allclose(learned.gradients["w1"][ends], [-1.0, 1.0], atol=0.1)
    assert (learned.values["kl"][ends] > 10).all()
    gaussian = result.curves["gaussian"][1]
    at = exact_curves(moving_gaussian(0.9, 2.0), gaussian.thetas)
    for name in NAMES:
        assert (gaussian.values[name] <= at.values[name] + 1e-3).all()
    assert result.summary["largest_errors"]["gaussian"]["js"] < 0.01
    assert (result.folder / "divergences.png").stat().st_size > 1000
    lines = [
        json.loads(s)
        for s in (result.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(lines) == 2 * (200 + 5)
    assert {line["kl"] for line in lines if line["family"] == "lines" and line["kind"] == "exact"}


def test_kl_is_learnable_where_batches_meet_the_data(float32):
    """chi^2 = exp(theta^2) - 1 against the batch size: up to |theta| = sqrt(log 513) = 2.498."""
    family, training = moving_gaussian(1.0, 3.0), DivergenceTraining(1, 512, 1, 1.0)
    thetas = np.asarray([0.0, 2.49, 2.51, 3.0], np.float32)
    assert learnable(family, "kl", thetas, training).tolist() == [True, True, False, False]
    assert learnable(family, "js", thetas, training).all()
    assert not learnable(moving_gaussian(0.5, 3.0), "kl", thetas, training).any()
    np.testing.assert_allclose(family.chi2(jnp.asarray(1.0)), np.expm1(1.0), rtol=1e-5)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"thetas": 0}, "--thetas must be at least 1"),
        ({"batch_size": -3}, "--batch-size must be at least 1"),
        ({"std": 0.0}, "--std must be from 0.1 to 10"),
        ({"reach": float("nan")}, "--reach must be from 0.1 to 8"),
        ({"learning_rate": 0.0}, "--learning-rate must be positive"),
    ],
)
def test_flags_that_cannot_work(tmp_path, flags, message):
    """One line, before anything is written."""
    with pytest.raises(UserError, match=message):
        divergences.run(divergences.Args(out=tmp_path / "run", **flags))
    assert not (tmp_path / "run").exists()
