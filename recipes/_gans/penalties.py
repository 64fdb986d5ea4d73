"""Penalties of discriminators by name, each with its paper's weight."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax

import gameopt as go
from models import flip_and_shift

PenaltyName = Literal[
    "gp", "lp", "r1", "r2", "gp0", "dragan", "bcr", "lecam", "orthogonal",
]  # fmt: skip


class PenaltySpec(NamedTuple):
    """A penalty by its weight and the packing.

    - `make`: from these to the term of the game. `weight`: its paper's.
    - `of_gradients`: whether it takes a gradient at each point, which batch normalisation lacks.
    - `of_images`: whether it is for images alone.
    """

    make: Callable[[float, int], Any]
    weight: float
    of_gradients: bool = False
    of_images: bool = False


PENALTIES: dict[PenaltyName, PenaltySpec] = {
    "gp": PenaltySpec(lambda w, packing: go.GradientPenalty(w), 10.0, of_gradients=True),
    "lp": PenaltySpec(
        lambda w, packing: go.GradientPenalty(w, one_sided=True), 10.0, of_gradients=True
    ),
    # Mescheder et al. 2018: gamma / 2 times the mean squared gradient norm.
    "r1": PenaltySpec(
        lambda w, packing: go.GradientPenalty(w / 2, target=0, where="real"), 1.0, of_gradients=True
    ),
    "r2": PenaltySpec(
        lambda w, packing: go.GradientPenalty(w / 2, target=0, where="fake"), 1.0, of_gradients=True
    ),
    "gp0": PenaltySpec(
        lambda w, packing: go.GradientPenalty(w / 2, target=0), 1.0, of_gradients=True
    ),
    "dragan": PenaltySpec(
        lambda w, packing: go.GradientPenalty(w, where="around"), 10.0, of_gradients=True
    ),
    "bcr": PenaltySpec(
        lambda w, packing: go.ConsistencyPenalty(_of_each(flip_and_shift(1), packing), w, w),
        10.0,
        of_images=True,
    ),
    "lecam": PenaltySpec(lambda w, packing: go.LeCamPenalty(w), 0.3),
    "orthogonal": PenaltySpec(lambda w, packing: go.OrthogonalPenalty(w), 1e-4),
}


def _of_each(augment: Callable, packing: int) -> Callable:
    """An augmentation of each image of a pack."""
    if packing == 1:
        return augment
    return lambda key, pack: jax.vmap(augment)(jax.random.split(key, packing), pack)


def weights_of(
    names: tuple[PenaltyName, ...], weights: tuple[float, ...], gp: float | None = None
) -> tuple[float, ...]:
    """A weight for each penalty: those given, else the papers'; `gp`: in place of gp's and lp's."""
    if weights:
        return weights
    own = lambda name: gp if gp is not None and name in ("gp", "lp") else PENALTIES[name].weight
    return tuple(own(name) for name in names)


def make_penalty(
    names: tuple[PenaltyName, ...], weights: tuple[float, ...], packing: int = 1
) -> Any:
    """The term of these penalties in a GAN's game; `None` for none."""
    parts = [
        PENALTIES[name].make(weight, packing) for name, weight in zip(names, weights, strict=True)
    ]
    return None if not parts else parts[0] if len(parts) == 1 else go.Penalties(tuple(parts))
