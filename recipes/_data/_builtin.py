"""Data that needs no file: real 8x8 digits, and the toys of the WGAN-GP paper in the plane."""

import numpy as np

from recipes._data._dataset import Dataset

TOY_POINTS = 100_000


def digits() -> Dataset:
    """1797 real handwritten digits of 8x8 pixels, from scikit-learn (UCI, Alpaydin & Kaynak)."""
    from sklearn.datasets import load_digits  # here: it takes a second to import

    flat, target = load_digits(return_X_y=True)
    points = (np.asarray(flat).reshape(-1, 8, 8) / 8.0 - 1.0).astype(np.float32)
    labels = np.asarray(target).astype(np.int32)
    return Dataset("digits", points, labels, "image", "scikit-learn's digits")


def _toy(name: str, points: np.ndarray, labels: np.ndarray | None) -> Dataset:
    labels = None if labels is None else labels.astype(np.int32)
    source = "drawn; Gulrajani et al. 2017, authors' code"
    return Dataset(name, points.astype(np.float32), labels, "plane", source)


def ring(seed: int) -> Dataset:
    """Eight Gaussians: radius 2, deviation 0.02, all divided by 1.414."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(8, size=TOY_POINTS)
    angles = 2 * np.pi * labels / 8
    centres = 2 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return _toy("ring", (centres + 0.02 * rng.normal(size=centres.shape)) / 1.414, labels)


def grid(seed: int) -> Dataset:
    """25 Gaussians on a square grid of spacing 2, deviation 0.05, all divided by 2.828."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(25, size=TOY_POINTS)
    centres = 2.0 * np.stack(np.divmod(labels, 5), axis=1) - 4
    return _toy("grid", (centres + 0.05 * rng.normal(size=centres.shape)) / 2.828, labels)


def swiss_roll(seed: int) -> Dataset:
    """A spiral: t (cos t, sin t) for t in [1.5 pi, 4.5 pi], noise 0.25, divided by 7.5."""
    rng = np.random.default_rng(seed)
    t = 1.5 * np.pi * (1 + 2 * rng.uniform(size=TOY_POINTS))
    spiral = np.stack([t * np.cos(t), t * np.sin(t)], axis=1)
    return _toy("swiss_roll", (spiral + 0.25 * rng.normal(size=spiral.shape)) / 7.5, None)
