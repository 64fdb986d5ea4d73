"""Pictures of the linear VAE beside its exact optimum."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recipes._linear_vae.rates import Measured
from recipes._linear_vae.studies import RateDistortionCurve, Spectrum
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, THEORY, Curve, Panel, constant
from recipes._report.rows import Row, draw_rows
from recipes._runtime.run import RunFolder


def draw_curves(folder: RunFolder, best: float, variance: float) -> None:
    """curves.png: the exact ELBO, its gap from the optimum, and the decoder's variance."""
    held = plots.columns_of(folder.read_metrics(), "eval", after=0)
    at = held["round"]
    gaps = [max(gap, 1e-7) for gap in held["gap"]]
    elbo = [
        Curve("linear VAE", at, held["elbo"], "o-", FAKE),
        constant("probabilistic PCA's log-likelihood", best, at),
    ]
    variances = [
        Curve("linear VAE", at, held["variance"], "o-", FAKE),
        constant("mean of the dropped eigenvalues", variance, at),
    ]
    plots.panels(
        [
            Panel("ELBO on all data, exact", "round", "nats", elbo),
            Panel("Gap from the optimum", "round", "nats", [Curve("gap", at, gaps, "o-")], True),
            Panel(
                r"Decoder's variance $\sigma^2$", "round", "square of the data's unit", variances
            ),
        ],
        folder.path / "curves.png",
        columns=3,
    )


def draw_studies(
    folder: RunFolder,
    data: Spectrum,
    collapse: Sequence[Sequence[Any]],
    size: int,
    curve: RateDistortionCurve,
) -> None:
    """collapse.png: active units against a fixed variance; rate_distortion.png's curve beside."""
    values = data.eigenvalues[:size]
    variances = np.geomspace(max(values[-1], 1e-6) / 3, 4 * values[0], 300)
    predicted = [int(np.sum(values > variance)) for variance in variances]
    trained = [row[0] for row in collapse], [row[2] for row in collapse]
    units = [
        Curve(r"eigenvalues above $\sigma^2$", variances, predicted, "-", THEORY),
        Curve("trained", *trained, "o", FAKE),
    ]
    order = np.argsort(curve.rate)
    both = [
        Curve("exact optimum", curve.exact_rate, curve.exact_distortion, "-", THEORY),
        Curve("trained", curve.rate[order], curve.distortion[order], "o", FAKE),
    ]
    note = ", ".join(f"{beta:g}" for beta in curve.betas[curve.trained])
    plots.panels(
        [
            Panel(
                "Posterior collapse, predicted", r"fixed variance $\sigma^2$", "active units",
                units, log_x=True,
            ),
            Panel(
                rf"Rate and distortion of $\beta$-VAEs, $\sigma^2$ = {curve.variance:.3g}",
                "rate, nats", "distortion, nats", both,
                note=rf"trained: $\beta$ = {note}, from right to left",
            ),
        ],
        folder.path / "studies.png",
    )  # fmt: skip


def draw_rates(folder: RunFolder, found: Sequence[Measured]) -> None:
    """rates.png: distances from the optimum, and lines of the exact rates."""
    parts = []
    for index, measured in enumerate(found):
        # Distances below are rounding.
        shown = measured.distances > 1e-13 * measured.distances[0]
        middle = np.flatnonzero(shown)[shown.sum() // 2]
        start = measured.distances[middle]
        line = start * measured.exact ** (measured.rounds - measured.rounds[middle]).astype(float)
        parts.append(
            Panel(
                f"{measured.name}: {measured.exact:.5f} a round", "round", "distance",
                [
                    Curve("measured", measured.rounds[shown], measured.distances[shown], "-",
                          COLOURS[index]),
                    Curve("exact rate", measured.rounds[shown], line[shown], ":", THEORY),
                ],
                log_y=True,
            )
        )  # fmt: skip
    plots.panels(parts, folder.path / "rates.png", columns=3)


def draw_directions(
    folder: RunFolder, weights: np.ndarray, axes: np.ndarray, shape: tuple[int, ...]
) -> None:
    """directions.png: the decoder's columns above the principal axes, as images.

    - `weights`, `axes`: shape `(k, d)`, each row of length 1; of 8 at most.
    """
    scaled = lambda rows: np.asarray([row / np.abs(row).max() for row in rows], np.float32).reshape(
        -1, *shape
    )
    signs = np.sign(np.sum(weights * axes, axis=1))[:, None]
    rows = [Row("decoder", scaled(weights * np.where(signs == 0, 1, signs))),
            Row("principal axes", scaled(axes))]  # fmt: skip
    title = "columns of W by length, and the principal axes of the data"
    draw_rows(rows, folder.path / "directions.png", title)
