"""Sprites: images made of known factors, for measures of disentanglement."""

import numpy as np

from recipes._data.dataset import Dataset, Factors, image_points

SIDE, FINE = 16, 8
"""Pixels a side, and points a side in each pixel whose share in the shape is its brightness."""
SHAPES = ("square", "disc", "triangle")
RADII = (2.0, 2.75, 3.5, 4.25)
PLACES = 12
NAMES = ("shape", "size", "x", "y")


def sprites() -> Dataset:
    """1728 images of 16x16: 3 shapes, 4 sizes, 12 places across and 12 down, in all combinations.

    Labels are the shapes.
    """
    sizes = (len(SHAPES), len(RADII), PLACES, PLACES)
    values = np.stack(np.meshgrid(*map(np.arange, sizes), indexing="ij"), axis=-1).reshape(-1, 4)
    centres = np.linspace(max(RADII), SIDE - max(RADII), PLACES)
    images = [
        _drawn(SHAPES[s], RADII[r], float(centres[x]), float(centres[y])) for s, r, x, y in values
    ]
    factors = Factors(NAMES, values.astype(np.int32))
    points = image_points(255 * np.stack(images))
    labels = values[:, 0].astype(np.int32)
    source = "drawn: shape, size and place"
    return Dataset("sprites", points, labels, "image", source, factors)


def _drawn(shape: str, radius: float, x: float, y: float) -> np.ndarray:
    """The share of each pixel that is in the shape, which fills a square of `2 radius` a side."""
    fine = (np.arange(SIDE * FINE) + 0.5) / FINE
    across, down = np.meshgrid((fine - x) / radius, (fine - y) / radius)
    inside = {
        "square": np.maximum(abs(across), abs(down)) <= 1,
        "disc": across**2 + down**2 <= 1,
        "triangle": (abs(down) <= 1) & (2 * abs(across) <= down + 1),
    }[shape]
    return inside.reshape(SIDE, FINE, SIDE, FINE).mean(axis=(1, 3))
