"""Conditional generator of table rows, and its latents."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from models.networks.mlp import MLP


def gumbel_softmax(
    logits: Float[Array, " k"], noise: Float[Array, " k"], temperature: float
) -> Float[Array, " k"]:
    r"""$\operatorname{softmax}((\ell + g)/\tau)$: tends to a vertex of the simplex as $\tau \to 0$.

    With standard Gumbel noise $g$ the largest entry is that of category $i$ with probability
    $\operatorname{softmax}(\ell)_i$, at every temperature.

    !!! cite "Source"

        Jang, Gu & Poole (2016), arXiv:1611.01144, equation 2; Maddison, Mnih & Teh (2016),
        arXiv:1611.00712, section 2.1.
    """
    return jax.nn.softmax((logits + noise) / temperature)


class ConditionalLatent(eqx.Module):
    """Latents of a `TabularGenerator`: normal numbers, a one-hot label, standard Gumbel noise.

    - `log_frequencies`: of the labels, shape `(classes,)`, up to a constant.
    - `normals`, `gumbels`: how many of each. Static.
    """

    log_frequencies: Float[Array, " classes"]
    normals: int = eqx.field(static=True)
    gumbels: int = eqx.field(static=True, default=0)

    def __call__(self, key: PRNGKeyArray, n: int) -> Float[Array, "n size"]:
        key_labels, key_rest = jax.random.split(key)
        labels = jax.random.categorical(key_labels, self.log_frequencies, shape=(n,))
        return self.given(key_rest, labels)

    def given(self, key: PRNGKeyArray, labels: Int[Array, " n"]) -> Float[Array, "n size"]:
        """Latents for rows of given labels."""
        key_normal, key_gumbel = jax.random.split(key)
        n, dtype = len(labels), self.log_frequencies.dtype
        parts = [
            jax.random.normal(key_normal, (n, self.normals), dtype),
            jax.nn.one_hot(labels, len(self.log_frequencies), dtype=dtype),
            jax.random.gumbel(key_gumbel, (n, self.gumbels), dtype),
        ]
        return jnp.concatenate(parts, axis=1)


class TabularGenerator(eqx.Module):
    """A generator from one latent of `ConditionalLatent` to a row and its label, as one vector.

    The vector is what a critic of (row, label) sees: the continuous columns as the network gives
    them, each categorical column by `gumbel_softmax`, and the label as it was asked for, one-hot
    times `label_weight`. So a game needs no class of its own to be conditional.

    - `network`: from normal numbers and label to `continuous` numbers and all columns' logits.
    - `categories`: how many there are in each categorical column. Everything else is static too.

    !!! cite "Source"

        Xu et al. (2019), arXiv:1907.00503, section 4.2, for the heads.
    """

    network: MLP
    continuous: int = eqx.field(static=True)
    categories: tuple[int, ...] = eqx.field(static=True)
    classes: int = eqx.field(static=True)
    temperature: float = eqx.field(static=True)
    label_weight: float = eqx.field(static=True)

    def __call__(self, z: Float[Array, " latent"]) -> Float[Array, " out"]:
        seen = z.size - sum(self.categories)
        numbers, logits = jnp.split(self.network(z[:seen]), [self.continuous])
        parts, start = [numbers], 0
        for size in self.categories:
            block = slice(start, start + size)
            parts.append(gumbel_softmax(logits[block], z[seen:][block], self.temperature))
            start += size
        label = z[seen - self.classes : seen]
        return jnp.concatenate([*parts, self.label_weight * label])


def tabular_generator(
    normals: int,
    classes: int,
    continuous: int,
    categories: tuple[int, ...],
    *,
    width: int,
    depth: int,
    key: PRNGKeyArray,
    temperature: float = 0.2,
    label_weight: float = 1.0,
) -> TabularGenerator:
    """A fully connected `TabularGenerator`; the temperature is that of Xu et al. (2019)."""
    out_size = continuous + sum(categories)
    network = MLP((normals + classes,), (out_size,), width=width, depth=depth, key=key)
    return TabularGenerator(network, continuous, categories, classes, temperature, label_weight)
