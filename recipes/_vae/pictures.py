"""Pictures of a variational autoencoder: what its codes mean, and how its training went."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from matplotlib.colors import ListedColormap

from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, PERFECT, REAL, THEORY, Curve, Panel, subplots
from recipes._report.rows import Row, draw_rows
from recipes._runtime.run import RunFolder

COLUMNS, PATHS, MOST_UNITS, SIDE = 10, 6, 12, 15
"""Images in a row, interpolations, units of a traversal, images a side of a map."""
REACH = 2.5
"""Deviations of the prior to either side of 0 that maps and traversals cover."""

Decode = Callable[[Any], np.ndarray]
"""Codes `(n, k)` to mean images `(n, *shape)` in [-1, 1]."""


def draw_reconstructions(folder: RunFolder, seen: np.ndarray, again: np.ndarray) -> None:
    """reconstructions.png: held-out images as the encoder sees them, and as their codes give."""
    rows = []
    for begin in range(0, len(seen), COLUMNS):
        part = slice(begin, begin + COLUMNS)
        rows += [Row("held out", seen[part]), Row("reconstructed", again[part])]
    draw_rows(
        rows, folder.path / "reconstructions.png", "held-out images and their reconstructions"
    )


def draw_interpolations(folder: RunFolder, means: np.ndarray, decode: Decode) -> None:
    """interpolations.png: straight lines between the codes of two held-out images.

    - `means`: posterior means of `2 PATHS` images, shape `(n, k)`.
    """
    share = np.linspace(0, 1, COLUMNS, dtype=np.float32)[:, None]
    pairs = means[: 2 * PATHS].reshape(PATHS, 2, -1)
    codes = (1 - share) * pairs[:, None, 0] + share * pairs[:, None, 1]
    images = decode(codes.reshape(PATHS * COLUMNS, -1))
    draw_rows(
        [Row("", part) for part in np.split(images, PATHS)],
        folder.path / "interpolations.png",
        "from the code of one held-out image to that of another",
    )


def draw_traversals(folder: RunFolder, code: np.ndarray, rates: np.ndarray, decode: Decode) -> None:
    """traversals.png: one unit of a code moved at a time, the units with most nats first.

    - `code`: of one held-out image, `(k,)`. `rates`: KL of each unit, `(k,)`.
    """
    values = np.linspace(-REACH, REACH, COLUMNS, dtype=np.float32)
    order = np.argsort(-rates)[:MOST_UNITS]
    codes = np.repeat(code[None], len(order) * COLUMNS, axis=0)
    for line, unit in enumerate(order):
        codes[line * COLUMNS : (line + 1) * COLUMNS, unit] = values
    images = np.split(decode(codes), len(order))
    rows = [Row(f"{rates[u]:.2f} nats", part) for u, part in zip(order, images, strict=True)]
    title = f"one unit from $-${REACH} to {REACH}, the others as in one held-out image"
    draw_rows(rows, folder.path / "traversals.png", title)


def draw_map(
    folder: RunFolder,
    means: np.ndarray,
    rates: np.ndarray,
    labels: np.ndarray | None,
    decode: Decode,
) -> None:
    """latent_map.png: the two units with most nats: held-out codes, and what the plane decodes to.

    Other units are 0, the prior's mean. Gaps between the classes, and images that are none, are
    what the prior wastes.
    """
    first, second = np.argsort(-rates)[:2]
    axis_values = np.linspace(-REACH, REACH, SIDE, dtype=np.float32)
    codes = np.zeros((SIDE * SIDE, means.shape[1]), np.float32)
    codes[:, first] = np.tile(axis_values, SIDE)
    codes[:, second] = np.repeat(axis_values[::-1], SIDE)
    images = plots.to_pixels(decode(codes))
    figure, (left, right) = subplots(1, 2, figsize=(10.4, 5.4), layout="constrained")
    _scatter(left, means[:, [first, second]], labels)
    height, width = images.shape[1:3]
    images = images.reshape(SIDE, SIDE, height, width, -1)
    page = images.transpose(0, 2, 1, 3, 4).reshape(SIDE * height, SIDE * width, -1)
    gray = page.shape[-1] == 1
    right.imshow(
        page[..., 0] if gray else page, cmap="gray" if gray else None, vmin=0, vmax=255,
        extent=(-REACH, REACH, -REACH, REACH),
    )  # fmt: skip
    rest = "" if means.shape[1] == 2 else ", the other units 0"
    left.set_title("posterior means of held-out images", fontsize=11)
    right.set_title(f"decoded means{rest}", fontsize=11)
    for axis in (left, right):
        axis.set(xlabel=f"unit {first} ({rates[first]:.1f} nats)", aspect="equal")
        axis.set_ylabel(f"unit {second} ({rates[second]:.1f} nats)")
    plots.save(figure, folder.path / "latent_map.png")


def _scatter(axis: Any, points: np.ndarray, labels: np.ndarray | None) -> None:
    angle = np.linspace(0, 2 * np.pi, 200)
    for radius in (1, 2):
        label = "1 and 2 deviations of the prior" if radius == 1 else None
        axis.plot(radius * np.cos(angle), radius * np.sin(angle), ":", color=THEORY, label=label)
    classes = [] if labels is None else np.unique(labels)[:10]
    if len(classes) == 0:
        axis.plot(*points.T, ".", ms=3, alpha=0.5, color=REAL)
    colours = matplotlib.colormaps["tab10"](range(10))
    for place, name in enumerate(classes):
        chosen = points[labels == name]
        axis.plot(*chosen.T, ".", ms=4, alpha=0.7, color=colours[place], label=str(name))
    reach = max(REACH, float(np.quantile(abs(points), 0.995)))
    axis.set(xlim=(-reach, reach), ylim=(-reach, reach))
    plots.legend_below(axis, columns=6)


def draw_units(folder: RunFolder, means: np.ndarray, rates: np.ndarray) -> None:
    """units.png: nats in each unit, and the correlations of posterior means between the units."""
    order = np.argsort(-rates)
    figure, (left, right) = subplots(1, 2, figsize=(10.0, 4.2), layout="constrained")
    left.bar(range(len(order)), rates[order], color=REAL)
    left.set(
        title="KL to N(0, 1) of each unit, held-out points", xlabel="unit, in order", ylabel="nats"
    )
    left.grid(alpha=0.25, axis="y")
    deviations = means.std(axis=0)
    kept = [unit for unit in order if deviations[unit] > 0.1]
    if len(kept) > 1:
        shown = right.imshow(
            np.corrcoef(means[:, kept].T), cmap=_diverging(), vmin=-1, vmax=1, origin="upper"
        )
        figure.colorbar(shown, ax=right, label="correlation", shrink=0.9)
    else:
        right.text(0.5, 0.5, "fewer than two active units", ha="center", transform=right.transAxes)
    right.set(
        title=f"correlations of the means of {len(kept)} active units",
        xlabel="unit, in order", ylabel="unit, in order",
    )  # fmt: skip
    for axis in (left, right):
        axis.title.set_fontsize(11)
    plots.save(figure, folder.path / "units.png")


def _diverging() -> ListedColormap:
    return ListedColormap(matplotlib.colormaps["RdBu_r"](np.linspace(0.08, 0.92, 256)))


def draw_curves(folder: RunFolder, size: int, bound: str) -> None:
    """curves.png: the bound on training and held-out points, rate and distortion, exact W1."""
    lines = folder.read_metrics()
    # Without the start, which would hide all that follows.
    train, held = (plots.columns_of(lines, kind, after=0) for kind in ("train", "eval"))
    rounds, at = train["round"], held["round"]
    minus = lambda values: [-value for value in values]
    bounds = [
        Curve(f"{bound}, training batches", rounds, minus(train["loss_x"]), "-", FAKE),
        Curve("elbo, held out", at, held["elbo"], "o-", REAL),
    ]
    parts = [
        Curve("rate, training", rounds, train["rate"], "-", COLOURS[2]),
        Curve("rate, held out", at, held["rate"], "o-", COLOURS[2]),
        Curve("distortion, training", rounds, train["distortion"], "-", COLOURS[4]),
        Curve("distortion, held out", at, held["distortion"], "o-", COLOURS[4]),
    ]
    distance = [
        Curve("samples to real points", at, held["w1_exact"], "o-", FAKE),
        Curve(PERFECT, at, held["w1_floor"], ":", THEORY),
    ]
    title = f"Exact $W_1$, {size} points a side"
    plots.panels(
        [
            Panel("Bound on the log-likelihood", "round", "nats", bounds),
            Panel("Rate and distortion", "round", "nats", parts),
            Panel(title, "round", "pixel distance", distance),
        ],
        folder.path / "curves.png",
        columns=3,
    )


def decoder_of(model: Any, as_loaded: Callable[[Any], Any], *label: Any) -> Decode:
    """The mean images of codes, all with one label if there is one."""
    means = eqx.filter_jit(lambda model, codes: jax.vmap(lambda z: model.mean(z, *label))(codes))
    return lambda codes: np.asarray(as_loaded(means(model, jnp.asarray(codes))))
