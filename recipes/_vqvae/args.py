"""Flags of a VQ-VAE, its presets, networks, codebook and solver."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from models import (
    AbstractCodebook,
    Chain,
    Codebook,
    CodeDecoder,
    CodePrior,
    MovingCodebook,
    Reshape,
    mlp_encoder,
    mlp_generator,
    vqvae_decoder,
    vqvae_encoder,
)
from recipes._latent import networks
from recipes._latent.networks import AutoencoderArgs
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, AtLeast1, AtLeast2, Decay, NotNegative, Typed
from recipes._runtime.optimizers import OptimizerArgs
from recipes._vqvae.game import QuantisedAutoencoder, codebook_updated

MOST_PLACES = 1024
"""The bound of the places of a grid: attention is between all pairs of them."""
MOST_FIRST = 512
"""Points whose vectors the first codes are drawn from."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class PriorArgs(metaclass=Typed):
    """The law of the codes: a causal transformer."""

    width: AtLeast1 = 64
    """Numbers at a place."""
    depth: AtLeast0 = 2
    """Blocks of attention and two layers; with 0, codes depend on their place alone and the code
    before."""
    heads: AtLeast1 = 4
    """Heads of attention, which share the width evenly."""
    noise: Decay = 0.2
    """The share of the codes before a place that are seen as random ones in training."""


PRESETS: dict[str, dict[str, Any]] = {
    # 28x28 to 7x7 codes, with networks of half of the published channels.
    "mnist": {"codes": 128, "halvings": 2, "steps": 8000, "prior": PriorArgs(noise=0.05)},
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class VQVAEArgs(AutoencoderArgs):
    """The flags of a VQ-VAE."""

    preset: Literal["small", "mnist"] = "small"
    """The defaults of the other flags: small (8x8 digits in a minute) or mnist (28x28 to 7x7 codes,
    half an hour on two busy cores). --preset NAME --help shows them."""
    kind: Literal["dense", "conv"] = "conv"
    """Fully connected networks, or convolutions with strides for images."""
    codes: AtLeast2 = 32
    """Codes of the codebook."""
    codebook: Literal["ema", "gradient"] = "ema"
    """Codes as moving averages of what is assigned to them, or moved by gradients, without
    revival."""
    halvings: AtLeast0 = 1
    """Halvings of the image on the way to the grid of codes, with --kind conv."""
    groups: AtLeast1 = 8
    """Codes of a point, with --kind dense."""
    latent_size: AtLeast1 = 16
    """Numbers in a code."""
    width: AtLeast1 = 64
    """Units of a hidden layer; of conv, channels at the grid."""
    depth: AtLeast0 = 1
    """Hidden layers of each dense network; of conv, residual blocks of each."""
    commitment: NotNegative = 0.25
    """Weight of the term that holds the encoder's vectors at their codes."""
    decay: Decay = 0.99
    """Decay of the moving averages of --codebook ema."""
    revive_below: NotNegative = 0.05
    """A code used by less than this share of the codes' mean use is dead, and becomes a random
    vector of the batch; 0 for never. Of --codebook ema."""
    prior: PriorArgs = PriorArgs()
    """The law of the codes, learned in the same rounds."""
    optimizer: OptimizerArgs = OptimizerArgs(learning_rate=1e-3, beta1=0.9, beta2=0.999)
    """The optimizer of both players."""
    steps: AtLeast1 = 2000
    """Rounds."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's."""
        return PRESETS.get(given.get("preset", "small"), {})


def check_networks(args: VQVAEArgs, shape: tuple[int, ...]) -> None:
    """Raise a `UserError` for networks that points of `shape` cannot have."""
    networks.check_kind(args, shape)
    if args.kind == "conv" and min(shape[:2]) >> args.halvings < 1:
        raise UserError(
            f"--halvings {args.halvings} leaves nothing of images of {shape[0]}x{shape[1]}; take "
            "fewer."
        )
    places = grid_of(args, shape)[0] * grid_of(args, shape)[1]
    if places > MOST_PLACES:
        flag = "--halvings" if args.kind == "conv" else "--groups"
        raise UserError(
            f"{flag} {getattr(args, flag[2:])} gives {places} codes a point, and the prior takes "
            f"at most {MOST_PLACES}; take {'more' if args.kind == 'conv' else 'fewer'}."
        )
    if args.prior.width % args.prior.heads:
        raise UserError(
            f"--prior.heads {args.prior.heads} must share --prior.width {args.prior.width} evenly."
        )


def grid_of(args: VQVAEArgs, shape: tuple[int, ...]) -> tuple[int, int]:
    """Height and width of the grid of codes of a point."""
    if args.kind == "dense":
        return (1, args.groups)
    return (shape[0] >> args.halvings, shape[1] >> args.halvings)


def make_players(
    args: VQVAEArgs, points: Float[Array, "n *shape"], key: PRNGKeyArray
) -> go.Players:
    """Fresh networks, with codes that are vectors of some of the points."""
    shape = points.shape[1:]
    key_encoder, key_decoder, key_prior, key_codes = jax.random.split(key, 4)
    encoder = _encoder(args, shape, key_encoder)
    book = _codebook(args, encoder, points, key_codes)
    prior = CodePrior(
        args.codes, grid_of(args, shape),
        width=args.prior.width, depth=args.prior.depth, heads=args.prior.heads, key=key_prior,
    )  # fmt: skip
    return go.Players(CodeDecoder(book, _decoder(args, shape, key_decoder), prior), encoder)


def _encoder(args: VQVAEArgs, shape: tuple[int, ...], key: PRNGKeyArray) -> Callable:
    size, width, depth = args.latent_size, args.width, args.depth
    if args.kind == "conv":
        return vqvae_encoder(shape, size, width=width, halvings=args.halvings, depth=depth, key=key)
    flat = mlp_encoder(shape, args.groups * size, width=width, depth=depth, key=key)
    return Chain(flat, Reshape((1, args.groups, size)))


def _decoder(args: VQVAEArgs, shape: tuple[int, ...], key: PRNGKeyArray) -> Callable:
    size, width, depth = args.latent_size, args.width, args.depth
    if args.kind == "conv":
        return vqvae_decoder(size, shape, width=width, halvings=args.halvings, depth=depth, key=key)
    return mlp_generator(
        args.groups * size, shape, width=width, depth=depth, key=key, bounded=False
    )


def _codebook(
    args: VQVAEArgs, encoder: Callable, points: Float[Array, "n *shape"], key: PRNGKeyArray
) -> AbstractCodebook:
    key_points, key_codes = jax.random.split(key)
    some = jax.random.permutation(key_points, len(points))[:MOST_FIRST]
    z = eqx.filter_jit(eqx.filter_vmap(encoder))(points[some]).reshape(-1, args.latent_size)
    distinct = len(z) >= args.codes
    codes = z[jax.random.choice(key_codes, len(z), (args.codes,), replace=not distinct)]
    if args.codebook == "gradient":
        return Codebook(codes)
    return MovingCodebook(codes, decay=args.decay, revive_below=args.revive_below)


def make_solver(args: VQVAEArgs) -> go.AbstractSolver:
    """The flags' descent of both players, with the codebook carried along."""
    return go.Carrying(networks.make_solver(args), codebook_updated)


def make_game(args: VQVAEArgs, sampler: go.Samples) -> QuantisedAutoencoder:
    """The game of resolved flags."""
    weights = (jnp.asarray(args.commitment), jnp.asarray(args.prior.noise))
    return QuantisedAutoencoder(sampler, *weights, args.batch_size)
