"""End-of-run report for conditional GANs: agreement of images and conditions."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
from recipes._gans.conditions import CONDITIONS, ConditionedData
from recipes._report.classifier import class_numbers, judging, nearest
from recipes._report.latents import between
from recipes._report.rows import Row, draw_neighbours, draw_rows
from recipes._runtime.run import RunFolder

COLUMNS, EACH, MOST_CLASSES, DRAWS, MOST = 10, 200, 20, 3, 1000
"""Images in a row; of a class for its accuracy; rows at most; draws from one image; held out."""


@eqx.filter_jit
def _generated(generator: Any, latents: Array, conditions: Array) -> Array:
    return go.value_of(go.generated(generator, go.Conditioned(latents, conditions)))


def report_classes(
    folder: RunFolder, data: ConditionedData, generator: Any, latent_size: int, key: PRNGKeyArray
) -> dict[str, Any]:
    """Draw a row of each class, and one latent through all of them.

    **Returns:** what a classifier says of as many images of each class, see `class_numbers`.
    """
    key_rows, key_paths, key_many = jax.random.split(key, 3)
    labels = jnp.arange(min(data.classes, MOST_CLASSES))
    shown = jax.random.normal(key_rows, (len(labels) * COLUMNS, latent_size))
    images = np.asarray(_generated(generator, shown, jnp.repeat(labels, COLUMNS)))
    rows = [Row(str(c), part) for c, part in enumerate(np.split(images, len(labels)))]
    draw_rows(rows, folder.path / "samples.png", "samples of each class")
    draw_neighbours(folder, data.scaled, images[::COLUMNS][:COLUMNS])

    start, end = jax.random.normal(key_paths, (2, latent_size))
    path = between(start, end, COLUMNS)
    along = np.asarray(
        _generated(generator, jnp.tile(path, (len(labels), 1)), jnp.repeat(labels, COLUMNS))
    )
    rows = [Row(str(c), part) for c, part in enumerate(np.split(along, len(labels)))]
    draw_rows(rows, folder.path / "interpolations.png", "one path of latents through every class")

    asked = jnp.tile(jnp.arange(data.classes), EACH)
    judge = judging(data.scaled, data.held_out)
    assert judge is not None  # because there are labels
    latents = jax.random.normal(key_many, (len(asked), latent_size))
    return class_numbers(judge, _generated(generator, latents, asked), asked)


def report_images(
    folder: RunFolder, data: ConditionedData, generator: Any, latent_size: int, key: PRNGKeyArray
) -> dict[str, Any]:
    """Draw held-out images, their conditions, and what the generator makes of these.

    **Returns:** mean absolute errors of a pixel on held-out images: `l1_generated`,
    `l1_nearest` of the training image whose condition is nearest, and `l1_spread`, between two
    draws from one condition.
    """
    held_out = data.held_out
    points, conditions = held_out.points[:MOST], jnp.asarray(data.held_out_conditions[:MOST])
    draws = [
        np.asarray(
            _generated(generator, jax.random.normal(k, (len(points), latent_size)), conditions)
        )
        for k in jax.random.split(key, DRAWS)
    ]
    copies = data.scaled.points[np.asarray(nearest(conditions, jnp.asarray(data.conditions)))]
    seen = CONDITIONS[data.condition].picture(np.asarray(conditions[:COLUMNS]))
    rows = [Row("condition", seen)]
    rows += [Row(f"G, draw {i + 1}", draw[:COLUMNS]) for i, draw in enumerate(draws)]
    rows += [Row("nearest in training", copies[:COLUMNS]), Row("data", points[:COLUMNS])]
    error = lambda left, right: float(np.mean(np.abs(left - right)))
    numbers = {
        "l1_generated": error(draws[0], points),
        "l1_nearest": error(copies, points),
        "l1_spread": error(draws[0], draws[1]),
    }
    title = (
        "Held-out images from their conditions. Mean difference of a pixel, in [-1, 1]:\n"
        f"two draws {numbers['l1_spread']:.3f}, draw and data {numbers['l1_generated']:.3f}, "
        f"nearest training image and data {numbers['l1_nearest']:.3f}"
    )
    draw_rows(rows, folder.path / "samples.png", title)
    return numbers
