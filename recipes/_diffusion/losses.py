"""Squared errors of a denoiser by noise level, beside bounds that are known."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from tqdm import tqdm

import theory
from recipes._data import Dataset
from recipes._diffusion.exact import ExactLaw
from recipes._diffusion.processes import Process
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, REAL, THEORY, Curve, Panel
from recipes._runtime.run import RunFolder

LEVELS, POINTS = 100, 128
"""Noise levels, and points of which the errors are, with fresh noise at each level."""
TAIL = 1e-3
"""The shares of the levels that are trained on, least and most noise, that are left out."""
MOST_LOG_SNR = 15.0
"""The bound of the log signal-to-noise ratio, either side."""
MOST_REMEMBERED = 10_000
"""The most training points of which the denoiser that has memorised them is computed."""


class Judged(NamedTuple):
    """Points whose errors are taken: `points`, and their `labels` or `None`."""

    points: Array
    labels: Array | None


def judged_of(data: Dataset, told: bool) -> Judged:
    """The first points, with their labels if they are to be told."""
    labels = None if data.labels is None or not told else jnp.asarray(data.labels[:POINTS])
    return Judged(jnp.asarray(data.points[:POINTS]), labels)


def level_grid(process: Process) -> theory.NoiseLevel:
    """Levels evenly spaced in the log signal-to-noise ratio over what is trained on.

    Shape `(LEVELS,)`, from noise to data.
    """
    ends = process.law.quantile(jnp.asarray([1 - TAIL, TAIL], jnp.float32))
    most, least = np.clip(np.asarray(ends.log_snr, np.float64), -MOST_LOG_SNR, MOST_LOG_SNR)
    log_snr = jnp.linspace(most, least, LEVELS, dtype=jnp.float32)
    return process.interpolant.level(process.interpolant.time_of(log_snr))


def errors_by_level(
    denoiser: Any, judged: Judged, levels: theory.NoiseLevel, key: PRNGKeyArray, what: str
) -> Float[np.ndarray, "levels n"]:
    """Squared errors, summed over the numbers of each point, level by level; `what` is said.

    The same key is the same noise, also of another denoiser.
    """
    found = []
    for place in tqdm(range(len(levels.alpha)), desc=what, unit=" levels", delay=1):
        level = theory.NoiseLevel(levels.alpha[place], levels.sigma[place])
        clean = _denoised(denoiser, *judged, level, jax.random.fold_in(key, place))
        found.append(np.asarray(_squares(clean, judged.points), np.float64))
    return np.stack(found)


def last_denoised(
    denoiser: Any, judged: Judged, levels: theory.NoiseLevel, key: PRNGKeyArray
) -> np.ndarray:
    """The denoised points at the last level, with the noise of `errors_by_level`."""
    last = len(levels.alpha) - 1
    level = theory.NoiseLevel(levels.alpha[last], levels.sigma[last])
    return np.asarray(_denoised(denoiser, *judged, level, jax.random.fold_in(key, last)))


@eqx.filter_jit
def _denoised(
    denoiser: Any, points: Array, labels: Any, level: theory.NoiseLevel, key: PRNGKeyArray
) -> Float[Array, "n *shape"]:
    def one(point: Array, label: Any, key: PRNGKeyArray) -> Array:
        noise = jax.random.normal(key, point.shape, point.dtype)
        told = () if label is None else (label,)
        return denoiser(level.alpha * point + level.sigma * noise, level, *told)

    return jax.vmap(one)(points, labels, jax.random.split(key, len(points)))


@jax.jit
def _squares(left: Array, right: Array) -> Float[Array, " n"]:
    return jnp.sum((left - right).reshape(len(left), -1) ** 2, axis=1)


class Memory(eqx.Module):
    """The exact denoiser of a finite data set, of points of any shape.

    - `points`: flattened, shape `(n, d)`.
    """

    points: Float[Array, "n d"]

    def __call__(self, x: Float[Array, "*shape"], level: theory.NoiseLevel, *label: Any) -> Array:
        del label
        return theory.data_denoiser(x.reshape(-1), level, self.points).reshape(x.shape)


def bounds_of(
    exact: ExactLaw | None, points: np.ndarray, levels: theory.NoiseLevel, key: PRNGKeyArray
) -> dict[str, np.ndarray]:
    """Mean squared errors at every level of denoisers that are known, by name.

    The exact one of the law of the data, where there is one; else the best linear one, and of few
    training points the one that has memorised them, on those.
    """
    flat = points.reshape(len(points), -1)
    if exact is not None:
        judged = Judged(jnp.asarray(points[:POINTS]), None)
        errors = errors_by_level(exact.denoiser, judged, levels, key, "exact errors")
        return {"the law's exact denoiser": errors.mean(axis=1)}
    spread = np.clip(np.linalg.eigvalsh(np.cov(flat.T, dtype=np.float64)), 0, None)
    alpha, sigma = (np.asarray(part, np.float64)[:, None] for part in levels)
    linear = np.sum(spread * sigma**2 / (alpha**2 * spread + sigma**2), axis=1)
    bounds = {"the best linear denoiser": linear}
    if len(flat) <= MOST_REMEMBERED:
        judged = Judged(jnp.asarray(points[:POINTS]), None)
        errors = errors_by_level(
            Memory(jnp.asarray(flat)), judged, levels, key, "errors of the memory"
        )
        bounds["the training points by heart, on those"] = errors.mean(axis=1)
    return bounds


def draw_losses(
    folder: RunFolder,
    levels: theory.NoiseLevel,
    errors: dict[str, np.ndarray],
    bounds: dict[str, np.ndarray],
    size: int,
) -> None:
    """losses.png: mean squared errors of a number by noise level, beside what is known.

    **Arguments:**

    - `errors`: of the model, `(levels, n)`. `bounds`: `(levels,)`; all summed over `size` numbers.
    """
    ratio = np.exp(-0.5 * np.asarray(levels.log_snr, np.float64))
    styles = (("-", FAKE), ("--", REAL))
    lines = [
        Curve(f"the model, {name}", ratio, values.mean(axis=1) / size, *style)
        for (name, values), style in zip(errors.items(), styles, strict=False)
    ]
    known = (("-.", COLOURS[2]), (":", THEORY)) if len(bounds) > 1 else ((":", THEORY),)
    lines += [
        Curve(name, ratio, np.maximum(values / size, 1e-12), *style)
        for (name, values), style in zip(bounds.items(), known, strict=True)
    ]
    shown = [curve for curve in lines if np.isfinite(curve.y).all()]
    floor = min(np.min(curve.y) for curve in shown[: len(errors)])
    lifted = [curve._replace(y=np.where(np.asarray(curve.y) < floor / 30, np.nan, curve.y))
              for curve in shown]  # fmt: skip
    panel = Panel(
        "Error of the denoised point", "noise over signal, $\\sigma/\\alpha$",
        "mean square of a number", lifted, log_y=True, log_x=True,
    )  # fmt: skip
    plots.panels([panel], folder.path / "losses.png")
