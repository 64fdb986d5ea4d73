"""Pictures of a model in the plane: its score, its paths and its density beside exact ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import theory
from recipes._diffusion.exact import ExactLaw, denoised
from recipes._diffusion.sampling import Drawn
from recipes._report import plots
from recipes._report.plots import FAKE, REAL, THEORY, subplots
from recipes._runtime.run import RunFolder

NOISES = (0.1, 0.3, 1.0)
"""Noise over signal where scores are drawn, in deviations of the data."""
SIDE, PATHS, COMPARED = 19, 60, 2000
"""Arrows a side, paths, and noised points on which two scores are compared."""


def scores(denoiser: Any, points: Any, level: theory.NoiseLevel) -> np.ndarray:
    r"""$\sigma\nabla\log p$ at points `(n, 2)`: how far the noise would go back, in deviations."""
    points = jnp.asarray(points)
    found = theory.prediction_from("score", denoised(denoiser, points, level), points, level)
    return np.asarray(level.sigma * found)


def draw_scores(
    folder: RunFolder,
    denoiser: Any,
    exact: ExactLaw | None,
    interpolant: theory.AbstractInterpolant,
    points: np.ndarray,
    std: float,
    key: PRNGKeyArray,
) -> dict[str, float]:
    r"""scores.png: the learned score's arrows, on the exact one's where there is one.

    **Returns:** the mean squared error of the learned score over the exact one's mean square, over
    noised points, where `score_error` is the mean of it over the noise levels.
    """
    figure, axes = subplots(1, len(NOISES), figsize=(plots.WIDE, 4.3), layout="constrained")
    errors = []
    for axis, noise, one in zip(axes, NOISES, jax.random.split(key, len(NOISES)), strict=True):
        time = interpolant.time_of(jnp.float32(-2 * np.log(noise * std)))
        level = interpolant.level(time)
        fresh = np.asarray(jax.random.normal(one, points[:COMPARED].shape))
        noised = float(level.alpha) * points[:COMPARED] + float(level.sigma) * fresh
        title = f"$\\sigma/\\alpha$ = {noise * std:.2g}"
        grid = plots.plane_grid(plots.plane_limits(noised, 0.05), SIDE)
        if exact is not None:
            true, learned = (scores(f, noised, level) for f in (exact.denoiser, denoiser))
            errors.append(float(np.mean((true - learned) ** 2) / np.mean(true**2)))
            title += f", error {100 * errors[-1]:.1f} %"
            _arrows(axis, grid, scores(exact.denoiser, grid, level), REAL, "exact", 0.011)
        axis.plot(*noised[:500].T, ".", ms=1.5, color="#bbbbbb", label="noised data", zorder=0)
        _arrows(axis, grid, scores(denoiser, grid, level), FAKE, "learned", 0.005)
        axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
        axis.set_title(title, fontsize=10)
        axis.label_outer()
    note = (
        "" if exact is None else "; error: mean square over that of the exact score, on noised data"
    )
    _finish(figure, axes, f"score $\\sigma\\nabla\\log p${note}", folder, "scores.png")
    return {"score_error": float(np.mean(errors))} if errors else {}


def _arrows(
    axis: Any, grid: np.ndarray, values: np.ndarray, color: str, label: str, width: float
) -> None:
    """Arrows of lengths that are seen: the square root of what they are."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    shown = values / np.sqrt(np.maximum(lengths, 1e-9))
    axis.quiver(*grid.T, *shown.T, color=color, width=width, label=label, angles="xy")


def _finish(figure: Any, axes: Any, title: str, folder: RunFolder, name: str) -> None:
    handles, names = np.atleast_1d(axes).flat[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=9, loc="outside lower center", ncols=4, markerscale=4)
    figure.suptitle(title, fontsize=11)
    plots.save(figure, folder.path / name)


def draw_trajectories(
    folder: RunFolder, start: np.ndarray, drawn: Drawn, levels: theory.NoiseLevel, data: np.ndarray,
    std: float,
) -> None:  # fmt: skip
    """trajectories.png: the paths of samples from noise to data, in a scale that stays."""
    assert drawn.path is not None
    alpha, sigma = (np.asarray(part) for part in levels)
    scale = np.sqrt(alpha**2 + (sigma / std) ** 2)[None, :, None]
    paths = np.concatenate([start[:, None], drawn.path], axis=1) / scale
    figure, axis = subplots(figsize=(5.6, 5.6), layout="constrained")
    axis.plot(*data[:2000].T, ".", ms=1.5, color="#bbbbbb", label="data", zorder=0)
    for place, path in enumerate(paths):
        label = "a path" if place == 0 else None
        axis.plot(*path.T, lw=0.8, color=THEORY, alpha=0.6, label=label)
    axis.plot(*paths[:, 0].T, "o", ms=3, color=REAL, label="its noise")
    axis.plot(*paths[:, -1].T, "o", ms=3, color=FAKE, label="its sample")
    axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    _finish(
        figure, axis, "from noise to samples, over $\\sqrt{\\alpha^2 + \\sigma^2/s^2}$", folder,
        "trajectories.png",
    )  # fmt: skip
