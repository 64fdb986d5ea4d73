"""The picture of a phase diagram: a map of rates, and a cut through it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes._planar.hyper_parameters import Second
from recipes._report.plots import FAKE, REAL, THEORY, save, subplots


class Cut(NamedTuple):
    """A line through the map at one value of the second hyper-parameter.

    - `etas`: step sizes, shape `(n,)`. `radius`: spectral radii, `(n,)`.
    - `measured`: the factor a round of every play, `(n, plays)`. `closed_form`: `(n,)` or `None`.
    - `seconds`: that the measuring took, its compilation included.
    """

    etas: np.ndarray
    value: float
    radius: np.ndarray
    measured: np.ndarray
    closed_form: np.ndarray | None
    seconds: float

    @property
    def median(self) -> np.ndarray:
        """Over the plays that could be measured; NaN where none could."""
        return np.array([_quantile(row, 0.5) for row in self.measured])


def _quantile(row: np.ndarray, q: float) -> float:
    row = row[np.isfinite(row)]
    return float(np.quantile(row, q)) if row.size else float("nan")


def draw_diagram(
    cut: Cut, radii: np.ndarray, values: np.ndarray, second: Second, title: str, path: Path
) -> None:
    """The map on the left, the cut on the right."""
    figure, (left, right) = subplots(1, 2, figsize=(13, 5))
    shown = np.clip(radii.T, 0.4, 1.6)
    mesh = left.pcolormesh(cut.etas, values, shown, cmap="RdBu_r", vmin=0.4, vmax=1.6)
    figure.colorbar(mesh, ax=left, label="spectral radius of a round (below 1: attracts)")
    finite = np.where(np.isfinite(radii.T), radii.T, 1e3)
    if finite.min() < 1 < finite.max():
        left.contour(cut.etas, values, finite, levels=[1.0], colors="white", linewidths=2)
        left.plot([], [], color="white", lw=2, label="radius 1")
    best = np.unravel_index(np.argmin(finite), finite.shape)
    left.plot(
        cut.etas[best[1]],
        values[best[0]],
        "*",
        color="gold",
        mec="black",
        ms=14,
        label=f"best: {finite[best]:.3f}",
    )
    left.axhline(cut.value, color=THEORY, ls=":", lw=1.3, label="the cut on the right")
    left.set(xscale="log", xlabel="step size", ylabel=second.label, title=title)
    left.legend(fontsize=8, facecolor="#999999")
    _draw_cut(right, cut, second)
    figure.tight_layout()
    save(figure, path)


def _draw_cut(axis, cut: Cut, second: Second) -> None:
    low = np.array([_quantile(row, 0.05) for row in cut.measured])
    high = np.array([_quantile(row, 0.95) for row in cut.measured])
    plays = cut.measured.shape[1]
    axis.fill_between(cut.etas, low, high, color=FAKE, alpha=0.25, linewidth=0)
    axis.plot(
        cut.etas,
        cut.median,
        "o",
        color=FAKE,
        ms=4,
        label=f"measured: median of {plays} plays, 5 to 95 %",
    )
    axis.plot(cut.etas, cut.radius, color=REAL, lw=1.8, label="theory: spectral radius of a round")
    if cut.closed_form is not None:
        axis.plot(
            cut.etas, cut.closed_form, "--", color=THEORY, lw=1.2, label="theory: closed form"
        )
    axis.axhline(1.0, color="#888888", lw=0.8)
    top = min(2.0, 1.05 * max(1.1, np.nanmax(np.where(np.isfinite(cut.radius), cut.radius, 1.0))))
    bottom = max(0.0, 0.95 * np.nanmin(cut.radius))
    axis.set(
        xscale="log",
        ylim=(min(bottom, 0.95), top),
        xlabel="step size",
        ylabel="factor a round of the distance to the point",
        title=f"cut at {second.label} = {cut.value:g}",
    )
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8)
