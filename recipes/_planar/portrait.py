"""The pictures of a phase portrait."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._planar.games import PlanarGame, Verdict
from recipes._report.plots import THEORY, legend_below, log_axis, save, subplots, time_colours

MARKERS = {
    "Nash equilibrium": ("*", "#2a9d3a", 260),
    "Nash, not attracting": ("*", "#b36b00", 260),
    "local minimax, not Nash": ("D", "#2a6fbb", 80),
    "spurious attractor": ("o", "#c0392b", 110),
    "degenerate, the flow circles": ("o", "#b36b00", 110),
    "degenerate attractor": ("o", "#2a9d3a", 110),
    "critical, repelling": ("X", "#555555", 90),
    "critical, undecided": ("P", "#555555", 90),
}


def draw_portrait(
    game: go.AbstractGame,
    planar: PlanarGame,
    paths: np.ndarray,
    flows: np.ndarray | None,
    points: list[tuple[Verdict, float | None]],
    title: str,
    path: Path,
) -> None:
    """The flow in grey, one colour for each play, critical points by what they are."""
    figure, axis = subplots(figsize=(7.0, 7.4), layout="constrained")
    draw_flow(axis, game, planar)
    colors = time_colours(len(paths))
    for index, (play, color) in enumerate(zip(paths, colors, strict=True)):
        label = "plays, from the open circles" if index == 0 else None
        axis.plot(*_seen(play, planar).T, "-", color=color, lw=1.1, marker=".", ms=2.5, label=label)
        axis.plot(*play[0], "o", mfc="white", mec=color, ms=6, zorder=4)
    if flows is not None:
        for index, flow in enumerate(flows):
            label = "theory: modified flow of finite steps" if index == 0 else None
            axis.plot(*_seen(flow, planar).T, "--", color=THEORY, lw=1.0, label=label, zorder=3)
    for verdict, rate in points:
        marker, color, size = MARKERS[verdict.word]
        text = verdict.word + ("" if rate is None else f", rate of a round {rate:.4f}")
        x, y = float(verdict.players.x), float(verdict.players.y)
        axis.scatter(
            x, y, marker=marker, s=size, color=color, edgecolor="white", zorder=5, label=text
        )
    (x, y), half = planar.centre, planar.half_width
    axis.set(
        xlim=(x - half, x + half),
        ylim=(y - half, y + half),
        xlabel="x (minimises its loss)",
        ylabel="y (minimises its loss)",
        title=title,
    )
    axis.set_aspect("equal")
    legend_below(axis, columns=2)
    save(figure, path)


def draw_flow(axis, game: go.AbstractGame, planar: PlanarGame) -> None:
    """The streamlines of minus the field, in grey."""
    (x, y), half = planar.centre, planar.half_width
    xs, ys = np.linspace(x - half, x + half, 60), np.linspace(y - half, y + half, 60)
    grid_x, grid_y = (jnp.asarray(g) for g in np.meshgrid(xs, ys))
    one = lambda a, b: go.field(game, go.Players(a, b))
    field = jax.jit(jax.vmap(jax.vmap(one)))(grid_x, grid_y)
    u, v = -np.asarray(field.x), -np.asarray(field.y)
    axis.streamplot(xs, ys, u, v, color="#bbbbbb", density=1.3, linewidth=0.6, arrowsize=0.8)
    axis.plot([], [], color="#bbbbbb", lw=0.8, label="flow: minus the field")


def _seen(play: np.ndarray, planar: PlanarGame) -> np.ndarray:
    """The play, NaN where it is far outside the window: distant points fill the axes' memory."""
    near = np.abs(play - np.asarray(planar.centre)).max(axis=1) < 5 * planar.half_width
    return np.where(near[:, None], play, np.nan)


def draw_distances(
    paths: np.ndarray,
    points: list[tuple[np.ndarray, str, float | None]],
    title: str,
    path: Path,
) -> None:
    """The distance to the nearest critical point in every round, and the slopes of the theory."""
    figure, axis = subplots(figsize=(7.4, 4.8), layout="constrained")
    rounds = np.arange(paths.shape[1])
    colors = time_colours(len(paths))
    if not points:
        axis.text(0.5, 0.5, "no critical point is known", ha="center", transform=axis.transAxes)
    else:
        places = np.stack([place for place, _, _ in points])
        off = np.linalg.norm(paths[:, :, None] - places[None, None], axis=-1)
        nearest = off.min(axis=-1)
        for index, (distance, color) in enumerate(zip(nearest, colors, strict=True)):
            shown = np.where(np.isfinite(distance) & (distance < 1e6), distance, np.nan)
            label = "plays" if index == 0 else None
            axis.plot(rounds, np.maximum(shown, 1e-16), color=color, lw=1.1, label=label)
        _draw_slopes(axis, rounds, nearest, points)
        log_axis(axis, "y")
    axis.set(xlabel="round", ylabel="distance to the nearest critical point", title=title)
    legend_below(axis, columns=2)
    axis.grid(alpha=0.25)
    save(figure, path)


def _draw_slopes(axis, rounds, nearest, points) -> None:
    """One dashed line for each rate, from the median start."""
    start = np.nanmedian(nearest[:, 0])
    for _, word, rate in points:
        if rate is None or not 0 < rate < 1.5:
            continue
        line = start * np.exp(rounds * np.log(rate))
        inside = (line > 1e-16) & (line < 1e6)
        label = f"theory: {rate:.4f} a round ({word})"
        axis.plot(rounds[inside], line[inside], "--", color=MARKERS[word][1], lw=1.6, label=label)
