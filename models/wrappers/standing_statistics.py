"""Standing statistics for batch normalisation after training, taken over many points."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from gameopt import BATCH_AXIS, Conditioned, Fixed
from models.layers.combinators import Chain, Residual, Skip
from models.layers.conv import with_channels
from models.layers.normalisation import BatchNorm
from models.networks.conditional import LabelledGenerator
from models.networks.translation import TranslationUNet, with_planes
from models.wrappers.precision import InPrecision


def with_standing_statistics(network: Any, points: Any) -> Any:
    """Fix the statistics of every `BatchNorm` to those of `points`.

    Layer by layer, each over the outputs of the layers before, already fixed. So training carries
    no running averages for it, and on `points` itself the network is unchanged to rounding.

    **Arguments:**

    - `network`: put together by `Chain`, `Residual` and `Skip`; a `LabelledGenerator` or
      `InPrecision` of such a one; a `TranslationUNet`. `BatchNorm` within any other module is an
      error.
    - `points`: shape `(n, *shape)`, such as latents; a few thousand of them. `Conditioned` latents
      for a `LabelledGenerator` or a `TranslationUNet`.

    **Raises:** `ValueError` for a `BatchNorm` where it cannot be reached.
    """
    return _fixed(network, points)[0] if _has_batch_norm(network) else network


@functools.singledispatch
def _fixed(network: Any, points: Any) -> tuple[Any, Array]:
    """The network with fixed statistics, and its outputs at the points."""
    if _has_batch_norm(network):
        raise ValueError(
            f"{type(network).__name__} has a BatchNorm inside, and with_standing_statistics only "
            "looks into Chain, Residual, Skip, LabelledGenerator, TranslationUNet and InPrecision; "
            "put the network together by these."
        )
    return network, jax.vmap(network)(points)


def _has_batch_norm(network: Any) -> bool:
    is_batch_norm = lambda node: isinstance(node, BatchNorm)
    return any(map(is_batch_norm, jax.tree.leaves(network, is_leaf=is_batch_norm)))


@_fixed.register
def _(network: BatchNorm, points: Array) -> tuple[BatchNorm, Array]:
    found = jax.vmap(network.statistics, axis_name=BATCH_AXIS, out_axes=None)(points)
    is_none = lambda leaf: leaf is None
    fixed = eqx.tree_at(lambda n: n.standing, network, Fixed(found), is_leaf=is_none)
    return fixed, jax.vmap(fixed)(points)


@_fixed.register
def _(network: Chain, points: Array) -> tuple[Chain, Array]:
    layers = []
    for layer in network.layers:
        layer, points = _fixed(layer, points)
        layers.append(layer)
    return Chain(*layers), points


@_fixed.register
def _(network: Residual, points: Array) -> tuple[Residual, Array]:
    main, added = _fixed(network.main, points)
    shortcut, rest = _fixed(network.shortcut, points)
    return Residual(main, shortcut), added + rest


@_fixed.register
def _(network: Skip, points: Array) -> tuple[Skip, Array]:
    inner, made = _fixed(network.inner, points)
    return Skip(inner), jnp.concatenate([made, points], axis=-1)


@_fixed.register
def _(network: LabelledGenerator, points: Conditioned) -> tuple[LabelledGenerator, Array]:
    joined = jax.vmap(network.joined)(points.value, points.condition)
    fixed, made = _fixed(network.network, joined)
    return LabelledGenerator(fixed, network.embedding), made


@_fixed.register
def _(network: TranslationUNet, points: Conditioned) -> tuple[TranslationUNet, Array]:
    x = jax.vmap(with_channels)(points.condition)
    downs, kept, ups = [], [], []
    for down in network.downs:
        down, x = _fixed(down, x)
        downs.append(down)
        kept.append(x)
    bottom, x = _fixed(network.bottom, jax.vmap(with_planes)(x, points.value))
    for up, beside in zip(network.ups, reversed(kept), strict=True):
        up, x = _fixed(up, jnp.concatenate([x, beside], axis=-1))
        ups.append(up)
    fixed = TranslationUNet(tuple(downs), bottom, tuple(ups), network.out_shape)
    return fixed, x.reshape(len(x), *network.out_shape)


@_fixed.register
def _(network: InPrecision, points: Any) -> tuple[InPrecision, Array]:
    # In the precision of the weights: statistics are summed up once, and kept.
    fixed, made = _fixed(network.network, points)
    return InPrecision(fixed, network.dtype), made
