"""Samples of a denoiser, in chunks of steps, with a bar."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray
from tqdm import tqdm

import models
import theory
from recipes._diffusion.args import DiffusionArgs, SamplerName
from recipes._diffusion.model import Boxed, DiffusionData, boxed
from recipes._diffusion.processes import make_process
from recipes._runtime.progress import says

SAMPLERS: dict[SamplerName, Callable[[], models.AbstractSampler]] = {
    "ddim": models.DDIM,
    "ancestral": models.Ancestral,
    "dpm_solver": models.DPMSolver2M,
    "heun": models.Heun,
}
CHUNK = 10
"""The most steps between two signs of life."""
BLOCK = 256
"""The most points that are sampled at once."""
Denoise = Callable[[Array, theory.NoiseLevel], Array]


class Rule(eqx.Module):
    """A sampler over a denoiser, for points that are each told something of their own.

    - `denoiser`: brought into the data's box, also after guidance. `levels`: from noise to data.
    - `scale`: of guidance by class. `guided`: whether it is other than 1, static. `null`: the label
      of no class, static.

    Subclasses are told more than a class.
    """

    denoiser: Boxed
    sampler: models.AbstractSampler
    levels: theory.NoiseLevel
    scale: Float[Array, ""]
    guided: bool = eqx.field(static=True)
    null: int = eqx.field(static=True)

    def of(self, label: Any) -> tuple[models.AbstractSampler, Denoise]:
        """The sampler and the denoiser of a point with a label, `None` without."""
        free = self.free(label)
        return self.sampler, lambda x, level: self.denoiser.within(free(x, level))

    def free(self, label: Any) -> Denoise:
        """The denoiser of a label, guided away from that of no label, and not yet in the box."""
        denoiser = self.denoiser.denoiser
        if label is None:
            return denoiser
        if not self.guided:
            return lambda x, level: denoiser(x, level, label)
        return models.ClassifierFree(denoiser, label, jnp.asarray(self.null), self.scale)


def make_rule(args: DiffusionArgs, data: DiffusionData, denoiser: models.Denoiser) -> Rule:
    """The rule of resolved flags."""
    assert args.sampler is not None
    assert args.sampling_steps is not None
    levels = make_process(args, data.std).levels(args.sampling_steps)
    scale = 1.0 if args.guidance_scale is None else args.guidance_scale
    sampler = SAMPLERS[args.sampler]()
    return Rule(
        boxed(denoiser, data), sampler, levels, jnp.float32(scale), scale != 1, data.classes
    )


class Drawn(NamedTuple):
    """Points that were sampled, shape `(n, *shape)`.

    - `path`, `denoised`: the points after every step, and what each step went for, of shape
      `(n, steps, *shape)`; `None` unless they are kept.
    """

    x: np.ndarray
    path: np.ndarray | None
    denoised: np.ndarray | None


def draw(
    rule: Rule,
    shape: tuple[int, ...],
    key: PRNGKeyArray,
    n: int,
    each: Any = None,
    *,
    keep: bool = False,
    bar: bool = False,
) -> Drawn:
    """Sample `n` points; the i-th is the same whatever `n` is.

    **Arguments:**

    - `each`: for every point what the rule is told, such as its label; axes `n` in front.
    - `keep`: keep all steps. `bar`: show the progress on standard error.
    """
    steps, size = len(rule.levels.alpha) - 1, min(n, BLOCK)
    found: list[Drawn] = []
    blocks = range(0, n, size)
    with tqdm(
        total=steps * len(blocks), unit=" steps", delay=1, leave=False, disable=not bar
    ) as shown:
        for first in blocks:
            # The last block is filled up: one program for all.
            rows = np.minimum(np.arange(first, first + size), n - 1)
            told = jax.tree.map(lambda leaf, rows=rows: leaf[rows], each)
            found.append(_block(rule, shape, key, jnp.asarray(rows), told, keep, shown))
    whole = lambda parts: None if parts[0] is None else np.concatenate(parts)[:n]
    x, *kept = map(whole, zip(*found, strict=True))
    assert x is not None
    return Drawn(x, *kept)


def noise_of(rule: Rule, shape: tuple[int, ...], key: PRNGKeyArray, n: int) -> np.ndarray:
    """The noise that `draw` begins with, shape `(n, *shape)`."""
    return np.asarray(_begin(rule.levels, shape, key, jnp.arange(n))[0])


def _block(
    rule: Rule, shape: tuple[int, ...], key: PRNGKeyArray, rows: Array, each: Any, keep: bool,
    shown: tqdm,
) -> Drawn:  # fmt: skip
    """The points of some rows, in chunks of steps."""
    x, keys = _begin(rule.levels, shape, key, rows)
    steps, state, kept = len(rule.levels.alpha) - 1, _first_state(rule, x), []
    chunk = max(size for size in range(1, CHUNK + 1) if steps % size == 0)
    for first in range(0, steps, chunk):
        levels = theory.NoiseLevel(*(part[first : first + chunk + 1] for part in rule.levels))
        part = eqx.tree_at(lambda rule: rule.levels, rule, levels)
        with contextlib.nullcontext() if shown.disable else says("sampling", shown):
            after = _advance(part, x, state, keys, each, jnp.int32(first), keep)
            x, state = jax.block_until_ready((after.x, after.state))
        kept.append((np.asarray(after.points), np.asarray(after.denoised)) if keep else ())
        shown.update(chunk)
    if not keep:
        return Drawn(np.asarray(x), None, None)
    path, denoised = (np.concatenate(parts, axis=1) for parts in zip(*kept, strict=True))
    return Drawn(np.asarray(x), path, denoised)


@eqx.filter_jit
def _begin(
    levels: theory.NoiseLevel, shape: tuple[int, ...], key: PRNGKeyArray, rows: Array
) -> tuple[Array, Array]:
    """The noise of every row, and the key of its steps."""
    keys = jax.vmap(lambda row: jax.random.split(jax.random.fold_in(key, row)))(rows)
    return jax.vmap(lambda key: models.start(levels, shape, key))(keys[:, 0]), keys[:, 1]


@eqx.filter_jit
def _first_state(rule: Rule, x: Array) -> Any:
    return jax.vmap(rule.sampler.init)(x)


@eqx.filter_jit
def _advance(
    rule: Rule, x: Array, state: Any, keys: Array, each: Any, first: Array, keep: bool
) -> models.ReverseProcess:
    def one(x: Array, state: Any, key: PRNGKeyArray, each: Any) -> models.ReverseProcess:
        sampler, denoise = rule.of(each)
        return models.reverse_process(
            sampler, denoise, rule.levels, x, key, state=state, first=first, keep=keep
        )

    return jax.vmap(one)(x, state, keys, each)
