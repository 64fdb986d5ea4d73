"""Pictures of codes: maps of indices, what each code decodes to, their use, and curves."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

import theory
from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, REAL, THEORY, Curve, Panel
from recipes._report.rows import Row, draw_rows
from recipes._vqvae.codes import Coded

COLUMNS = 10
MOST_DRAWN = 256
"""Codes of which it is drawn what they decode to."""
GAP = 1
"""Pixels between two images of a mosaic."""
ROUNDS = "round"


def code_colours(codes: np.ndarray) -> np.ndarray:
    """A colour in [-1, 1] for each code, shape `(k, 3)`: near codes have colours that are near.

    Red, green and blue are the ranks along the first three principal axes.
    """
    centred = codes - codes.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:3]
    ranks = np.argsort(np.argsort(centred @ axes.T, axis=0), axis=0)
    colours = 1.8 * ranks / max(1, len(codes) - 1) - 0.9
    return np.pad(colours, ((0, 0), (0, 3 - colours.shape[1])))


def draw_reconstructions(decoder: Any, points: np.ndarray, found: Coded, path: Path) -> None:
    """Held-out images, the indices of their codes as colours, and the images of these codes."""
    rows = np.linspace(0, len(points) - 1, COLUMNS).astype(int)
    indices = found.indices[rows]
    images = np.asarray(eqx.filter_jit(eqx.filter_vmap(decoder))(indices))
    maps = code_colours(np.asarray(decoder.codebook.codes))[np.asarray(indices)]
    height, width = indices.shape[1:]
    draw_rows(
        [Row("held-out", points[rows]), Row("codes", maps), Row("reconstruction", images)],
        path,
        f"images as {height}x{width} codes of a codebook of {len(decoder.codebook.codes)}; codes "
        "that are near have colours that are near",
    )


def draw_priors(learned: np.ndarray, independent: np.ndarray, numbers: dict, path: Path) -> None:
    """Samples through the learned prior above samples of independent codes."""
    label = lambda name, nats: f"{name}\n{nats:.1f} nats"
    top = label("learned prior", numbers["prior_nats"])
    bottom = label("independent", numbers["independent_nats"])
    half = 2 * COLUMNS
    rows = [
        Row(name if part == 0 else "", images[part * COLUMNS : (part + 1) * COLUMNS])
        for name, images in ((top, learned[:half]), (bottom, independent[:half]))
        for part in range(len(images) // COLUMNS)
    ]
    title = "samples by codes from the learned prior, and by codes of each place on its own"
    draw_rows(rows, path, title)


def draw_codebook(decoder: Any, counts: np.ndarray, is_image: bool, path: Path) -> None:
    """The share of each code in held-out data, most used first, and what they decode to."""
    order = np.argsort(-counts, kind="stable")
    shares = counts[order] / counts.sum()
    columns = 2 if is_image else 1
    figure, axes = plots.subplots(
        1, columns, figsize=(5.4 * columns, 4.2), squeeze=False, layout="constrained"
    )
    left, places = axes[0, 0], np.arange(1, len(counts) + 1)
    left.bar(places, shares, width=1.0, color=REAL)
    left.axhline(1 / len(counts), color=THEORY, ls=":", label="all codes alike")
    left.set(xlabel="code, most used first", ylabel="share of the held-out codes")
    perplexity = float(theory.perplexity(counts))
    left.set_title(f"perplexity {perplexity:.1f} of {len(counts)} codes", fontsize=11)
    plots.legend_below(left)
    if is_image:
        drawn = order[:MOST_DRAWN]
        grids = jnp.broadcast_to(
            jnp.asarray(drawn, jnp.int32)[:, None, None], (len(drawn), *decoder.prior.grid)
        )
        images = np.asarray(eqx.filter_jit(eqx.filter_vmap(decoder))(grids))
        right = axes[0, 1]
        right.imshow(_mosaic(plots.to_pixels(images)), cmap="gray", vmin=0, vmax=255)
        right.set_title("a grid of one code alone, decoded; most used first", fontsize=11)
        right.axis("off")
    plots.save(figure, path)


def _mosaic(images: np.ndarray) -> np.ndarray:
    """Bytes of shape `(n, h, w)` or `(n, h, w, c)` as one image, about square."""
    images = images[..., 0] if images.ndim == 4 and images.shape[-1] == 1 else images
    columns = int(np.ceil(np.sqrt(len(images))))
    rows = -(-len(images) // columns)
    height, width = images.shape[1] + GAP, images.shape[2] + GAP
    page = np.full((rows * height, columns * width, *images.shape[3:]), 90, np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * height, place % columns * width
        page[top : top + height - GAP, left : left + width - GAP] = image
    return page


def draw_curves(lines: list[dict[str, Any]], codes: int, size: int, path: Path) -> None:
    """Reconstruction, the codebook's use, the prior beside independent codes, and exact W1.

    - `codes`: in the codebook. `size`: points on each side of the exact W1.
    """
    train, held = plots.columns_of(lines, "train"), plots.columns_of(lines, "eval")
    rounds, at = train["round"], held["round"]
    error = [
        Curve("training batches", rounds, train["batch_error"], "-", REAL),
        Curve("held-out data", at, held["reconstruction_error"], "o-", FAKE),
    ]
    use = [
        plots.constant("codes in the codebook", float(codes), at),
        Curve("codes used", at, held["codes_used"], "s--", REAL),
        Curve("perplexity", at, held["perplexity"], "o-", FAKE),
    ]
    nats = [
        Curve("learned prior", at, held["prior_nats"], "o-", FAKE),
        Curve("the best independent codes", at, held["independent_nats"], ":", THEORY),
    ]
    distance = [
        Curve("generated to real points", at, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, at, held["w1_floor"], ":", THEORY),
    ]
    plots.panels(
        [
            Panel("Reconstruction", ROUNDS, "mean square of an entry", error, log_y=True),
            Panel("Codes of all held-out data", ROUNDS, "number of codes", use),
            Panel("Codes of a held-out point", ROUNDS, "negative log-likelihood, nats", nats),
            Panel(f"Exact $W_1$, {size} points a side", ROUNDS, "distance", distance),
        ],
        path,
    )
