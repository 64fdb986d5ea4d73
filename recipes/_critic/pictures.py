"""Pictures of critics that were trained to the end between fixed laws."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._critic.laws import Clouds
from recipes._critic.studies import (
    WAYS,
    Depths,
    Discriminator,
    Exact,
    Trained,
    exact_surface,
    weights_of,
)
from recipes._gans.pictures import line_views, plane_views
from recipes._report.plots import (
    FAKE,
    REAL,
    THEORY,
    Curve,
    Panel,
    draw_views,
    panels,
    plane_grid,
    plane_limits,
    save,
    subplots,
)

SIDE = 90


def draw_critics(found: dict[str, Trained], exact: Exact, clouds: Clouds, path: Path) -> None:
    """Every critic over its space beside the exact one: contours in the plane, else curves."""
    real, fake = map(np.asarray, clouds)
    low, high = plane_limits(np.concatenate([real, fake]), 0.1)
    at = (
        np.linspace(low[0], high[0], 400)[:, None]
        if real.shape[1] == 1
        else plane_grid((low, high), SIDE)
    ).astype(np.float32)
    surfaces = {f"exact: $W_1$ = {exact.w1:.3f}": exact_surface(exact, clouds, at)}
    for way, trained in found.items():
        numbers = trained.numbers
        title = (
            f"{WAYS[way]}\nestimate {numbers['estimate']:.3g}, "
            f"slopes {numbers['slope_mean']:.2g} on average"
        )
        surfaces[title] = np.asarray(go.critic_scores(trained.critic, jnp.asarray(at)))
    if real.shape[1] == 1:
        _curves(surfaces, at[:, 0], real, fake, path)
    else:
        _contours(surfaces, (low, high), real, fake, path)


def _contours(surfaces: dict[str, np.ndarray], limits: Any, real, fake, path: Path) -> None:
    figure, axes = subplots(2, 3, figsize=(13.2, 8.6))
    xs, ys = (np.linspace(low, high, SIDE) for low, high in zip(*limits, strict=True))
    for axis, (title, values) in zip(axes.flat, surfaces.items(), strict=False):
        filled = axis.contourf(xs, ys, values.reshape(SIDE, SIDE), 20, cmap="Greys_r", alpha=0.8)
        figure.colorbar(filled, ax=axis, shrink=0.85)
        axis.scatter(*real.T, s=5, color=REAL, linewidths=0)
        axis.scatter(*fake.T, s=5, color=FAKE, linewidths=0)
        axis.set_title(title, fontsize=10)
        axis.set_aspect("equal")
    _legend_in_the_rest(axes, len(surfaces), "o", "brighter: the critic takes it for data")
    figure.tight_layout()
    save(figure, path)


def _curves(surfaces: dict[str, np.ndarray], xs: np.ndarray, real, fake, path: Path) -> None:
    figure, axes = subplots(2, 3, figsize=(13.2, 7.0), sharex=True)
    for axis, (title, values) in zip(axes.flat, surfaces.items(), strict=False):
        axis.plot(xs, values, color=THEORY)
        for points, color, place in ((real, REAL, 0.0), (fake, FAKE, 0.04)):
            heights = np.full(len(points), place)
            axis.plot(points[:, 0], heights, "|", color=color, transform=axis.get_xaxis_transform())
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="x", ylabel="f(x)")
    _legend_in_the_rest(axes, len(surfaces), "|", "higher: the critic takes it for data")
    figure.tight_layout()
    save(figure, path)


def _legend_in_the_rest(axes: np.ndarray, taken: int, marker: str, title: str) -> None:
    for axis in axes.flat[taken:]:
        axis.axis("off")
    free = axes.flat[-1]  # one is always free: there are four ways, and the exact critic
    free.plot([], [], marker, color=REAL, label="data")
    free.plot([], [], marker, color=FAKE, label="generated")
    free.legend(loc="center", title=title)


def draw_histograms(found: dict[str, Trained], clip: float, path: Path) -> None:
    """Above, slopes on the coupling lines, which are 1 at the optimum; below, the weights."""
    figure, axes = subplots(2, len(found), figsize=(3.5 * len(found), 6.2), squeeze=False)
    for column, (way, trained) in zip(axes.T, found.items(), strict=True):
        slopes, weights = column
        slopes.hist(trained.slopes, 40, color=REAL)
        slopes.axvline(1.0, color=THEORY, ls="--", label="optimum: 1")
        slopes.set(title=WAYS[way], xlabel=r"$|\nabla f|$ on the coupling lines")
        slopes.legend(fontsize=8)
        weights.hist(weights_of(trained.critic), 60, color=FAKE)
        if way == "clip":
            for side in (-clip, clip):
                weights.axvline(side, color=THEORY, ls="--")
        weights.set(xlabel="weights" + (" (dashed: the bounds)" if way == "clip" else ""))
        weights.set_yscale("log")
    axes[0][0].set_ylabel("points on the lines")
    axes[1][0].set_ylabel("weights, logarithmic")
    figure.tight_layout()
    save(figure, path)


def draw_depths(found: Depths, path: Path) -> None:
    """Gradient norms from the input's layer to the output's, on a logarithmic axis."""
    layers = np.arange(1, found.norms.shape[1] + 1)
    positive = np.where(found.norms > 0, found.norms, np.nan)
    curves = [
        Curve(label, layers, row, "o-") for label, row in zip(found.labels, positive, strict=True)
    ]
    title = f"Gradients in a critic of {len(layers) - 1} hidden layers"
    label = r"$|\partial f / \partial a_l|$, root mean square"
    panels([Panel(title, "layer l, from the input", label, curves, log_y=True)], path)


def draw_discriminator(found: Discriminator, some: np.ndarray, path: Path) -> None:
    """D beside D*, over both densities; `some`: generated points `(n, d)`."""
    numbers = found.numbers
    title = (
        f"V(D, G) = {numbers['value']:.4f}, -log 4 + 2 JS = {numbers['value_at_optimum']:.4f}, "
        f"largest |D - D*| {numbers['d_error_max']:.2g}"
    )
    density = lambda log_p: np.exp(np.asarray(log_p[:-1])) / found.cells.volume
    d, best = np.asarray(jax.nn.sigmoid(found.logits[:-1])), np.asarray(found.best[:-1])
    p_data, p_gen = density(found.log_p_data), density(found.log_p_gen)
    if found.cells.centres.shape[1] == 1:
        views = line_views(found.cells, p_data, p_gen, d, best, "$p_g$, exact")
    else:
        views = plane_views(found.cells, p_data, some, d, best, found.populated)
    draw_views(views, path, title)
