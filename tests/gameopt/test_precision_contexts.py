"""Programs that call back to the host, in double precision that holds only locally."""

import subprocess
import sys

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np
import gameopt as go

jax.config.update("jax_disable_most_optimizations", True)

def check():
    # So large that the host is called from a thread of its own, which knows no local precision.
    n = 150
    rng = np.random.default_rng(0)
    tiny = np.eye(n)
    tiny[0, 0] = 1 + 1e-12
    game = go.ZeroSumQuadratic(tiny, rng.normal(size=(n, n)) / n**0.5, -np.eye(n))
    z = go.Players(jnp.zeros(n), jnp.zeros(n))
    own = go.spectrum(game, z, which="hessian_x", method="dense")
    # In single precision 1 + 1e-12 would be 1.
    np.testing.assert_allclose(own.values[-1].real - 1, 1e-12, rtol=1e-3)
    settings = dict(method="krylov", num_matvecs=8)
    report = go.classify(game, z, learning_rate=None, **settings)
    assert report.leftmost.value.dtype == jnp.complex128, report.leftmost.value.dtype
    assert str(report.dne) == "yes" and float(report.noise) < 1e-11, report
    assert go.spectrum(game, z, **settings).values.dtype == jnp.complex128
    assert go.rotation(game, z, **settings).frequency.dtype == jnp.float64
    assert go.rotation(game, z, method="dense").frequency.dtype == jnp.float64
    assert go.local_rate(game, go.CGD(0.1), z, **settings).eigenvalues.dtype == jnp.complex128
    density = go.spectral_density(game, z, num_probes=2, num_matvecs=4, points=5)
    assert density.density.dtype == jnp.float64
    turn = lambda x: go.rotation(game, go.Players(x, x), **settings).frequency
    assert jax.vmap(turn)(jnp.ones((2, n))).dtype == jnp.float64

with jax.enable_x64(True):
    check()
"""


def test_host_callbacks_keep_a_local_double_precision():
    """In a process of its own, where the context is the only source of it. Under the global flag is
    every other test."""
    program = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
