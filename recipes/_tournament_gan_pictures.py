"""The pictures of the GAN's tournament: samples of every solver, and curves."""

from pathlib import Path

import numpy as np

from recipes import _plots
from recipes._plots import FAKE, REAL, THEORY, subplots
from recipes._tournament_tables import Line

SHOWN = 1000
"""Samples in a panel, of the first seed."""


def draw_samples(lines: dict[str, Line], samples: dict[str, np.ndarray], path: Path) -> None:
    """One panel for each solver, the largest overlap first after the data."""
    names = sorted(samples, key=lambda name: (name != "real data", -lines[name]["overlap"]))
    columns = min(6, len(names))
    rows = -(-len(names) // columns)
    size = (2.3 * columns, 2.55 * rows + 0.4)
    figure, axes = subplots(rows, columns, figsize=size, squeeze=False, sharex=True, sharey=True)
    for axis, name in zip(axes.flat, names, strict=False):
        line, colour = lines[name], REAL if name == "real data" else FAKE
        axis.scatter(*samples[name][0, :SHOWN].T, s=2, color=colour, alpha=0.5, linewidths=0)
        short = name.replace("extragradient", "EG").replace("_", " ")
        axis.set_title(
            f"{short}\n{line['modes']:.1f} modes, {100 * line['high_quality']:.0f} %", fontsize=9
        )
        axis.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    for axis in axes[-1]:
        axis.set_xlabel("$x_1$")
    for axis in axes[:, 0]:
        axis.set_ylabel("$x_2$")
    figure.suptitle(
        "Samples of one seed; modes captured and share of high quality are means over seeds",
        fontsize=10,
    )
    figure.tight_layout()
    _plots.save(figure, path)


def draw_gan_curves(lines: dict[str, Line], budget: int, path: Path) -> None:
    """The overlap over gradients: the six best in colour, the others grey."""
    played = {name: line for name, line in lines.items() if "curve" in line}
    best = sorted(played, key=lambda name: -played[name]["overlap"])[:6]
    figure, axis = subplots(figsize=(8.2, 3.8))
    for name in sorted(played, key=lambda name: name in best):
        ys = played[name]["curve"]
        colour = f"C{best.index(name)}" if name in best else "#cccccc"
        # One entry of the legend, in which matplotlib leaves out what begins with "_".
        label = name if name in best else "_" if axis.lines else "the others"
        axis.plot(np.linspace(0, budget, len(ys)), ys, color=colour, label=label, lw=1.4)
    axis.axhline(lines["real data"]["overlap"], ls=":", color=THEORY, label="real data")
    axis.set(xlabel="gradients of a minibatch, a Hessian product being 2", ylim=(0, 1))
    axis.set(ylabel="overlap with the modes", title="GAN on eight Gaussians, mean over seeds")
    axis.grid(alpha=0.25)
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    _plots.save(figure, path)
