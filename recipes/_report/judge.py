"""The judge of samples: exact W1 and pictures while training, files and metrics at the end."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

import gameopt as go
import theory
from recipes._data.training import TrainingData, judged_rows, with_conditions
from recipes._report.sample_metrics import features_of, headline, sample_report, write_report
from recipes._report.samples import Pictures, Score
from recipes._runtime.errors import FEWEST
from recipes._runtime.fields import Flags, Judged
from recipes._runtime.progress import says
from recipes._runtime.run import GENERATED, RunFolder

Sample = Callable[[go.Players, Any], Any]
"""`(players, conditions) -> points`, shape `(n, *shape)`, always the same `n`; the conditions are
`None` without conditions, and the points then not `Conditioned`."""
Numbers = Callable[[go.Players, Any, Any], dict[str, Any]]
"""`(players, real, fake) -> numbers`, on batches of shape `(n, *shape)`, or `Conditioned` ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SampleArgs(metaclass=Flags):
    """The flags of samples that are compared with data."""

    eval_size: Judged = 512
    """Points on which the samples are compared with the data."""
    metrics: bool = True
    """Write metrics.md at the end: Fréchet distance, KID, precision, recall, density, coverage."""


def no_numbers(players: go.Players, real: Any, fake: Any) -> dict[str, Any]:
    """The numbers of players that say nothing of points."""
    del players, real, fake
    return {}


class SampleJudge:
    """Compares a model's samples with fixed data, and draws them.

    Beside W1 it has the exact W1 between two disjoint batches of data, `w1_floor`: what a perfect
    model measures with so few points. It bounds nothing: blurred or shrunk samples can measure
    less. Where points have labels, both batches have the labels of the samples.

    - `size`: points compared. `sample`: from players to as many samples.
    - `conditions`: of every point of the data; those of the points compared are the samples' too.
    - `numbers`: what the players themselves say of the same points, such as a critic's estimate.
    - `score`, `score_label`: what the plane is coloured by; `None` for nothing.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: TrainingData,
        size: int,
        seed: int,
        sample: Sample,
        *,
        numbers: Numbers = no_numbers,
        score: Score | None = None,
        score_label: str = "",
        conditions: np.ndarray | None = None,
    ):
        points = data.scaled.points
        has_labels = conditions is not None and conditions.ndim == 1
        rows = judged_rows(len(points), size, seed, conditions if has_labels else None)
        real, other, rest = (points[part] for part in rows)
        self.other, self.rest = jnp.asarray(other), jnp.asarray(rest)
        self.folder, self.data, self.numbers, self._sample = folder, data, numbers, sample
        given = None if conditions is None else conditions[rows.real]
        self.judged = with_conditions(real, given)
        self.conditions = None if given is None else jnp.asarray(given)
        self.real, self._flat = jnp.asarray(real), real.reshape(size, -1)
        self.w1_floor = exact_w1(self._flat, other.reshape(size, -1))
        self.pictures = Pictures(folder, data.scaled, real, score, score_label)

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        """The players' own numbers, and in the data's units:

        - `w1_exact`, `w1_floor`: of the samples and of other data, by optimal transport.
        """
        fake = self._sample(players, self.conditions)
        numbers = self.numbers(players, self.judged, fake)
        points = np.asarray(go.value_of(fake))
        finite = bool(np.isfinite(points).all())
        w1 = exact_w1(self._flat, points.reshape(len(points), -1)) if finite else float("nan")
        numbers |= {"w1_exact": w1, "w1_floor": self.w1_floor}
        self.pictures.samples(points, players, round, numbers)
        return numbers

    def write_generated(self, players: go.Players, metrics: bool) -> dict[str, float]:
        """Writes generated.npy, in the units of the data as they came, and metrics.md if asked to.

        **Returns:** the Fréchet distance in the last of the features, and that of real points;
        nothing, and no metrics.md, for too few points.
        """
        points = go.value_of(self._sample(players, self.conditions))
        raw = np.asarray(points)
        np.save(self.folder.path / GENERATED, self.data.unscaled(raw))
        if not metrics or len(raw) < FEWEST:
            return {}
        with says("feature maps"):
            maps = features_of(self.data.scaled)
        with says("metrics of the samples"):
            report = sample_report(self.real, self.other, points, self.rest, maps)
        write_report(report, self.folder.path / "metrics.md")
        return headline(report)


def exact_w1(left: np.ndarray, right: np.ndarray) -> float:
    """W1 between two batches of as many points each, shape `(n, d)`, in the data's units."""
    return float(theory.optimal_transport(left, right, p=1.0).distance)
