"""Numbers of rounds, steps, products, ...: integers of any kind, and one error for all others."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from gameopt._solvers.alternating import check_inner_steps
from tests.solvers import both, point, sgd

GAME = go.ZeroSumQuadratic(jnp.eye(1), jnp.eye(1), -jnp.eye(1))
START = point([0.3], [-0.2])
SGD = go.Simultaneous(sgd(0.1))
DATA = go.Samples(jnp.ones((4, 2)))

COUNTS = {
    "rounds": lambda n: go.rollout(GAME, SGD, START, n),
    "every": lambda n: go.rollout(GAME, SGD, START, 4, every=n),
    "start": lambda n: go.rollout(GAME, SGD, START, 4, start=n),
    "max_rounds": lambda n: go.solve(GAME, SGD, START, max_rounds=n, throw=False),
    "check_every": lambda n: go.solve(GAME, SGD, START, check_every=n),
    "num_matvecs of classify": lambda n: go.classify(GAME, START, num_matvecs=n),
    "schur_products": lambda n: go.classify(GAME, START, schur_products=n),
    "seed of classify": lambda n: go.classify(GAME, START, seed=n),
    "k": lambda n: go.spectrum(GAME, START, k=n),
    "num_matvecs of spectrum": lambda n: go.spectrum(GAME, START, num_matvecs=n),
    "restarts": lambda n: go.spectrum(GAME, START, restarts=n),
    "seed of spectrum": lambda n: go.spectrum(GAME, START, seed=n),
    "num_probes": lambda n: go.spectral_density(GAME, START, num_probes=n, num_matvecs=1),
    "points": lambda n: go.spectral_density(GAME, START, points=n, num_probes=2, num_matvecs=1),
    "num_matvecs of spectral_density": lambda n: go.spectral_density(
        GAME, START, num_probes=2, num_matvecs=n
    ),
    "seed of spectral_density": lambda n: go.spectral_density(
        GAME, START, num_probes=2, num_matvecs=1, seed=n
    ),
    "num_matvecs of rotation": lambda n: go.rotation(GAME, START, num_matvecs=n),
    "num_matvecs of local_rate": lambda n: go.local_rate(GAME, SGD, START, num_matvecs=n),
    "max_steps": lambda n: go.modal_lookahead(GAME, SGD, START, max_steps=n),
    "steps of exploitability": lambda n: go.exploitability(GAME, START, steps=n, method="ascent"),
    "max_rounds of Newton": lambda n: go.find_critical_points(
        GAME, point([[0.3]], [[0.2]]), max_rounds=n
    ),
    "burn_in": lambda n: go.ergodic_averages(jnp.arange(8.0), burn_in=n),
    "rounds of overlay": lambda n: go.overlay(GAME, START, n, learning_rate=0.1),
    "inner_steps": lambda n: go.Alternating(sgd(0.1), inner_steps=go.Players(1, n)),
    "inner_steps of flows": lambda n: check_inner_steps(go.Players(n, 1)),
    "steps of high_resolution_flow": lambda n: go.high_resolution_flow(
        GAME, START, 1.0, solver="lookahead", learning_rate=0.1, steps=n
    ),
    "epoch": lambda n: go.SVRE(0.1, epoch=n),
    "chunk of SVRE": lambda n: go.SVRE(0.1, chunk=n),
    "steps of Unrolled": lambda n: go.Unrolled(both(optax.sgd, 0.1), steps=n),
    "steps of Lookahead": lambda n: go.Lookahead(SGD, steps=n),
    "newton_steps": lambda n: go.ProximalPoint(0.1, newton_steps=n),
    "max_steps of Integrator": lambda n: go.Integrator(max_steps=n),
    "chunk": lambda n: go.over(
        go.StochasticBilinear(jnp.ones((3, 1, 1)), jnp.ones((3, 1)), jnp.ones((3, 1))),
        "all",
        chunk=n,
    ),
    "batch_size of StochasticBilinear": lambda n: go.StochasticBilinear(
        jnp.ones((3, 1, 1)), jnp.ones((3, 1)), jnp.ones((3, 1)), batch_size=n
    ),
    "horizon": lambda n: go.LinearQuadratic(*[jnp.eye(1)] * 10, horizon=n),
    "batch_size": lambda n: go.WassersteinGAN(DATA, go.NormalLatent((2,)), n),
    "packing": lambda n: go.WassersteinGAN(DATA, go.NormalLatent((2,)), 4, packing=n),
    "count": lambda n: go.Samples(jnp.ones((4, 2)), n),
    "shape of NormalLatent": lambda n: go.NormalLatent((n, 2)),
}
"""Every argument that counts something, as a function of it."""


@pytest.mark.parametrize("name", sorted(COUNTS))
def test_what_is_no_integer_is_named(name):
    """A share, a text, a truth value, an array of two, a number below the least."""
    for wrong in (2.5, 2.0, "3", True, np.array([2, 3]), jnp.array(2.0), -1):
        with pytest.raises(ValueError, match=r"integer|at least|>="):
            COUNTS[name](wrong)


@pytest.mark.parametrize(
    "name", [name for name in sorted(COUNTS) if "steps" in name or name in ("rounds", "every", "k")]
)
def test_integers_of_any_kind_are_integers(name):
    """NumPy's, arrays of shape (), of any width: the same result, and the same program."""
    reference = COUNTS[name](2)
    for two in (np.int64(2), np.uint8(2), np.array(2), jnp.array(2), jnp.array(2, jnp.uint8)):
        same = COUNTS[name](two)
        assert jax.tree.structure(same) == jax.tree.structure(reference)
        for a, b in zip(jax.tree.leaves(same), jax.tree.leaves(reference), strict=True):
            if not callable(a):
                np.testing.assert_array_equal(a, b)


def test_traced_counts():
    """Where they are data they may be traced; where they are a shape the error says so."""
    solve = lambda n: go.solve(GAME, SGD, START, max_rounds=n, throw=False).stats.rounds
    np.testing.assert_array_equal(jax.vmap(solve)(jnp.array([1, 3])), [1, 3])
    with pytest.raises(ValueError, match="rounds must be known while a program is traced"):
        jax.jit(lambda n: go.rollout(GAME, SGD, START, n).players)(3)
    with pytest.raises(ValueError, match="start must be <= 2147483647"):
        go.rollout(GAME, SGD, START, 1, start=2**31)
