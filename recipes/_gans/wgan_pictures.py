"""The curves of a Wasserstein GAN's run."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, ROUNDS, THEORY, Curve, Panel, constant

Columns = dict[str, list[Any]]

BIAS = (
    "$W_1$ of batches is biased upwards, even for real points (dotted);\n"
    "the estimate of a 1-Lipschitz critic is below the $W_1$ of the laws"
)


def draw_curves(lines: list[dict[str, Any]], lipschitz: str, clip: float, folder: Path) -> None:
    """Draw curves.png from the lines of metrics.jsonl."""
    train, held = plots.columns_of(lines, "train"), plots.columns_of(lines, "eval")
    # At round 0 the critic has learned nothing, so that what it says there is not drawn.
    judged = plots.columns_of(lines, "eval", after=0)
    if not judged:
        return
    parts = [
        _distances(train, held, judged, lipschitz),
        _scores_panel(train),
        slopes_panel(judged, lipschitz),
        gradients_panel(judged),
    ]
    if lipschitz == "clip":
        curve = Curve(f"weights at ±{clip:g}", judged["round"], judged["share_at_limit"], "o-")
        parts.append(Panel("Weight clipping", ROUNDS, "share of the critic's weights", [curve]))
    plots.panels(parts, folder / "curves.png")


def _distances(train: Columns, held: Columns, judged: Columns, lipschitz: str) -> Panel:
    per_slope = judged["wasserstein_estimate_per_slope"]
    curves = [
        Curve("exact $W_1$, generated to real points", held["round"], held["w1_exact"], "o-", FAKE),
        Curve(f"exact $W_1$, {PERFECT}", held["round"], held["w1_floor"], ":", THEORY),
        Curve("critic's estimate / steepest slope seen", judged["round"], per_slope, "s--", REAL),
    ]
    if lipschitz in ("gp", "lp"):
        label = "critic's estimate, training batches"
        curves.append(Curve(label, train["round"], train["wasserstein_estimate"], "-", "#8fadd6"))
    title = "Distance from generated to real points"
    return Panel(title, ROUNDS, "in the data's units", curves, log_y=True, note=BIAS)


def _scores_panel(train: Columns) -> Panel:
    estimate = train["wasserstein_estimate"]
    curves = [
        Curve("E f(x) - E f(G(z)), no penalty in it", train["round"], estimate, color=REAL),
        Curve("weighted penalty", train["round"], train["penalty"], color=FAKE),
    ]
    return Panel("Training batches, the penalty apart", ROUNDS, "critic's score", curves)


def slopes_panel(judged: Columns, lipschitz: str) -> Panel:
    """Gradient norms of the critic, where they are penalised beside the penalty's target."""
    rounds = judged["round"]
    curves = [
        Curve("mean", rounds, judged["slope_mean"], "o-", REAL),
        Curve("largest", rounds, judged["slope_max"], "s--", FAKE),
    ]
    if lipschitz in ("gp", "lp"):
        curves.append(constant("optimal critic: 1", 1.0, rounds))
    title = "Slope of the critic between real and generated points"
    return Panel(title, ROUNDS, "gradient norm", curves)


def gradients_panel(judged: Columns) -> Panel:
    """Norms of the gradient of the critic's loss, a curve for each weight matrix."""
    norms = np.asarray(judged["critic_gradient_norms"], float).T
    curves = [
        Curve(f"layer {index + 1}", judged["round"], list(row), "o-")
        for index, row in enumerate(norms)
    ]
    title = "Gradient of the critic's loss, layer by layer"
    return Panel(title, ROUNDS, "norm", curves, log_y=True)
