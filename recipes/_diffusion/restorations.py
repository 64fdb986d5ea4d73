"""Held-out images from linear observations: the right half from the left, pixels from means."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import models
from recipes._diffusion.args import DiffusionArgs
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.sampling import Denoise, Rule, draw, make_rule
from recipes._report.classifier import nearest
from recipes._report.rows import Row, draw_rows
from recipes._runtime.run import RunFolder

IMAGES, DRAWS, COLUMNS = 50, 4, 10
"""Held-out images, draws from each, and images that are drawn."""
NOISE = 0.02
"""Deviation that observations are taken to have, where pixels are in [-1, 1]."""


class Squares(eqx.Module):
    """Means over squares of pixels, of images with and without an axis of channels.

    - `pooled`: the operator for images with one.
    """

    pooled: models.Pooled

    def __call__(self, x: Array) -> Array:
        return self.pooled(x if x.ndim == 3 else x[..., None])


class Restoring(Rule):
    """A rule for points of which each has an observation, told as `(label, observed)`.

    - `operator`: from a point to its observation. `data_std`: of the data.
    """

    operator: Any
    data_std: float = eqx.field(static=True)

    def of(self, label: Any) -> tuple[models.AbstractSampler, Denoise]:
        word, observed = label
        seen = models.LinearObservation(self.operator, observed, NOISE)
        guided = models.InverseGuided(self.free(word), seen, data_std=self.data_std)
        return self.sampler, lambda x, level: self.denoiser.within(guided(x, level))


def _restoring(rule: Rule, operator: Any, data_std: float) -> Restoring:
    """The rule for points of which each has an observation."""
    parts = {field: getattr(rule, field) for field in Rule.__dataclass_fields__}
    return Restoring(**parts, operator=operator, data_std=data_std)


def inpaint(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """inpaint.png: draws of the right halves of held-out images, from the left ones."""
    known = np.zeros(data.shape, bool)
    known[:, : data.shape[1] // 2] = True
    given = np.where(known, data.held_out.points[:COLUMNS], 0)
    operator, title = models.Entries(known), "the right half of held-out images from the left"
    return _restore(folder, args, data, denoiser, key, operator, given, title, ~known)


def superresolve(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """superresolve.png: draws of held-out images, from their means over squares of pixels."""
    operator = Squares(models.Pooled(args.factor))
    means = np.asarray(jax.vmap(operator)(jnp.asarray(data.held_out.points[:COLUMNS])))
    given = means.repeat(args.factor, axis=1).repeat(args.factor, axis=2)
    given = given.reshape(-1, *data.shape)
    title = f"held-out images from means over squares of {args.factor}x{args.factor} pixels"
    everywhere = np.ones(data.shape, bool)
    return _restore(folder, args, data, denoiser, key, operator, given, title, everywhere)


def _restore(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray,
    operator: Any, given: np.ndarray, title: str, unknown: np.ndarray,
) -> dict[str, Any]:  # fmt: skip
    """Draw TASK.png; return mean absolute errors of the unknown pixels, in [-1, 1]:

    - `l1_draw`, `l1_mean`: of a draw, and of the mean of the draws. `l1_spread`: between two draws.
    - `l1_nearest`: of the training image whose observation is nearest.
    - `l1_observed`: between the observation and that of a draw.
    """
    rule = _restoring(make_rule(args, data, denoiser), operator, data.std)
    points = data.held_out.points[:IMAGES]
    observe = jax.jit(jax.vmap(operator))
    observed = observe(jnp.asarray(points))
    words = data.asked(args, DRAWS * len(points)) if args.prompt is not None else None
    labels = None if words is None else jnp.asarray(words)
    each = (labels, jnp.tile(observed, (DRAWS, *[1] * (observed.ndim - 1))))
    drawn = draw(rule, data.shape, key, DRAWS * len(points), each, bar=True).x
    draws = drawn.reshape(DRAWS, *points.shape)
    training = data.scaled.points
    copies = training[np.asarray(nearest(observed, observe(jnp.asarray(training))))]
    error = lambda left, right: float(np.abs(left - right)[:, unknown].mean())
    numbers = {
        "l1_draw": error(draws[0], points),
        "l1_mean": error(draws.mean(axis=0), points),
        "l1_spread": error(draws[0], draws[1]),
        "l1_nearest": error(copies, points),
        "l1_observed": float(np.abs(np.asarray(observe(jnp.asarray(draws[0])) - observed)).mean()),
    }
    rows = [Row("given", given)]
    rows += [Row(f"draw {i + 1}", images[:COLUMNS]) for i, images in enumerate(draws)]
    rows += [Row("nearest in training", copies[:COLUMNS]), Row("data", points[:COLUMNS])]
    note = (
        f"{title}\nmean difference of a pixel, in [-1, 1]: two draws {numbers['l1_spread']:.3f},\n"
        f"draw and data {numbers['l1_draw']:.3f}, nearest training image and data "
        f"{numbers['l1_nearest']:.3f}"
    )
    draw_rows(rows, folder.path / f"{args.task}.png", note)
    return numbers
