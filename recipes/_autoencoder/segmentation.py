"""Scenes to segment: images pasted on textured grounds, with their masks."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

PHOTOGRAPHS = ("china.jpg", "flower.jpg")
HELD_OUT_PART = 0.25
"""The part of each photograph's width, on its right, that only held-out grounds are taken from."""
SCALES, GROUNDS = (0.9, 1.5), (1.0, 6.0)
"""Ranges of sizes: of a pasted image by its own, and of a ground's part of the photograph by the
scene's."""
CONTRAST = 0.6
"""The least difference of brightness, of the range [-1, 1], between what is pasted and the mean of
its ground."""
ENLARGED = 2
"""Sides of a scene by those of the image that is pasted."""


class Scenes(NamedTuple):
    """Scenes of shape `(n, h, w)` in [-1, 1], and masks of that shape, 1 where something is
    pasted and 0 elsewhere.
    """

    images: np.ndarray
    masks: np.ndarray


def photographs(held_out: bool) -> list[Image.Image]:
    """Grey parts of scikit-learn's photographs; those held out have no pixel of the others."""
    from sklearn.datasets import load_sample_image  # here: it takes a second to import

    parts = []
    for name in PHOTOGRAPHS:
        whole = Image.fromarray(load_sample_image(name)).convert("L")
        cut = round(whole.width * (1 - HELD_OUT_PART))
        left, right = (cut, whole.width) if held_out else (0, cut)
        parts.append(whole.crop((left, 0, right, whole.height)))
    return parts


def paste(
    images: np.ndarray, grounds: Sequence[Image.Image], count: int, rng: np.random.Generator
) -> Scenes:
    """`count` scenes: images of shape `(n, h, w)` in their order, again and again.

    Where an image is bright it is opaque. It gets one brightness, brighter or darker than its
    ground, a size and a place at random, on a random part of a ground.
    """
    shape = (ENLARGED * images.shape[1], ENLARGED * images.shape[2])
    scenes = np.empty((count, *shape), np.float32)
    masks = np.empty_like(scenes)
    for index in range(count):
        opaque = _placed(images[index % len(images)], shape, rng)
        ground = _ground(grounds[int(rng.integers(len(grounds)))], shape, rng)
        scenes[index] = (1 - opaque) * ground + opaque * _ink(float(ground.mean()), rng)
        masks[index] = opaque >= 0.5
    return Scenes(scenes, masks)


def _placed(image: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Opacity in [0, 1] of an image, resized and placed at random on a scene of `shape`."""
    scale = rng.uniform(*SCALES)
    height, width = (max(1, round(scale * side)) for side in image.shape)
    bytes_ = np.round(np.clip(image + 1, 0, 2) * 127.5).astype(np.uint8)
    resized = Image.fromarray(bytes_).resize((width, height), Image.Resampling.BILINEAR)
    top, left = (rng.integers(s - n + 1) for s, n in zip(shape, (height, width), strict=True))
    opaque = np.zeros(shape, np.float32)
    opaque[top : top + height, left : left + width] = np.asarray(resized, np.float32) / 255
    return opaque


def _ground(
    photograph: Image.Image, shape: tuple[int, int], rng: np.random.Generator
) -> np.ndarray:
    """A random part of a photograph, resized to `shape`, in [-1, 1]."""
    most = min(photograph.height / shape[0], photograph.width / shape[1], GROUNDS[1])
    size = rng.uniform(min(GROUNDS[0], most), most)
    height, width = size * shape[0], size * shape[1]
    top, left = (
        (photograph.height - height) * rng.uniform(),
        (photograph.width - width) * rng.uniform(),
    )
    box = (left, top, left + width, top + height)
    part = photograph.resize((shape[1], shape[0]), Image.Resampling.BILINEAR, box=box)
    return np.asarray(part, np.float32) / 127.5 - 1


def _ink(ground: float, rng: np.random.Generator) -> float:
    """A brightness in [-1, 1] that is `CONTRAST` or more from a ground's mean, uniformly."""
    darker, brighter = max(0.0, ground - CONTRAST + 1), max(0.0, 1 - ground - CONTRAST)
    place = rng.uniform(0, darker + brighter)
    return place - 1 if place < darker else 1 - (place - darker)
