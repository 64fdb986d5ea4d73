"""End-of-run report of a diffusion model: chains, losses, likelihoods, classes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import models
from recipes._diffusion import chains, losses, plane
from recipes._diffusion.args import DiffusionArgs
from recipes._diffusion.bits import best_last, bins_of, bound_terms, write_bound
from recipes._diffusion.exact import exact_law
from recipes._diffusion.model import DiffusionData, boxed, diffusion_keys
from recipes._diffusion.processes import make_process
from recipes._diffusion.sampling import Rule, draw, make_rule, noise_of
from recipes._diffusion.words import labels_of
from recipes._report.classifier import class_numbers, judging
from recipes._report.plots import image_grid, over_time
from recipes._report.rows import Row, draw_neighbours, draw_rows
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder

COLUMNS, EACH, MOST_CLASSES = 10, 50, 20
"""Samples in a row; of a class for its accuracy; rows at most."""


def sample_report(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any, key: PRNGKeyArray
) -> dict[str, Any]:
    """Draw samples of a trained model, their chains and their paths; return their numbers."""
    key_chain, key_samples, key_plane = jax.random.split(key, 3)
    rule = make_rule(args, data, denoiser)
    if data.scaled.kind == "image":
        _chains(folder, args, data, rule, key_chain)
        return _images(folder, args, data, rule, key_samples)
    return _plane(folder, args, data, rule, key_plane) if data.is_plane else {}


def report(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: models.Denoiser
) -> dict[str, Any]:
    """Draw all pictures and write likelihood.md; return the summary's numbers."""
    key_losses, key_samples = jax.random.split(diffusion_keys(args).report)
    chains.draw_curves(folder, args.eval_size)
    over_time(folder.path / "samples", folder.path / "over_time.png")
    numbers = _losses(folder, args, data, boxed(denoiser, data), key_losses)
    return numbers | sample_report(folder, args, data, denoiser, key_samples)


def _losses(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, denoiser: Any,
    key: PRNGKeyArray,
) -> dict[str, Any]:  # fmt: skip
    levels, exact = losses.level_grid(make_process(args, data.std)), exact_law(args.data)
    bins = bins_of(data.scaled.points) if data.scaled.kind == "image" else None
    parts = {"held out": data.held_out.points, "training points": data.scaled.points}
    found = {
        name: losses.measure(denoiser, points, levels, key, f"errors, {name}", bins)
        for name, points in parts.items()
    }
    bounds, size = (
        losses.bounds_of(exact, data.scaled.points, levels, key),
        int(np.prod(data.shape)),
    )
    losses.draw_losses(folder, levels, {n: f.squares for n, f in found.items()}, bounds, size)
    first = {name: points[: losses.POINTS] for name, points in parts.items()}
    last = best_last(first["training points"], levels, *found["training points"])
    squares, nats = found["held out"]
    prior, steps = bound_terms(first["held out"], levels, squares, last)
    terms = {"prior": prior, "steps": steps, "reconstruction": nats[last]}
    return write_bound(folder, terms, size, last, bins)


def _chains(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, rule: Rule, key: PRNGKeyArray
) -> None:
    count = chains.ROWS
    labels = data.asked(args, count)
    each = None if labels is None else jnp.asarray(labels)
    drawn = draw(rule, data.shape, key, count, each, keep=True)
    start, rng = noise_of(rule, data.shape, key, count), np.random.default_rng(0)
    images = data.held_out.points[:count]
    chains.draw_chains(folder, images, start, drawn, rule.levels, data.std, rng)


def _images(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, rule: Rule, key: PRNGKeyArray
) -> dict[str, Any]:
    """samples.png, neighbours.png, prompt.png; a classifier's numbers, where there are labels."""
    judge = judging(data.scaled, data.held_out)
    count = max(2 * EACH, args.eval_size)
    if not data.classes:
        images = draw(rule, data.shape, key, count, bar=True).x
        image_grid(images[:100], folder.path / "samples.png")
        draw_neighbours(folder, data.scaled, images[:COLUMNS])
        return {} if judge is None else class_numbers(judge, jnp.asarray(images))
    asked = np.tile(data.trained_classes, EACH)
    images = draw(rule, data.shape, key, len(asked), jnp.asarray(asked), bar=True).x
    shown = data.trained_classes[:MOST_CLASSES]
    rows = [Row(data.words[c], images[asked == c][:COLUMNS]) for c in shown]
    scale = float(rule.scale)
    draw_rows(rows, folder.path / "samples.png", f"samples of each class, guidance scale {scale:g}")
    draw_neighbours(folder, data.scaled, images[:COLUMNS])
    draw_prompt(folder, args, data, rule, key)
    return {} if judge is None else class_numbers(judge, jnp.asarray(images), jnp.asarray(asked))


def draw_prompt(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, rule: Rule, key: PRNGKeyArray
) -> None:
    """prompt.png: samples of each word of the prompt, if there is one, and images."""
    if args.prompt is None or data.scaled.kind != "image":
        return
    labels = labels_of(args.prompt, data.words)
    each = jnp.repeat(jnp.asarray(labels, jnp.int32), COLUMNS)
    images = draw(rule, data.shape, key, len(each), each, bar=True).x
    rows = [
        Row(data.words[label], part)
        for label, part in zip(labels, np.split(images, len(labels)), strict=True)
    ]
    title = f'"{args.prompt}", guidance scale {float(rule.scale):g}'
    draw_rows(rows, folder.path / "prompt.png", title)


def _plane(
    folder: RunFolder, args: DiffusionArgs, data: DiffusionData, rule: Rule, key: PRNGKeyArray
) -> dict[str, Any]:
    """Pictures of the score, the paths and the density."""
    key_scores, key_paths, key_density = jax.random.split(key, 3)
    exact, process = exact_law(args.data), make_process(args, data.std)
    points = data.held_out.points
    with says("pictures of the score"):
        numbers = plane.draw_scores(
            folder, rule.denoiser.denoiser, exact, process.interpolant, points, data.std, key_scores
        )
    numbers |= plane.draw_density(
        folder, rule.denoiser.denoiser, exact, process, points, data.std, key_density
    )
    labels = data.asked(args, plane.PATHS)
    each = None if labels is None else jnp.asarray(labels)
    drawn = draw(rule, data.shape, key_paths, plane.PATHS, each, keep=True)
    start = noise_of(rule, data.shape, key_paths, plane.PATHS)
    plane.draw_trajectories(folder, start, drawn, rule.levels, points, data.std)
    return numbers
