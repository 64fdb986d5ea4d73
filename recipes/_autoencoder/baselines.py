"""Answers to each task without a neural network: PCA, exact Gaussian posteriors, a threshold."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import theory
from recipes._autoencoder.data import Images, Pairs
from recipes._autoencoder.tasks import Corruption, Downsample, Hole, Noise, TaskArgs, each

MOST_FITTED = 10_000
"""The most training images that a mean and a covariance are of."""
INPUT, POSTERIOR = "input", "Gaussian posterior mean"
THRESHOLDS = np.linspace(-0.95, 0.95, 39)


def fitted_gaussian(images: np.ndarray) -> theory.Moments:
    """The mean and the covariance of flattened images, shrunk so that no eigenvalue is 0.

    !!! cite "Source"

        Ledoit & Wolf (2004), Journal of Multivariate Analysis 88(2).
    """
    from sklearn.covariance import ledoit_wolf  # here: it takes a second to import

    flat = images[:MOST_FITTED].reshape(len(images[:MOST_FITTED]), -1).astype(np.float64)
    cov, _ = ledoit_wolf(flat)
    return theory.Moments(
        jnp.asarray(flat.mean(axis=0), jnp.float32), jnp.asarray(cov, jnp.float32)
    )


def pca(train: np.ndarray, images: np.ndarray, size: int) -> np.ndarray:
    """Images projected onto the first `size` principal components of the training images."""
    from sklearn.decomposition import PCA

    flat = train.reshape(len(train), -1)
    fitted = PCA(size, svd_solver="covariance_eigh").fit(flat)
    codes = fitted.transform(images.reshape(len(images), -1))
    return fitted.inverse_transform(codes).reshape(images.shape).astype(np.float32)


def posterior_means(
    corruption: Corruption, gaussian: theory.Moments, seen: np.ndarray
) -> np.ndarray:
    """E(image | input) for images of a Gaussian law: the best affine answer for any law.

    **Arguments:** `corruption`: `Noise`, `Hole` or `Downsample`. `seen`: inputs `(n, *seen_shape)`.
    """
    count, shape, size = len(seen), corruption.shape, gaussian.mean.size
    if isinstance(corruption, Noise):
        found = _means(gaussian, np.eye(size), corruption.deviation**2, seen.reshape(count, -1))
    elif isinstance(corruption, Downsample):
        basis = np.eye(size, dtype=np.float32).reshape(size, *shape)
        operator = each(corruption.small, basis).reshape(size, -1).T
        small = each(corruption.small, seen).reshape(count, -1)
        found = _means(gaussian, operator, 0.0, small)
    elif isinstance(corruption, Hole):
        found = _conditional_means(gaussian, seen)
    else:
        raise TypeError(f"no linear observation: {corruption}")
    return found.reshape(count, *shape)


def _conditional_means(gaussian: theory.Moments, seen: np.ndarray) -> np.ndarray:
    """The means of images with holes, place by place."""
    flat = seen[..., :-1].reshape(len(seen), -1)
    known = np.repeat(seen[..., -1:] > 0, seen.shape[-1] - 1, axis=-1).reshape(len(seen), -1)
    places, place = np.unique(known, axis=0, return_inverse=True)
    found = np.empty_like(flat)
    for index, mask in enumerate(places):
        # All of them, so that there is one compiled program whatever hole an image has.
        means = _means(gaussian, np.eye(len(mask))[mask], 0.0, flat[:, mask])
        rows = place.reshape(-1) == index
        found[rows] = means[rows]
    return found


def _means(
    gaussian: theory.Moments, operator: np.ndarray, noise_variance: float, observations: np.ndarray
) -> np.ndarray:
    arrays: list[Any] = [*gaussian, operator, noise_variance, observations]
    return np.asarray(_posterior_means(*(jnp.asarray(a, jnp.float32) for a in arrays)))


@jax.jit
def _posterior_means(mean, cov, operator, noise_variance, observations):
    of_one = lambda y: theory.gaussian_posterior(mean, cov, operator, noise_variance, y).mean
    return jax.vmap(of_one)(observations)


def from_median(scenes: np.ndarray) -> np.ndarray:
    """Distances of pixels from the median of their scene: of grounds that are even, small."""
    return np.abs(scenes - np.median(scenes, axis=(1, 2), keepdims=True))


def best_threshold(values: np.ndarray, masks: np.ndarray) -> float:
    """The number above which values `(n, h, w)` are most like masks, by the mean IoU."""
    scores = [iou(values > t, masks > 0.5).mean() for t in THRESHOLDS]
    return float(THRESHOLDS[int(np.argmax(scores))])


def iou(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Intersection over union of boolean masks `(n, h, w)`, shape `(n,)`; 1 for two empty ones."""
    both = (found & wanted).sum(axis=(1, 2))
    either = (found | wanted).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def baselines(
    args: TaskArgs, data: Images, corruption: Corruption, seen: np.ndarray, wanted: np.ndarray
) -> dict[str, np.ndarray]:
    """Answers for held-out inputs by name, the one to compare with first; of segment, masks."""
    train = data.train_pairs
    if args.task == "segment":
        return _thresholded(train, seen)
    size = args.latent_size
    if args.task == "reconstruct":
        return {f"PCA, {size} numbers": pca(train.images, wanted, size)}
    pictures = each(corruption.picture, seen)
    found = {POSTERIOR: posterior_means(corruption, fitted_gaussian(train.images), seen)}
    if isinstance(corruption, Noise):
        found[f"PCA of the input, {size} numbers"] = pca(train.images, pictures, size)
    if isinstance(corruption, Hole):
        mean = np.broadcast_to(train.images.mean(axis=0), pictures.shape)
        found["mean image in the hole"] = each(corruption.keep, seen, mean)
    if isinstance(corruption, Downsample):
        found["bicubic"] = _bicubic(corruption, seen)
    found[INPUT] = pictures
    if not args.skips:
        found[f"PCA of the truth, {size} numbers"] = pca(train.images, wanted, size)
    return found


def _thresholded(train: Pairs, scenes: np.ndarray) -> dict[str, np.ndarray]:
    """Masks by the thresholds that are best on training scenes."""
    images, masks = train.images[:MOST_FITTED], train.wanted[:MOST_FITTED]
    found = {}
    for name, measure in (("distance from median", from_median), ("brightness", lambda of: of)):
        threshold = best_threshold(measure(images), masks)
        found[f"{name} > {threshold:.2f}"] = (measure(scenes) > threshold).astype(np.float32)
    return found


def _bicubic(corruption: Downsample, seen: np.ndarray) -> np.ndarray:
    small = each(corruption.small, seen)
    shape = (len(seen), *corruption.shape[:2], small.shape[-1])
    return np.asarray(jax.image.resize(small, shape, "cubic")).reshape(seen.shape)
