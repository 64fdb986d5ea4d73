"""A diffusion model by flags: its data and their classes, its game and its network."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
import theory
from models import Denoiser, TimeMLP, UNet, in_half_precision
from recipes._data.training import HeldOutData
from recipes._diffusion.args import DiffusionArgs, check_network, with_defaults
from recipes._diffusion.game import DenoisingGame
from recipes._diffusion.processes import Process, make_process
from recipes._diffusion.words import class_words, labels_of
from recipes._runtime.errors import UserError
from recipes._runtime.optimizers import make_optimizer
from recipes._runtime.seeds import keys_of


class DiffusionData(HeldOutData):
    """Points to denoise, of which a part is held out, and what a model knows of them.

    - `std`: the root of the mean square of all numbers in the training points.
    - `classes`: of a conditional model, else 0. `words`: the name of each.
    """

    def __init__(self, args: DiffusionArgs):
        super().__init__(args)
        self.std = float(np.sqrt(np.mean(np.square(self.scaled.points, dtype=np.float64))))
        labels = self.loaded.labels
        self.classes, self.words = 0, []
        if args.condition == "class":
            if labels is None or labels.min() < 0:
                raise UserError(
                    f"--condition class needs labels from 0 on, and --data {args.data} has none; "
                    "leave it out."
                )
            others = self.held_out.labels
            assert others is not None
            self.classes = int(max(np.max(labels), np.max(others))) + 1
            self.words = class_words(args.data, self.loaded, self.classes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one point."""
        return self.scaled.points.shape[1:]

    @property
    def trained_classes(self) -> np.ndarray:
        """The classes that training points have, in order; labels may leave numbers out."""
        return np.zeros(0, np.int32) if self.labels is None else np.unique(self.labels)

    @property
    def labels(self) -> np.ndarray | None:
        """The labels of the training points, for a conditional model."""
        return self.loaded.labels if self.classes else None

    def asked(self, args: DiffusionArgs, n: int) -> np.ndarray | None:
        """The labels of `n` samples: those of the prompt in turn, or all trained classes in
        turn.

        **Raises:** `UserError` for a prompt with a word that no training point has.
        """
        if not self.classes:
            return None
        if args.prompt is None:
            return np.resize(self.trained_classes.astype(np.int32), n)
        asked = labels_of(args.prompt, self.words)
        unseen = [self.words[label] for label in asked if label not in self.trained_classes]
        if unseen:
            raise UserError(f"--prompt {args.prompt!r}: no training point is of class {unseen[0]}.")
        return np.resize(np.asarray(asked, np.int32), n)


class Boxed(eqx.Module):
    """A denoiser whose answers are brought into the box that holds the data.

    A mean of data is in it, so that of the exact denoiser this would change nothing. Where little
    of the data is left, a small error of predicted noise would be a large one of the point.

    - `low`, `high`: the corners, of shapes that broadcast with a point.

    !!! cite "Source"

        Ho, Jain & Abbeel (2020), authors' code (clipping); Saharia et al. (2022), arXiv:2205.11487,
        section 2.3 (static thresholding).
    """

    denoiser: Any
    low: Float[Array, "..."]
    high: Float[Array, "..."]

    def __call__(self, x: Array, level: theory.NoiseLevel, *label: Any) -> Array:
        return self.within(self.denoiser(x, level, *label))

    def within(self, x: Array) -> Array:
        """The nearest point of the box."""
        return jnp.clip(x, self.low.astype(x.dtype), self.high.astype(x.dtype))


def boxed(denoiser: Any, data: DiffusionData) -> Boxed:
    """The denoiser within the training data's box: of images one range for all their numbers."""
    points = data.scaled.points
    over = None if data.scaled.kind == "image" else 0
    return Boxed(denoiser, jnp.asarray(points.min(axis=over)), jnp.asarray(points.max(axis=over)))


def resolved(args: DiffusionArgs, data: DiffusionData) -> Any:
    """The flags with what depends on the data.

    **Raises:** `UserError` for flags that do not fit the data.
    """
    args = with_defaults(args, data.scaled.kind)
    check_network(args, data.shape)
    make_process(args, data.std)
    data.asked(args, 1)
    return args


def diffusion_keys(args: DiffusionArgs) -> Any:
    """The keys of a run, by name."""
    return keys_of(args.seed, "players", "play", "samples", "report")


def set_up(args: DiffusionArgs, data: DiffusionData) -> tuple[go.AbstractGame, go.Players]:
    """The game and the fresh network of resolved flags."""
    process = make_process(args, data.std)
    game = DenoisingGame(
        data.sampler(data.labels), process.law, jnp.float32(args.label_dropout), args.batch_size,
        data.classes,
    )  # fmt: skip
    return game, go.Players(make_denoiser(args, data, process, diffusion_keys(args).players), None)


def make_denoiser(
    args: DiffusionArgs, data: DiffusionData, process: Process, key: PRNGKeyArray
) -> Denoiser:
    """A fresh denoiser of resolved flags."""
    assert args.width is not None
    if args.network == "mlp":
        network: Any = TimeMLP(
            data.shape, width=args.width, depth=args.depth, classes=data.classes, key=key
        )
    else:
        network = UNet(
            data.shape, width=args.width, multipliers=args.multipliers, blocks=args.blocks,
            attention=args.attention, classes=data.classes, key=key,
        )  # fmt: skip
    if args.precision == "bfloat16":
        network = in_half_precision(network)
    return Denoiser(network, process.kind, data.std)


def make_solver(args: DiffusionArgs) -> go.AbstractSolver:
    """Descent, judged by the moving average of the weights."""
    solver = go.descent(make_optimizer(args.optimizer))
    return go.Averaged(solver, decay=args.ema) if args.ema else solver
