"""Guidance: denoisers of conditional laws from those of unconditional ones."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from models.diffusion.samplers import Denoise
from theory import NoiseLevel


def as_floating(value: Any) -> Array:
    """An array of floating numbers from numbers of any kind."""
    array = jnp.asarray(value)
    floating = jnp.issubdtype(array.dtype, jnp.floating)
    return array if floating else array.astype(jax.dtypes.canonicalize_dtype(float))


class ClassifierFree(eqx.Module):
    r"""Classifier-free guidance, $\hat x_0(x) + w(\hat x_0(x|c) - \hat x_0(x))$.

    The scale $w$ is 0 for the unconditional denoiser and 1 for the conditional one; more than 1
    exaggerates the label. (The source's $w$ is less by 1.) An evaluation costs two of the denoiser.

    - `denoiser`: `(x, level, label) -> denoised`. `label`: $c$. `null`: the label that stands for
      none, of the structure and shapes of `label`. `scale`: $w$, shape `()`.

    !!! cite "Source"

        Ho & Salimans (2022), arXiv:2207.12598, equation 6.
    """

    denoiser: Callable[..., Array]
    label: Any
    null: Any
    scale: Float[Array, ""] = eqx.field(converter=as_floating)

    def __call__(self, x: Float[Array, "*shape"], level: NoiseLevel) -> Float[Array, "*shape"]:
        both = jax.tree.map(_pair, self.null, self.label)
        # Mapped over the two labels the network is compiled once.
        none, one = jax.vmap(lambda label: self.denoiser(x, level, label))(both)
        return none + self.scale.astype(none.dtype) * (one - none)


def _pair(null: Any, label: Any) -> Array:
    """Both labels, in the dtype of `label`."""
    label = jnp.asarray(label)
    if jnp.shape(null) != label.shape:
        raise ValueError(
            f"null and label must agree in shape, got {jnp.shape(null)} and {label.shape}."
        )
    return jnp.stack([jnp.asarray(null).astype(label.dtype), label])


class ClassifierGuided(eqx.Module):
    r"""Classifier guidance, $\hat x_0(x) + w\frac{\sigma^2}{\alpha}\nabla\log p(c|x)$.

    With the exact classifier of noised points and $w = 1$ it is $E(x_0|x, c)$. At $\alpha = 0$,
    where a point tells nothing, the correction is left out: a limit that the gradient does not
    determine.

    - `denoiser`: `(x, level) -> denoised`. `log_prob`: `(x, level)` to $\log p(c|x)$ at the level,
      up to a constant, shape `()`. `scale`: $w$, shape `()`.

    !!! cite "Source"

        Dhariwal & Nichol (2021), arXiv:2105.05233, section 4; Song et al. (2021),
        arXiv:2011.13456, equation 14.
    """

    denoiser: Denoise
    log_prob: Callable[[Array, NoiseLevel], Array]
    scale: Float[Array, ""] = eqx.field(converter=as_floating, default=1.0)

    def __call__(self, x: Float[Array, "*shape"], level: NoiseLevel) -> Float[Array, "*shape"]:
        slope = jax.grad(self.log_prob)(x, level)
        weight = self.scale.astype(x.dtype) * score_weight(level).astype(x.dtype)
        return self.denoiser(x, level).astype(x.dtype) + weight * slope


def score_weight(level: NoiseLevel) -> Float[Array, ""]:
    r"""$\sigma^2/\alpha$, by which a score changes a denoiser; 0 at $\alpha = 0$."""
    none = level.alpha == 0
    return jnp.where(none, 0, level.sigma**2 / jnp.where(none, 1, level.alpha))
