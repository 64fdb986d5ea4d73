"""Pictures of the forward and the reverse chain, and of how the training went."""

import numpy as np
from matplotlib.colors import to_hex

import theory
from recipes._diffusion.sampling import Drawn
from recipes._report import plots
from recipes._report.plots import FAKE, PERFECT, THEORY, Curve, Panel
from recipes._report.rows import Row, draw_rows
from recipes._runtime.run import RunFolder

COLUMNS, ROWS = 10, 3
"""Moments of a chain, and images whose chains are drawn."""
BANDS = ("least noise", "little noise", "much noise", "most noise")


def moments_of(steps: int) -> np.ndarray:
    """Places on a grid of levels, from its first to its last."""
    return np.unique(np.round(np.linspace(0, steps, COLUMNS)).astype(int))


def in_view(x: np.ndarray, levels: theory.NoiseLevel, places: np.ndarray, std: float) -> np.ndarray:
    """Noised images at some places of a grid, `(places, h, w, ...)`, scaled to be seen: that of
    data and noise together as far as that of the data."""
    alpha, sigma = (np.asarray(part)[places] for part in levels)
    total = np.sqrt(alpha**2 + (sigma / std) ** 2)
    return x / total.reshape(-1, *[1] * (x.ndim - 1))


def draw_chains(
    folder: RunFolder,
    images: np.ndarray,
    start: np.ndarray,
    drawn: Drawn,
    levels: theory.NoiseLevel,
    std: float,
    rng: np.random.Generator,
) -> None:
    """chains.png: images that become noise, and noise that becomes images.

    **Arguments:**

    - `images`: of the data, `(ROWS, *shape)`. `start`: the noise of the samples, `(ROWS, *shape)`.
    - `drawn`: their path, kept.
    """
    steps = len(levels.alpha) - 1
    places = moments_of(steps)
    alpha, sigma = (np.asarray(part)[places] for part in levels)
    rows = []
    for image in images:
        noise = rng.normal(size=image.shape).astype(np.float32)
        parts = [a * image + s * noise for a, s in zip(alpha, sigma, strict=True)]
        rows.append(Row("data to noise", in_view(np.stack(parts), levels, places, std)[::-1]))
    assert drawn.path is not None
    assert drawn.denoised is not None
    for first, path, denoised in zip(start, drawn.path, drawn.denoised, strict=True):
        whole = np.concatenate([first[None], path])[places]
        # After its last step a chain is where that step went for.
        goals = denoised[np.minimum(places, steps - 1)]
        rows += [
            Row("noise to a sample", in_view(whole, levels, places, std)),
            Row("seen in it", goals),
        ]
    draw_rows(
        rows, folder.path / "chains.png",
        "the forward chain of data, and the reverse chain with the denoiser's view at each moment",
    )  # fmt: skip


def draw_curves(folder: RunFolder, size: int) -> None:
    """curves.png: the loss, also by noise level, and the exact W1 of samples."""
    lines = folder.read_metrics()
    # Without the start, which would hide all that follows.
    train, held = (plots.columns_of(lines, kind, after=0) for kind in ("train", "eval"))
    rounds, at = train["round"], held["round"]
    colours = [to_hex(colour) for colour in plots.time_colours(len(BANDS))]
    losses = [
        Curve(name, rounds, smoothed(train[f"loss_band_{i + 1}"]), "-", colour)
        for i, (name, colour) in enumerate(zip(BANDS, colours, strict=True))
        if f"loss_band_{i + 1}" in train
    ]
    losses.append(
        Curve("all levels, weights of the round", rounds, smoothed(train["loss_x"]), "--", THEORY)
    )
    distance = [
        Curve("samples to real points", at, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, at, held["w1_floor"], ":", THEORY),
    ]
    plots.panels(
        [
            Panel(
                "Loss of training batches, by quarters of the levels", "round",
                "mean square of a number", losses, log_y=True,
            ),
            Panel(f"Exact $W_1$, {size} points a side", "round", "in the data's units", distance),
        ],
        folder.path / "curves.png",
    )  # fmt: skip


def smoothed(values: list[float]) -> np.ndarray:
    """Means of the neighbours within a fiftieth of all, on either side."""
    reach = len(values) // 50
    padded = np.pad(np.asarray(values, float), reach, mode="edge")
    return np.convolve(padded, np.full(2 * reach + 1, 1 / (2 * reach + 1)), mode="valid")
