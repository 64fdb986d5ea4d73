"""Latents whose images come nearest to given ones: what of the data a generator can make."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go

STARTS, ROUNDS, RATE = 8, 300, 0.05


class Found(NamedTuple):
    """The best latents for `n` images, the images that they give, and the mean squared errors.

    - `latents`: shape `(n, latent_size)`. `images`: shape `(n, *shape)`. `errors`: shape `(n,)`, a
      mean over pixels.
    """

    latents: Float[Array, "n latent"]
    images: Float[Array, "n *shape"]
    errors: Float[Array, " n"]


class _Inversion(go.OnePlayerGame):
    """The mean squared error of a latent's image, and a thousandth of the latent's mean square.

    The second term keeps latents where the generator was trained.
    """

    generator: Callable[[Any], Array]
    image: Float[Array, "*shape"]

    def error(self, x: Float[Array, " latent"]) -> Float[Array, ""]:
        return jnp.mean((self.generator(x) - self.image) ** 2)

    def loss(self, x: Float[Array, " latent"], key: go.Key = None) -> Float[Array, ""]:
        del key
        return self.error(x) + 1e-3 * jnp.mean(x**2)


_SEARCH = go.descent(optax.adam(RATE))


@eqx.filter_jit
def nearest_latents(
    generator: Callable[[Any], Array],
    images: Float[Array, "n *shape"],
    latent_size: int,
    key: PRNGKeyArray,
) -> Found:
    """Invert a generator: for each image, the best of the latents that Adam finds from `STARTS`.

    - `generator`: of one latent, without batch statistics. `images`: shape `(n, *shape)`.

    !!! cite "Source"

        Lipton & Tripathi (2017), arXiv:1702.04782.
    """

    def search(image, start):
        game = _Inversion(generator, image)
        last = go.rollout(game, _SEARCH, go.Players(start, None), ROUNDS, every=ROUNDS)
        return last.players.x, game.error(last.players.x)

    def best(image, key):
        starts = jax.random.normal(key, (STARTS, latent_size), image.dtype)
        found, errors = jax.vmap(lambda start: search(image, start))(starts)
        return found[jnp.argmin(errors)], jnp.min(errors)

    latents, errors = jax.vmap(best)(images, jax.random.split(key, len(images)))
    return Found(latents, jax.vmap(generator)(latents), errors)


def between(
    start: Float[Array, " d"], end: Float[Array, " d"], steps: int
) -> Float[Array, "steps d"]:
    """Latents on the great circle from one to another, their lengths in proportion.

    A straight line would pass nearer to 0 than normal latents ever are.

    !!! cite "Source"

        White (2016), arXiv:1609.04468, section 2.1 (slerp, Shoemake 1985).
    """
    lengths = jnp.linalg.norm(start), jnp.linalg.norm(end)
    directions = start / lengths[0], end / lengths[1]
    angle = jnp.arccos(jnp.clip(jnp.vdot(*directions), -1, 1))
    share = jnp.linspace(0, 1, steps, dtype=start.dtype)[:, None]
    sine = jnp.sin(angle)
    apart = sine > 1e-6
    safe = jnp.where(apart, sine, 1)
    first = jnp.where(apart, jnp.sin((1 - share) * angle) / safe, 1 - share)
    last = jnp.where(apart, jnp.sin(share * angle) / safe, share)
    length = (1 - share) * lengths[0] + share * lengths[1]
    return length * (first * directions[0][None] + last * directions[1][None])
