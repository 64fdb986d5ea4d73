"""End-of-run report of a variational autoencoder: likelihoods, pictures, disentanglement."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

import gameopt as go
import theory
from recipes._data.training import with_conditions
from recipes._report import tables
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder
from recipes._vae import pictures
from recipes._vae.args import VAEArgs
from recipes._vae.held_out import HeldOut, held_out_numbers, log_weights
from recipes._vae.model import VAEData, vae_keys

MOST = 10_000
"""The most held-out points that bounds are of."""


def held_out_points(data: VAEData, most: int = MOST) -> Any:
    """The first held-out points on the device, labelled for a conditional model."""
    labels = data.held_out_labels
    return with_conditions(data.held_out[:most], None if labels is None else labels[:most])


def numbers_of(found: HeldOut) -> dict[str, float]:
    """The mean bound of held-out points and its two parts, in nats, and the active units."""
    rate, distortion = float(jnp.mean(jnp.sum(found.rates, 1))), float(jnp.mean(found.distortion))
    active = int(theory.count_active_units(found.means))
    return {
        "elbo": -rate - distortion, "rate": rate, "distortion": distortion, "active_units": active,
    }  # fmt: skip


def report(folder: RunFolder, args: VAEArgs, data: VAEData, players: go.Players) -> dict[str, Any]:
    """Writes likelihood.md and the pictures; returns the summary's numbers."""
    key_codes, key_weights, key_null = jax.random.split(vae_keys(args).report, 3)
    points = held_out_points(data)
    found = held_out_numbers(players.x, players.y, points, key_codes)
    numbers = _likelihood(folder, args, data, players, found, key_weights)
    rates, means = np.asarray(jnp.mean(found.rates, axis=0)), np.asarray(found.means)
    if len(rates) != means.shape[1]:  # the prior has one estimate for all units
        of_units = theory.kl_standard_normal(found.means, found.log_deviations)
        rates = np.asarray(jnp.mean(of_units, axis=0))
    with says("pictures"):
        pictures.draw_units(folder, means, rates)
        if data.data.scaled.kind == "image":
            _image_pictures(folder, data, players, means, rates)
    return numbers | _disentangled(folder, args, data, players, key_null)


def _likelihood(
    folder: RunFolder,
    args: VAEArgs,
    data: VAEData,
    players: go.Players,
    found: HeldOut,
    key: PRNGKeyArray,
) -> dict[str, Any]:
    """Importance-sampled log-likelihood of held-out points beside their bounds, in nats."""
    points = held_out_points(data, min(args.likelihood_points, MOST))
    with says("importance sampling"):
        weights = log_weights(players.x, players.y, points, args.likelihood_samples, key)
    estimate = theory.importance_log_likelihood(weights)
    count, samples = weights.shape
    rows = [["ELBO", *_mean_and_error(weights.mean(axis=1))]]
    for k in (5, 50, 500):
        if k < samples:
            bound = theory.iwae_bound(weights[:, : samples // k * k], k)
            rows.append(
                [f"IWAE bound of {k} samples", float(bound.value), float(bound.standard_error)]
            )
    log_likelihoods = np.asarray(estimate.value)
    mean, error = _mean_and_error(log_likelihoods)
    rows.append([f"log-likelihood, {samples} samples", mean, error])
    exact, of_pca = _ppca(args, data), {}
    if exact is not None:
        label = f"probabilistic PCA of {exact.size} latents, exact"
        rows.append([label, *_mean_and_error(exact.log_likelihoods[:count])])
        of_pca["ppca_log_likelihood"] = rows[-1][1]
    heads = [f"of {count} held-out points, nats", "mean", "standard error"]
    text = tables.markdown(heads, rows)
    size = float(np.mean(np.asarray(estimate.effective_samples)))
    notes = f"\nEffective samples, of {samples}: {size:.1f} on average.\n"
    (folder.path / "likelihood.md").write_text(text + notes, encoding="utf-8")
    return {
        "log_likelihood": mean, "log_likelihood_error": error, "likelihood_samples": samples,
        "likelihood_points": count, "effective_samples": size,
        "bits_per_dimension": -mean / np.log(2) / int(np.prod(data.shape)),
        **of_pca,
    }  # fmt: skip


def _mean_and_error(values: Any) -> tuple[float, float | None]:
    return tables.mean_and_error(np.asarray(values, np.float64))


class _PPCA(NamedTuple):
    """Held-out log-likelihoods of probabilistic PCA with `size` latents, shape `(n,)`."""

    size: int
    log_likelihoods: np.ndarray


def _ppca(args: VAEArgs, data: VAEData) -> _PPCA | None:
    """Exact ones, with as many latents as the data allow; of Gaussian densities alone."""
    if not args.likelihood.startswith("gaussian") or data.classes:
        return None
    flat = lambda points: np.asarray(points, np.float64).reshape(len(points), -1)
    with jax.enable_x64(True):
        moments = theory.moments(flat(data.points))
        values = np.linalg.eigvalsh(np.asarray(moments.covariance))
        # Its noise needs a direction that is left, in which the data vary.
        size = min(args.latent_size, int(np.sum(values > 1e-9 * values[-1])) - 1)
        if size < 1:
            return None
        model = theory.probabilistic_pca(*moments, size)
        found = jax.vmap(model.log_prob)(jnp.asarray(flat(data.held_out)))
        return _PPCA(size, np.asarray(found))


def _image_pictures(
    folder: RunFolder, data: VAEData, players: go.Players, means: np.ndarray, rates: np.ndarray
) -> None:
    count = 2 * pictures.COLUMNS
    labels = data.held_out_labels
    model = players.x.model
    if labels is None:
        decode = pictures.decoder_of(model, data.as_loaded)
        again = decode(means[:count])
    else:
        each = jax.vmap(model.mean)(jnp.asarray(means[:count]), jnp.asarray(labels[:count]))
        again = np.asarray(data.as_loaded(each))
        decode = pictures.decoder_of(model, data.as_loaded, jnp.asarray(labels[0]))
    seen = np.asarray(data.as_loaded(data.held_out[:count]))
    pictures.draw_reconstructions(folder, seen, again)
    pictures.draw_interpolations(folder, means, decode)
    pictures.draw_traversals(folder, means[0], rates, decode)
    if means.shape[1] > 1:
        labels = data.data.held_out.labels
        pictures.draw_map(folder, means, rates, None if labels is None else labels[:MOST], decode)


def _disentangled(
    folder: RunFolder, args: VAEArgs, data: VAEData, players: go.Players, key: PRNGKeyArray
) -> dict[str, float]:
    """Writes disentanglement.md: the mutual information gap of every factor, and its null value.

    Of all points, trained on and held out: histograms of information need many.
    """
    parts = [data.data.loaded.factors, data.data.held_out.factors]
    if args.latent_size < 2 or any(factors is None for factors in parts):
        return {}
    factors = np.concatenate([factors.values for factors in parts if factors is not None])
    points = np.concatenate([data.points, data.held_out])
    labels = None
    if data.labels is not None and data.held_out_labels is not None:
        labels = np.concatenate([data.labels, data.held_out_labels])
    key_codes, key_null = jax.random.split(key)
    seen = with_conditions(points, labels)
    means = held_out_numbers(players.x, players.y, seen, key_codes).means
    found = theory.mutual_information_gap(means, factors)
    null = np.asarray(theory.mutual_information_gap_null(key_null, means, factors))
    names = parts[0].names if parts[0] is not None else ()
    best = np.argmax(np.asarray(found.information), axis=0)
    entropies, gaps = np.asarray(found.entropies), np.asarray(found.gaps)
    rows = [
        [name, float(entropy), int(unit), float(np.max(information)), float(gap)]
        for name, entropy, unit, information, gap in zip(
            names, entropies, best, np.asarray(found.information).T, gaps, strict=True
        )
    ]
    heads = ["factor", "entropy, nats", "best unit", "information, nats", "gap / entropy"]
    score = float(found.value)
    text = tables.markdown(heads, rows) + (
        f"\nMutual information gap (MIG): {score:.3f}; of codes and factors that have nothing to "
        f"do with each other {null.mean():.3f}, at most {null.max():.3f} in {len(null)} draws.\n"
    )
    (folder.path / "disentanglement.md").write_text(text, encoding="utf-8")
    return {"mig": score, "mig_by_chance": float(null.mean())}
