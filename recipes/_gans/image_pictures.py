"""The curves of a GAN of images."""

from pathlib import Path
from typing import Any

from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, ROUNDS, THEORY, Curve, Panel


def draw_image_curves(lines: list[dict[str, Any]], size: int, path: Path) -> None:
    """Both players' losses, the discriminator's scores, and exact W1 beside that of other data.

    - `size`: points on each side of the exact W1.
    """
    train, held = plots.columns_of(lines, "train"), plots.columns_of(lines, "eval")
    rounds, evaluated = train["round"], held["round"]
    losses = [
        Curve("generator", rounds, train["loss_x"], "-", FAKE),
        Curve("discriminator", rounds, train["loss_y"], "-", REAL),
    ]
    scores = [
        Curve("data", evaluated, held["score_real"], "o-", REAL),
        Curve("generated", evaluated, held["score_fake"], "s--", FAKE),
    ]
    distance = [
        Curve("generated to real points", evaluated, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, evaluated, held["w1_floor"], ":", THEORY),
    ]
    plots.panels(
        [
            Panel("Losses on training batches", ROUNDS, "loss", losses),
            Panel("Scores of the discriminator", ROUNDS, "mean score", scores),
            Panel(f"Exact $W_1$, {size} points a side", ROUNDS, "pixel distance", distance),
        ],
        path,
        columns=3,
    )
