"""Points back to the noise that they come from, and the paths between two of them."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from models.diffusion.ancestral import DDIM
from models.diffusion.samplers import AbstractSampler, Denoise, reverse_process
from theory import NoiseLevel

EULER = DDIM()


def invert(
    denoise: Denoise,
    levels: NoiseLevel,
    x: Float[Array, "*shape"],
    sampler: AbstractSampler = EULER,
) -> Float[Array, "*shape"]:
    r"""The noise from which a sampler without randomness comes to `x`, nearly.

    Its steps are taken towards the noise, where the denoiser is asked at the other end of a step:
    there and back, the error of n steps is of order 1/n for `DDIM`, and $n^{-3}$ for `Heun`, whose
    leading errors cancel. A first step from the data at $\sigma = 0$ has $\hat\varepsilon = 0$.

    **Arguments:**

    - `levels`: from noise to data, those that are sampled over. `x`: a point at the last of them.
    - `sampler`: `DDIM()` or `Heun()`, which draw nothing.

    !!! cite "Source"

        Song, Meng & Ermon (2021), arXiv:2010.02502, section 4.3; Dhariwal & Nichol (2021),
        arXiv:2105.05233, appendix F.
    """
    back = NoiseLevel(*(jnp.flip(part) for part in levels))
    return reverse_process(sampler, denoise, back, x).x


def spherical(
    a: Float[Array, "*shape"], b: Float[Array, "*shape"], shares: Float[Array, " n"]
) -> Float[Array, "n *shape"]:
    r"""$\frac{\sin((1-s)\theta)}{\sin\theta}a + \frac{\sin(s\theta)}{\sin\theta}b$, where
    $\theta$ is the angle between a and b, for each share $s$.

    Norms on the way are between those of both ends, where a straight line would pass near 0. Where
    the angle is 0 it is the straight line; opposite points have no one path, and give NaN.

    !!! cite "Source"

        Shoemake (1985), SIGGRAPH, for spheres; Song, Meng & Ermon (2021), arXiv:2010.02502,
        equation 67.
    """
    shares = jnp.asarray(shares).astype(a.dtype)
    cosine = jnp.vdot(a, b) / (jnp.linalg.norm(a.ravel()) * jnp.linalg.norm(b.ravel()))
    eps = jnp.finfo(a.dtype).eps
    straight, opposite = cosine > 1 - 4 * eps, cosine < -1 + 8 * eps
    # At either end the derivative of the angle would be infinite, and products with it NaN.
    angle = jnp.arccos(jnp.where(straight | opposite, 0, cosine))
    around = lambda s: jnp.where(opposite, jnp.nan, jnp.sin(s * angle) / jnp.sin(angle))
    part = lambda s: jnp.where(straight, s, around(s))
    return jax.vmap(lambda s: part(1 - s) * a + part(s) * b)(shares)


def interpolation(
    denoise: Denoise,
    levels: NoiseLevel,
    a: Float[Array, "*shape"],
    b: Float[Array, "*other"],
    shares: Float[Array, " n"],
    sampler: AbstractSampler = EULER,
) -> Float[Array, "n *shape"]:
    """Points between two points of the data, by `spherical` paths between their noises.

    **Arguments:**

    - `levels`, `sampler`: as of `invert`. `a`, `b`: two points, of one shape.
    - `shares`: of the way from a to b, shape `(n,)`: at 0 and 1 they are a and b, up to the error
      of the inversion.

    **Raises:** `ValueError` if the points differ in shape.
    """
    if a.shape != b.shape:
        raise ValueError(f"a and b must agree in shape, got {a.shape} and {b.shape}.")
    noise_a, noise_b = jax.vmap(lambda x: invert(denoise, levels, x, sampler))(jnp.stack([a, b]))
    between = spherical(noise_a, noise_b, shares)
    return jax.vmap(lambda x: reverse_process(sampler, denoise, levels, x).x)(between)
