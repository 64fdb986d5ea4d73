"""Data and a generator that stands still: the data shifted, plus noise."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import theory
from recipes._data.clouds import CLOUDS, load_cloud
from recipes._gans.density_grid import DENSITIES
from recipes._runtime.errors import UserError

LAWS = tuple(dict.fromkeys((*DENSITIES, *CLOUDS)))
"""Names of data: exact densities first, toys that are only drawn after them."""


class LawSamples(NamedTuple):
    """Points of the data and of the generator, both `(n, d)`."""

    real: Float[Array, "n d"]
    fake: Float[Array, "n d"]


class FixedLaws:
    """The data that `--data` names, and data + shift along the first axis + N(0, noise^2).

    Gulrajani et al. (2017), arXiv:1704.00028, section 3: figure 1 fixes the generator so.

    **Raises:** `UserError` if the data are not there, or neither on the line nor in the plane.
    """

    def __init__(self, name: str, noise: float, shift: float, points: int, seed: int):
        self.name, self.noise, self.shift, self.count = name, noise, shift, points
        self._drawn = None if name in DENSITIES else _halves(name, points, seed)

    @property
    def exact(self) -> bool:
        """True if both densities are known."""
        return self._drawn is None

    def describe(self) -> dict[str, Any]:
        """The entry of config.json."""
        return {"name": self.name, "noise": self.noise, "shift": self.shift, "exact": self.exact}

    @functools.cached_property
    def data(self) -> theory.GaussianMixture:
        """The data's exact law."""
        return DENSITIES[self.name]()

    @functools.cached_property
    def generated(self) -> theory.GaussianMixture:
        """The generator's exact law: components as many, moved and widened."""
        covariances = self.data.scale_trils @ jnp.swapaxes(self.data.scale_trils, 1, 2)
        blur = self.noise**2 * jnp.eye(self.data.means.shape[1])
        means = self.data.means.at[:, 0].add(self.shift)
        roots = jnp.linalg.cholesky(covariances + blur[None])
        return theory.GaussianMixture(self.data.log_weights, means, roots)

    def clouds(self, key: PRNGKeyArray) -> LawSamples:
        """`points` points of either law."""
        key_real, key_fake = jax.random.split(key)
        if self._drawn is None:
            return LawSamples(
                self.data.sample(key_real, self.count), self.generated.sample(key_fake, self.count)
            )
        real, base = (jnp.asarray(half, jnp.result_type(float)) for half in self._drawn)
        fake = base + self.noise * jax.random.normal(key_fake, base.shape)
        return LawSamples(real, fake.at[:, 0].add(self.shift))


def _halves(name: str, points: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    if name not in LAWS and not name.lower().endswith((".npy", ".npz", ".csv")):
        raise UserError(f"--data {name} is none of {', '.join(LAWS)}, nor a file of points.")
    cloud = load_cloud(name, "--data", 2 * points, seed)
    if cloud.shape[1] != 2:
        raise UserError(f"--data {name} has points of {cloud.shape[1]} numbers; 2 are needed here.")
    if len(cloud) < 4:
        raise UserError(f"--data {name} has {len(cloud)} points; at least 4 are needed here.")
    shuffled = np.random.default_rng(seed).permutation(cloud)
    half = len(cloud) // 2
    return shuffled[:half], shuffled[half : 2 * half]


def pooled(laws: FixedLaws) -> theory.GaussianMixture:
    """Half of either law: what a window must hold to hold both."""
    parts = laws.data, laws.generated
    return theory.GaussianMixture(
        jnp.concatenate([part.log_weights - jnp.log(2.0) for part in parts]),
        jnp.concatenate([part.means for part in parts]),
        jnp.concatenate([part.scale_trils for part in parts]),
    )
