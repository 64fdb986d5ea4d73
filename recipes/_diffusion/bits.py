"""The variational bound of held-out points, from the errors at every level."""

import numpy as np
from scipy import stats

import theory
from recipes._diffusion.model import DiffusionData
from recipes._report import tables
from recipes._runtime.run import RunFolder

MOST_VALUES = 256
"""The most values that the numbers of discrete points have."""


def spacing_of(points: np.ndarray) -> float | None:
    """The distance between the values that the points' numbers have; `None` if they have too many,
    or values at other distances.
    """
    values = np.unique(points)
    if not 2 <= len(values) <= MOST_VALUES:
        return None
    gaps = np.diff(values)
    steps = gaps / gaps.min()
    return float(gaps.min()) if np.allclose(steps, np.round(steps), atol=0.02) else None


def bound_terms(
    points: np.ndarray,
    levels: theory.NoiseLevel,
    errors: np.ndarray,
    last: np.ndarray,
    spacing: float | None,
) -> dict[str, np.ndarray]:
    r"""Terms of the negative variational bound of a chain, in nats, each of shape `(n,)`.

    The prior's KL, $\alpha_T^2\|x_0\|^2/2\sigma_T^2$; that of all steps, $\frac12\sum(\mathrm{SNR}'
    - \mathrm{SNR})\|x_0 - \hat x_0\|^2$; and $-\log p(x_0|x_1)$ of a Gaussian about $\hat x_0$.

    **Arguments:**

    - `points`, `last`: and their denoised points at the last level, shape `(n, *shape)`.
    - `errors`: $\|x_0 - \hat x_0\|^2$ at every level, from noise to data, `(levels, n)`.
    - `spacing`: between the values of discrete points, whose chance is that of an interval of this
      length, and to infinity for the extreme ones; `None` for densities.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equations 5 and 13; Kingma et al. (2021),
        arXiv:2107.00630, equation 13.
    """
    flat = points.reshape(len(points), -1).astype(np.float64)
    apart = flat - last.reshape(len(last), -1)
    snr = np.asarray(levels.snr, np.float64)
    deviation = snr[-1] ** -0.5
    prior = 0.5 * snr[0] * np.sum(flat**2, axis=1)
    steps = 0.5 * np.diff(snr) @ errors[:-1]
    if spacing is None:
        log_chance = stats.norm.logpdf(apart, scale=deviation)
    else:
        up = np.where(flat > flat.max() - spacing / 2, np.inf, apart + spacing / 2) / deviation
        down = np.where(flat < flat.min() + spacing / 2, -np.inf, apart - spacing / 2) / deviation
        # Of two values far above 0 the difference of the chances to be above keeps its digits.
        mirrored = down > 0
        up, down = np.where(mirrored, -down, up), np.where(mirrored, -up, down)
        below, above = stats.norm.logcdf(down), stats.norm.logcdf(up)
        log_chance = above + np.log1p(-np.exp(np.minimum(below - above, -1e-300)))
    return {"prior": prior, "steps": steps, "reconstruction": -log_chance.sum(axis=1)}


def write_bound(
    folder: RunFolder, data: DiffusionData, terms: dict[str, np.ndarray], levels: int,
    spacing: float | None,
) -> dict[str, float]:  # fmt: skip
    """Writes likelihood.md; returns the bound in bits per dimension, or in nats for densities."""
    size = int(np.prod(data.shape))
    each = {**terms, "bound": np.sum(list(terms.values()), axis=0)}
    bits = {name: values / np.log(2) / size for name, values in each.items()}
    rows = [
        [name, *tables.mean_and_error(each[name]), *tables.mean_and_error(bits[name])]
        for name in each
    ]
    count = len(each["bound"])
    heads = ["term", "nats", "standard error", "bits per dimension", "standard error"]
    what = (
        f"the chance of pixels with values {spacing:.4g} apart" if spacing is not None
        else "a density, in the units of training"
    )  # fmt: skip
    text = (
        f"Negative log-likelihood of {count} held-out points, {what}: the variational bound of the "
        f"chain with {levels - 1} steps, evenly spaced in the log signal-to-noise ratio.\n\n"
    )
    (folder.path / "likelihood.md").write_text(
        text + tables.markdown(heads, rows), encoding="utf-8"
    )
    if spacing is None:
        return {"bound_nats": rows[-1][1], "bound_nats_error": rows[-1][2]}
    return {"bits_per_dimension_bound": rows[-1][3], "bits_per_dimension_bound_error": rows[-1][4]}
