"""Inpainting by replacement: a sampler whose known entries are replaced at every level."""

from typing import Any, SupportsIndex

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from models.diffusion.samplers import (
    AbstractSampler,
    Denoise,
    Step,
    count,
    forward_variance,
    fresh_noise,
)
from theory import NoiseLevel


class Replacement(AbstractSampler):
    r"""A sampler, after each of whose steps known entries become $\alpha'y + \sigma'\varepsilon$.

    It conditions on noised observations that are drawn anew at each level, and not on $y$: its
    law is biased, also in the limit of many steps. Resampling lessens the bias: each step is taken
    `resamplings` times, and between two of them the point is noised again from the level after
    to the level before, by the forward process.

    - `sampler`: of the steps. One that carries a state starts each pass over a step from the same.
    - `known`: which entries are known, of the shape of a point. `observed`: $y$, of the same
      shape; unknown entries are ignored. `resamplings`: 1 or more, static.

    !!! cite "Source"

        Song et al. (2021), arXiv:2011.13456, appendix I.2; Lugmayr et al. (2022),
        arXiv:2201.09865 (RePaint), algorithm 1, with as many passes in the last step as in others.
    """

    sampler: AbstractSampler
    known: Bool[Array, "*shape"]
    observed: Float[Array, "*shape"]
    resamplings: int = eqx.field(static=True)

    def __init__(
        self,
        sampler: AbstractSampler,
        known: Bool[Array | np.ndarray, "*known"],
        observed: Float[Array | np.ndarray, "*seen"],
        resamplings: SupportsIndex | float = 1,
    ):
        if np.shape(known) != np.shape(observed):
            raise ValueError(
                "known and observed must agree in shape, "
                f"got {np.shape(known)} and {np.shape(observed)}."
            )
        self.sampler, self.resamplings = sampler, count("resamplings", resamplings)
        self.known, self.observed = jnp.asarray(known), jnp.asarray(observed)

    def init(self, x: Float[Array, "*shape"]) -> Any:
        if x.shape != self.known.shape:
            raise ValueError(
                f"a point must have the shape of the known entries, {self.known.shape}, "
                f"got {x.shape}."
            )
        return self.sampler.init(x)

    def evaluations(self, levels: NoiseLevel) -> int:
        return self.resamplings * self.sampler.evaluations(levels)

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> Step:
        if key is None:
            raise ValueError("Replacement draws noise, and needs a key.")
        ratio, deviation = now.alpha / after.alpha, jnp.sqrt(forward_variance(now, after))
        observed = self.observed.astype(x.dtype)

        def one_pass(x: Array, key: PRNGKeyArray) -> Step:
            key_step, key_known = jax.random.split(key)
            step = self.sampler.step(denoise, x, state, now, after, key_step)
            noised = after.alpha * observed + after.sigma * fresh_noise(key_known, x)
            return Step(jnp.where(self.known, noised, step.x), step.state, step.denoised)

        def again(step: Step, key: PRNGKeyArray) -> tuple[Step, None]:
            key_back, key_pass = jax.random.split(key)
            return one_pass(ratio * step.x + deviation * fresh_noise(key_back, x), key_pass), None

        key_once, *keys = jax.random.split(key, self.resamplings)
        step = one_pass(x, key_once)
        return jax.lax.scan(again, step, jnp.stack(keys))[0] if keys else step
