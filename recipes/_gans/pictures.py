"""The pictures of a GAN: D against D*, V against its optimum, and curves on data."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._gans.density_grid import GridCells
from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, ROUNDS, THEORY, Curve, Panel, constant
from recipes._report.views import Area, Line, Points, Shade, View

MINUS_LOG_4 = -float(np.log(4.0))
PROBABILITY = "probability of being data"
OPTIMUM = "$D^* = p_d / (p_d + p_g)$"


def line_views(
    cells: GridCells,
    p_data: np.ndarray,
    p_gen: np.ndarray,
    d: np.ndarray,
    best: np.ndarray,
    p_gen_label: str = "$p_g$, pushed from 100 000 latents",
) -> list[View]:
    """On the line: both densities, and D against D* where there is anything to tell apart.

    A density above 1.6 times the data's highest is cut off: a generator that has just begun is all
    peaks.
    """
    xs = cells.centres[:, 0]
    left, right, top = float(xs[0]), float(xs[-1]), 1.6 * float(p_data.max())
    densities = [Area("$p_d$, exact", xs, p_data, REAL), Line(p_gen_label, xs, p_gen, FAKE)]
    populated = np.where(p_data + p_gen > 1e-3, best, np.nan)
    half = Line("1/2", xs[[0, -1]], np.array([0.5, 0.5]), "#999999")
    scores = [half, Line("D, learned", xs, d, REAL), Line(OPTIMUM, xs, populated, THEORY, ":")]
    return [
        View("densities", "x", "density", (left, 0.0), (right, top), densities),
        View("discriminator", "x", "D(x)", (left, -0.05), (right, 1.05), scores),
    ]


def plane_views(
    cells: GridCells, p_data: np.ndarray, points: np.ndarray, d: np.ndarray, best: np.ndarray,
    populated: np.ndarray,
) -> list[View]:  # fmt: skip
    """In the plane: samples on the density, D, and D* on the same scale where there is mass."""
    low, high = ((float(x), float(y)) for x, y in (cells.low, cells.high))
    image = lambda values: np.asarray(values).reshape(cells.side, cells.side).T
    optimum = image(np.where(populated, best, np.nan))
    parts = {
        "$p_d$ (blue) and samples": [
            Shade("", image(p_data), "Blues"),
            Points("generated", points, FAKE, size=4.0),
        ],
        "D, learned": [Shade(PROBABILITY, image(d), "RdBu", 0.0, 1.0)],
        OPTIMUM: [
            Shade(PROBABILITY, optimum, "RdBu", 0.0, 1.0, nothing="hardly any mass"),
        ],
    }
    return [
        View(title, "$x_1$", "$x_2$", low, high, layers, equal=True)
        for title, layers in parts.items()
    ]


def draw_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """V(D, G) against the value at D* and -log 4; the divergence; the largest error of D."""
    held = plots.columns_of(lines, "eval")
    rounds = held["round"]
    value = [
        Curve("$V(D, G)$", rounds, held["value"], "o-", REAL),
        Curve("$V(D^*, G) = -\\log 4 + 2 JS$", rounds, held["value_at_optimum"], "s--", FAKE),
        constant("$-\\log 4$: reached iff $p_g = p_d$", MINUS_LOG_4, rounds),
    ]
    js = [
        Curve("$JS(p_d, p_g)$", rounds, held["js"], "o-", REAL),
        constant("$\\log 2$: nothing in common", float(np.log(2.0)), rounds),
    ]
    error = [
        Curve("largest", rounds, held["d_error_max"], "s--", FAKE),
        Curve("mean over $(p_d + p_g) / 2$", rounds, held["d_error_mean"], "o-", REAL),
    ]
    plots.panels(
        [
            Panel("Value of the game", ROUNDS, "nats", value),
            Panel("Divergence from the data", ROUNDS, "nats", js),
            Panel("$|D - D^*|$ where there is mass", ROUNDS, "probability", error),
        ],
        path,
        columns=3,
    )


def draw_data_curves(lines: list[dict[str, Any]], path: Path) -> None:
    """On data: exact W1 beside that of other data, the value and D on held points, the penalty."""
    held, train = plots.columns_of(lines, "eval"), plots.columns_of(lines, "train")
    rounds, moments = held["round"], train["round"]
    distance = [
        Curve("generated to real points", rounds, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, rounds, held["w1_floor"], ":", THEORY),
    ]
    value = [
        Curve("$V(D, G)$", rounds, held["value"], "o-", REAL),
        constant("$-\\log 4$: where $p_g = p_d$ and D is optimal", MINUS_LOG_4, rounds),
    ]
    probability = [
        Curve("mean D on data", rounds, held["d_real"], "o-", REAL),
        Curve("mean D on samples", rounds, held["d_fake"], "s--", FAKE),
        constant("1/2: D cannot tell them apart", 0.5, rounds),
    ]
    penalty = [
        Curve("weighted penalty", moments, train["penalty"], color=FAKE),
        Curve("generator's loss", moments, train["loss_x"], color=REAL),
    ]
    plots.panels(
        [
            Panel("Exact $W_1$ (optimal transport)", ROUNDS, "in the data's units", distance),
            Panel("Value of the game", ROUNDS, "nats", value),
            Panel("The discriminator on the same points", ROUNDS, "probability", probability),
            Panel("Training batches", ROUNDS, "nats", penalty),
        ],
        path,
    )
