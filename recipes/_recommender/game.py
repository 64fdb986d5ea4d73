r"""Mult-VAE and Mult-DAE as one game of identical interest, on users whose items stay sparse.

The decoder $x$ gives logits of all items from a latent, the encoder $y$ a latent from a user's
items $u$, a vector of zeros and ones, normalised to length 1 and with dropout. Both minimise

$$L_\text{VAE} = -\sum_i u_i \log \operatorname{softmax}(x(z))_i
    + \beta\, \mathrm{KL}(y(u) \| N(0, I)), \quad z \sim y(u),$$

and with $\beta = 0$, $z = y(u)$ and a penalty of weights that of Mult-DAE. The two models share no
parameter: the game's loss is the sum of theirs, and each plays as it would alone, on the same
users.

!!! cite "Source"

    Liang, Krishnan, Hoffman & Jebara (2018), arXiv:1802.05814.
"""

from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray
from scipy import sparse

import gameopt as go
from models import MLP, GaussianEncoder
from recipes._data.movielens import shape_of

ModelName = Literal["vae", "dae"]
Encoder = MLP | GaussianEncoder


class SparseRows(eqx.Module):
    """A sparse matrix of zeros and ones on the device, whose rows become dense where they are used.

    - `begins`: the place in `columns` of each row's first entry, shape `(rows + 1,)`.
    - `columns`: of all entries, row by row, shape `(entries,)`.
    - `width`: columns of the matrix. `longest`: entries of the longest row. Static.
    """

    begins: Int[Array, " rows_and_one"]
    columns: Int[Array, " entries"]
    width: int = eqx.field(static=True)
    longest: int = eqx.field(static=True)

    @staticmethod
    def of(matrix: sparse.csr_array) -> "SparseRows":
        """Put a matrix on the device, by its entries alone."""
        width = shape_of(matrix)[1]
        longest = int(np.diff(matrix.indptr).max(initial=1))
        columns = matrix.indices if matrix.nnz else np.zeros(1)  # nothing can be read from nothing
        on_device = lambda part: jnp.asarray(part, jnp.int32)
        return SparseRows(on_device(matrix.indptr), on_device(columns), width, longest)

    def __call__(self, rows: Int[Array, " n"]) -> Float[Array, "n width"]:
        """Dense rows by their numbers."""
        places = self.begins[rows][:, None] + jnp.arange(self.longest, dtype=jnp.int32)[None]
        is_inside = places < self.begins[rows + 1][:, None]
        # Entries beyond a row's end go to a column that there is not, which is dropped.
        columns = jnp.where(is_inside, self.columns.at[places].get(mode="clip"), self.width)
        zeros = jnp.zeros((len(rows), self.width))
        return zeros.at[jnp.arange(len(rows))[:, None], columns].set(1.0, mode="drop")


class Decoders(eqx.Module):
    """The first player: a decoder for each model, and the rounds played, which nobody plays."""

    networks: dict[str, MLP]
    round: Int[Array, ""]


class Terms(NamedTuple):
    """The mean over users of the negative log-likelihood and, of a VAE, of the KL, both in nats."""

    negative_log_likelihood: Float[Array, ""]
    kl: Float[Array, ""]


def normalised(rows: Float[Array, "n items"]) -> Float[Array, "n items"]:
    """Rows of length 1; rows of 0 stay."""
    squares = jnp.sum(rows**2, axis=1, keepdims=True)
    return rows / jnp.sqrt(jnp.where(squares == 0, 1, squares))


def encoded(encoder: Encoder, rows: Float[Array, "n items"]) -> Float[Array, "n d"]:
    """The latents that users are judged by: without dropout and, of Mult-VAE, the means."""
    codes: Any = jax.vmap(encoder)(normalised(rows))
    return codes.mean if isinstance(encoder, GaussianEncoder) else codes


class MultinomialGame(go.IdenticalInterestGame):
    """The sum of the losses of the models that the players have, on a minibatch of users.

    - `users`: their items. `batch_size`: users a sample sees. `dropout`: of the input.
    - `beta`, `anneal_steps`: the weight of the KL, and the rounds in which it grows to that from 0.
    - `weight_penalty`: of Mult-DAE: so many times the squared weights, by the batch size.
    """

    users: SparseRows
    batch_size: int = eqx.field(static=True)
    dropout: float = eqx.field(static=True)
    beta: float = eqx.field(static=True)
    anneal_steps: int = eqx.field(static=True)
    weight_penalty: float = eqx.field(static=True)

    def loss(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        terms, beta = self.terms(players, key), self.weight(players)
        total = jnp.zeros(())
        for name, (likelihood, kl) in terms.items():
            total += likelihood + beta * kl
            if name == "dae":
                total += self._penalty(players.x.networks[name], players.y[name])
        return total

    def weight(self, players: go.Players) -> Float[Array, ""]:
        """The weight of the KL in this round."""
        if self.anneal_steps == 0:
            return jnp.asarray(self.beta)
        share = players.x.round.astype(jnp.float32) / self.anneal_steps
        return self.beta * jnp.minimum(share, 1.0)

    def terms(self, players: go.Players, key: go.Key = None) -> dict[str, Terms]:
        """The terms of each model's loss, on the same users."""
        assert key is not None
        key_rows, key_rest = jax.random.split(key)
        count = len(self.users.begins) - 1
        rows = self.users(jax.random.randint(key_rows, (self.batch_size,), 0, count))
        keys = dict(zip(("vae", "dae"), jax.random.split(key_rest), strict=True))
        return {name: self._terms(players, name, rows, keys[name]) for name in players.y}

    def _terms(
        self, players: go.Players, name: str, rows: Float[Array, "n items"], key: PRNGKeyArray
    ) -> Terms:
        key_drop, key_noise = jax.random.split(key)
        kept = jax.random.bernoulli(key_drop, 1 - self.dropout, rows.shape)
        seen = jnp.where(kept, normalised(rows) / (1 - self.dropout), 0)
        codes, kl = jax.vmap(players.y[name])(seen), jnp.zeros(())
        if name == "vae":
            noise = jax.random.normal(key_noise, codes.mean.shape)
            drawn = lambda law, noise: (law.at(noise), jnp.sum(law.kl_to_standard()))
            codes, divergences = jax.vmap(drawn)(codes, noise)
            kl = jnp.mean(divergences)
        logits = jax.vmap(players.x.networks[name])(codes)
        log_likelihood = jnp.sum(rows * jax.nn.log_softmax(logits), axis=1)
        return Terms(-jnp.mean(log_likelihood), kl)

    def _penalty(self, decoder: MLP, encoder: MLP) -> Float[Array, ""]:
        weights = [layer.weight for layer in (*encoder.layers, *decoder.layers)]
        squares = [jnp.sum(weight**2) for weight in weights]
        return self.weight_penalty / self.batch_size * sum(squares, start=jnp.zeros(()))

    def metrics(self, players: go.Players, key: go.Key = None) -> dict[str, Array]:
        found: dict[str, Array] = {"beta": self.weight(players)}
        for name, (likelihood, kl) in self.terms(players, key).items():
            found[f"{name}_nll"] = likelihood
            if name == "vae":
                found["vae_kl"] = kl
        return found


def make_players(
    names: tuple[str, ...], items: int, latent: int, width: int, depth: int, key: PRNGKeyArray
) -> go.Players:
    """Fresh networks: I-600-200-600-I tanh of the VAE, I-200-I of the DAE, in the published sizes.

    **Arguments:** `latent`: 200. `width`, `depth`: units and number of the VAE's hidden layers, on
    either side.
    """
    keys = jax.random.split(key, 4)
    init = jax.nn.initializers.glorot_uniform()
    make: Any = lambda sizes, key, depth, **options: MLP(
        sizes[:1], sizes[1:], width=width, depth=depth, key=key, activation=jnp.tanh, init=init,
        **options,
    )  # fmt: skip
    both = {
        "vae": (
            make((latent, items), keys[0], depth),
            GaussianEncoder(make((items, 2 * latent), keys[1], depth)),
        ),
        "dae": (
            make((latent, items), keys[2], 0),
            make((items, latent), keys[3], 0, output_activation=jnp.tanh),
        ),
    }
    decoders = {name: both[name][0] for name in names}
    encoders = {name: both[name][1] for name in names}
    return go.Players(Decoders(decoders, jnp.zeros((), jnp.int32)), encoders)
