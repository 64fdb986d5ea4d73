"""Paths between held-out images through the noise that they come from."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import models
from recipes._diffusion.args import DiffusionArgs
from recipes._diffusion.model import DiffusionData
from recipes._diffusion.sampling import Rule, make_rule
from recipes._report.rows import Row, draw_rows
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder

PATHS, COLUMNS = 6, 10
"""Pairs of images at most, and images along the path of each."""


def interpolate(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """interpolate.png: from one held-out image to another, by DDIM inverted and great circles.

    **Returns:** `l1_inversion`, the mean difference of a pixel between an image and what comes of
    its own noise.
    """
    del key
    rule = make_rule(args, data, denoiser)
    held_out = data.held_out.points
    pairs = min(PATHS, len(held_out) // 2)
    points = jnp.asarray(held_out[: 2 * pairs]).reshape(pairs, 2, *data.shape)
    with says("paths between images"):
        images = np.asarray(_paths(rule, points, data.asked(args, 1) if args.prompt else None))
    ends = images[:, [0, -1]]
    error = float(np.abs(ends - np.asarray(points)).mean())
    rows = [
        Row("", np.concatenate([pair[:1], path, pair[1:]]))
        for pair, path in zip(np.asarray(points), images, strict=True)
    ]
    title = (
        "held-out images (first and last) and the path between their noises\n"
        f"mean difference of a pixel between an image and what comes of its noise: {error:.3f}"
    )
    draw_rows(rows, folder.path / "interpolate.png", title)
    return {"l1_inversion": error}


@eqx.filter_jit
def _paths(rule: Rule, points: Array, label: Any) -> Array:
    """Images `(paths, COLUMNS, *shape)` between pairs, shape `(paths, 2, *shape)`."""
    free = rule.free(None if label is None else jnp.asarray(label)[0])
    shares = jnp.linspace(0, 1, COLUMNS, dtype=points.dtype)
    denoise = lambda x, level: rule.denoiser.within(free(x, level))
    between = lambda pair: models.interpolation(denoise, rule.levels, pair[0], pair[1], shares)
    return jax.vmap(between)(points)
