"""Pictures of a trained autoencoder: held-out images, curves, codes, and draws from their law."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np

import gameopt as go
from recipes._autoencoder.baselines import INPUT
from recipes._autoencoder.codes import mapped
from recipes._autoencoder.judge import SHOWN_IMAGES, Judge
from recipes._report import plots
from recipes._report.plots import FAKE, REAL, Curve, Panel, constant
from recipes._report.rows import Row, draw_rows
from recipes._report.tables import mean_and_error, plus_minus
from recipes._runtime.run import RunFolder

STEPS, PATHS = 9, 3
"""Images on a path between two codes, and paths."""
MOST_CLASSES = 20
"""Classes that are told apart by colour."""
ROUNDS = "round"


def draw_held_out(judge: Judge, answers: dict[str, np.ndarray]) -> None:
    """held_out.png: inputs, the autoencoder's `answers`, the baselines', and what is wanted."""
    found = answers | judge.baselines
    scored = {
        name: f"{name}\n{plus_minus(*mean_and_error(judge.scores(images)), 4)}"
        for name, images in found.items()
    }
    rows = [Row(scored[name], judge.as_picture(images)) for name, images in found.items()]
    if INPUT in found:  # at the top, and not among the answers
        rows.insert(0, rows.pop([*found].index(INPUT)))
    elif judge.segments:
        rows.insert(0, Row(INPUT, judge.pictures))
    rows.append(Row("truth", judge.as_picture(judge.wanted)))
    rows = [Row(row.label, row.images[:SHOWN_IMAGES]) for row in rows]
    what = "IoU of the masks" if judge.segments else "squared error of a pixel in [-1, 1]"
    title = f"Held-out images, and the mean {what} over {len(judge.seen)} of them"
    draw_rows(rows, judge.folder.path / "held_out.png", title)


def draw_curves(lines: list[dict[str, Any]], reference: str, path: Path) -> None:
    """Losses of batches and of held-out images, and the level of the reference."""
    # Without round 0, whose error would hide what comes after.
    train, held = (plots.columns_of(lines, kind, after=0) for kind in ("train", "eval"))
    rounds, evaluated = train["round"], held["round"]
    batches = Curve("training batches", rounds, train["loss_x"], "-", REAL)
    level = constant(reference, held["reference"][-1], evaluated)
    if "iou" not in held:
        own = [Curve("held-out images", evaluated, held["error"], "o-", FAKE)]
        if "error_kept" in held:
            kept = "held-out images, what is known kept"
            own.append(Curve(kept, evaluated, held["error_kept"], "s--", FAKE))
        title = "Mean squared error of a pixel in [-1, 1]"
        plots.panels([Panel(title, ROUNDS, "error", [batches, *own, level], log_y=True)], path)
        return
    entropy = Curve("held-out images", evaluated, held["cross_entropy"], "o-", FAKE)
    score = Curve("held-out images", evaluated, held["iou"], "o-", FAKE)
    plots.panels(
        [
            Panel("Cross-entropy of a pixel", ROUNDS, "nats", [batches, entropy], log_y=True),
            Panel("Masks", ROUNDS, "mean IoU", [score, level]),
        ],
        path,
    )


def draw_code_map(codes: np.ndarray, labels: np.ndarray | None, path: Path) -> None:
    """codes.png: codes `(n, k)` of held-out images, in their first two principal directions."""
    centred = codes - codes.mean(axis=0)
    _, stretches, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ axes[:2].T
    shares = 100 * stretches**2 / np.sum(stretches**2)
    figure, axis = plots.subplots(figsize=(6.4, 5.0), layout="constrained")
    classes = [] if labels is None else np.unique(labels)
    if labels is not None and 1 < len(classes) <= MOST_CLASSES:
        palette = matplotlib.colormaps["tab10" if len(classes) <= 10 else "tab20"]
        for index, label in enumerate(classes):
            there = places[labels == label]
            axis.scatter(*there.T, s=14, color=palette(index), label=str(label), lw=0)
        figure.legend(loc="outside right upper", title="label", frameon=False, markerscale=1.8)
    else:
        axis.scatter(*places.T, s=10, color=REAL, lw=0, alpha=0.7)
    axis.set(
        title=f"Codes of {len(codes)} held-out images",
        xlabel=f"first principal direction ({shares[0]:.0f} % of the variance)",
        ylabel=f"second ({shares[1]:.0f} %)",
    )
    axis.set_aspect("equal", adjustable="datalim")
    axis.grid(alpha=0.25)
    plots.save(figure, path)


def draw_interpolations(
    folder: RunFolder,
    players: go.Players,
    images: np.ndarray,
    codes: np.ndarray,
    labels: np.ndarray | None,
) -> None:
    """interpolations.png: straight lines between two codes, above those between two images.

    Images of distinct `labels`, shape `(n,)`, where there are any.
    """
    shares = np.linspace(0, 1, STEPS, dtype=np.float32)
    chosen = np.arange(len(codes)) if labels is None else np.unique(labels, return_index=True)[1]
    rows = []
    for start, end in zip(chosen[: 2 * PATHS : 2], chosen[1 : 2 * PATHS : 2], strict=False):
        line = lambda of, ends=(start, end): np.stack(
            [(1 - s) * of[ends[0]] + s * of[ends[1]] for s in shares]
        )
        decoded = np.asarray(mapped(players.x, jnp.asarray(line(codes))))
        rows += [Row("codes", decoded), Row("pixels", line(images))]
    title = "Between two held-out images: decoded from a line of codes, and faded into each other"
    draw_rows(rows, folder.path / "interpolations.png", title)


def draw_generated(folder: RunFolder, generated: np.ndarray, data: np.ndarray) -> None:
    """generated.png: images of codes drawn from a Gaussian fitted to codes, and data."""
    rows = [
        Row(name, part)
        for name, images in (("drawn", generated), ("data", data))
        for part in np.split(images[: 2 * SHOWN_IMAGES], 2)
    ]
    title = (
        "Decoded from codes that are drawn from a Gaussian fitted to the codes of the data.\n"
        "Nothing makes these codes Gaussian, so that some draws are far from every image's code."
    )
    draw_rows(rows, folder.path / "generated.png", title)
