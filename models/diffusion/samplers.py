r"""Samplers in steps over a grid of noise levels, and the loop over them.

With $\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$, a step from $(\alpha, \sigma)$ to
$(\alpha', \sigma')$ of DDIM is $x' = \alpha'\hat x_0 + \sigma'\hat\varepsilon$: Euler's method
along the chord of any interpolant through both levels, for which time is no argument. Straight
lines and EDM are their own chords.
"""

import abc
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from theory import NoiseLevel

Denoise: TypeAlias = Callable[[Array, NoiseLevel], Array]
"""From a point and its level to the point without its noise."""


class AbstractSampler(eqx.Module):
    """A rule for one step of the reverse process, for one point.

    `init` gives what it carries from step to step, nothing by default.
    """

    def init(self, x: Float[Array, "*shape"]) -> Any:
        """The state before the first step, at a point of the shape that is sampled."""
        del x

    @property
    @abc.abstractmethod
    def evaluations(self) -> int:
        """The number of denoiser evaluations of a step."""

    @abc.abstractmethod
    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray,
    ) -> "Step":
        """One step from the level `now` to the level `after`, which may be the data's, (1, 0)."""


class Step(NamedTuple):
    """A point after a step, what the sampler carries, and the denoised point that it went for."""

    x: Float[Array, "*shape"]
    state: Any
    denoised: Float[Array, "*shape"]


class ReverseProcess(NamedTuple):
    """The outcome of a sampler.

    - `x`: the point at the last level. `state`: of the sampler, to go on from.
    - `points`, `denoised`: after each step, and what each step went for, `(steps, *shape)`; `None`
      unless they are kept.
    """

    x: Float[Array, "*shape"]
    state: Any
    points: Float[Array, "steps *shape"] | None
    denoised: Float[Array, "steps *shape"] | None


class DDIM(AbstractSampler):
    r"""Denoising diffusion implicit models; Euler's method for $\eta = 0$.

    $$x' = \alpha'\hat x_0 + \sqrt{\sigma'^2 - s^2}\,\hat\varepsilon + s z, \qquad
      s = \eta\,\frac{\sigma'}{\sigma}\sqrt{\sigma^2 - (\alpha/\alpha')^2\sigma'^2}$$

    - `eta`: 0 is deterministic, 1 is `Ancestral("small")`; shape `()`.

    !!! cite "Source"

        Song, Meng & Ermon (2021), arXiv:2010.02502, equations 12 and 16, in terms of levels of any
        interpolant.
    """

    eta: Float[Array, ""] = eqx.field(converter=jnp.asarray, default=0.0)

    @property
    def evaluations(self) -> int:
        return 1

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray,
    ) -> Step:
        denoised = denoise(x, now)
        noise = noise_in(x, denoised, now)
        spread = self.eta.astype(x.dtype) * posterior_deviation(now, after)
        along = jnp.sqrt(jnp.maximum(after.sigma**2 - spread**2, 0))
        fresh = jax.random.normal(key, x.shape, x.dtype)
        return Step(after.alpha * denoised + along * noise + spread * fresh, state, denoised)


class Ancestral(AbstractSampler):
    r"""The reverse Markov chain of DDPM: the posterior $q(x'|x, \hat x_0)$.

    $$x' = \frac{r\sigma'^2}{\sigma^2}x + \alpha'\frac{\sigma^2 - r^2\sigma'^2}{\sigma^2}\hat x_0
      + \varsigma z, \qquad r = \alpha/\alpha'$$

    - `variance`: `small` is the posterior's, $\tilde\beta = \sigma'^2(\sigma^2 - r^2\sigma'^2)/
      \sigma^2$; `large` is the forward step's, $\beta = \sigma^2 - r^2\sigma'^2$, but 0 in a step
      to the data. Static.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), arXiv:2006.11239, equation 7 and section 3.2.
    """

    variance: Literal["small", "large"] = eqx.field(static=True, default="small")

    @property
    def evaluations(self) -> int:
        return 1

    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray,
    ) -> Step:
        denoised = denoise(x, now)
        ratio = now.alpha / after.alpha
        beta = forward_variance(now, after)
        kept = ratio * (after.sigma / now.sigma) ** 2
        mean = kept * x + after.alpha * beta / now.sigma**2 * denoised
        if self.variance == "small":
            spread = posterior_deviation(now, after)
        else:
            spread = jnp.where(after.sigma > 0, jnp.sqrt(beta), 0)
        fresh = jax.random.normal(key, x.shape, x.dtype)
        return Step(mean + spread * fresh, state, denoised)


def noise_in(
    x: Float[Array, "*shape"], denoised: Float[Array, "*shape"], level: NoiseLevel
) -> Float[Array, "*shape"]:
    r"""$\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$."""
    return (x - level.alpha * denoised) / level.sigma


def forward_variance(now: NoiseLevel, after: NoiseLevel) -> Float[Array, ""]:
    r"""$\sigma^2 - (\alpha/\alpha')^2\sigma'^2$, the variance of the noise between two levels."""
    ratio = now.alpha / after.alpha
    return jnp.maximum((now.sigma - ratio * after.sigma) * (now.sigma + ratio * after.sigma), 0)


def posterior_deviation(now: NoiseLevel, after: NoiseLevel) -> Float[Array, ""]:
    r"""The deviation of $q(x'|x, x_0)$."""
    return after.sigma / now.sigma * jnp.sqrt(forward_variance(now, after))


def reverse_process(
    sampler: AbstractSampler,
    denoise: Denoise,
    levels: NoiseLevel,
    x: Float[Array, "*shape"],
    key: PRNGKeyArray,
    *,
    state: Any = None,
    first: int | Array = 0,
    keep: bool = False,
) -> ReverseProcess:
    """Run a sampler over a grid of levels from one point; map over points with `jax.vmap`.

    Cut into pieces, it draws the same numbers: a step's key depends on its place alone.

    **Arguments:**

    - `denoise`: `(x, level) -> denoised`. `levels`: shape `(steps + 1,)`, from noise to data.
    - `x`: a point at the first level; from `start` for a sample.
    - `state`: of the sampler, of the piece before; `first`: the place of the first step in the
      whole. `keep`: keep all points.
    """
    levels = NoiseLevel(*(part.astype(x.dtype) for part in levels))
    places = jnp.arange(len(levels.alpha) - 1, dtype=jnp.int32) + jnp.asarray(first, jnp.int32)
    before, behind = (
        NoiseLevel(levels.alpha[part], levels.sigma[part]) for part in (slice(-1), slice(1, None))
    )

    def body(carry: Any, at: Any) -> Any:
        (x, state), (now, after, place) = carry, at
        step = sampler.step(denoise, x, state, now, after, jax.random.fold_in(key, place))
        return (step.x, step.state), (step.x, step.denoised) if keep else None

    state = sampler.init(x) if state is None else state
    (x, state), kept = jax.lax.scan(body, (x, state), (before, behind, places))
    return ReverseProcess(x, state, *(kept if keep else (None, None)))


def start(levels: NoiseLevel, shape: tuple[int, ...], key: PRNGKeyArray) -> Float[Array, "*shape"]:
    r"""A point of the first level's noise, $\sigma\varepsilon$: all that is left of the data there
    is taken for 0."""
    return levels.sigma[0] * jax.random.normal(key, shape, levels.sigma.dtype)
