"""The pictures of adversarial training: perturbed images, and accuracies of every solver."""

from pathlib import Path
from typing import Any

import numpy as np

from recipes._adversarial.attacks import Classifier, Norm, predict
from recipes._adversarial.robustness import Judge
from recipes._report import plots
from recipes._report.plots import Curve, Panel, subplots

NORM_NAMES = {"linf": r"$L_\infty$", "l2": r"$L_2$"}


def draw_examples(
    classifier: Classifier,
    judge: Judge,
    norm: Norm,
    title: str,
    path: Path,
    most: int = 10,
) -> None:
    """For one held-out image of each class: itself, what PGD adds, and what comes of it."""
    labels = np.asarray(judge.labels)
    chosen = np.unique(labels, return_index=True)[1][:most]
    attack = judge.pgd(classifier, judge.ball(norm))
    points, added = (np.asarray(a)[chosen] for a in (judge.points, attack.perturbation))
    before = np.asarray(predict(classifier, judge.points))[chosen]
    after = np.asarray(predict(classifier, judge.points + attack.perturbation))[chosen]
    largest = max(float(np.abs(added).max()), 1e-12)
    figure, axes = subplots(3, len(chosen), figsize=(1.15 * len(chosen) + 0.6, 4.6), squeeze=False)
    for column, label in enumerate(labels[chosen]):
        scaled = 0.5 + added[column] / (2 * largest)
        images = (points[column], scaled, points[column] + added[column])
        names = (f"says {before[column]}", "", f"says {after[column]}")
        answers = (before[column], label, after[column])
        for row, (image, name, answer) in enumerate(zip(images, names, answers, strict=True)):
            axis, flat = axes[row, column], image.squeeze()
            colours = "RdBu_r" if row == 1 else "gray"
            axis.imshow(np.clip(flat, 0, 1), cmap=colours, vmin=0, vmax=1)
            axis.set_title(name, fontsize=9, color="black" if answer == label else "#c44e52")
            axis.set(xticks=[], yticks=[])
    scale = f"perturbation: blue\n{-largest:.2f}, red {largest:.2f}"
    rows = ("held-out image", scale, "perturbed")
    for axis, name in zip(axes[:, 0], rows, strict=True):
        axis.set_ylabel(name, fontsize=9)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    plots.save(figure, path)


def draw_robustness(curves: dict[str, dict[str, Any]], radii: dict[Norm, float], path: Path):
    """Accuracy over the radius of the attack, for each solver and each norm."""
    parts = []
    for norm, radius in radii.items():
        lines = []
        for index, (solver, of_norms) in enumerate(curves.items()):
            xs, colour = of_norms[norm]["radius"], plots.COLOURS[index]
            lines.append(Curve(f"{solver}, PGD", xs, of_norms[norm]["pgd"], "o-", colour))
            # One entry of the legend, in which matplotlib leaves out what begins with "_".
            dotted = "dotted: FGSM" if index == len(curves) - 1 else "_"
            lines.append(Curve(dotted, xs, of_norms[norm]["fgsm"], ":", colour))
        title = f"Attacks in {NORM_NAMES[norm]}; the table is at {radius:g}"
        label = f"radius of the attack, {NORM_NAMES[norm]}, pixels in [0, 1]"
        parts.append(Panel(title, label, "accuracy on held-out images", lines))
    plots.panels(parts, path)


def draw_training(metrics: dict[str, list[dict[str, Any]]], norm: Norm, radius: float, path: Path):
    """Clean accuracy and accuracy under PGD as training goes on: over rounds, over gradients."""
    parts = []
    names = {
        "clean_accuracy": "Untouched images",
        "pgd_accuracy": f"Under PGD, {NORM_NAMES[norm]} radius {radius:g}",
    }
    axes = {"round": "round (classifier steps)", "gradients": "gradients taken by both players"}
    for measure, title in names.items():
        for column, label in axes.items():
            lines = []
            for index, (solver, rows) in enumerate(metrics.items()):
                # An untrained classifier would set the scale.
                held = [row for row in rows if row["kind"] == "eval" and row["round"] > 0]
                xs, ys = [row[column] for row in held], [row[measure] for row in held]
                lines.append(Curve(solver, xs, ys, "o-", plots.COLOURS[index]))
            parts.append(Panel(title, label, "accuracy on held-out images", lines))
    plots.panels(parts, path)
