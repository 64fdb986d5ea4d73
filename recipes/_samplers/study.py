"""Samplers with the exact and with a learned denoiser, held against the exact law and flow."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import models
import theory
from recipes._diffusion.exact import ExactLaw
from recipes._diffusion.processes import Process

SLICES = 64
"""Directions of the sliced distance."""
FINE = 300
"""Steps of Heun's method that stand for a path without a step size."""
SCORES = ("exact", "trained")
DETERMINISTIC = ("ddim", "dpm_solver", "heun")
"""Samplers whose paths have an end that they should come to."""


class SamplerLine(NamedTuple):
    """One sampler with one denoiser at one cost.

    - `score`: exact or trained. `evaluations`: of the denoiser, for a sample.
    - `w1`: sliced W1 to the law. `near`: the share of samples within three deviations of the
      nearest Gaussian's mean; draws of separate Gaussians have 0.98889.
    - `off`: median distance to the end of the exact path from the same noise; `switched`: the share
      of points whose nearest mode is another one there. `None` for random samplers.
    """

    sampler: str
    score: str
    evaluations: int
    w1: float
    near: float
    off: float | None
    switched: float | None


class Study(NamedTuple):
    """The lines of all samplers, and what they are held against.

    - `floor`: sliced W1 of as many draws of the law itself.
    - `network`: the distances of the trained network's own path, without a step size, to the exact
      one: a line whose sampler is `flow`.
    - `samples`: by `(sampler, score, evaluations)`, shape `(points, 2)`. `law`: draws of the law.
    """

    lines: list[SamplerLine]
    floor: float
    network: SamplerLine
    samples: dict[tuple[str, str, int], np.ndarray]
    law: np.ndarray


class ExactDenoiser(eqx.Module):
    """The exact denoiser of a law, as samplers call it."""

    law: ExactLaw

    def __call__(self, x: Float[Array, " 2"], level: theory.NoiseLevel) -> Float[Array, " 2"]:
        return self.law.denoiser(x, level)


class Judge:
    """The exact law's numbers of samples, all from the same noise.

    - `points`: how many samples. `process`: whose levels are sampled through.
    """

    def __init__(self, law: ExactLaw, process: Process, points: int, key: PRNGKeyArray):
        key_law, key_floor, key_along, self.key = jax.random.split(key, 4)
        self.exact, self.process = law, process
        mixture = theory.GaussianMixture(law.weights, law.means, law.covs)
        self.law = mixture.sample(key_law, 4 * points)
        self.along = theory.slice_directions(key_along, SLICES, 2)
        self.floor = self._w1(mixture.sample(key_floor, points))
        self.keys = jax.random.split(self.key, points)

    def ends(
        self, denoiser: Any, sampler: models.AbstractSampler, steps: int
    ) -> Float[Array, "n 2"]:
        """Samples of a denoiser; a step is one program, whatever their number."""
        levels = self.process.levels(steps)
        x = _starts(levels, self.keys)
        state = jax.vmap(sampler.init)(x)
        for place in range(steps):
            pair = theory.NoiseLevel(*(part[place : place + 2] for part in levels))
            x, state = _step(denoiser, sampler, pair, x, state, self.keys, jnp.int32(place))
        return x

    def line(
        self, sampler: str, score: str, evaluations: int, x: Array, exact_ends: Array | None
    ) -> SamplerLine:
        """The numbers of samples; `exact_ends`: where the exact paths from their noise end."""
        deviation = jnp.sqrt(self.exact.covs[0, 0, 0])
        near = float(theory.mode_coverage(x, self.exact.means, deviation).high_quality)
        off = switched = None
        if exact_ends is not None:
            off = float(jnp.median(jnp.linalg.norm(x - exact_ends, axis=1)))
            switched = float(jnp.mean(self._modes(x) != self._modes(exact_ends)))
        return SamplerLine(sampler, score, evaluations, self._w1(x), near, off, switched)

    def _w1(self, x: Array) -> float:
        return float(theory.sliced_wasserstein(x, self.law, self.along, 1).value)

    def _modes(self, x: Array) -> Array:
        gaps = x[:, None, :] - self.exact.means[None]
        return jnp.argmin(jnp.sum(gaps**2, axis=2), axis=1)


@eqx.filter_jit
def _starts(levels: theory.NoiseLevel, keys: Array) -> Float[Array, "n 2"]:
    return jax.vmap(lambda key: models.start(levels, (2,), key))(keys)


@eqx.filter_jit
def _step(
    denoiser: Any,
    sampler: models.AbstractSampler,
    levels: theory.NoiseLevel,
    x: Float[Array, "n 2"],
    state: Any,
    keys: Array,
    place: Array,
) -> tuple[Float[Array, "n 2"], Any]:
    def one(x: Array, state: Any, key: PRNGKeyArray) -> tuple[Array, Any]:
        after = models.reverse_process(
            sampler, denoiser, levels, x, jax.random.fold_in(key, 1), state=state, first=place
        )
        return after.x, after.state

    return jax.vmap(one)(x, state, keys)


def steps_of(sampler: models.AbstractSampler, process: Process, evaluations: int) -> int:
    """The most steps that so many evaluations pay for."""
    costs = (sampler.evaluations(process.levels(steps)) for steps in range(2, evaluations + 1))
    return 1 + sum(cost <= evaluations for cost in costs)


def studied(
    judge: Judge,
    denoisers: dict[str, Any],
    samplers: dict[str, models.AbstractSampler],
    evaluations: Sequence[int],
    said: Callable[[str], Any],
) -> Study:
    """All samplers with all denoisers at all costs.

    **Arguments:**

    - `denoisers`: exact and trained. `samplers`: by name.
    - `said`: a context manager for what is being done.
    """
    heun = models.Heun()
    with said("following the exact and the trained flow"):
        flows = {score: judge.ends(denoisers[score], heun, FINE) for score in SCORES}
    exact_ends = flows["exact"]
    network = judge.line("flow", "trained", 2 * FINE - 1, flows["trained"], exact_ends)
    lines, samples = [], {}
    for name, score, count, x in _all(judge, denoisers, samplers, evaluations, said):
        ends = exact_ends if name in DETERMINISTIC else None
        lines.append(judge.line(name, score, count, x, ends))
        samples[name, score, count] = np.asarray(x)
    return Study(lines, judge.floor, network, samples, np.asarray(judge.law))


def _all(
    judge: Judge, denoisers: dict[str, Any], samplers: dict[str, Any], evaluations: Sequence[int],
    said: Callable[[str], Any],
) -> Iterator[tuple[str, str, int, Array]]:  # fmt: skip
    for name, sampler in samplers.items():
        for score in SCORES:
            with said(f"sampling by {name} with the {score} score"):
                for count in evaluations:
                    steps = steps_of(sampler, judge.process, count)
                    yield name, score, count, judge.ends(denoisers[score], sampler, steps)
