"""The tables of recipes.modes, in the layout of PacGAN's Table 1."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recipes._modes.data import ModeData
from recipes._report.tables import markdown, means_with_errors, picked, plus_minus, write_csv

ScoreLine = dict[str, Any]
"""A setting's scores at the end."""
SCORES = ("captured", "high_quality", "reverse_kl", "turnover")
HEADS = {
    "captured": "modes of {modes}",
    "high_quality": "high quality",
    "reverse_kl": "reverse KL",
    "turnover": "turnover",
}
REAL_DATA = "real data"


def turnover(history: Sequence[ScoreLine]) -> np.ndarray:
    """Share of the samples that change their mode between two moments, by seed.

    The total variation between the shares of modes, of the same latents, averaged over the second
    half of a play: 0 for a generator at rest, 1 for one that jumps from mode to mode.
    """
    counts = np.array([line["counts"] for line in history], float)
    shares = counts / counts.sum(axis=2, keepdims=True)
    changes = np.abs(np.diff(shares, axis=0)).sum(axis=2) / 2
    return changes[len(changes) // 2 :].mean(axis=0)


def line_of(setting: dict[str, str], history: Sequence[ScoreLine], modes: int) -> ScoreLine:
    """Mean and standard error over seeds of every score at the last moment.

    A seed without any sample of high quality counts as log K in reverse KL, the worst there is.
    """
    last = history[-1]
    values = {name: np.array([np.nan if v is None else v for v in last[name]], float)
              for name in SCORES[:3]}  # fmt: skip
    values["reverse_kl"] = np.nan_to_num(values["reverse_kl"], nan=math.log(modes))
    values["high_quality"] = np.nan_to_num(values["high_quality"], nan=0.0)
    if len(history) > 2:
        values["turnover"] = turnover(history)
    return {**setting, "seeds": len(values["captured"]), **means_with_errors(values)}


def write_table_csv(lines: Sequence[ScoreLine], path: Path) -> None:
    """Every number of every setting."""
    columns = ["data", "method", "solver", "seeds"]
    columns += [name + end for name in SCORES for end in ("", "_error")]
    write_csv(columns, picked(lines, columns), path)


def _shown(line: ScoreLine | None, name: str) -> str | None:
    if line is None or name not in line:
        return None
    percent = name == "high_quality"
    digits, factor = (1, 100) if percent else (1 if name == "captured" else 3, 1)
    error = line.get(f"{name}_error")
    spread = None if error is None else factor * error
    return plus_minus(factor * line[name], spread, digits, " %" if percent else "")


def _table(head: str, rows: Sequence[str], lines: Sequence[ScoreLine], data: Any) -> str:
    """A row for each name in the column `head`, of method or solver; four scores for each data."""
    names = list(dict.fromkeys(line["data"] for line in lines))
    of = {(line[head], line["data"]): line for line in lines}
    titles = [f"{name}: " + HEADS[s].format(modes=data[name].modes) for name in names
              for s in SCORES]  # fmt: skip
    cells = (
        [row, *(_shown(of.get((row, name)), score) for name in names for score in SCORES)]
        for row in rows
    )
    return markdown([head, *titles], cells)


def write_tables(
    methods: Sequence[ScoreLine],
    solvers: Sequence[ScoreLine],
    real: Sequence[ScoreLine],
    data: dict[str, ModeData],
    budgets: dict[str, int],
    path: Path,
) -> None:
    """The table of methods, and one of solvers for each method that they vary.

    **Arguments:**

    - `methods`, `solvers`, `real`: lines of `line_of`; those of real points have `REAL_DATA` as
      method and solver. `budgets`: gradients that each play took, by data.
    """
    lines = [*methods, *solvers]
    seeds = max(line["seeds"] for line in lines)
    spent = ", ".join(f"{budget} ({name})" for name, budget in budgets.items())
    parts = [
        f"Mean ± standard error over {seeds} seeds, after {spent} gradients of a minibatch, a "
        "Hessian product counting as two. A mode is captured by one sample of high quality, and "
        "of stacked digits by any; turnover is the share of samples that change their mode from "
        "one moment to the next, over the second half.\n"
    ]
    for name, entry in data.items():
        if entry.ceiling is not None:
            parts.append(
                f"On the {name} the law itself has {100 * entry.ceiling:.3f} % of high quality; "
                f"{entry.samples} samples of it have a reverse KL of "
                f"{(entry.modes - 1) / (2 * entry.samples):.4f} on average.\n"
            )
    if methods:
        names = list(dict.fromkeys(line["method"] for line in methods))
        table = _table("method", [REAL_DATA, *names], [*real, *methods], data)
        parts.append(f"\nMethods, each by the solver it was published with\n\n{table}")
    for method in dict.fromkeys(line["method"] for line in solvers):
        mine = [line for line in solvers if line["method"] == method]
        names = list(dict.fromkeys(line["solver"] for line in mine))
        table = _table("solver", [REAL_DATA, *names], [*real, *mine], data)
        parts.append(f"\nSolvers on {method}\n\n{table}")
    path.write_text("\n".join(parts), encoding="utf-8")
