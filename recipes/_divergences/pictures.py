"""The picture of divergences: values and gradients against theta, exact and learned."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._divergences.curves import NAMES, Curves
from recipes._report.plots import FAKE, REAL, save, subplots

COLORS = {"kl": "#8c5fa8", "js": REAL, "w1": FAKE}
MARKERS = {"kl": "v", "js": "o", "w1": "s"}
LABELS = {"kl": "KL", "js": "JS", "w1": "$W_1$"}


def draw_divergences(found: dict[str, tuple[Curves, Curves]], path: Path) -> None:
    """A row for each family: values on the left, gradients on the right.

    **Arguments:**

    - `found`: exact and learned curves by the family's name for a title.
    """
    figure, axes = subplots(len(found), 2, figsize=(11.6, 4.2 * len(found)), squeeze=False)
    for row, (title, (exact, learned)) in zip(axes, found.items(), strict=True):
        _draw(row[0], exact.thetas, exact.values, learned.thetas, learned.values)
        _draw(row[1], exact.thetas, exact.gradients, learned.thetas, learned.gradients)
        row[0].set(title=f"{title}: the distance", ylabel="nats, or units of length")
        row[1].set(title=f"{title}: its gradient", ylabel=r"d / d$\theta$")
        if np.isinf(exact.values["kl"]).any():
            _say_infinite(row, exact)
        for axis in row:
            axis.set_xlabel(r"$\theta$")
            axis.grid(alpha=0.25)
    handles, labels = axes[-1][0].get_legend_handles_labels()
    figure.legend(handles, labels, ncols=6, loc="lower center", bbox_to_anchor=(0.5, -0.03))
    figure.tight_layout()
    save(figure, path)


def _draw(axis: Any, thetas, exact, learned_thetas, learned) -> None:
    shown = np.concatenate([exact[name][np.isfinite(exact[name])] for name in NAMES])
    low, high = shown.min(), shown.max()
    # Room above for what is learned of an infinite distance, which has no scale of its own.
    pad = 0.35 * (high - low)
    for name in NAMES:
        finite = np.where(np.isfinite(exact[name]), exact[name], np.nan)
        style = {"color": COLORS[name], "zorder": 3}
        axis.plot(thetas, finite, lw=1.6, label=f"{LABELS[name]}, exact", **style)
        seen = np.clip(learned[name], low - 0.9 * pad, high + 0.9 * pad)
        style |= {"mfc": "white", "ms": 6, "ls": "none", "marker": MARKERS[name]}
        axis.plot(learned_thetas, seen, label=f"{LABELS[name]}, by a critic", **style)
    axis.set_ylim(low - (0.3 if low == 0 else 1) * pad, high + pad)


def _say_infinite(row: Any, exact: Curves) -> None:
    box = {"boxstyle": "round", "fc": "white", "ec": COLORS["kl"], "alpha": 0.9}
    style = {"ha": "center", "va": "top", "color": COLORS["kl"], "bbox": box, "zorder": 5}
    row[0].text(
        0.5, 0.91, r"KL = $\infty$ for $\theta \neq 0$ (off the scale)",
        transform=row[0].transAxes, **style,
    )  # fmt: skip
    row[1].text(
        0.5, 0.97, "KL has none; a critic's points the right way\nwith a size that means nothing",
        transform=row[1].transAxes, **style,
    )  # fmt: skip
