"""Pictures of critics that were trained to the end between fixed laws."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._critic.laws import LawSamples
from recipes._critic.studies import (
    WAYS,
    Depths,
    Discriminator,
    Exact,
    TrainedCritic,
    exact_surface,
    weights_of,
)
from recipes._gans.pictures import line_views, plane_views
from recipes._report.plots import (
    FAKE,
    REAL,
    THEORY,
    WIDE,
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


def draw_critics(
    found: dict[str, TrainedCritic], exact: Exact, clouds: LawSamples, path: Path
) -> None:
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
    """All critics on one scale, each moved so that its mean over the points is 0.

    A critic is known up to a constant. The ends of the scale are those of the exact one: a critic
    that is too steep passes them.
    """
    figure, axes = subplots(2, 3, figsize=(WIDE, 7.4), layout="constrained")
    nearest = [_nearest_cells(limits, points) for points in (real, fake)]
    centred = {
        title: values - np.mean([values[rows].mean() for rows in nearest])
        for title, values in surfaces.items()
    }
    end = float(np.abs(next(iter(centred.values()))[np.concatenate(nearest)]).max())
    levels = np.linspace(-end, end, 21)
    xs, ys = (np.linspace(low, high, SIDE) for low, high in zip(*limits, strict=True))
    shown: Any = None
    for axis, (title, values) in zip(axes.flat, centred.items(), strict=False):
        shown = axis.contourf(
            xs, ys, values.reshape(SIDE, SIDE), levels, cmap="Greys_r", alpha=0.8, extend="both"
        )
        axis.scatter(*real.T, s=6, color=REAL, linewidths=0, label="data")
        axis.scatter(*fake.T, s=6, color=FAKE, linewidths=0, label="generated")
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="$x_1$", ylabel="$x_2$")
        axis.set_aspect("equal")
        axis.label_outer()
    _end_page(figure, axes, len(surfaces))
    label = "f(x) less its mean: brighter, the critic takes it for data"
    figure.colorbar(shown, ax=axes, label=label, shrink=0.7, format="%.2g")
    save(figure, path)


def _nearest_cells(limits: Any, points: np.ndarray) -> np.ndarray:
    """The rows of `plane_grid(limits, SIDE)` that are nearest to points `(n, 2)`."""
    low, high = limits
    cells = np.rint((points - low) / (high - low) * (SIDE - 1)).astype(int).clip(0, SIDE - 1)
    return cells[:, 1] * SIDE + cells[:, 0]


def _curves(surfaces: dict[str, np.ndarray], xs: np.ndarray, real, fake, path: Path) -> None:
    figure, axes = subplots(2, 3, figsize=(WIDE, 6.4), sharex=True, layout="constrained")
    for axis, (title, values) in zip(axes.flat, surfaces.items(), strict=False):
        axis.plot(xs, values, color=THEORY)
        for points, color, place, label in (
            (real, REAL, 0.0, "data"),
            (fake, FAKE, 0.04, "generated"),
        ):
            heights, across = np.full(len(points), place), axis.get_xaxis_transform()
            axis.plot(points[:, 0], heights, "|", color=color, transform=across, label=label)
        axis.set_title(title, fontsize=10)
        axis.set(xlabel="x", ylabel="f(x): higher is data")
    _end_page(figure, axes, len(surfaces))
    save(figure, path)


def _end_page(figure: Any, axes: np.ndarray, taken: int) -> None:
    """One legend, and no axes where there is nothing."""
    for axis in axes.flat[taken:]:
        axis.axis("off")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    for handle in legend.legend_handles:
        handle.set(**({"sizes": [30]} if hasattr(handle, "set_sizes") else {"markersize": 9}))


def draw_histograms(found: dict[str, TrainedCritic], clip: float, path: Path) -> None:
    """Above, slopes on the coupling lines, which are 1 at the optimum; below, the weights."""
    size = (WIDE * max(len(found), 2) / 4, 6.0)
    figure, axes = subplots(2, len(found), figsize=size, squeeze=False, layout="constrained")
    for column, (way, trained) in zip(axes.T, found.items(), strict=True):
        slopes, weights = column
        slopes.hist(trained.slopes, 40, color=REAL)
        slopes.axvline(1.0, color=THEORY, ls="--")
        slopes.set_title(WAYS[way], fontsize=11)
        slopes.set_xlabel(r"$|\nabla f|$ on the coupling lines")
        weights.hist(weights_of(trained.critic), 60, color=FAKE)
        if way == "clip":
            for side in (-clip, clip):
                weights.axvline(side, color=THEORY, ls="--")
        weights.set(xlabel="weights" + (" (dashed: the bounds)" if way == "clip" else ""))
        weights.set_yscale("log")
    axes[0][0].set_ylabel("points (dashed: slope 1, the optimum)")
    axes[1][0].set_ylabel("number of weights")
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
