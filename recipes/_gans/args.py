"""Flags that GANs share: of the game, its penalties and its solver."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import gameopt as go
from recipes._certify.certificates import ProbeArgs, check_probe
from recipes._data.training import DataArgs
from recipes._gans.penalties import PENALTIES, PenaltyName
from recipes._report.judge import SampleArgs
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Decay, Flags, NotNegative, Positive
from recipes._runtime.optimizers import OptimizerArgs, make_optimizer


@dataclasses.dataclass(frozen=True, kw_only=True)
class GameArgs(metaclass=Flags):
    """The flags of a GAN's game and of how it is played."""

    penalties: tuple[PenaltyName, ...] = ()
    """Added to the discriminator's loss: gradient penalties gp, lp (one-sided), dragan, and the
    zero-centred r1 (at data), r2 (at samples), gp0 (between them); bcr (images: consistent under
    flips and shifts), lecam, orthogonal."""
    penalty_weights: tuple[NotNegative, ...] = ()
    """One weight for each of --penalties. Default: gp, lp, dragan and bcr 10, r1, r2 and gp0 1,
    lecam 0.3, orthogonal 1e-4."""
    clip: Positive | None = None
    """Keep every weight of the discriminator in [-clip, clip]."""
    solver: Literal["alternating", "simultaneous", "extragradient", "lookahead"] = "alternating"
    """The discriminator moves --inner-steps times and then the generator; both at once; with a look
    ahead; or alternating, drawn back half way every five rounds."""
    inner_steps: AtLeast1 = 1
    """Discriminator steps to one generator step, each on a fresh batch."""
    generator_optimizer: OptimizerArgs = OptimizerArgs()
    """The generator's optimizer."""
    discriminator_optimizer: OptimizerArgs = OptimizerArgs()
    """The optimizer of the discriminator, or critic."""
    ema: Decay = 0.0
    """Decay of the generator's moving average, which is what is judged; 0 for none."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """One inner step for solvers that move once, and no weights of other penalties."""
        once = given.get("solver", "alternating") not in ("alternating", "lookahead")
        return ({"inner_steps": 1} if once else {}) | (
            {"penalty_weights": ()} if "penalties" in given else {}
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class GANArgs(GameArgs, ProbeArgs, SampleArgs, DataArgs):
    """The flags of a GAN that is trained on a data set, judged and certified."""


def check_game(args: GameArgs) -> None:
    """Raise a `UserError` for flags of a game that do not go together."""
    names, weights = args.penalties, args.penalty_weights
    if len(set(names)) < len(names):
        raise UserError(f"--penalties {' '.join(names)}: give each of them once.")
    if weights and len(weights) != len(names):
        raise UserError(
            f"--penalty-weights has {len(weights)} numbers for {len(names)} penalties "
            f"({' '.join(names) or 'none'}); give one for each."
        )
    if args.solver not in ("alternating", "lookahead") and args.inner_steps != 1:
        raise UserError(f"--solver {args.solver} moves both players once: add --inner-steps 1.")


def check_gan(args: GANArgs) -> None:
    """Raise a `UserError` for a flag that no data could make right."""
    check_probe(args)
    check_game(args)


def check_penalties_fit(args: GameArgs, kind: str) -> None:
    """Raise a `UserError` for a penalty of images on data of another kind."""
    of_images = [name for name in args.penalties if PENALTIES[name].of_images]
    if of_images and kind != "image":
        raise UserError(
            f"--penalties {of_images[0]} flips and shifts images, and the data are of kind {kind}; "
            "leave it out."
        )


def clipped(game: go.AbstractGame, args: GameArgs) -> go.AbstractGame:
    """The game with the discriminator's weights kept within `--clip`, if that is given."""
    return game if args.clip is None else go.constrained(game, y=go.clip_weights(args.clip))


def make_solver(args: GameArgs) -> go.AbstractSolver:
    """The solver of the flags: the discriminator first, each inner step on a fresh batch; with the
    anchors and averages that the flags ask for.
    """
    optimizers = go.Players(
        make_optimizer(args.generator_optimizer),
        make_optimizer(args.discriminator_optimizer, args.inner_steps),
    )
    in_turn = go.Alternating(
        optimizers, order=("y", "x"), inner_steps=go.Players(1, args.inner_steps)
    )
    solvers = {
        "alternating": in_turn,
        "simultaneous": go.Simultaneous(optimizers),
        "extragradient": go.Extragradient(optimizers),
        "lookahead": go.Lookahead(in_turn),
    }
    solver = solvers[args.solver]
    if "lecam" in args.penalties:
        solver = go.Anchored(solver)
    return go.Averaged(solver, decay=go.Players(args.ema, 0.0)) if args.ema else solver
