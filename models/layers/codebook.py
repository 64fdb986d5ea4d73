r"""Codebooks: the nearest of k codes in place of a vector, with a straight-through gradient.

A codebook is moved by gradients, or by moving averages of the vectors that were assigned to it.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from gameopt import Fixed

Vectors = Float[Array, "*places d"]


class AbstractCodebook(eqx.Module):
    """A codebook of k codes of d numbers, which vectors are replaced by.

    - `codes`: shape `(k, d)`.
    """

    codes: eqx.AbstractVar[Float[Array, "k d"]]

    def nearest(self, z: Vectors) -> Int[Array, "*places"]:
        """The index of the nearest code of each vector; with a NaN somewhere, of a code with it."""
        codes = jax.lax.stop_gradient(self.codes)
        # From the codes' own centre: of vectors far from 0 the product would lose the digits.
        centre = jnp.mean(codes, axis=0)
        codes = codes - centre[None]
        flat = jax.lax.stop_gradient(z).reshape(-1, codes.shape[1]) - centre[None]
        squares = 0.5 * jnp.sum(codes**2, axis=1)[None] - flat @ codes.T
        return jnp.argmin(squares, axis=1).astype(jnp.int32).reshape(z.shape[:-1])

    def at(self, indices: Int[Array, "*places"]) -> Vectors:
        """The codes of indices."""
        return self.codes[indices]

    def __call__(self, z: Vectors) -> Vectors:
        """The nearest codes in value, and the vectors themselves in the gradient."""
        return straight_through(z, self.at(self.nearest(z)))


def straight_through(z: Vectors, codes: Vectors) -> Vectors:
    """Take the values of the codes, and pass gradients on to z as if they were z.

    !!! cite "Source"

        Bengio, Léonard & Courville (2013), arXiv:1308.3432, section 2.3.
    """
    return z + jax.lax.stop_gradient(codes - z)


class Codebook(AbstractCodebook):
    r"""A codebook whose codes are played: gradients of $\|\mathrm{sg}[z] - e\|^2$ move them.

    - `codes`: shape `(k, d)`.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, section 3.2.
    """

    codes: Float[Array, "k d"]


class CodeAverages(eqx.Module):
    r"""The state of a `MovingCodebook`.

    - `codes`: $e_j$, shape `(k, d)`. `counts`: $N_j$, shape `(k,)`. `sums`: $m_j$, shape `(k, d)`.
    """

    codes: Float[Array, "k d"]
    counts: Float[Array, " k"]
    sums: Float[Array, "k d"]


class MovingCodebook(AbstractCodebook):
    r"""A codebook of moving averages, carried and not played.

    With $n_j$ vectors of a batch nearest to code j, and $\gamma$ the decay,

    $$N_j^+ = \gamma N_j + (1-\gamma) n_j, \quad
      m_j^+ = \gamma m_j + (1-\gamma) \sum_{i \to j} z_i, \quad
      e_j^+ = m_j^+ / \hat N_j^+,$$

    where $\hat N_j = n (N_j + \epsilon)/(n + k\epsilon)$ with $n = \sum_j N_j$ keeps a rare code
    from a division by almost 0. A code with $N_j = 0$ stays. With $\gamma = \epsilon = 0$ and all
    points as the batch, `updated` is a round of Lloyd's algorithm. The codes begin as averages of
    one vector each.

    - `averages`: see `CodeAverages`. `decay`, `epsilon`: $\gamma$, $\epsilon$. Static.
    - `revive_below`: a code whose $N_j$ is below this share of the mean of all is dead, and becomes
      a random vector of the batch, with the mean as its count. 0 for no revival. Static.

    !!! cite "Source"

        van den Oord, Vinyals & Kavukcuoglu (2017), arXiv:1711.00937, appendix A.1; restarts of dead
        codes: Dhariwal et al. (2020), arXiv:2005.00341, section 3.1.
    """

    averages: Fixed[CodeAverages]
    decay: float = eqx.field(static=True)
    epsilon: float = eqx.field(static=True)
    revive_below: float = eqx.field(static=True)

    def __init__(
        self,
        codes: Float[Array, "k d"],
        *,
        decay: float = 0.99,
        epsilon: float = 1e-5,
        revive_below: float = 0.0,
    ):
        """**Raises:** `ValueError` for a decay outside of [0, 1), or a negative other number."""
        if not 0 <= decay < 1 or epsilon < 0 or revive_below < 0:
            raise ValueError(
                "MovingCodebook needs a decay in [0, 1), and an epsilon and a share of 0 or more, "
                f"got {decay}, {epsilon} and {revive_below}."
            )
        ones = jnp.ones(len(codes), codes.dtype)
        self.averages = Fixed(CodeAverages(codes, ones, codes))
        self.decay, self.epsilon, self.revive_below = decay, epsilon, revive_below

    @property
    def codes(self) -> Float[Array, "k d"]:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.averages.value.codes

    def updated(self, z: Vectors, key: PRNGKeyArray | None = None) -> "MovingCodebook":
        """The codebook after a batch of vectors; `key` draws the vectors that dead codes become.

        **Raises:** `ValueError` without a key, where dead codes are to be revived.
        """
        old, flat = self.averages.value, z.reshape(-1, z.shape[-1])
        member = jax.nn.one_hot(self.nearest(flat), len(old.counts), dtype=flat.dtype)
        mean = lambda before, now: self.decay * before + (1 - self.decay) * now
        counts = mean(old.counts, jnp.sum(member, axis=0))
        sums = mean(old.sums, member.T @ flat)
        total = jnp.sum(counts)
        smoothed = total * (counts + self.epsilon) / (total + len(counts) * self.epsilon)
        used = (counts > 0)[:, None]
        codes = jnp.where(used, sums / jnp.where(used, smoothed[:, None], 1), old.codes)
        new = CodeAverages(codes, counts, sums)
        if self.revive_below > 0:
            if key is None:
                raise ValueError("A codebook that revives codes needs a key: updated(z, key).")
            new = _revived(new, flat, self.revive_below, key)
        return eqx.tree_at(lambda book: book.averages, self, Fixed(new))


def _revived(
    old: CodeAverages, vectors: Float[Array, "n d"], below: float, key: PRNGKeyArray
) -> CodeAverages:
    rows = jax.random.randint(key, old.counts.shape, 0, len(vectors))
    mean = jnp.mean(old.counts)
    dead = old.counts < below * mean
    codes = jnp.where(dead[:, None], vectors[rows], old.codes)
    counts = jnp.where(dead, mean, old.counts)
    return CodeAverages(codes, counts, jnp.where(dead[:, None], mean * codes, old.sums))
