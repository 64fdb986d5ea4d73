"""Bits per dimension: discrete points, and the variational bound by the errors at every level."""

from typing import NamedTuple

import numpy as np

import theory
from recipes._report import tables
from recipes._runtime.run import RunFolder

MOST_VALUES = 256
"""The most values that the numbers of discrete points have."""


class Bins(NamedTuple):
    """Evenly spaced values of discrete points: how many, the least and the greatest."""

    number: int
    low: float
    high: float

    @property
    def width(self) -> float:
        """The distance between two values."""
        return (self.high - self.low) / (self.number - 1)


def bins_of(points: np.ndarray) -> Bins | None:
    """The values that the points' numbers have; `None` for too many, or other distances."""
    values = np.unique(points)
    if not 2 <= len(values) <= MOST_VALUES:
        return None
    steps = np.diff(values) / np.diff(values).min()
    count = round(float(np.sum(steps))) + 1
    even = np.allclose(steps, np.round(steps), atol=0.02) and count <= MOST_VALUES
    return Bins(count, float(values[0]), float(values[-1])) if even else None


def bound_terms(
    points: np.ndarray, levels: theory.NoiseLevel, squares: np.ndarray, last: int
) -> tuple[np.ndarray, np.ndarray]:
    r"""The prior's KL and that of all steps, of a chain that ends at the level `last`, in nats.

    $\alpha_T^2\|x_0\|^2/2\sigma_T^2$, for $x_T$ that begins as $N(0, \sigma_T^2)$, and
    $\frac12\sum(\mathrm{SNR}' - \mathrm{SNR})\|x_0 - \hat x_0\|^2$, each of shape `(n,)`.

    **Arguments:**

    - `points`: shape `(n, *shape)`. `squares`: $\|x_0 - \hat x_0\|^2$ at every level, from noise to
      data, `(levels, n)`.

    !!! cite "Source"

        Kingma et al. (2021), arXiv:2107.00630, equation 13.
    """
    flat = points.reshape(len(points), -1).astype(np.float64)
    snr = np.asarray(levels.snr, np.float64)
    return 0.5 * snr[0] * np.sum(flat**2, axis=1), 0.5 * np.diff(snr[: last + 1]) @ squares[:last]


def best_last(
    points: np.ndarray, levels: theory.NoiseLevel, squares: np.ndarray, nats: np.ndarray
) -> int:
    """The level at which the chain ends with the least bound: with less noise than the values of
    discrete points are apart, steps cost what the reconstruction need not."""
    totals = [
        float(np.mean(sum(bound_terms(points, levels, squares, last)) + nats[last]))
        for last in range(1, len(nats))
    ]
    return 1 + int(np.argmin(totals))


def write_bound(
    folder: RunFolder, terms: dict[str, np.ndarray], size: int, steps: int, bins: Bins | None
) -> dict[str, float]:
    """Writes likelihood.md; returns the bound in bits per dimension, or in nats for densities."""
    each = {**terms, "bound": np.sum(list(terms.values()), axis=0)}
    rows = []
    for name, values in each.items():
        nats, error = tables.mean_and_error(values)
        bits = float(theory.bits_per_dimension(nats, size))
        rows.append([name, nats, error, bits, float(theory.bits_per_dimension(error or 0.0, size))])
    heads = ["term", "nats", "standard error", "bits per dimension", "standard error"]
    what = (
        f"chances of pixels with {bins.number} values" if bins is not None
        else "densities, in the units of training"
    )  # fmt: skip
    text = (
        f"Negative log-likelihoods of {len(each['bound'])} held-out points, {what}: the "
        f"variational bound of a chain with {steps} steps, evenly spaced in the log "
        "signal-to-noise ratio. It ends where the bound of training points is least.\n\n"
    )
    text += tables.markdown(heads, rows)
    (folder.path / "likelihood.md").write_text(text, encoding="utf-8")
    if bins is None:
        return {"bound_nats": rows[-1][1], "bound_nats_error": rows[-1][2]}
    return {"bits_per_dimension_bound": rows[-1][3], "bits_per_dimension_bound_error": rows[-1][4]}
