"""The picture of a phase diagram: a map of rates, and a cut through it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from recipes._planar.hyper_parameters import Second
from recipes._report.plots import FAKE, REAL, THEORY, WIDE, legend_below, save, subplots


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
    figure, (left, right) = subplots(1, 2, figsize=(WIDE, 5.2), layout="constrained")
    shown = np.clip(radii.T, 0.4, 1.6)
    mesh = left.pcolormesh(cut.etas, values, shown, cmap="RdBu_r", vmin=0.4, vmax=1.6)
    figure.colorbar(mesh, ax=left, label="spectral radius of a round")
    finite = np.where(np.isfinite(radii.T), radii.T, 1e3)
    if finite.min() < 1 < finite.max():
        left.contour(cut.etas, values, finite, levels=[1.0], colors="black", linewidths=1.6)
        left.plot([], [], color="black", lw=1.6, label="radius 1: blue attracts")
    best = np.unravel_index(np.argmin(finite), finite.shape)
    on_border = any(i in (0, n - 1) for i, n in zip(best, finite.shape, strict=True))
    left.plot(
        cut.etas[best[1]],
        values[best[0]],
        "*",
        color="white",
        mec="black",
        ms=14,
        clip_on=False,
        zorder=5,
        label=f"best {'on the border' if on_border else 'of the map'}: {finite[best]:.3f}",
    )
    left.axhline(cut.value, color=THEORY, ls=":", lw=1.3, label=f"the cut: {cut.value:g}")
    left.set(xscale="log", xlabel="step size", ylabel=second.label)
    left.margins(0)
    legend_below(left, columns=2)
    _draw_cut(right, cut, second)
    figure.suptitle(title, fontsize=11)
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
    )
    axis.set_title(f"cut at {second.label} = {cut.value:g}", fontsize=10)
    axis.grid(alpha=0.25)
    legend_below(axis, columns=1)
