"""The flags of a variational autoencoder, and what they forbid."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from recipes._data.training import HeldOutData
from recipes._latent.elbo import Objective
from recipes._latent.networks import AutoencoderArgs, check_kind
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast0, AtLeast1, AtLeast2, NotNegative, Positive
from recipes._runtime.optimizers import OptimizerArgs, adam, check_decay, decaying

Likelihood = Literal[
    "bernoulli", "gaussian_fixed", "gaussian_shared", "gaussian_learned", "categorical", "logistic"
]
PriorName = Literal["normal", "mixture", "vamp"]
Binarize = Literal["static", "dynamic", "threshold"]


# mnist: 784-400-40 on bits drawn once, for the published 89.9 nats: 400 passes over 60 000 images.
PRESETS: dict[str, dict[str, Any]] = {
    "mnist": {
        "data": "mnist", "width": 400, "depth": 1, "latent_size": 40, "batch_size": 100,
        "steps": 240_000, "eval_every": 6000, "binarize": "static", "likelihood_samples": 200,
        "likelihood_points": 10_000,
    },
    "conv": {
        "kind": "conv", "width": 32, "latent_size": 32, "batch_size": 100, "steps": 12_000,
        "eval_every": 1000,
    },
}  # fmt: skip


@dataclasses.dataclass(frozen=True, kw_only=True)
class VAEArgs(AutoencoderArgs):
    """The flags of a variational autoencoder."""

    preset: Literal["small", "mnist", "conv"] = "small"
    """The defaults of the other flags: small (8x8 digits in a minute), mnist (784-400-40 on bits,
    a quarter of an hour on two cores), conv (convolutions, for 28x28 and colour). --preset NAME
    --help shows them."""
    steps: AtLeast1 = 6000
    """Rounds."""
    eval_every: AtLeast1 = 1000
    """Rounds between two evaluations: held-out bounds, pictures, a checkpoint."""
    latent_size: AtLeast1 = 8
    """Numbers in a code."""
    likelihood: Likelihood = "bernoulli"
    """The law of a point given its code: bits; Gaussians with a fixed deviation, a learned one, or
    a learned one for each number of a point; a categorical or discretised logistic law of pixel
    levels."""
    binarize: Binarize = "dynamic"
    """For bernoulli: pixels are chances of bits that are drawn once (static) or anew in every round
    (dynamic), or are cut at a half (threshold). Held-out bits are drawn once."""
    deviation: Positive = 0.3
    """For gaussian_fixed and gaussian_shared: the deviation, or its first value, where pixels are
    in [-1, 1]."""
    levels: AtLeast2 = 256
    """For categorical and logistic: values that a pixel can have."""
    prior: PriorName = "normal"
    """The law of codes: standard normal, a learned mixture of Gaussians, or the mixture of the
    posteriors of learned pseudo-inputs (VampPrior)."""
    components: AtLeast1 = 16
    """Components of a mixture or vamp prior."""
    conditional: bool = False
    """Tell encoder and decoder the label."""
    objective: Objective = "elbo"
    """The bound that is raised: elbo, iwae (importance weighted), or dreg, which is iwae with
    doubly reparameterised gradients of the encoder."""
    samples: AtLeast1 = 1
    """Codes drawn for each point in a round."""
    beta: NotNegative = 1.0
    """Weight of the KL term of the elbo."""
    anneal_steps: AtLeast0 = 0
    """Rounds in which that weight grows from 0."""
    free_bits: NotNegative = 0.0
    """Nats of each unit's KL that cost nothing (the batch's mean)."""
    likelihood_samples: AtLeast2 = 500
    """Codes of the importance-sampled log-likelihood at the end, for each point."""
    likelihood_points: AtLeast1 = 250
    """Held-out points that this is of."""
    optimizer: OptimizerArgs = adam(1e-3, decay_steps=6000)
    """The optimizer of both players. By default the step size falls for as long as --steps."""

    @classmethod
    def defaults(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """The preset's, and a step size that falls for as long as the run trains."""
        preset = PRESETS.get(given.get("preset", "small"), {})
        return preset | decaying(given, adam(1e-3), preset.get("steps", 6000))


def check_vae(args: VAEArgs, data: HeldOutData) -> int:
    """The number of classes of a conditional model, and 0 of any other.

    **Raises:** `UserError` for flags that do not fit each other or the data.
    """
    points, labels = data.scaled.points, data.loaded.labels
    check_decay(args.optimizer, args.steps)
    check_kind(args, points.shape[1:])
    image = data.scaled.kind == "image"
    if args.likelihood in ("bernoulli", "categorical", "logistic") and not image:
        raise UserError(
            f"--likelihood {args.likelihood} needs images, and --data {args.data} is of kind "
            f"{data.scaled.kind}; take --likelihood gaussian_shared."
        )
    if args.objective != "elbo" and (args.beta != 1 or args.anneal_steps or args.free_bits):
        raise UserError(
            f"--objective {args.objective} has no KL term for --beta, --anneal-steps or "
            "--free-bits; leave them out, or take --objective elbo."
        )
    if args.free_bits and args.prior != "normal":
        raise UserError(f"--free-bits needs the KL of each unit, which --prior {args.prior} lacks.")
    if args.prior == "vamp" and (args.conditional or args.components > len(points)):
        raise UserError(
            "--prior vamp begins at as many points of the data, without labels: leave out "
            f"--conditional, and take --components of at most {len(points)}."
        )
    if not args.conditional:
        return 0
    if labels is None or labels.min() < 0:
        raise UserError(f"--conditional needs labels from 0 on, and --data {args.data} has none.")
    held_out = data.held_out.labels
    assert held_out is not None
    return int(max(np.max(labels), np.max(held_out))) + 1
