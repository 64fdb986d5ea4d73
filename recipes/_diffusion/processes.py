"""Noise levels by objective: what is trained on, what is sampled through."""

import abc
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import theory
from recipes._diffusion.args import DiffusionArgs, Objective
from recipes._runtime.errors import UserError

MOST_LEFT = 0.1
"""The most of the data, alpha, that the last level of a chain may have."""
EDGE = 1e-5
"""Quantiles are taken between this and 1 less this: normal ones are infinite at the ends."""
KINDS: dict[Objective, theory.Prediction] = {
    "noise": "noise", "velocity": "v", "flow": "flow", "edm": "edm",
}  # fmt: skip


class AbstractLevelLaw(eqx.Module):
    """The law of the noise levels that are trained on, by its quantiles, little noise first."""

    @abc.abstractmethod
    def quantile(self, share: Float[Array, "..."]) -> theory.NoiseLevel:
        """The level that a share, between 0 and 1, of the draws has less noise than."""


class ChainLaw(AbstractLevelLaw):
    """All steps of a chain alike.

    - `chain`: from data to noise, shape `(T + 1,)`; the data themselves are not drawn.
    """

    chain: theory.NoiseLevel

    def quantile(self, share: Float[Array, "..."]) -> theory.NoiseLevel:
        size = len(self.chain.alpha) - 1
        place = 1 + jnp.minimum((share * size).astype(jnp.int32), size - 1)
        return theory.NoiseLevel(self.chain.alpha[place], self.chain.sigma[place])


class TimeLaw(AbstractLevelLaw):
    """Uniform or logit-normal times between 0 and 1.

    !!! cite "Source"

        Esser et al. (2024), arXiv:2403.03206, section 3.1, for logit-normal times.
    """

    interpolant: theory.AbstractInterpolant
    logit_normal: bool = eqx.field(static=True, default=False)

    def quantile(self, share: Float[Array, "..."]) -> theory.NoiseLevel:
        share = jnp.clip(share, EDGE, 1 - EDGE)
        if self.logit_normal:
            share = jax.nn.sigmoid(jax.scipy.special.ndtri(share))
        return self.interpolant.level(share)


class LogNormalLaw(AbstractLevelLaw):
    """Log-normal deviations of the noise, with alpha 1.

    - `unit`: deviation over that of the paper, whose data have 0.5.

    !!! cite "Source"

        Karras et al. (2022), arXiv:2206.00364, table 1.
    """

    unit: float = eqx.field(static=True)

    def quantile(self, share: Float[Array, "..."]) -> theory.NoiseLevel:
        normal = jax.scipy.special.ndtri(jnp.clip(share, EDGE, 1 - EDGE))
        return theory.NoiseLevel.exploded(self.unit * jnp.exp(-1.2 + 1.2 * normal))


class Process(NamedTuple):
    """Noise levels of an objective.

    - `kind`: what the network predicts. `law`: the levels that it is trained on.
    - `interpolant`: in continuous time, for paths and likelihoods. `chain`: of noise, else `None`.
    """

    kind: theory.Prediction
    law: AbstractLevelLaw
    interpolant: theory.AbstractInterpolant
    chain: theory.NoiseLevel | None = None

    def levels(self, steps: int) -> theory.NoiseLevel:
        """Levels for `steps` steps from noise to data, shape `(steps + 1,)`."""
        if self.chain is not None:
            return theory.respaced(self.chain, steps)
        if isinstance(self.interpolant, theory.EDM):
            ends = (self.interpolant.sigma_min, self.interpolant.sigma_max)
            return theory.edm_levels(steps, *ends)
        return self.interpolant.levels(steps)


def make_process(args: DiffusionArgs, data_std: float) -> Process:
    """The process of the flags, for data of a deviation.

    **Raises:** `UserError` for a chain that keeps too much of the data.
    """
    kind = KINDS[args.objective]
    if args.objective == "noise":
        chain = _chain(args)
        return Process(kind, ChainLaw(chain), theory.VariancePreserving(), chain)
    if args.objective == "velocity":
        return Process(kind, TimeLaw(theory.Cosine()), theory.Cosine())
    if args.objective == "flow":
        lines = theory.StraightLines()
        return Process(kind, TimeLaw(lines, args.times == "logit_normal"), lines)
    unit = data_std / 0.5
    return Process(kind, LogNormalLaw(unit), theory.EDM(0.002 * unit, 80.0 * unit))


def _chain(args: DiffusionArgs) -> theory.NoiseLevel:
    make = theory.linear_betas if args.schedule == "linear" else theory.cosine_betas
    # Numbers, and no tracers, also where only the shapes of a set-up are asked for.
    with jax.ensure_compile_time_eval():
        chain = theory.levels_of_betas(make(args.diffusion_steps))
        left = float(chain.alpha[-1])
    if left > MOST_LEFT:
        raise UserError(
            f"--diffusion-steps {args.diffusion_steps} with --schedule {args.schedule} leaves "
            f"{left:.2f} of the data in the noise that sampling begins with, where at most "
            f"{MOST_LEFT} is noise enough; take more steps, or --schedule cosine."
        )
    return chain
