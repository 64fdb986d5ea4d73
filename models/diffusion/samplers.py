r"""Samplers in steps over a grid of noise levels, and the loop over them.

With $\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$, a step from $(\alpha, \sigma)$ to
$(\alpha', \sigma')$ of DDIM is $x' = \alpha'\hat x_0 + \sigma'\hat\varepsilon$: Euler's method
along the chord of any interpolant through both levels, for which time is no argument. Straight
lines and EDM are their own chords.
"""

import abc
import operator
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Num, PRNGKeyArray

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

    def evaluations(self, levels: NoiseLevel) -> int:
        """The number of denoiser evaluations of all steps over a grid, shape `(steps + 1,)`: one a
        step unless a sampler says otherwise."""
        return steps_of(levels)

    @abc.abstractmethod
    def step(
        self,
        denoise: Denoise,
        x: Float[Array, "*shape"],
        state: Any,
        now: NoiseLevel,
        after: NoiseLevel,
        key: PRNGKeyArray | None,
    ) -> "Step":
        r"""One step from the level `now` to the level `after`.

        `now` may have $\alpha = 0$, the noise, and `after` may have $\sigma = 0$, the data. The
        key may be `None` for samplers that draw nothing.
        """


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


def noise_in(
    x: Float[Array, "*shape"], denoised: Float[Array, "*shape"], level: NoiseLevel
) -> Float[Array, "*shape"]:
    r"""$\hat\varepsilon = (x - \alpha\hat x_0)/\sigma$, and its limit at $\sigma = 0$, which is 0
    wherever the data have a smooth density."""
    none = level.sigma == 0
    left = x - level.alpha * denoised
    return jnp.where(none, 0 * left, left / jnp.where(none, 1, level.sigma))


def forward_variance(now: NoiseLevel, after: NoiseLevel) -> Float[Array, ""]:
    r"""$\sigma^2 - (\alpha/\alpha')^2\sigma'^2$, the variance of the noise between two levels."""
    ratio = now.alpha / after.alpha
    return jnp.maximum((now.sigma - ratio * after.sigma) * (now.sigma + ratio * after.sigma), 0)


def posterior_deviation(now: NoiseLevel, after: NoiseLevel) -> Float[Array, ""]:
    r"""The deviation of $q(x'|x, x_0)$; 0 from the data, and in a step towards the noise."""
    noise = jnp.where(now.sigma == 0, 1, now.sigma)
    return after.sigma / noise * jnp.sqrt(forward_variance(now, after))


def reverse_process(
    sampler: AbstractSampler,
    denoise: Denoise,
    levels: NoiseLevel,
    x: Num[Array, "*shape"],
    key: PRNGKeyArray | None = None,
    *,
    state: Any = None,
    first: int | Array = 0,
    keep: bool = False,
) -> ReverseProcess:
    """Run a sampler over a grid of levels from one point; map over points with `jax.vmap`.

    Cut into pieces, it draws the same numbers: a step's key depends on its place alone.

    **Arguments:**

    - `denoise`: `(x, level) -> denoised`; answers in half precision are taken in that of `x`.
    - `levels`: shape `(steps + 1,)`, from noise to data; of a piece, its part of the grid, from
      the level at which the piece before ended.
    - `x`: a point at the first level; from `start` for a sample. `key`: none for samplers that draw
      nothing, `DDIM()`, `Heun()` and `DPMSolver2M()`.
    - `state`: of the sampler, of the piece before; `first`: the place of the first step in the
      whole. `keep`: keep all points.

    **Raises:** `ValueError` for levels of another shape, points that are not floating, and a
    denoiser that answers in another shape.
    """
    levels = _checked_levels(levels, x)
    denoise = _checked(denoise)
    places = jnp.arange(len(levels.alpha) - 1, dtype=jnp.int32) + jnp.asarray(first, jnp.int32)
    before, behind = (
        NoiseLevel(levels.alpha[part], levels.sigma[part]) for part in (slice(-1), slice(1, None))
    )

    def body(carry: Any, at: Any) -> Any:
        (x, state), (now, after, place) = carry, at
        key_step = None if key is None else jax.random.fold_in(key, place)
        step = sampler.step(denoise, x, state, now, after, key_step)
        return (step.x, step.state), (step.x, step.denoised) if keep else None

    state = sampler.init(x) if state is None else state
    (x, state), kept = jax.lax.scan(body, (x, state), (before, behind, places))
    return ReverseProcess(x, state, *(kept if keep else (None, None)))


def start(levels: NoiseLevel, shape: tuple[int, ...], key: PRNGKeyArray) -> Float[Array, "*shape"]:
    r"""A point of the first level's noise, $\sigma\varepsilon$: all that is left of the data there
    is taken for 0."""
    return levels.sigma[0] * jax.random.normal(key, shape, levels.sigma.dtype)


def fresh_noise(key: PRNGKeyArray | None, like: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Standard normal numbers in the shape and dtype of a point; `ValueError` without a key."""
    if key is None:
        raise ValueError("this sampler draws noise, and needs a key.")
    return jax.random.normal(key, like.shape, like.dtype)


def steps_of(levels: NoiseLevel) -> int:
    """The number of steps of a grid of levels.

    **Raises:** `ValueError` unless it has at least one step, and the shape `(steps + 1,)`.
    """
    alpha, sigma = (jnp.shape(part) for part in levels)
    if alpha != sigma or len(alpha) != 1 or alpha[0] < 2:
        raise ValueError(
            "levels must be a grid of the shape (steps + 1,), steps at least 1, "
            f"got {alpha} for alpha and {sigma} for sigma."
        )
    return alpha[0] - 1


def count(name: str, value: Any, least: int = 1) -> int:
    """A whole number of any kind; `ValueError` for others, and for those below the least."""
    try:
        found = operator.index(value)
    except TypeError:
        found = least - 1
    if found < least:
        raise ValueError(f"{name} must be {least} or more, a whole number, got {value}.")
    return found


def _checked_levels(levels: NoiseLevel, x: Array) -> NoiseLevel:
    """The grid in the dtype of the points."""
    steps_of(levels)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"x must be an array of floating numbers, got {x.dtype}.")
    return NoiseLevel(*(jnp.asarray(part).astype(x.dtype) for part in levels))


def _checked(denoise: Denoise) -> Denoise:
    """A denoiser that answers in the shape and dtype of its point."""

    def checked(x: Array, level: NoiseLevel) -> Array:
        denoised = denoise(x, level)
        if denoised.shape != x.shape:
            raise ValueError(
                f"a denoiser must answer in the shape of its point, {x.shape}, "
                f"got {denoised.shape}."
            )
        return denoised.astype(x.dtype)

    return checked
