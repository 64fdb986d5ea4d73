"""The report on generated tables: each number beside what real rows get."""

import dataclasses
from typing import NamedTuple

import numpy as np

import theory
from recipes._data import Encoding, Table, fit_encoding, rows_like
from recipes._report.tables import markdown as table_of, mean_and_error, plus_minus
from recipes._tabular.metrics import (
    CLASSIFIERS,
    Memorisation,
    correlation_gap,
    correlations,
    held_out_accuracy,
    majority_accuracy,
    marginal_distances,
    memorisation,
    neighbour,
    overlap,
)

MOST_COMPARED = 5000
"""Generated rows whose neighbours are looked for among all training rows."""


class ReportLine(NamedTuple):
    """A row of the report: `generated` and `real`, each with its standard error or `None`.

    - `name`: of JSON. `text`: what it is. `means`: what real rows stand in the second column.
    """

    name: str
    text: str
    generated: tuple[float, float | None]
    real: tuple[float, float | None]
    means: str


@dataclasses.dataclass(frozen=True)
class Report:
    """Report on generated tables.

    - `features`: the units of it all: deviations of the training rows, and one-hot categories.
    - `lines`, `classifiers`: what the printed tables hold. `majority`: the accuracy of no learning.
    - `marginals`, `marginals_real`: for each column, from held-out rows to generated and to
      training rows.
    - `correlations`: of held-out rows and of the first generated table.
    """

    train: Table
    held_out: Table
    generated: list[Table]
    features: Encoding
    lines: list[ReportLine]
    classifiers: list[ReportLine]
    majority: float
    marginals: np.ndarray
    marginals_real: np.ndarray
    correlations: tuple[np.ndarray, np.ndarray]
    memorisation: Memorisation

    def numbers(self) -> dict[str, float]:
        """The summary's numbers: `NAME`, and `NAME_real` for what real rows get."""
        found = {"majority_accuracy": self.majority}
        for line in (*self.classifiers, *self.lines):
            found |= {line.name: line.generated[0], f"{line.name}_real": line.real[0]}
        return found


def make_report(train: Table, held_out: Table, generated: list[Table], seed: int) -> Report:
    """Holds generated tables, each with as many rows as the training rows, against real ones.

    **Arguments:** `generated`: at least two, independent given the generator. `seed`: of the
    forests, and of which rows are compared where sizes have to be equal.
    """
    features = fit_encoding(train, "standard")
    marginals = [marginal_distances(features, held_out, table) for table in generated]
    marginals_real = marginal_distances(features, held_out, train)
    matrices = [correlations(features, table) for table in (held_out, *generated, train)]
    gaps = [correlation_gap(features, matrices[0], matrix) for matrix in matrices[1:]]
    memory = memorisation(features, train, held_out, _together(generated))
    lines = [
        *_marginal_lines(train, np.asarray(marginals), marginals_real),
        ReportLine(
            "correlation_difference",
            "mean absolute difference of correlations",
            mean_and_error(gaps[:-1]),
            (gaps[-1], None),
            "training rows",
        ),
        *_overlap_lines(features, train, held_out, generated, seed),
        *_memory_lines(memory),
    ]
    return Report(
        train,
        held_out,
        generated,
        features,
        lines,
        _classifier_lines(features, train, held_out, generated, seed),
        majority_accuracy(train, held_out),
        np.mean(marginals, axis=0),
        marginals_real,
        (matrices[0], matrices[1]),
        memory,
    )


def _together(tables: list[Table]) -> Table:
    """All rows, thinned evenly where they would be more than `MOST_COMPARED`."""
    values = np.concatenate([table.values for table in tables])
    labels = np.concatenate([table.labels for table in tables])
    kept = slice(None, None, -(-len(labels) // MOST_COMPARED))
    return dataclasses.replace(tables[0], values=values[kept], labels=labels[kept])


def _marginal_lines(train: Table, fake: np.ndarray, real: np.ndarray) -> list[ReportLine]:
    kinds = [
        ("marginal_w1", "mean W1 of a continuous column, in deviations", train.continuous),
        ("marginal_tv", "mean total variation of a categorical column", train.categorical),
    ]
    return [
        ReportLine(
            name,
            text,
            mean_and_error(fake[:, places].mean(axis=1)),
            (float(real[places].mean()), None),
            "training rows",
        )
        for name, text, places in kinds
        if len(places)
    ]


def _overlap_lines(
    features: Encoding, train: Table, held_out: Table, generated: list[Table], seed: int
) -> list[ReportLine]:
    rng, counts = np.random.default_rng(seed), held_out.counts()
    of = lambda table: overlap(features, held_out, rows_like(table, counts, rng))
    fake = np.asarray([of(table) for table in generated], float)
    real = np.asarray([of(train) for _ in generated], float)
    size, k = len(held_out.labels), neighbour(held_out)
    means = f"training rows; for equal laws {theory.equal_laws_coverage(size, size, k):.3f}"
    notes = {"coverage": means}
    return [
        ReportLine(
            name,
            f"{name} (k = {k}, {size} rows a side)",
            mean_and_error(fake[:, place]),
            mean_and_error(real[:, place]),
            notes.get(name, "training rows"),
        )
        for place, name in enumerate(theory.PRDC._fields)
    ]


def _memory_lines(memory: Memorisation) -> list[ReportLine]:
    pair = lambda estimate: (float(estimate.value), float(estimate.standard_error))
    return [
        ReportLine(
            "memorised_share",
            "share nearer to a training than to every held-out row",
            (memory.share, None),
            pair(memory.null),
            "mean ± deviation, had other rows been held out",
        ),
        ReportLine(
            "neighbour_ratio",
            "distance to the nearest over the second nearest training row",
            pair(memory.ratio),
            pair(memory.ratio_null),
            "held-out rows",
        ),
    ]


def _classifier_lines(
    features: Encoding, train: Table, held_out: Table, generated: list[Table], seed: int
) -> list[ReportLine]:
    lines = []
    for classifier in CLASSIFIERS:
        of = lambda table, draw, name=classifier: held_out_accuracy(
            features, name, table, held_out, seed + draw
        )
        fake = [of(table, draw) for draw, table in enumerate(generated)]
        real = [of(train, draw) for draw in range(len(generated))]
        name = classifier.replace(" ", "_")
        lines.append(
            ReportLine(
                name,
                classifier,
                mean_and_error(fake),
                mean_and_error(real),
                "trained on training rows",
            )
        )
    return lines


def verdict(report: Report) -> str:
    """Verdict on memorisation in words, at three deviations."""
    above = report.memorisation.deviations
    is_more = f"lean on the training rows more than on their law ({above:.1f} deviations above"
    is_not = f"are no nearer to training than to held-out rows ({above:+.1f} deviations from"
    said = is_more if above > 3 else is_not
    return f"Generated rows {said} what other rows held out would give; 3 is the limit)."


def tables(report: Report) -> str:
    """The printed part: two tables of Markdown, and what they say of copies."""
    rows, draws = len(report.held_out.labels), len(report.generated)
    accuracies = [
        [line.text, _number(line.generated), _number(line.real)] for line in report.classifiers
    ]
    majority = f"{report.majority:.3f}"
    accuracies.append(["always the most frequent class", majority, majority])
    heads = ["accuracy on the held-out rows", "trained on generated rows", "trained on real rows"]
    # One success and one failure more, so that an accuracy of 1 is not taken to be exact.
    p = (rows * report.classifiers[-1].real[0] + 1) / (rows + 2)
    error = np.sqrt(p * (1 - p) / rows)
    lines = (
        [line.text, _number(line.generated), _number(line.real), line.means]
        for line in report.lines
    )
    return (
        f"{table_of(heads, accuracies)}\n"
        f"Means over {draws} generated tables, ± their standard errors. The {rows} held-out rows "
        f"themselves leave another ±{error:.3f}, which both columns share.\n\n"
        f"{table_of(['', 'generated', 'real', 'what the real rows are'], lines)}\n"
        f"{verdict(report)}"
    )


def _number(pair: tuple[float, float | None]) -> str:
    return plus_minus(*pair, digits=3)


def markdown(report: Report, title: str) -> str:
    """report.md: the printed tables, and every column."""
    columns = [
        [column.name, "W1" if column.categories is None else "TV", f"{fake:.3f}", f"{real:.3f}"]
        for column, fake, real in zip(
            report.train.columns, report.marginals, report.marginals_real, strict=True
        )
    ]
    heads = ["column", "measure", "generated to held-out", "training to held-out"]
    return f"# {title}\n\n{tables(report)}\n\n{table_of(heads, columns)}"
