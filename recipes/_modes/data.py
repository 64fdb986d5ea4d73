"""The data of recipes.modes: laws whose modes are known, and the judges of samples."""

import dataclasses
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
import theory
from recipes._data import Dataset
from recipes._report.classifier import Classifier

POINTS = 100_000
"""Size of the fixed training sample of a mixture."""
PLANE_SAMPLES, STACKED_SAMPLES = 2500, 26_000
"""Numbers of samples judged."""
CONFIDENT = 0.9
"""The least probability of the digit in each channel, for a stacked image of high quality."""


ModeJudge = Callable[[Array], theory.ModeCoverage]
"""From a sample `(n, *shape)` to its mode coverage."""


class PlaneJudge(eqx.Module):
    """Mode coverage of a sample `(n, 2)` of a mixture in the plane.

    `counts` are of all samples, by their nearest mode.

    - `means`: shape `(k, 2)`. `std`: of every mode.
    """

    means: Float[Array, "k 2"]
    std: Float[Array, ""]

    def __call__(self, points: Float[Array, "n 2"]) -> theory.ModeCoverage:
        nearest = theory.mode_coverage(points, self.means, self.std, jnp.inf).counts
        return theory.mode_coverage(points, self.means, self.std)._replace(counts=nearest)


class StackedJudge(eqx.Module):
    """Mode coverage of stacked images `(n, h, w, 3)`: a thousand combinations of digits.

    Every sample counts for the combination that the classifier sees. Of high quality are those
    whose three digits it is sure of.
    """

    classifier: Callable[[Float[Array, "h w"]], Float[Array, "10"]]

    def __call__(self, points: Float[Array, "n h w 3"]) -> theory.ModeCoverage:
        channels = jnp.moveaxis(points, -1, 1).reshape(-1, *points.shape[1:3])
        probabilities = jax.nn.softmax(jax.vmap(self.classifier)(channels)).reshape(-1, 3, 10)
        digits = jnp.argmax(probabilities, axis=-1)
        labels = digits[:, 0] * 100 + digits[:, 1] * 10 + digits[:, 2]
        sure = jnp.all(jnp.max(probabilities, axis=-1) >= CONFIDENT, axis=1)
        coverage = theory.occupancy(labels, 1000)
        return coverage._replace(high_quality=jnp.mean(sure.astype(points.dtype)))


class StackedImages(eqx.Module):
    """Three independent images as the channels of one.

    - `images`: shape `(n, h, w)`.
    """

    images: Float[Array, "n h w"]

    def __call__(self, key: PRNGKeyArray, n: int) -> Float[Array, "n h w 3"]:
        picked = jax.random.randint(key, (n, 3), 0, len(self.images))
        return jnp.moveaxis(self.images[picked], 1, -1)


@dataclasses.dataclass(frozen=True)
class ModeData:
    """A law with known modes.

    - `sampler`: draws what is trained on. `fresh`: draws new real points.
    - `judge`: `points -> ModeCoverage`. `modes`: how many there are. `samples`: how many to judge.
    - `shape`, `latent_size`, `bounded`: of the generator.
    - `ceiling`: the share of high quality that the law itself has, if it is known.
    """

    name: str
    sampler: Callable[[PRNGKeyArray, int], Array]
    fresh: Callable[[PRNGKeyArray, int], Array]
    judge: ModeJudge
    modes: int
    samples: int
    shape: tuple[int, ...]
    latent_size: int
    bounded: bool
    ceiling: float | None

    @property
    def is_plane(self) -> bool:
        """True for points in the plane."""
        return self.shape == (2,)


LAWS: dict[str, Callable[[], theory.GaussianMixture]] = {"ring": theory.ring, "grid": theory.grid}
DATA = (*LAWS, "stacked")


def mixture(name: str, key: PRNGKeyArray) -> ModeData:
    """The ring of 8 or the grid of 25 Gaussians of PacGAN: a fixed sample to train on."""
    law = LAWS[name]()
    points = law.sample(key, POINTS).astype(jnp.float32)
    judge = PlaneJudge(law.means.astype(jnp.float32), law.scale_trils[0, 0, 0].astype(jnp.float32))
    fresh = lambda key, n: law.sample(key, n).astype(jnp.float32)
    ceiling = float(theory.high_quality_share(2))
    return ModeData(
        name,
        go.Samples(points),
        fresh,
        judge,
        len(law.means),
        PLANE_SAMPLES,
        (2,),
        2,
        False,
        ceiling,
    )


def stacked(images: Dataset, classifier: Classifier, held_out: Dataset) -> ModeData:
    """Three digits as the channels of an image; the ceiling is measured on held-out digits."""
    points = jnp.asarray(images.points)
    return ModeData(
        "stacked",
        StackedImages(points),
        StackedImages(jnp.asarray(held_out.points)),
        StackedJudge(classifier),
        1000,
        STACKED_SAMPLES,
        (*points.shape[1:], 3),
        32,
        True,
        None,
    )


@eqx.filter_jit
def judged(
    judge: ModeJudge, players: go.Players, latents: Array, shown: int
) -> tuple[theory.ModeCoverage, Array]:
    """Coverage of the samples of every seed, and `shown` samples of the first.

    **Arguments:**

    - `judge`: of a `ModeData`. `players`: with a first axis of seeds.
    - `latents`: shape `(n, latent_size)`, the same for all seeds.
    """

    def of_one(generator: Any) -> tuple[theory.ModeCoverage, Array]:
        points = go.generated(generator, latents)
        return judge(points), points[:shown]

    axes = jax.tree.map(eqx.if_array(0), players.x)
    coverage, points = eqx.filter_vmap(of_one, in_axes=(axes,))(players.x)
    return coverage, points[0]
