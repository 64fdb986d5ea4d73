"""The pictures of a GAN: D against D*, V against its optimum, and curves on data."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._gans.density_grid import Cells
from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, THEORY, Curve, Panel, subplots

MINUS_LOG_4 = -float(np.log(4.0))


def draw_line(
    cells: Cells,
    p_data: np.ndarray,
    p_gen: np.ndarray,
    d: np.ndarray,
    best: np.ndarray,
    path: Path,
    title: str,
    p_gen_label: str = "$p_g$, pushed from 100 000 latents",
) -> None:
    """On the line: both densities, and D against D* where there is anything to tell apart."""
    xs = cells.centres[:, 0]
    populated = p_data + p_gen > 1e-3
    figure, (upper, lower) = subplots(2, 1, figsize=(6.4, 6.0), sharex=True)
    upper.fill_between(xs, p_data, color=REAL, alpha=0.35, label="$p_d$, exact")
    upper.plot(xs, p_gen, color=FAKE, lw=1.2, label=p_gen_label)
    upper.set(ylabel="density", title=title)
    lower.plot(xs, d, color=REAL, label="D, learned")
    shown = np.where(populated, best, np.nan)
    lower.plot(xs, shown, ":", color=THEORY, label="$D^* = p_d / (p_d + p_g)$")
    lower.axhline(0.5, color="grey", lw=0.6)
    lower.set(xlabel="x", ylabel="probability of being data", ylim=(-0.05, 1.05))
    for axis in (upper, lower):
        axis.legend(fontsize=8, loc="upper right")
        axis.grid(alpha=0.25)
    figure.tight_layout()
    plots.save(figure, path)


def draw_plane(
    cells: Cells, p_data: np.ndarray, points: np.ndarray, d: np.ndarray, best: np.ndarray,
    populated: np.ndarray, path: Path, title: str,
) -> None:  # fmt: skip
    """In the plane: samples on the density, D, and D*, on the same scale."""
    figure, axes = subplots(1, 3, figsize=(15, 4.6), sharey=True)
    extent = (cells.low[0], cells.high[0], cells.low[1], cells.high[1])
    image = lambda values: values.reshape(cells.side, cells.side).T
    axes[0].imshow(image(p_data), origin="lower", extent=extent, cmap="Blues")
    axes[0].scatter(*points.T, s=4, color=FAKE, alpha=0.6, linewidths=0, label="generated")
    axes[0].legend(loc="upper right", fontsize=8, markerscale=3)
    names = ("$p_d$ (blue) and samples", "D, learned", "$D^* = p_d / (p_d + p_g)$")
    drawn = None
    for axis, values in zip(axes[1:], (d, np.where(populated, best, np.nan)), strict=True):
        drawn = axis.imshow(
            image(values), origin="lower", extent=extent, cmap="RdBu", vmin=0, vmax=1
        )
    for axis, name in zip(axes, names, strict=True):
        axis.set(title=name, xlabel="$x_1$", xlim=extent[:2], ylim=extent[2:])
    axes[0].set_ylabel("$x_2$")
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, label="probability of being data", shrink=0.85)
    figure.suptitle(title, fontsize=10)
    plots.save(figure, path)


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """V(D, G) against the value at D* and -log 4; the divergence; the largest error of D."""
    held = [line for line in lines if line["kind"] == "eval"]
    rounds = [line["round"] for line in held]
    column = lambda name: [line[name] for line in held]
    label = "round (generator steps)"
    constant = lambda name, level: Curve(name, rounds, [level] * len(rounds), ":", THEORY)
    value = [
        Curve("$V(D, G)$", rounds, column("value"), "o-", REAL),
        Curve("$V(D^*, G) = -\\log 4 + 2 JS$", rounds, column("value_at_optimum"), "s--", FAKE),
        constant("$-\\log 4$: reached iff $p_g = p_d$", MINUS_LOG_4),
    ]
    js = [
        Curve("$JS(p_d, p_g)$", rounds, column("js"), "o-", REAL),
        constant("$\\log 2$: nothing in common", float(np.log(2.0))),
    ]
    error = [
        Curve("largest", rounds, column("d_error_max"), "s--", FAKE),
        Curve("mean over $(p_d + p_g) / 2$", rounds, column("d_error_mean"), "o-", REAL),
    ]
    plots.panels(
        [
            Panel("Value of the game", label, "nats", value),
            Panel("Divergence of the generator from the data", label, "nats", js),
            Panel("$|D - D^*|$ where there is mass", label, "probability", error),
        ],
        path,
        columns=3,
    )


def draw_data_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """On data: exact W1 beside that of other data, the value and D on held points, the penalty."""
    held = [line for line in lines if line["kind"] == "eval"]
    train = [line for line in lines if line["kind"] == "train"]
    rounds = [line["round"] for line in held]
    column = lambda name: [line[name] for line in held]
    label = "round (generator steps)"
    constant = lambda name, level: Curve(name, rounds, [level] * len(rounds), ":", THEORY)
    distance = [
        Curve("exact W1 (optimal transport)", rounds, column("w1_exact"), "o-", FAKE),
        Curve(PERFECT, rounds, column("w1_floor"), ":", THEORY),
    ]
    value = [
        Curve("$V(D, G)$", rounds, column("value"), "o-", REAL),
        constant("$-\\log 4$: where $p_g = p_d$ and D is optimal", MINUS_LOG_4),
    ]
    probability = [
        Curve("mean D on data", rounds, column("d_real"), "o-", REAL),
        Curve("mean D on samples", rounds, column("d_fake"), "s--", FAKE),
        constant("1/2: D cannot tell them apart", 0.5),
    ]
    moments = [line["round"] for line in train]
    penalty = [
        Curve("weighted penalty", moments, [line["penalty"] for line in train], color=FAKE),
        Curve("generator's loss", moments, [line["loss_x"] for line in train], color=REAL),
    ]
    plots.panels(
        [
            Panel("Distance from generated to real points", label, "in the data's units", distance),
            Panel("Value of the game", label, "nats", value),
            Panel("The discriminator on the same points", label, "probability", probability),
            Panel("Training batches", label, "nats", penalty),
        ],
        path,
    )
