"""Squared errors of a denoiser by noise level, beside bounds that are known."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from tqdm import tqdm

import theory
from recipes._diffusion.bits import Bins
from recipes._diffusion.exact import ExactLaw
from recipes._diffusion.processes import Process
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, REAL, THEORY, Curve, Panel
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder

LEVELS, POINTS = 128, 128
"""Noise levels, and points of which the errors are, with fresh noise at each level."""
TAIL = 1e-3
"""The shares of the levels that are trained on, least and most noise, that are left out."""
MOST_LOG_SNR = 15.0
"""The bound of the log signal-to-noise ratio, either side."""
MOST_REMEMBERED = 10_000
"""The most training points of which the denoiser that has memorised them is computed."""


def level_grid(process: Process) -> theory.NoiseLevel:
    """Levels evenly spaced in the log signal-to-noise ratio over what is trained on.

    Shape `(LEVELS,)`, from noise to data.
    """
    ends = process.law.quantile(jnp.asarray([1 - TAIL, TAIL], jnp.float32))
    most, least = np.clip(np.asarray(ends.log_snr, np.float64), -MOST_LOG_SNR, MOST_LOG_SNR)
    log_snr = jnp.linspace(most, least, LEVELS, dtype=jnp.float32)
    return process.interpolant.level(process.interpolant.time_of(log_snr))


class Measured(NamedTuple):
    """Errors of points at every level of a grid, each of shape `(levels, n)`.

    - `squares`: squared errors, summed over the numbers of a point.
    - `reconstructions`: $-\\log p(x_0)$ of a Gaussian about the denoised point, of the deviation
      that the noise has over the signal, in nats; of discrete points the chance of their bins.
    """

    squares: np.ndarray
    reconstructions: np.ndarray


def measure(
    denoiser: Any,
    points: np.ndarray,
    levels: theory.NoiseLevel,
    key: PRNGKeyArray,
    what: str,
    bins: Bins | None = None,
) -> Measured:
    """Errors of the first points, whose class is not told, level by level; `what` is said.

    The same key is the same noise, also of another denoiser.
    """
    judged, found = jnp.asarray(points[:POINTS]), []
    with tqdm(total=len(levels.alpha), desc=what, unit=" levels", delay=1, leave=False) as shown:
        for place, (alpha, sigma) in enumerate(zip(*levels, strict=True)):
            level, key_level = theory.NoiseLevel(alpha, sigma), jax.random.fold_in(key, place)
            with says(what, shown):
                parts = _errors(denoiser, judged, level, key_level, bins)
                found.append([np.asarray(part, np.float64) for part in parts])
            shown.update()
    return Measured(*map(np.stack, zip(*found, strict=True)))


@eqx.filter_jit
def _errors(
    denoiser: Any, points: Array, level: theory.NoiseLevel, key: PRNGKeyArray,
    bins: Bins | None,
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:  # fmt: skip
    variance = (level.sigma / level.alpha) ** 2

    def one(point: Array, key: PRNGKeyArray) -> tuple[Array, Array]:
        noise = jax.random.normal(key, point.shape, point.dtype)
        clean = denoiser(level.alpha * point + level.sigma * noise, level)
        if bins is None:
            nats = theory.gaussian_reconstruction(point, clean, variance)
        else:
            nats = theory.discretised_reconstruction(
                point, clean, variance, bins=bins.number, low=bins.low, high=bins.high
            )
        return jnp.sum((clean - point) ** 2), nats

    return jax.vmap(one)(points, jax.random.split(key, len(points)))


class Memory(eqx.Module):
    """The exact denoiser of a finite data set, of points of any shape.

    - `points`: flattened, shape `(n, d)`.
    """

    points: Float[Array, "n d"]

    def __call__(self, x: Float[Array, "*shape"], level: theory.NoiseLevel) -> Array:
        return theory.data_denoiser(x.reshape(-1), level, self.points).reshape(x.shape)


def bounds_of(
    exact: ExactLaw | None, points: np.ndarray, levels: theory.NoiseLevel, key: PRNGKeyArray
) -> dict[str, np.ndarray]:
    """Mean squared errors at every level of denoisers that are known, by name.

    The exact one of the law of the data, where there is one; else the best linear one, and of few
    training points the one that has memorised them, on those.
    """
    flat = points.reshape(len(points), -1)
    if exact is not None:
        errors = measure(exact.denoiser, points, levels, key, "exact errors").squares
        return {"the law's exact denoiser": errors.mean(axis=1)}
    spread = np.clip(np.linalg.eigvalsh(np.cov(flat.T, dtype=np.float64)), 0, None)
    alpha, sigma = (np.asarray(part, np.float64)[:, None] for part in levels)
    linear = np.sum(spread * sigma**2 / (alpha**2 * spread + sigma**2), axis=1)
    bounds = {"the best linear denoiser": linear}
    if len(flat) <= MOST_REMEMBERED:
        memory = Memory(jnp.asarray(flat))
        errors = measure(memory, points, levels, key, "errors of the memory").squares
        bounds["the training points by heart, on those"] = errors.mean(axis=1)
    return bounds


def draw_losses(
    folder: RunFolder,
    levels: theory.NoiseLevel,
    errors: dict[str, np.ndarray],
    bounds: dict[str, np.ndarray],
    size: int,
) -> None:
    """losses.png: mean squared errors of a number by noise level, beside what is known.

    **Arguments:**

    - `errors`: of the model, `(levels, n)`. `bounds`: `(levels,)`; all summed over `size` numbers.
    """
    ratio = np.exp(-0.5 * np.asarray(levels.log_snr, np.float64))
    styles = (("-", FAKE), ("--", REAL))
    lines = [
        Curve(f"the model, {name}", ratio, values.mean(axis=1) / size, *style)
        for (name, values), style in zip(errors.items(), styles, strict=False)
    ]
    known = (("-.", COLOURS[2]), (":", THEORY)) if len(bounds) > 1 else ((":", THEORY),)
    lines += [
        Curve(name, ratio, np.maximum(values / size, 1e-12), *style)
        for (name, values), style in zip(bounds.items(), known, strict=True)
    ]
    shown = [curve for curve in lines if np.isfinite(curve.y).all()]
    floor = min(np.min(curve.y) for curve in shown[: len(errors)])
    lifted = [curve._replace(y=np.where(np.asarray(curve.y) < floor / 30, np.nan, curve.y))
              for curve in shown]  # fmt: skip
    panel = Panel(
        "Error of the denoised point", "noise over signal, $\\sigma/\\alpha$",
        "mean square of a number", lifted, log_y=True, log_x=True,
    )  # fmt: skip
    plots.panels([panel], folder.path / "losses.png")
