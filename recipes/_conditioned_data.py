"""Images with what they are conditioned on: a label, or an image made of each."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from recipes._data import Dataset, check_labelled_images, hold_out
from recipes._errors import UserError
from recipes._gan_data import TrainingData
from recipes._image_conditions import CONDITIONS, with_channels
from recipes._image_gan import ImageGANArgs, images


class ConditionedData(TrainingData):
    """What the flags name, without the held-out fifth.

    - `held_out`: the other fifth. `classes`: how many, 0 where images are the conditions.
    - `condition`: `label`, or a name of `CONDITIONS`.
    - `conditions`, `held_out_conditions`: labels, or images `(n, h, w, channels)`.
    """

    def __init__(self, args: ImageGANArgs, condition: str):
        data = images(args)
        self.loaded, self.scaling, self.name = data.loaded, data.scaling, data.name
        self.scaled, self.held_out = hold_out(data.scaled)
        self.condition, self.classes = condition, 0
        if condition == "label":
            self.classes = check_labelled_images(self.scaled, self.held_out)
        if args.batch_size is not None and args.batch_size > len(self.scaled.points):
            raise UserError(
                f"--batch-size {args.batch_size} is larger than the data without its held-out "
                f"fifth, {len(self.scaled.points)} images; choose a smaller batch."
            )

    @functools.cached_property
    def conditions(self) -> np.ndarray:
        return self._of(self.scaled)

    @functools.cached_property
    def held_out_conditions(self) -> np.ndarray:
        return self._of(self.held_out)

    def _of(self, data: Dataset) -> np.ndarray:
        if self.condition == "label":
            assert data.labels is not None
            return data.labels
        make = jax.jit(CONDITIONS[self.condition].make)
        return np.asarray(make(jnp.asarray(with_channels(data.points))))
