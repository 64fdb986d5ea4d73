"""Pictures of a model in the plane: its score, its paths and its density beside exact ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import theory
from recipes._diffusion.exact import ExactLaw, denoised
from recipes._diffusion.likelihoods import flow_times, log_probs
from recipes._diffusion.processes import Process
from recipes._diffusion.sampling import Drawn
from recipes._report import plots, tables
from recipes._report.plots import FAKE, REAL, THEORY, subplots
from recipes._runtime.run import RunFolder

NOISES = (0.1, 0.3, 1.0)
"""Noise over signal where scores are drawn, in deviations of the data."""
SIDE, PATHS, COMPARED, CELLS = 15, 60, 1000, 60
"""Arrows a side, paths, noised points on which two models are compared, and cells a side."""
MOST_SHOWN = 8.0
"""The score, over the noise's deviation, whose arrow is as long as a cell of the grid."""
TOLD_APART = 0.05
"""Deviation of the noise, over that of the data, at which densities are drawn."""


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
        grid = plots.plane_grid(_square(plots.plane_limits(noised, 0.05)), SIDE)
        if exact is not None:
            true, learned = (scores(f, noised, level) for f in (exact.denoiser, denoiser))
            errors.append(float(np.mean((true - learned) ** 2) / np.mean(true**2)))
            title += f", error {100 * errors[-1]:.1f} %"
            _arrows(axis, grid, scores(exact.denoiser, grid, level), REAL, "exact", 0.007)
        axis.plot(*noised[:500].T, ".", ms=2, color="#aaaaaa", label="noised data", zorder=0)
        _arrows(axis, grid, scores(denoiser, grid, level), FAKE, "learned", 0.003)
        (left, bottom), (right, top) = grid.min(axis=0), grid.max(axis=0)
        axis.set(xlim=(left, right), ylim=(bottom, top), xlabel="$x_1$", ylabel="$x_2$")
        axis.set_aspect("equal")
        axis.set_title(title, fontsize=10)
    note = (
        "" if exact is None else "; error: mean square over that of the exact score, on noised data"
    )
    _finish(figure, axes, f"score $\\sigma\\nabla\\log p${note}", folder, "scores.png")
    return {"score_error": float(np.mean(errors))} if errors else {}


def _square(limits: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The square around a window, with its centre."""
    centre, half = (limits[0] + limits[1]) / 2, (limits[1] - limits[0]).max() / 2
    return centre - half, centre + half


def _arrows(
    axis: Any, grid: np.ndarray, values: np.ndarray, color: str, label: str, width: float
) -> None:
    """Arrows whose lengths are the square roots of what they are; of `MOST_SHOWN` a cell's side."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    cell = float(grid[1, 0] - grid[0, 0])
    shown = values / np.sqrt(np.maximum(lengths, 1e-9)) * cell / np.sqrt(MOST_SHOWN)
    axis.quiver(
        *grid.T, *shown.T, color=color, width=width, label=label, angles="xy", scale_units="xy",
        scale=1, headwidth=3.5, headlength=4, headaxislength=3.5,
    )  # fmt: skip


def _finish(figure: Any, axes: Any, title: str, folder: RunFolder, name: str) -> None:
    handles, names = np.atleast_1d(axes).flat[0].get_legend_handles_labels()
    figure.legend(handles, names, fontsize=9, loc="outside lower center", ncols=4, markerscale=2)
    figure.suptitle(title, fontsize=11)
    plots.save(figure, folder.path / name)


def draw_density(
    folder: RunFolder,
    denoiser: Any,
    exact: ExactLaw | None,
    process: Process,
    points: np.ndarray,
    std: float,
    key: PRNGKeyArray,
) -> dict[str, float]:
    """density.png: contours of the density of a model's probability flow, beside the exact ones.

    **Returns:** `kl_at_little_noise`: the mean of the exact log-density less the learned one on
    noised held-out points, in nats, and its standard error.
    """
    interpolant, ratio = process.interpolant, TOLD_APART * std
    begin = float(interpolant.time_of(jnp.float32(-2 * np.log(ratio))))
    times = flow_times(process)._replace(begin=begin)
    level = interpolant.level(jnp.float32(begin))
    limits = plots.plane_limits(float(level.alpha) * points, 0.1)
    grid = plots.plane_grid(limits, CELLS)
    of_model = lambda x: log_probs(denoiser, interpolant, times, x.astype(np.float32), None)[0]
    found = {"learned": of_model(grid)}
    numbers = {}
    if exact is not None:
        noise = np.asarray(jax.random.normal(key, points[:COMPARED].shape))
        noised = float(level.alpha) * points[:COMPARED] + float(level.sigma) * noise
        of_law = jax.jit(jax.vmap(lambda x: exact.log_prob(x, level)))
        gap = np.asarray(of_law(jnp.asarray(noised)), np.float64) - of_model(noised)
        mean, error = tables.mean_and_error(gap)
        numbers = {"kl_at_little_noise": mean, "kl_at_little_noise_error": error or 0.0}
        found = {"exact": np.asarray(of_law(jnp.asarray(grid, jnp.float32)))} | found
    kl = f"; KL {numbers['kl_at_little_noise']:.3f} nats" if numbers else ""
    title = f"density of data with noise of {ratio:.2g} of the signal{kl}"
    _draw_contours(found, limits, title, folder)
    return numbers


def _draw_contours(
    found: dict[str, np.ndarray], limits: tuple[np.ndarray, np.ndarray], title: str,
    folder: RunFolder,
) -> None:  # fmt: skip
    """Log-densities on the cells of a window, by name, side by side."""
    figure, axes = subplots(
        1, len(found), figsize=(4.6 * len(found) + 0.8, 5.0), layout="constrained", squeeze=False
    )
    top = max(float(values.max()) for values in found.values())
    ticks = [np.linspace(low, high, CELLS) for low, high in zip(*limits, strict=True)]
    shown = None
    for axis, (name, values) in zip(axes.flat, found.items(), strict=True):
        # Contours at equal ratios, down to a thousandth of the highest.
        shown = axis.contourf(
            *ticks, (values.reshape(CELLS, CELLS) - top) / np.log(10), np.linspace(-3, 0, 10),
            cmap="Blues", extend="min",
        )  # fmt: skip
        axis.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", title=name)
        axis.label_outer()
    assert shown is not None
    figure.colorbar(shown, ax=axes, label="$\\log_{10}$ of density over the highest", shrink=0.8)
    figure.suptitle(title, fontsize=11)
    plots.save(figure, folder.path / "density.png")


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
    axis.plot(*data[:2000].T, ".", ms=2, color="#aaaaaa", label="data", zorder=0)
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
