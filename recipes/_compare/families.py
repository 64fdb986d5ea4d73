"""Families of generative models as a comparison trains them: a recipe each, with its flags."""

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

import gameopt as go
from models import reverse_process
from recipes import cgan, dcgan, diffusion, gan, vae, vqvae, wgan
from recipes._diffusion.sampling import Rule, make_rule
from recipes._gans.critics import generated
from recipes._report.latents import between
from recipes._runtime.errors import UserError
from recipes._runtime.files import digest, load_array
from recipes._runtime.run import GENERATED, RunFolder
from recipes._runtime.trained import TrainedRun, load_run

BATCH = 64
"""Images a step of every family sees, if there are as many."""
SMALL = 16
"""Up to so many pixels a side, networks and rounds are those for 8x8 digits."""
SHARED = ("data", "data_dir", "image_size", "seed", "eval_size")

FamilyName = Literal[
    "gan", "wgan", "dcgan", "wgan-gp", "sngan", "cgan", "vae", "vae-conv", "vqvae", "diffusion"
]


class Setting(NamedTuple):
    """The flags and sizes that all families of a comparison share.

    - `shared`: flags of every recipe, those of `SHARED`. `steps`: rounds, or `None` for each
      family's own number. `images`, `side`: how many there are, and the longer side in pixels.
    """

    shared: dict[str, Any]
    steps: int | None
    images: int
    side: int

    @property
    def small(self) -> bool:
        """True for images as small as the digits."""
        return self.side <= SMALL


def first_player(recipe: Any, args: Any, data: Any) -> Any:
    """The generator of a GAN, fresh."""
    return recipe.set_up(args, data)[1].x


AlongPath = Callable[[TrainedRun, PRNGKeyArray, int], Any]
"""`(run, key, n) -> points`: what `n` latents on a path between two of the prior's give."""


def path_of_generator(run: TrainedRun, key: PRNGKeyArray, n: int) -> np.ndarray:
    """Points of a GAN's generator along the great circle between two latents."""
    players = run.evaluated
    if hasattr(run.module, "standing"):
        players = run.module.standing(run.args, players)
    ends = jax.random.normal(key, (2, run.args.latent_size))
    return run.data.unscaled(generated(players.x, between(ends[0], ends[1], n)))


def path_of_decoder(run: TrainedRun, key: PRNGKeyArray, n: int) -> np.ndarray:
    """Means of a VAE's decoder along the great circle between two codes of the prior."""
    x = run.evaluated.x
    ends = jax.random.normal(key, (2, run.args.latent_size))
    means = eqx.filter_jit(lambda x, codes: jax.vmap(x.model.mean)(codes))
    return run.data.data.unscaled(run.data.as_loaded(means(x, between(ends[0], ends[1], n))))


def path_of_sampler(run: TrainedRun, key: PRNGKeyArray, n: int) -> np.ndarray:
    """Samples of a diffusion model from noise on the great circle between two draws of it."""
    rule, shape = make_rule(run.args, run.data, run.evaluated.x), run.data.shape
    ends = jax.random.normal(key, (2, math.prod(shape)))
    noise = rule.levels.sigma[0] * between(ends[0], ends[1], n).reshape(n, *shape)
    return run.data.unscaled(_sampled_from(rule, noise, key))


@eqx.filter_jit
def _sampled_from(rule: Rule, noise: Float[Array, "n *shape"], key: PRNGKeyArray) -> Array:
    sampler, denoise = rule.of(None)
    one = lambda x: reverse_process(sampler, denoise, rule.levels, x, key).x
    return jax.vmap(one)(noise)


class Family(NamedTuple):
    """A recipe with flags.

    - `says`: what it is, for the table. `recipe`: a module with `Args`, `resolve` and `run`, whose
      run leaves generated.npy and a summary.json with `rounds` and `rounds_per_second`.
    - `flags`: those of its own.
    - `sampler`: `(recipe, resolved args, data)` to the network that samples are drawn from.
    - `labelled`: whether it is for labelled data only.
    - `along`: its points along a path between two latents; `None` without such a path.
    """

    says: str
    recipe: Any
    flags: Callable[[Setting], dict[str, Any]]
    sampler: Callable[[Any, Any, Any], Any] = first_player
    labelled: bool = False
    along: AlongPath | None = path_of_generator


def _convolutional(steps_when_small: int | None = None, **changes: Any) -> Callable:
    """Flags of convolutional networks: the preset of the images' size, and what differs from it."""

    def flags(setting: Setting) -> dict[str, Any]:
        own = {"steps": steps_when_small} if setting.small and steps_when_small else {}
        return {"preset": "small" if setting.small else "mnist", **own, **changes}

    return flags


def _variational(steps_when_small: int, **changes: Any) -> Callable:
    """Flags of a VAE of bits whose chances are pixels; for larger images, those of a preset."""

    def flags(setting: Setting) -> dict[str, Any]:
        steps = steps_when_small if setting.small else 20_000
        size = {} if setting.small else {"latent_size": 32}
        return {"steps": steps, "likelihood_points": 100, **size, **changes}

    return flags


FAMILIES: dict[str, Family] = {
    "gan": Family(
        "multilayer perceptrons, non-saturating loss, R1 penalty",
        gan,
        lambda setting: {"steps": 3000 if setting.small else 20_000},
    ),
    "wgan": Family(
        "multilayer perceptrons, Wasserstein loss, gradient penalty",
        wgan,
        lambda setting: {"steps": 2000 if setting.small else 20_000},
    ),
    "dcgan": Family("convolutions, non-saturating loss, R1 penalty", dcgan, _convolutional()),
    # A round has five critic steps: a third of the rounds is twice the time of dcgan on the digits.
    "wgan-gp": Family(
        "convolutions, Wasserstein loss, gradient penalty, five critic steps",
        dcgan,
        _convolutional(1000, loss="wasserstein", penalties=("gp",), inner_steps=5),
    ),
    "sngan": Family(
        "convolutions, hinge loss, spectral normalisation",
        dcgan,
        _convolutional(loss="hinge", penalties=(), discriminator_weights="spectral"),
    ),
    "cgan": Family(
        "convolutions, as dcgan, told the class; trained on four fifths of the data",
        cgan,
        _convolutional(),
        labelled=True,
        along=None,
    ),
    "vae": Family(
        "VAE of multilayer perceptrons: means; trained on a part of the data",
        vae,
        _variational(6000),
        along=path_of_decoder,
    ),
    "vae-conv": Family(
        "VAE of convolutions: means; trained on a part of the data",
        vae,
        _variational(3000, kind="conv", width=16),
        along=path_of_decoder,
    ),
    "vqvae": Family(
        "vector-quantised VAE, codes of a learned prior; trained on a part of the data",
        vqvae,
        lambda setting: {"preset": "small" if setting.small else "mnist"},
        along=None,
    ),
    "diffusion": Family(
        "diffusion by a U-Net that predicts the noise; trained on a part of the data",
        diffusion,
        lambda setting: {"preset": "small" if setting.small else "mnist"},
        along=path_of_sampler,
    ),
}


class FamilyPlan(NamedTuple):
    """Flags of a family's recipe that have been found good; parameters of its sampler."""

    args: Any
    parameters: int


def planned(name: str, setting: Setting) -> FamilyPlan:
    """The plan of a family's training; nothing is compiled or written.

    **Raises:** `UserError` if the recipe does, for flags and data that it cannot work with.
    """
    family = FAMILIES[name]
    flags = family.flags(setting)
    if setting.steps is not None:
        flags["steps"] = setting.steps
    flags["batch_size"] = min(BATCH, setting.images // 2)
    args = family.recipe.Args(**setting.shared, **flags)
    resolved, data = family.recipe.resolve(args)
    make = lambda: go.playable(family.sampler(family.recipe, resolved, data))
    shapes = jax.tree.leaves(eqx.filter_eval_shape(make))
    return FamilyPlan(args, sum(leaf.size for leaf in shapes))


def is_done(path: Path) -> bool:
    """True if a family's folder is that of a run that came to its end, and as it was then."""
    try:
        summary = json.loads((path / "summary.json").read_text(encoding="utf-8"))
        rounds, rate = summary["rounds"], summary["rounds_per_second"]
        is_sound = isinstance(rounds, int) and isinstance(rate, int | float | None)
        # Those of older versions have no checksum.
        expected = summary.get("generated_sha256", digest(path / GENERATED))
        return is_sound and expected == digest(path / GENERATED)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def train_family(name: str, args: Any, folder: RunFolder) -> None:
    """A run of the family's recipe in its part of the folder; goes on with one that was cut off.

    **Raises:** `UserError` if the recipe does, with the family's name.
    """
    path = folder.path / name
    if any((path / "checkpoints").glob("[0-9]*")):
        args = dataclasses.replace(args, resume=path)
    else:
        # Cut off before its first checkpoint, it may be without a config.json, too.
        shutil.rmtree(path, ignore_errors=True)
        args = dataclasses.replace(args, out=path)
    try:
        FAMILIES[name].recipe.run(args)
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


def samples_of(path: Path) -> np.ndarray:
    """The samples of a family's run, shape `(n, *shape)`, in the data's units."""
    found = load_array(path / GENERATED)
    if found is None:
        raise UserError(
            f"{path / GENERATED} is damaged; remove {path}, and --resume trains it anew."
        )
    return found


def along_path(name: str, path: Path, key: PRNGKeyArray, n: int) -> np.ndarray | None:
    """Images of a family's run along a path between two latents, shape `(n, *shape)`, or `None`."""
    along = FAMILIES[name].along
    return None if along is None else np.asarray(along(load_run(path), key, n))
