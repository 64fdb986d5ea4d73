"""Log-likelihoods of held-out points by the probability-flow ODE."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray
from tqdm import tqdm

import models
import theory
from recipes._diffusion.args import DiffusionArgs
from recipes._diffusion.bits import Bins, bins_of
from recipes._diffusion.exact import exact_law
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.processes import Process, make_process
from recipes._report import tables
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder

POINTS, BLOCK = 128, 16
"""Held-out points, and how many are integrated at once."""


class FlowTimes(NamedTuple):
    """The times between which a path is integrated: of little noise, and of most."""

    begin: float
    end: float


def flow_times(process: Process) -> FlowTimes:
    """The least and the most noise that the network was trained on, short of alpha 0."""
    ends = process.law.quantile(jnp.asarray([1e-3, 1.0], jnp.float32))
    log_snr = jnp.clip(ends.log_snr, -12.0, 12.0)
    times = process.interpolant.time_of(log_snr)
    first, last = process.interpolant.first, process.interpolant.last
    begin, end = (float(jnp.clip(time, first, last)) for time in times)
    return FlowTimes(begin, end)


@eqx.filter_jit
def _log_probs(
    denoiser: Any, interpolant: Any, times: FlowTimes, points: Array, keys: Any
) -> models.LogLikelihood:
    def one(point: Array, key: PRNGKeyArray | None) -> models.LogLikelihood:
        return models.log_likelihood(
            denoiser, interpolant, point, key, probes=0 if key is None else 1,
            begin=times.begin, end=times.end,
        )  # fmt: skip

    return jax.vmap(one)(points, keys)


def log_probs(
    denoiser: Any, interpolant: Any, times: FlowTimes, points: Any, key: PRNGKeyArray | None
) -> tuple[np.ndarray, float]:
    """Log-densities of points `(n, *shape)`, and the mean number of evaluations; with a key by
    Hutchinson's estimate of the trace, and else by the exact one."""
    times = FlowTimes(*(jnp.float32(time) for time in times))
    found, counts = [], []
    size = min(BLOCK if key is not None else 512, len(points))
    blocks = range(0, len(points), size)
    with tqdm(total=len(blocks), desc="likelihoods", unit=" blocks", delay=1, leave=False) as shown:
        for first in blocks:
            rows = np.minimum(np.arange(first, first + size), len(points) - 1)
            keys = None if key is None else jax.random.split(jax.random.fold_in(key, first), size)
            with says("likelihoods", shown):
                part = _log_probs(denoiser, interpolant, times, jnp.asarray(points[rows]), keys)
                found.append(np.asarray(part.log_prob, np.float64))
            counts.append(np.asarray(part.evaluations, np.float64))
            shown.update()
    return np.concatenate(found)[: len(points)], float(np.mean(np.concatenate(counts)))


def likelihood(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """likelihood.md: held-out log-likelihoods, of discrete pixels as a bound by uniform noise."""
    key_noise, key_signs = jax.random.split(key)
    process = make_process(args, data.std)
    times, points = flow_times(process), data.held_out.points[:POINTS]
    bins = bins_of(data.scaled.points) if data.scaled.kind == "image" else None
    if bins is not None:
        noise = jax.random.uniform(key_noise, points.shape, points.dtype, -0.5, 0.5)
        points = points + bins.width * np.asarray(noise)
    signs = None if data.is_plane else key_signs
    found, evaluations = log_probs(denoiser, process.interpolant, times, points, signs)
    size = int(np.prod(data.shape))
    numbers = _numbers(found, size, bins) | {"evaluations": evaluations}
    rows = [["model", *tables.mean_and_error(found)]]
    exact = exact_law(args.data)
    if exact is not None:
        level = process.interpolant.level(jnp.float32(times.begin))
        true = np.asarray(jax.vmap(lambda x: exact.log_prob(x, level))(jnp.asarray(points)))
        rows += [["exact law", *tables.mean_and_error(true)]]
        rows += [["model less exact", *tables.mean_and_error(found - true)]]
        numbers |= {"log_likelihood_exact": float(true.mean())}
    _write(folder, rows, numbers, len(points), process, times, bins)
    return numbers


def _numbers(found: np.ndarray, size: int, bins: Bins | None) -> dict[str, float]:
    mean, error = tables.mean_and_error(found)
    numbers = {"log_likelihood": mean, "log_likelihood_error": error or 0.0}
    if bins is not None:
        # The chance of a pixel's value is at least that of its interval under dequantisation.
        bits = lambda nats, width: float(theory.bits_per_dimension(nats, size, width))
        numbers |= {"bits_per_dimension": bits(-mean, bins.width)}
        numbers |= {"bits_per_dimension_error": bits(error or 0.0, 1.0)}
    return numbers


def _write(
    folder: RunFolder, rows: list[Any], numbers: dict[str, float], count: int, process: Process,
    times: FlowTimes, bins: Bins | None,
) -> None:  # fmt: skip
    ratio = float(np.exp(-0.5 * process.interpolant.log_snr(jnp.float32(times.begin))))
    text = (
        f"Log-likelihoods of {count} held-out points, in nats, by the probability-flow ODE: "
        f"densities of points with noise of {ratio:.2g} of the signal, in the units of training, "
        f"after {numbers['evaluations']:.0f} evaluations on average.\n\n"
    )
    text += tables.markdown(["law", "mean", "standard error"], rows)
    if bins is not None:
        text += (
            f"\nPixels have {bins.number} values, and uniform noise as wide as their distance was "
            f"added: at most {numbers['bits_per_dimension']:.3f} ± "
            f"{numbers['bits_per_dimension_error']:.3f} bits per dimension.\n"
        )
    (folder.path / "likelihood.md").write_text(text, encoding="utf-8")
