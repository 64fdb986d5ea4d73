"""Images to restore: what autoencoders of each task are trained and judged on."""

import functools
from typing import NamedTuple

import numpy as np

from recipes._autoencoder.segmentation import paste, photographs
from recipes._autoencoder.tasks import TaskArgs
from recipes._data.training import HeldOutData
from recipes._runtime.errors import UserError

FEWEST_SCENES, MOST_SCENES = 8_000, 20_000
"""Scenes to train on are at least as many as these, at most these, and otherwise one an image."""


class Pairs(NamedTuple):
    """Images before corruption and what is wanted, both of shape `(n, *shape)`."""

    images: np.ndarray
    wanted: np.ndarray


class Images(HeldOutData):
    """A data set of images with a held-out part, as a task sees it.

    **Raises:** `UserError` as `HeldOutData`, for what are no images, and for colours to segment.
    """

    def __init__(self, args: TaskArgs):
        super().__init__(args)
        shape = self.loaded.points.shape[1:]
        if self.loaded.kind != "image":
            raise UserError(f"--data {args.data} is of kind {self.loaded.kind}; images are needed.")
        if args.task == "segment" and len(shape) == 3 and shape[2] != 1:
            raise UserError(
                f"--task segment pastes bright shapes on dark, such as digits, and --data "
                f"{args.data} has colours; take digits, mnist or fashion_mnist."
            )
        self._segments, self._seed = args.task == "segment", args.seed

    @functools.cached_property
    def train_pairs(self) -> Pairs:
        """Pairs to train on."""
        return self._pairs(self.scaled.points, held_out=False)

    @functools.cached_property
    def held_out_pairs(self) -> Pairs:
        """Pairs that are never trained on; of scenes, on grounds that are not either."""
        return self._pairs(self.held_out.points, held_out=True)

    def _pairs(self, points: np.ndarray, held_out: bool) -> Pairs:
        if not self._segments:
            return Pairs(points, points)
        count = len(points) if held_out else max(len(points), FEWEST_SCENES)
        rng = np.random.default_rng([self._seed, held_out])
        grey = points.reshape(points.shape[:3])
        return Pairs(*paste(grey, photographs(held_out), min(count, MOST_SCENES), rng))
