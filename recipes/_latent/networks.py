"""Encoders and decoders by flags, and the solver that plays them."""

import dataclasses
import functools
import math
from typing import Any, Literal

from jaxtyping import PRNGKeyArray

import gameopt as go
from models import Chain, Reshape, dcgan_encoder, dcgan_generator, mlp_encoder, mlp_generator
from recipes._data.training import DataArgs
from recipes._report.judge import SampleArgs
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, AtLeast1
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer
from recipes._runtime.run import TrainArgs


@dataclasses.dataclass(frozen=True, kw_only=True)
class AutoencoderArgs(SampleArgs, DataArgs, TrainArgs):
    """The flags of every model with an encoder and a decoder."""

    kind: Literal["dense", "conv"] = "dense"
    """Fully connected networks, or convolutions with strides for images."""
    width: AtLeast1 = 256
    """Units of a hidden layer; of conv, channels of the hidden images next to the image."""
    depth: AtLeast0 = 2
    """Hidden layers of each dense network; with 0 it is affine."""
    latent_size: AtLeast1 = 16
    """Numbers in a code."""
    optimizer: OptimizerArgs = OptimizerArgs(learning_rate=1e-3, beta1=0.9, beta2=0.999)
    """The optimizer of both players."""
    encoder_steps: AtLeast1 = 1
    """Moves of the encoder to one of the decoder; with 1 both move at once."""


def check_kind(args: AutoencoderArgs, shape: tuple[int, ...]) -> None:
    """Raise a `UserError` for convolutions of what is no image."""
    if args.kind == "conv" and len(shape) not in (2, 3):
        raise UserError(
            f"--kind conv needs images, and --data {args.data} has points of shape {shape}; take "
            "--kind dense."
        )


def make_encoder(
    args: AutoencoderArgs, shape: tuple[int, ...], size: int, key: PRNGKeyArray
) -> Any:
    """A network from a point of `shape` to a vector `(size,)`."""
    if args.kind == "conv":
        return dcgan_encoder(shape, size, width=args.width, key=key)
    return mlp_encoder(shape, size, width=args.width, depth=args.depth, key=key)


def make_decoder(
    args: AutoencoderArgs, size: int, shape: tuple[int, ...], key: PRNGKeyArray
) -> Any:
    """A network from a vector `(size,)` to numbers of `shape`, unbounded."""
    if args.kind == "dense":
        return mlp_generator(
            size, shape, width=args.width, depth=args.depth, key=key, bounded=False
        )
    make = functools.partial(
        dcgan_generator, size, width=args.width, key=key, norm="none", bounded=False
    )
    if len(shape) <= 3:
        return make(shape)
    # Convolutions have one axis of channels: that of colours and of a law's numbers together.
    channels = (*shape[:2], math.prod(shape[2:]))
    return Chain(*make(channels).layers, Reshape(shape))


def make_solver(args: AutoencoderArgs) -> go.AbstractSolver:
    """Descent of both players at once, or encoder steps between the decoder's.

    With more encoder steps the encoder comes nearer to its best answer before the decoder moves.

    !!! cite "Source"

        He et al. (2019), arXiv:1901.05534, algorithm 1: aggressive training of the encoder.
    """
    optimizers = go.Players(
        make_optimizer(args.optimizer), make_optimizer(args.optimizer, args.encoder_steps)
    )
    if args.encoder_steps == 1:
        return go.Simultaneous(optimizers)
    return go.Alternating(
        optimizers, order=("y", "x"), inner_steps=go.Players(1, args.encoder_steps)
    )
