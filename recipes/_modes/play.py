"""Play of one setting of recipes.modes: all seeds in one compiled program."""

import dataclasses
import time
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

import gameopt as go
from models import maxout_critic, normalised_generator
from recipes._modes.data import ModeData, ModeJudge, judged
from recipes._modes.methods import (
    METHODS,
    MODE_SOLVERS,
    AcrossSeeds,
    Method,
    make_game,
    make_optimizer,
)
from recipes._runtime.fields import AtLeast1, Typed
from recipes._runtime.files import load_array
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder, write_json
from recipes._runtime.training import train

SHOWN = 1000
"""Samples of the first seed that are kept for pictures."""
DONE = "done.json"
"""Written into a setting's folder at its end."""
SIMULTANEOUS = MODE_SOLVERS["simultaneous"].gradients


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkArgs(metaclass=Typed):
    """The networks, which all methods share: those of PacGAN at another size."""

    generator_width: AtLeast1 = 64
    """Units of a hidden layer of the generator, batch-normalised."""
    generator_depth: AtLeast1 = 3
    """Hidden layers of the generator."""
    discriminator_width: AtLeast1 = 32
    """Maxout units of a hidden layer of the discriminator."""
    discriminator_depth: AtLeast1 = 2
    """Hidden layers of the discriminator."""
    pieces: AtLeast1 = 5
    """Pieces of a maxout unit."""


class ModePlay(NamedTuple):
    """Length, step sizes and networks of every setting's play.

    - `steps`: rounds of simultaneous play; every other solver may take as many gradients.
    - `seeds`: networks and minibatches, all in one compiled call.
    - `learning_rate`, `decay`: Adam's step size at first, and whether it falls to 0 along a line.
    - `batch_size`: points, or packs of them, that a step sees. `clip`: of a clipped critic.
    - `unroll_rate`: step size of the imagined steps of unrolled play.
    - `moments`: how often the samples are judged, at equal distances.
    """

    steps: int
    seeds: int
    learning_rate: float
    decay: bool
    batch_size: int
    clip: float
    unroll_rate: float
    moments: int
    network: NetworkArgs


class ModeSetting(NamedTuple):
    """A method on some data, played by a solver; each by its name."""

    data: str
    method: str
    solver: str

    def __str__(self) -> str:
        return f"{self.data} {self.method} by {self.solver}"

    @property
    def folder(self) -> str:
        """The name of its part of the run's folder."""
        return "-".join(self)


def rounds_of(setting: ModeSetting, args: ModePlay) -> tuple[int, int]:
    """Rounds, and those between two moments: as many gradients as `steps` simultaneous rounds."""
    gradients = MODE_SOLVERS[setting.solver].gradients
    between = max(1, args.steps * SIMULTANEOUS // (gradients * args.moments))
    return between * args.moments, between


def make_solver(setting: ModeSetting, args: ModePlay) -> go.AbstractSolver:
    """The setting's solver of all seeds, with the method's optimizers."""
    method, entry = METHODS[setting.method], MODE_SOLVERS[setting.solver]
    rounds, _ = rounds_of(setting, args)

    def optimizer(updates: int) -> optax.GradientTransformation:
        if not args.decay:
            return make_optimizer(method, args.learning_rate)
        schedule = optax.linear_schedule(args.learning_rate, 0.0, rounds * updates)
        return make_optimizer(method, schedule)

    optimizers = go.Players(optimizer(entry.updates.x), optimizer(entry.updates.y))
    return AcrossSeeds(entry.make(optimizers, args.unroll_rate), args.seeds)


def make_players(method: Method, data: ModeData, args: ModePlay, key: PRNGKeyArray) -> go.Players:
    """Fresh networks, with a first axis of seeds; the same seed the same generator."""
    sizes = args.network
    pack = (method.packing,) if method.packing > 1 else ()

    @eqx.filter_vmap
    def fresh(key: PRNGKeyArray) -> go.Players:
        key_x, key_y = jax.random.split(key)
        generator = normalised_generator(
            data.latent_size,
            data.shape,
            width=sizes.generator_width,
            depth=sizes.generator_depth,
            bounded=data.bounded,
            key=key_x,
        )
        critic = maxout_critic(
            (*pack, *data.shape),
            width=sizes.discriminator_width,
            depth=sizes.discriminator_depth,
            pieces=sizes.pieces,
            key=key_y,
        )
        return go.Players(generator, critic)

    return fresh(jax.vmap(lambda seed: jax.random.fold_in(key, seed))(jnp.arange(args.seeds)))


class Watch:
    """Judges the samples of a setting from fixed latents, and keeps those of the first seed."""

    def __init__(self, folder: RunFolder, judge: ModeJudge, latents: jax.Array):
        self.folder, self.judge, self.latents = folder, judge, latents
        self.samples = folder.path / "samples"
        self.samples.mkdir(exist_ok=True)

    def __call__(self, players: go.Players, round: int) -> dict[str, Any]:
        """For every seed: `captured`, `high_quality`, `reverse_kl` and `counts` by mode."""
        coverage, points = judged(self.judge, players, self.latents, SHOWN)
        np.save(self.samples / f"{round:08d}.npy", np.asarray(points))
        return {name: np.asarray(value).tolist() for name, value in coverage._asdict().items()}


def record_losses(now: go.Moment) -> dict[str, jax.Array]:
    """A training line: the losses of every seed."""
    return {"round": now.round, "loss_x": now.info.losses.x, "loss_y": now.info.losses.y}


def set_up(
    setting: ModeSetting, data: ModeData, args: ModePlay, key: PRNGKeyArray
) -> tuple[go.AbstractGame, go.Players]:
    """The game of a setting, and its fresh players; `key`: of the play."""
    method = METHODS[setting.method]
    game = make_game(method, data.sampler, data.latent_size, args.batch_size, args.clip)
    return game, make_players(method, data, args, jax.random.split(key, 3)[0])


def play_setting(
    setting: ModeSetting, data: ModeData, args: ModePlay, key: PRNGKeyArray, folder: RunFolder
) -> list[dict[str, Any]]:
    """Play a setting in its part of the folder, or go on with it, or read what came of it.

    **Returns:** the judgements, moment by moment.
    """
    if (folder.path / setting.folder / DONE).is_file():
        return history_of(folder.path / setting.folder)
    part = folder.part(setting.folder)
    _, key_play, key_latents = jax.random.split(key, 3)
    latents = jax.random.normal(key_latents, (data.samples, data.latent_size))
    rounds, between = rounds_of(setting, args)
    begin = time.perf_counter()
    with says("making networks"):
        game, players = set_up(setting, data, args, key)
    train(
        part,
        game,
        make_solver(setting, args),
        players,
        key_play,
        Watch(part, data.judge, latents),
        steps=rounds,
        eval_every=between,
        log_every=between,
        shown={"captured": "modes", "high_quality": "high quality", "reverse_kl": "reverse KL"},
        record=record_losses,
        may_diverge=True,
    )
    seconds = time.perf_counter() - begin
    write_json(
        part.path / DONE, {"seconds": round(seconds, 1), "gradients": args.steps * SIMULTANEOUS}
    )
    return history_of(part.path)


def history_of(part: Path) -> list[dict[str, Any]]:
    """The judgements of a setting, moment by moment."""
    return [line for line in RunFolder(part, True).read_metrics() if line["kind"] == "eval"]


def kept_samples(part: Path) -> list[tuple[int, np.ndarray]]:
    """The rounds, and the first seed's samples then."""
    paths = sorted((part / "samples").glob("[0-9]*.npy"))
    found = [(int(path.stem), load_array(path)) for path in paths]
    return [(round, points) for round, points in found if points is not None]
