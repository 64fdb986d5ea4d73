"""The flags of a diffusion model, and what they forbid."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from recipes._data import TOYS
from recipes._data.training import DataArgs
from recipes._report.judge import SampleArgs
from recipes._runtime.cli import args_to_json
from recipes._runtime.errors import UserError, flag_of
from recipes._runtime.fields import AtLeast1, AtLeast2, Decay, NotNegative
from recipes._runtime.optimizers import OptimizerArgs, adam, check_decay, decaying
from recipes._runtime.run import TrainArgs

Objective = Literal["noise", "velocity", "flow", "edm"]
SamplerName = Literal["ddim", "ancestral", "dpm_solver", "heun"]
Task = Literal["sample", "inpaint", "superresolve", "interpolate", "likelihood"]

PRESETS: dict[str, dict[str, Any]] = {
    "mnist": {
        "data": "mnist", "objective": "velocity", "condition": "class", "guidance_scale": 1.5,
        "multipliers": (1, 2, 2), "steps": 7500, "eval_every": 1500, "ema": 0.999,
    },
    "cifar10": {
        "data": "cifar10", "steps": 200_000, "eval_every": 10_000, "batch_size": 128, "width": 128,
        "multipliers": (1, 2, 2), "blocks": 2, "attention": (16,), "precision": "bfloat16",
        "ema": 0.9999,
    },
}  # fmt: skip
PLANE: dict[str, Any] = {"width": 128, "batch_size": 256, "steps": 5000, "eval_every": 1000}
"""The defaults for points in the plane."""
STEPS, RATE = 2000, 1e-3
GROUPS = 8
"""Groups of channels that a unet normalises apart."""
OF_THE_TASK = (
    "run", "task", "prompt", "sampler", "sampling_steps", "guidance_scale", "factor", "seed",
    "out", "overwrite", "resume", "config", "compile_cache", "data_dir",
)  # fmt: skip
"""Flags that go with --run; all others are the trained run's."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffusionArgs(SampleArgs, DataArgs, TrainArgs):
    """The flags of a diffusion model."""

    preset: Literal["small", "mnist", "cifar10"] = "small"
    """The defaults of the other flags: small (8x8 digits in a minute), mnist (28x28, 40 minutes
    on two cores), cifar10 (colour, for a GPU). --preset NAME --help shows them."""
    steps: AtLeast1 = STEPS
    """Rounds."""
    eval_every: AtLeast1 = 500
    """Rounds between two evaluations: samples, pictures, a checkpoint."""
    objective: Objective = "noise"
    """Prediction of the network, and its noise levels: the noise on the chain of DDPM, v on a
    variance-preserving path, the velocity of straight lines (flow matching), or EDM's
    preconditioned target."""
    diffusion_steps: AtLeast2 = 1000
    """For --objective noise: T, the steps of the chain."""
    schedule: Literal["linear", "cosine"] = "cosine"
    """For --objective noise: the variances of the chain's steps."""
    times: Literal["uniform", "logit_normal"] = "uniform"
    """For --objective flow: the law of the times that are trained on."""
    network: Literal["mlp", "unet"] | None = None
    """A residual MLP, or convolutions at several sizes. Default: unet for images, mlp for other
    points."""
    width: AtLeast1 | None = None
    """Units of a hidden layer; of unet, channels at the full size. Default: 256, and 32 of unet."""
    depth: AtLeast1 = 3
    """Residual layers of mlp."""
    multipliers: tuple[AtLeast1, ...] = (1, 2)
    """Channels of unet at each size over --width; each size is half of the one before."""
    blocks: AtLeast1 = 1
    """Residual blocks of unet at each size, on either side."""
    attention: tuple[AtLeast1, ...] = ()
    """Heights of the hidden images of unet that attend to themselves."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Precision of the network's own arithmetic; weights and losses are float32."""
    condition: Literal["none", "class"] = "none"
    """Tell the network nothing, or the class of a point."""
    label_dropout: Decay = 0.1
    """Share of points whose class is not told, for the guidance of --condition class."""
    ema: Decay = 0.995
    """Decay of the weights' moving average, which is what is judged; 0 for none."""
    optimizer: OptimizerArgs = adam(RATE, decay_steps=STEPS)
    """The optimizer. By default the step size falls for as long as --steps."""
    sampler: SamplerName | None = None
    """Rule of a sampling step. Default: ddim for noise, dpm_solver for velocity, heun for flow and
    edm."""
    sampling_steps: AtLeast2 | None = None
    """Steps from noise to data. Default: 50."""
    guidance_scale: NotNegative | None = None
    """Guidance of --condition class: 0 ignores the class, 1 samples it as it was learned, more
    exaggerates it. Default: 2."""
    prompt: str | None = None
    """Classes in words, such as "seven", or "three 7": samples of each, in prompt.png."""
    task: Task = "sample"
    """Samples, the right half of held-out images from the left, images from means over squares of
    pixels, paths between held-out images, log-likelihoods; all but samples of a trained --run."""
    factor: AtLeast2 = 2
    """Pixels on a side of a square of --task superresolve."""
    run: Path | None = None
    """Folder of a trained run of this recipe: do its --task there, and train nothing."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's or those of points in the plane, and a step size that falls for as long as
        the run trains."""
        plane = given.get("data") in TOYS
        found = PRESETS.get(given.get("preset", "small"), {}) | (PLANE if plane else {})
        if given.get("condition") == "none":
            found.pop("guidance_scale", None)
        return found | decaying(given, adam(RATE), found.get("steps", STEPS))

    @classmethod
    def filled_in(cls) -> dict[str, tuple[str, ...]]:
        return {
            "data": ("network", "width"), "network": ("width",), "objective": ("sampler",),
            "condition": ("guidance_scale",),
        }  # fmt: skip


DEFAULT_SAMPLERS: dict[Objective, SamplerName] = {
    "noise": "ddim", "velocity": "dpm_solver", "flow": "heun", "edm": "heun",
}  # fmt: skip


def with_defaults(args: DiffusionArgs, kind: str) -> Any:
    """The flags with those filled in that depend on others and on the `kind` of the data."""
    network = args.network or ("unet" if kind == "image" else "mlp")
    guided = 2.0 if args.condition == "class" else None
    return dataclasses.replace(
        args,
        network=network,
        width=args.width or (32 if network == "unet" else 256),
        sampler=args.sampler or DEFAULT_SAMPLERS[args.objective],
        sampling_steps=args.sampling_steps or 50,
        guidance_scale=guided if args.guidance_scale is None else args.guidance_scale,
    )


def check_flags(args: DiffusionArgs) -> None:
    """Raise a `UserError` for flags that no data could make right."""
    check_decay(args.optimizer, args.steps)
    of_noise = {
        "diffusion_steps": args.diffusion_steps != 1000,
        "schedule": args.schedule != "cosine",
    }
    for name, changed in of_noise.items():
        if changed and args.objective != "noise":
            raise UserError(
                f"{flag_of(name)} is of the chain of --objective noise, and --objective "
                f"{args.objective} has none; leave it out."
            )
    if args.times != "uniform" and args.objective != "flow":
        raise UserError(
            f"--times {args.times} is for --objective flow, and not for {args.objective}; leave it "
            "out."
        )
    steps = args.sampling_steps or 50
    if args.objective == "noise" and steps > args.diffusion_steps:
        raise UserError(
            f"--sampling-steps {steps} is more than the {args.diffusion_steps} of "
            "--diffusion-steps; take fewer."
        )
    if args.condition == "none":
        for name in ("guidance_scale", "prompt"):
            if getattr(args, name) is not None:
                raise UserError(f"{flag_of(name)} needs a model with --condition class.")
    if args.task != "sample" and args.run is None:
        raise UserError(f"--task {args.task} is done with a trained model: add its --run FOLDER.")


def check_task(args: DiffusionArgs, trained: Mapping[str, Any]) -> None:
    """Raise a `UserError` for flags of a training beside `--run`.

    **Arguments:**

    - `trained`: the flags in the run's config.json. The same ones may stand beside it, as they do
      in the configuration of a task.
    """
    if args.resume is not None:
        raise UserError(
            f"--resume {args.resume}: a task is not gone on with; do it again with --run, or leave "
            "--run out to go on with a training."
        )
    plain = args_to_json(type(args)())
    for name, value in args_to_json(args).items():
        if name not in OF_THE_TASK and value not in (plain[name], trained.get(name)):
            raise UserError(f"{flag_of(name)} is the trained run's own with --run; leave it out.")


def check_network(args: DiffusionArgs, shape: tuple[int, ...]) -> None:
    """Raise a `UserError` for networks that points of `shape` cannot have; of resolved flags."""
    if args.network == "mlp":
        if args.attention:
            raise UserError("--attention is of --network unet; leave it out.")
        return
    if len(shape) not in (2, 3):
        raise UserError(
            f"--network unet needs images, and --data {args.data} has points of shape {shape}; "
            "take --network mlp."
        )
    assert args.width is not None
    if args.width % GROUPS:
        raise UserError(
            f"--width {args.width}: the channels of a unet are normalised in {GROUPS} groups; take "
            f"a multiple of {GROUPS}."
        )
    if not args.multipliers:
        raise UserError("--multipliers is empty; give a number for each size of the unet.")
    halvings = len(args.multipliers) - 1
    sizes = [shape[0] >> place for place in range(halvings + 1)]
    if min(shape[:2]) >> halvings < 2:
        raise UserError(
            f"--multipliers {' '.join(map(str, args.multipliers))} halves images of "
            f"{shape[0]}x{shape[1]} {halvings} times, to less than 2 pixels; give fewer."
        )
    missed = [height for height in args.attention if height not in sizes]
    if missed:
        raise UserError(
            f"--attention {missed[0]}: the hidden images are {', '.join(map(str, sizes))} pixels "
            "high; take one of these."
        )
