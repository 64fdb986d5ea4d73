"""Pictures of transport: piles and moves, plans as lines, potentials, the bias of entropy."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import scipy.spatial
from matplotlib.collections import LineCollection

import theory
from recipes._report.plots import (
    FAKE,
    REAL,
    THEORY,
    WIDE,
    Curve,
    Panel,
    legend_below,
    panels,
    plane_grid,
    save,
    subplots,
)
from recipes._transport.numbers import CloudTransport, PileTransport

SIDE = 120
"""Pixels of the potential's map along an axis."""


def draw_piles(found: PileTransport, path: Path) -> None:
    """The piles above, the holes below, and an arrow as thick as its mass for each move."""
    count = len(found.piles)
    figure, (above, between, below) = subplots(
        3, 1, figsize=(max(5.6, 0.9 * count), 7.0), height_ratios=(1, 1.3, 1), sharex=True
    )
    places, tallest = np.arange(count), max(found.piles.max(), found.holes.max())
    for axis, heights, color, name in (
        (above, found.piles, REAL, "piles"),
        (below, found.holes, FAKE, "holes"),
    ):
        bars = axis.bar(places, heights, 0.6, color=color)
        axis.bar_label(bars, fmt="{:g}", label_type="center", color="white")
        axis.set(ylabel=f"mass of the {name}", ylim=(0, 1.05 * tallest))
    below.invert_yaxis()
    below.set(xlabel="position", xticks=places)
    _arrows(between, found)
    above.set_title(
        f"least work {found.work:g}, mass times distance; "
        f"$W_1$ = {found.work:g} / {found.total:g} = {found.work / found.total:.4g}"
    )
    figure.tight_layout()
    save(figure, path)


def _arrows(axis: Any, found: PileTransport) -> None:
    heaviest = max(move.mass for move in found.moves)
    for index, move in enumerate(found.moves):
        stays = move.source == move.target
        color = "0.6" if stays else THEORY
        width = 1 + 3 * move.mass / heaviest
        style = {"arrowstyle": "-|>", "lw": width, "color": color, "mutation_scale": 10 + 2 * width}
        axis.annotate("", (move.target, 0), (move.source, 1), arrowprops=style)
        # Labels on arrows that cross stand at different heights.
        share = 0.5 if stays else 0.3 + 0.4 * (index % 3) / 2
        place = (move.source + share * (move.target - move.source), 1 - share)
        box = {"boxstyle": "round,pad=0.15", "fc": "white", "ec": color}
        axis.text(*place, f"{move.mass:g}", ha="center", va="center", color=color, bbox=box)
    axis.set(ylim=(-0.05, 1.05), yticks=[], ylabel="moves (grey: stays)")
    for side in ("left", "right", "top", "bottom"):
        axis.spines[side].set_visible(False)


def principal_axes(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, str]:
    """Both clouds in the plane, and what its axes are: the data's own if there are two."""
    if x.shape[1] == 2:
        return x, y, "$x_{}$"
    both = np.concatenate([x, y])
    _, _, rows = np.linalg.svd(both - both.mean(axis=0), full_matrices=False)
    flat = (both - both.mean(axis=0)) @ rows[:2].T
    return flat[: len(x)], flat[len(x) :], "principal axis {}"


def draw_clouds(found: CloudTransport, names: tuple[str, str], path: Path) -> None:
    """The plan as lines, and the potentials as colours; in the plane they cover all of it."""
    x, y, label = principal_axes(found.x, found.y)
    figure, axes = subplots(1, 2, figsize=(WIDE, 5.4), layout="constrained")
    given = [Path(name).name for name in names]
    titles = [f"{given[0]}: where the mass is", f"{given[1]}: where it must go"]
    _draw_plan(axes[0], found, x, y, titles)
    _draw_potential(figure, axes[1], found, x, y, titles)
    for axis in axes:
        axis.set(xlabel=label.format(1), ylabel=label.format(2))
        axis.set_aspect("equal", adjustable="datalim" if found.x.shape[1] > 2 else "box")
        legend_below(axis, columns=1)
    save(figure, path)


def _plan_lines(found: CloudTransport, x, y, color: str, width: float) -> LineCollection:
    """A line for each move, as wide as its mass."""
    sources, targets = np.nonzero(found.plan.plan)
    masses = found.plan.plan[sources, targets]
    return LineCollection(
        np.stack([x[sources], y[targets]], axis=1).tolist(),
        linewidths=width * (0.3 + 0.7 * masses / masses.max()),
        colors=color,
        label="the plan's moves",
    )


def _draw_plan(axis: Any, found: CloudTransport, x, y, titles: list[str]) -> None:
    axis.add_collection(_plan_lines(found, x, y, "0.45", 1.0))
    for points, color, title in ((x, REAL, titles[0]), (y, FAKE, titles[1])):
        axis.scatter(*points.T, s=14, color=color, label=title, zorder=3, linewidths=0)
    axis.set_title(f"optimal plan, $W_{found.p}$ = {found.plan.distance:.4g}", fontsize=11)


def _draw_potential(figure: Any, axis: Any, found: CloudTransport, x, y, titles: list[str]) -> None:
    """The critic over the plane if the cost is the distance, else a potential at each cloud."""
    source, target = found.potentials.source, found.potentials.target
    shades = {"cmap": "Greys", "vmin": source.min(), "vmax": source.max()}
    shown = None
    if found.x.shape[1] == 2:
        both = np.concatenate([x, y])
        pad = 0.1 * np.ptp(both, axis=0).max()
        limits = both.min(axis=0) - pad, both.max(axis=0) + pad
        xs, ys = (np.linspace(low, high, SIDE) for low, high in zip(*limits, strict=True))
        surface = potential_surface(found, plane_grid(limits, SIDE))
        shades |= {"vmin": surface.min(), "vmax": surface.max()}
        shown = axis.contourf(xs, ys, surface.reshape(SIDE, SIDE), 20, alpha=0.6, **shades)
    if found.p == 1:
        axis.add_collection(_plan_lines(found, x, y, "black", 0.6))
        label = "critic f, steepest along the lines: f(x) - f(y) = |x - y|"
        at_x = axis.scatter(*x.T, s=16, color=REAL, lw=0, label=titles[0], zorder=3)
        axis.scatter(*y.T, s=16, color=FAKE, lw=0, label=titles[1], zorder=3)
        if shown is None:  # not in the plane: the critic is known at the points alone
            at_x.remove()
            at_x = axis.scatter(*x.T, s=16, c=source, ec=REAL, lw=0.8, label=titles[0], **shades)
        figure.colorbar(shown or at_x, label=label, shrink=0.85)
    else:
        at_x = axis.scatter(*x.T, s=16, c=source, ec=REAL, lw=0.8, label=titles[0], **shades)
        at_y = axis.scatter(
            *y.T, s=18, c=target, cmap="Purples", marker="s", ec=FAKE, lw=0.8, label=titles[1]
        )
        figure.colorbar(at_y, label=r"$\psi$ (squares)", shrink=0.85)
        figure.colorbar(at_x, label=r"$\varphi$ (circles)", shrink=0.85)
    axis.set_title(f"dual potentials, duality gap {found.duality.gap:.0e}", fontsize=11)


def potential_surface(found: CloudTransport, at: np.ndarray) -> np.ndarray:
    r"""$\varphi(z) = \min_j \|z - y_j\|^p - \psi_j$ at points `(k, d)`: shape `(k,)`.

    For p = 1 it is an optimal 1-Lipschitz critic on all of space.
    """
    costs = scipy.spatial.distance.cdist(found.y, at) ** found.p
    return np.asarray(theory.c_transform(jnp.asarray(found.potentials.target), jnp.asarray(costs)))


def draw_entropic(found: CloudTransport, path: Path) -> None:
    """Draw costs, values and bias against the strength of entropy."""
    levels = sorted(found.entropic)
    epsilons = [level.epsilon for level in levels]
    ends = [epsilons[0], epsilons[-1]]
    column = lambda name: [getattr(level, name) for level in levels]
    power = "" if found.p == 1 else f"^{found.p}"
    exact = Curve(f"exact $W_{found.p}{power}$", ends, [found.cost] * 2, "--", THEORY)
    label = r"regularisation $\varepsilon$, in units of the cost"
    values = [
        Curve("cost of the blurred plan", epsilons, column("cost"), "o-"),
        Curve(r"$OT_\varepsilon$, entropy included", epsilons, column("value"), "s-"),
        Curve("Sinkhorn divergence", epsilons, column("divergence"), "^-"),
        exact,
    ]
    bias = [Curve("cost of the blurred plan less the exact cost", epsilons, column("bias"), "o-")]
    panels(
        [
            Panel("Entropic transport", label, "cost", values, log_x=True),
            Panel("Its bias", label, "cost", bias, log_x=True, log_y=True),
        ],
        path,
    )
