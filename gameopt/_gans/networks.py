"""Generators and critics of one point, mapped over a batch."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._gans.points import Batched, Point, Points, call_at, value_of, with_value
from gameopt._types import Scalar

Critic: TypeAlias = Callable[..., Any]
"""`critic(x)`, or `critic(x, condition)`: one point to one number."""

BATCH_AXIS = "batch"
"""The name of the axis over which generators and critics are mapped."""


def generated(generator: Callable[..., Array], latents: Batched) -> Batched:
    """Apply the generator to a batch, `(n, *latent)` to `(n, *shape)`.

    It maps one latent to one point.

    Of `Conditioned` latents it takes the condition too, and what it gives has the same one. The
    axis over which it is mapped is named `batch`, so that a layer may normalise over it.
    """
    points = jax.vmap(lambda z: call_at(generator, z), axis_name=BATCH_AXIS)(latents)
    return with_value(latents, points)


def critic_scores(critic: Critic, points: Points) -> Float[Array, " n"]:
    """The critic at every point: it takes one point of shape `shape` and gives one number.

    The axis over which it is mapped is named `batch`, so that a critic may normalise over the
    points of one call; such a critic has scores, but no gradient of its own at each point.

    **Raises:** `ValueError` if the critic gives more than one number a point.
    """
    return jax.vmap(lambda point: score_at(critic, point), axis_name=BATCH_AXIS)(points)


def loss_scores(critic: Critic, points: Points) -> Float[Array, " m"]:
    """The scores that a loss is a mean over: the critic's at every point, or at every patch.

    **Arguments:**

    - `critic`: one that judges a point in patches has a method `patch_scores`, called as the critic
      is, with an array of scores for what it gives. Its losses are then means over all patches of
      all points, as pix2pix has them (Isola et al. 2017, arXiv:1611.07004, section 3.2.2).
    """
    judge = getattr(critic, "patch_scores", None)
    if judge is None:
        return critic_scores(critic, points)
    return jax.vmap(lambda point: call_at(judge, point), axis_name=BATCH_AXIS)(points).reshape(-1)


def score_at(critic: Critic, point: Point) -> Scalar:
    """The critic at one point, as one number of shape `()`."""
    score = jnp.asarray(call_at(critic, point))
    if score.size != 1:
        raise ValueError(
            f"A critic takes one point and gives one number; given a point of shape "
            f"{value_of(point).shape} it gave shape {score.shape}. Leave the batch axis to gameopt."
        )
    return score.reshape(())
