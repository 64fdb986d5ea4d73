"""The pictures of certificates: eigenvalues in the complex plane, path-angles, and curves."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

import gameopt as go
from recipes._report import plots
from recipes._report.plots import FAKE, REAL, THEORY, Curve, Panel, subplots

Lines = list[dict[str, Any]]

DARK = "#1f3b73"
AXIS = "imaginary axis: what is left of it repels the flow $\\dot z = -\\xi(z)$"
LARGE = 0.02
"""Errors beyond this share of the window are drawn."""


def _colours(lines: Lines) -> list[Any]:
    """Darker for earlier certificates; a single one is dark."""
    rounds = [line.get("round", 0) for line in lines]
    last = max(max(rounds), 1)
    shades = plots.time_map()
    return [shades(round / last) if len(lines) > 1 else DARK for round in rounds]


def _round_bar(lines: Lines, figure: Any, axes: Any) -> None:
    if len(lines) > 1:
        norm = Normalize(0, max(line["round"] for line in lines))
        mappable = ScalarMappable(norm, plots.time_map())
        figure.colorbar(mappable, ax=axes, label=plots.ROUNDS)


def draw_spectra(lines: Lines, path: Path) -> None:
    """The Jacobian's eigenvalues of each certificate: all of them, and near the imaginary axis."""
    figure, axes = subplots(1, 2, figsize=(plots.WIDE, 4.8), layout="constrained")
    for axis, title in zip(
        axes, ("Spectrum of the Jacobian", "Near the imaginary axis"), strict=True
    ):
        for line, colour in zip(lines, _colours(lines), strict=True):
            _scatter(axis, line["eigenvalues"], colour, line["method"])
        axis.axvline(0, color=THEORY, lw=1, ls="--", label=AXIS)
        axis.set(xlabel="real part, per unit of time", title=title)
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("imaginary part: radians per unit of time")
    _zoom(axes[1], lines)
    _one_legend(figure, axes[0])
    _round_bar(lines, figure, axes)
    plots.save(figure, path)


def _one_legend(figure: Any, axis: Any, title: str | None = None) -> None:
    handles, labels = axis.get_legend_handles_labels()
    named = dict(zip(labels, handles, strict=True))
    figure.legend(
        named.values(), named.keys(), fontsize=9, loc="outside lower center", ncols=3, title=title,
        title_fontsize=9, frameon=False,
    )  # fmt: skip


def _scatter(axis: Any, eigenvalues: dict[str, Any], colour: Any, method: str) -> None:
    real, imaginary, error = (
        np.asarray(eigenvalues[name], float) for name in ("real", "imaginary", "residual")
    )
    label = "eigenvalues" if method == "dense" else "Ritz values"
    axis.plot(real, imaginary, "o", ms=3.5, color=colour, alpha=0.85, label=label)
    span = max(np.ptp(real), np.ptp(imaginary), 1e-30) if real.size else 1.0
    shown = error > LARGE * span
    if shown.any():
        bars = {"xerr": error[shown], "yerr": error[shown]}
        note = "residual, where it is large: no error bound by itself"
        axis.errorbar(
            real[shown], imaginary[shown], **bars, fmt="none", ecolor="grey", elinewidth=0.5,
            alpha=0.5, label=note,
        )  # fmt: skip


ZOOM = 10
"""The second window is so many times narrower than the spectrum, or as narrow as it can be."""


def _zoom(axis: Any, lines: Lines) -> None:
    """Shows a tenth of the spectrum's width, or as much as the nearest eigenvalues need."""
    real = np.concatenate([line["eigenvalues"]["real"] for line in lines])
    imaginary = np.concatenate([line["eigenvalues"]["imaginary"] for line in lines])
    if not real.size:
        return
    size = np.abs(real)
    nearest = np.sort(size)[min(4, len(size) - 1)]
    reach = max(size.max() / ZOOM, 1.5 * nearest, 1e-12)
    height = np.abs(imaginary[size <= reach]).max(initial=reach / 4)
    axis.set(xlim=(-reach, reach), ylim=(-1.2 * height, 1.2 * height))


def draw_path_angles(lines: Lines, path: Path) -> None:
    """The angle between the field and the line to the players, and the field's size, along it."""
    names = list(dict.fromkeys(name for line in lines for name in line["paths"]))
    shape = {
        "figsize": (max(6.4, 4.6 * len(names)), 6.2),
        "squeeze": False,
        "layout": "constrained",
    }
    figure, axes = subplots(2, len(names), sharex=True, **shape)
    for column, name in zip(axes.T, names, strict=True):
        steepest = max(
            np.abs(l["paths"][name]["cosine"]).max() for l in lines if name in l["paths"]
        )
        reach = min(1.05, max(1.2 * steepest, 1e-3))
        for line, colour in zip(lines, _colours(lines), strict=True):
            if name in line["paths"]:
                angle = line["paths"][name]
                marks = {"color": colour, "lw": 1.3}
                column[0].plot(angle["alpha"], angle["cosine"], label="$c(\\alpha)$", **marks)
                column[1].plot(angle["alpha"], angle["field_norm"], **marks)
        column[0].set(title=name, ylim=(-reach, reach), ylabel="cosine of field and line")
        column[0].axhline(0, color="grey", lw=0.6)
        plots.log_axis(column[1], "y")
        column[1].set(
            xlabel="$\\alpha$: 0 at the beginning of the line", ylabel="norm of the field"
        )
        for axis in column:
            axis.axvline(1, color=THEORY, lw=1, ls="--", label="$\\alpha = 1$: the players")
            axis.grid(alpha=0.25)
    figure.suptitle("Angle of the field with the line to the players, and its size", fontsize=11)
    title = "from below 0 to above it at the players: attraction; a bump around them: rotation"
    _one_legend(figure, axes[0, 0], title)
    _round_bar(lines, figure, axes)
    plots.save(figure, path)


def draw_history(lines: Lines, path: Path) -> None:
    """Norms of the field, smallest eigenvalues with their bounds, and rotation, over the rounds."""
    rounds = [line["round"] for line in lines]
    column = lambda name: [np.nan if line[name] is None else line[name] for line in lines]
    label = plots.ROUNDS
    zero = plots.constant("0: below it, no Nash equilibrium", 0.0, rounds)
    fields = [
        Curve("generator's", rounds, column("field_norm_x"), "o-", FAKE),
        Curve("discriminator's or critic's", rounds, column("field_norm_y"), "s-", REAL),
    ]
    own = [
        Curve("generator's: at most", rounds, column("hessian_x"), "o-", FAKE),
        Curve("at least", rounds, column("hessian_x_lower"), ":", FAKE),
        Curve("discriminator's or critic's: at most", rounds, column("hessian_y"), "s-", REAL),
        Curve("at least", rounds, column("hessian_y_lower"), ":", REAL),
        zero,
    ]
    left = [
        Curve("leftmost real part found", rounds, column("leftmost_real"), "o-", FAKE),
        Curve("largest imaginary part found", rounds, column("frequency"), "s-", REAL),
        plots.constant("0: a real part below it repels", 0.0, rounds),
    ]
    shares = [
        Curve("potential share", rounds, column("potential_share"), "o-", FAKE),
        Curve("rotational share", rounds, column("rotational_share"), "s-", REAL),
    ]
    plots.panels(
        [
            Panel("Each player's own gradient", label, "norm", fields, log_y=True),
            Panel("Smallest eigenvalue of the own Hessians", label, "curvature", own),
            Panel("Eigenvalues of the Jacobian", label, "per unit of time", left),
            Panel("What the Jacobian does to the field", label, "share", shares),
        ],
        path,
    )


def draw_densities(densities: dict[str, go.SpectralDensity], path: Path) -> None:
    """Draw the spectral densities of the players' own Hessians."""
    figure, axes = subplots(
        1, len(densities), figsize=(max(6.4, 5.4 * len(densities)), 4.6), layout="constrained"
    )
    for axis, (name, found) in zip(np.atleast_1d(axes), densities.items(), strict=True):
        grid, density = np.asarray(found.grid), np.asarray(found.density)
        error = 2 * np.asarray(found.standard_error)
        floor = 1e-7 * density.max()
        band = np.maximum(density - error, floor), np.maximum(density + error, floor)
        axis.fill_between(grid, *band, color=REAL, alpha=0.3, label="two standard errors")
        label = f"density, smoothed over {float(found.width):.2g}"
        axis.plot(grid, np.maximum(density, floor), color=REAL, lw=1.3, label=label)
        axis.axvline(0, color=THEORY, lw=1, ls="--", label="0: below it, no Nash equilibrium")
        axis.set(title=name, xlabel="eigenvalue", ylabel="share per unit", yscale="log")
        axis.grid(alpha=0.25)
        plots.legend_below(axis, columns=1)
    plots.save(figure, path)
