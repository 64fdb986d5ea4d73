"""Pictures of samples, by the kind of data."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from recipes._data import Dataset
from recipes._report import plots
from recipes._report.plots import FAKE, REAL
from recipes._report.views import Points, Shade, Snapshot, View
from recipes._runtime.run import RunFolder

Score = Callable[[Any, Array], Array]
"""`(players, points) -> numbers`, of shapes `(n, 2)` and `(n,)`."""
SIDE = 80


class Pictures:
    """Samples from fixed latents, a picture each evaluation.

    - `score`, `score_label`: what the plane is coloured by; `None` for nothing.
    """

    def __init__(
        self,
        folder: RunFolder,
        data: Dataset,
        real: np.ndarray,
        score: Score | None,
        score_label: str,
    ):
        self.folder, self.kind, self.real = folder, data.kind, real
        self.score, self.score_label = score and eqx.filter_jit(score), score_label
        if data.kind == "image":
            plots.image_grid(real[:64], folder.path / "data.png", columns=8)
        elif data.kind == "plane":
            self.limits = plots.plane_limits(data.points)
        else:
            centred = real - real.mean(axis=0)
            self.axes = np.linalg.svd(centred, full_matrices=False)[2][:2].T
            self.limits = plots.plane_limits(real @ self.axes)

    def samples(self, fake: np.ndarray, players: Any, round: int, numbers: dict[str, Any]) -> None:
        """Draw samples/ROUND.png from generated points of shape `(n, *shape)`."""
        folder = self.folder.path / "samples"
        if self.kind == "image":
            plots.image_grid(fake[:64], folder / f"{round:08d}.png", columns=8)
            return
        labels, layers, places = ("$x_1$", "$x_2$"), [], (self.real, fake)
        if self.kind == "plane":
            grid = jnp.asarray(plots.plane_grid(self.limits, SIDE), self.real.dtype)
            if self.score is not None:
                scores = np.asarray(self.score(players, grid)).reshape(SIDE, SIDE)
                layers = [Shade(self.score_label, scores, "Greys_r")]
        else:
            labels = ("first principal axis of the data", "second principal axis")
            places = (self.real @ self.axes, fake @ self.axes)
        layers += [Points("data", places[0], REAL), Points("generated", places[1], FAKE)]
        note = w1_note(numbers)
        view = View("", *labels, *corners(self.limits), layers, equal=True)
        plots.draw_snapshot(Snapshot(round, note, [view]), folder)


def w1_note(numbers: dict[str, Any]) -> str:
    """A few words on the distance from the data, beside that of other data."""
    return f"W1 {numbers['w1_exact']:.3f} (real points {numbers['w1_floor']:.3f})"


def corners(
    limits: tuple[np.ndarray, np.ndarray],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The corners of a window as numbers of Python."""
    low, high = ((float(x), float(y)) for x, y in limits)
    return low, high
