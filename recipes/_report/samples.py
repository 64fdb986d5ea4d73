"""Pictures of samples: what to draw depends on the data."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from recipes._data import Dataset
from recipes._report import plots
from recipes._runtime.run import RunFolder

Score = Callable[[Any, Array], Array]
"""`(players, points) -> numbers`, of shapes `(n, 2)` and `(n,)`."""


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

    def samples(self, fake: np.ndarray, players: Any, round: int, numbers: dict[str, Any]) -> None:
        """Draws samples/ROUND.png from generated points of shape `(n, *shape)`."""
        path = self.folder.path / "samples" / f"{round:08d}.png"
        title = (
            f"round {round:,}: W1 {numbers['w1_exact']:.3f} (other data {numbers['w1_floor']:.3f})"
        )
        if self.kind == "image":
            plots.image_grid(fake[:64], path, columns=8)
        elif self.kind == "plane":
            grid = jnp.asarray(plots.plane_grid(self.limits), self.real.dtype)
            scores = None if self.score is None else np.asarray(self.score(players, grid))
            plots.plane(self.real, fake, path, title, self.limits, scores, self.score_label)
        else:
            real, drawn = self.real @ self.axes, fake @ self.axes
            plots.plane(
                real,
                drawn,
                path,
                f"{title}\non the data's two principal axes",
                plots.plane_limits(real),
            )
