"""Curves, clouds and the table of a study of samplers."""

from pathlib import Path

import numpy as np

from recipes._report import tables
from recipes._report.plots import COLOURS, THEORY, Curve, Panel, constant, panels, save, subplots
from recipes._samplers.study import SCORES, SamplerLine, Study

LABELS = {
    "ddim": "DDIM (Euler)",
    "ancestral": "ancestral (DDPM)",
    "dpm_solver": "DPM-Solver++ (2M)",
    "heun": "Heun",
}
COSTS = "evaluations of the denoiser"
HEADS = (
    "sampler", "evaluations", "score", "sliced W1", "share near a mode",
    "distance to the exact path's end", "share at another mode",
)  # fmt: skip
DRAWN = 3
"""Costs whose samples are drawn, the least and the most among them."""


def draw_curves(study: Study, path: Path) -> None:
    """Writes quality against cost: of laws, and of the ends of single paths."""
    network = study.network.off
    assert network is not None
    costs = sorted({line.evaluations for line in study.lines})
    both = [
        ("law of the samples", "sliced W1 to the exact law", "w1"),
        ("end of a path", "median distance to the exact path's end", "off"),
    ]
    levels = [
        constant("draws of the law itself", study.floor, costs),
        constant("the network's own error", network, costs),
    ]
    found = [
        Panel(
            title, COSTS, says, [*_curves(study, what), level], True, True,
            "solid: exact score, the sampler's error alone; dashed: trained network, both errors",
        )
        for (title, says, what), level in zip(both, levels, strict=True)
    ]  # fmt: skip
    panels(found, path)


def _curves(study: Study, what: str) -> list[Curve]:
    """A curve for each sampler and score that has the number; the legend has each sampler once."""
    curves = []
    for place, name in enumerate(_names(study.lines)):
        for score, style, mark in zip(SCORES, ("o-", "s--"), ("", "_"), strict=True):
            lines = [line for line in study.lines if line.score == score]
            x, y = _along(lines, name, what)
            if x:
                curves.append(Curve(f"{mark}{LABELS[name]}", x, y, style, COLOURS[place]))
    return curves


def _names(lines: list[SamplerLine]) -> list[str]:
    return list(dict.fromkeys(line.sampler for line in lines))


def _along(lines: list[SamplerLine], name: str, what: str) -> tuple[list[int], list[float]]:
    of_name = [line for line in lines if line.sampler == name and getattr(line, what) is not None]
    return [line.evaluations for line in of_name], [getattr(line, what) for line in of_name]


def draw_samples(study: Study, path: Path) -> None:
    """Writes the samples of every sampler, exact and trained, at a few costs."""
    names = _names(study.lines)
    costs = sorted({line.evaluations for line in study.lines})
    shown = [costs[round(i)] for i in np.linspace(0, len(costs) - 1, min(DRAWN, len(costs)))]
    columns = [(score, cost) for score in SCORES for cost in shown]
    figure, axes = subplots(
        len(names), len(columns), figsize=(1.8 * len(columns), 1.8 * len(names) + 0.4),
        squeeze=False, layout="constrained", sharex=True, sharey=True,
    )  # fmt: skip
    reach = 1.3 * float(np.max(np.abs(study.law)))
    for row, name in zip(axes, names, strict=True):
        row[0].set_ylabel(LABELS[name])
        for axis, (score, cost) in zip(row, columns, strict=True):
            axis.scatter(*study.law[:1000].T, s=1, color="0.8")
            points = study.samples[name, score, cost][:1000]
            axis.scatter(*points.T, s=1, color=COLOURS[SCORES.index(score)])
            axis.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
    for axis, (score, cost) in zip(axes[0], columns, strict=True):
        axis.set_title(f"{score}, {cost} evaluations", fontsize=9, color=THEORY)
    figure.supxlabel("grey: draws of the law", fontsize=9)
    save(figure, path)


def write_table(study: Study, path: Path) -> None:
    """Writes samplers.md and samplers.csv."""
    rows = [
        [line.sampler, line.evaluations, line.score, *line[3:]]
        for line in sorted(study.lines, key=lambda line: (line.evaluations, line.score))
    ]
    network = study.network
    rows.append(["flow (no step size)", network.evaluations, "trained", *network[3:]])
    text = (
        "# Samplers by cost\n\n"
        "exact: with the law's own score, so that all errors are the sampler's. trained: with the\n"
        "network. All start from the same noise. W1 is sliced, against draws of the law; as many\n"
        f"draws of the law itself have {study.floor:.4g}.\n\n"
    )
    path.joinpath("samplers.md").write_text(text + tables.markdown(HEADS, rows), encoding="utf-8")
    tables.write_csv(HEADS, rows, path / "samplers.csv")
