"""Mescheder et al.'s table of Dirac-GANs: eigenvalues of the flow, and what converges."""

import numpy as np
import pytest

import gameopt as go
import theory
from tests.meets_theory.test_solver_rates import ORIGIN
from tests.solvers import point, sgd


@pytest.mark.parametrize("variant", ["gan", "nsgan", "r1", "r1_critical", "instance_noise"])
def test_the_dirac_gan_table(variant):
    """The eigenvalues of the flow, -J, are those of Mescheder et al.'s table."""
    game = go.DIRAC_GAN_VARIANTS[variant]()
    strength = {"r1": 0.3, "r1_critical": 1.0, "instance_noise": 0.7}.get(variant, 0.0)
    kind = "r1" if variant.startswith("r1") else variant
    expected = np.sort_complex(np.asarray(theory.dirac_gan_eigenvalues(kind, strength)))
    found = np.sort_complex(np.linalg.eigvals(-np.asarray(go.jacobian(game, ORIGIN))))
    np.testing.assert_allclose(found, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("variant", "converges"),
    [
        ("gan", False),
        ("nsgan", False),
        ("wgan", False),
        ("wgan_clip", False),
        ("wgan_gp", False),
        ("consensus", True),
        ("instance_noise", True),
        ("r1", True),
        ("r1_critical", True),
    ],
)
def test_the_dirac_gan_converges_as_published(variant, converges):
    """Alternating play from (1, 1), 8000 rounds of 0.1: within 1e-3 of the equilibrium, or not."""
    game = go.DIRAC_GAN_VARIANTS[variant]()
    end = go.rollout(game, go.Alternating(sgd(0.1)), point(1.0, 1.0), 8000).players
    assert (float(go.tree_norm(end)) < 1e-3) == converges
