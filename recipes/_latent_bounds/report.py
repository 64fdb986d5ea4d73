"""End-of-run tables: bounds beside exact likelihoods, and conditional densities."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray
from scipy.stats import norm

import gameopt as go
import theory
from models import GaussianEncoder, LatentModel
from recipes._latent.elbo import draw_codes
from recipes._latent_bounds import conditional
from recipes._latent_bounds.exact import (
    FINE,
    Decoded,
    decode,
    in_float64,
    jensen_bound,
    linear_decoder,
    log_densities,
    on_nodes,
    spread,
)
from recipes._latent_bounds.game import NAMES, WITH_ENCODER, model_of, names_of, prior_of
from recipes._latent_bounds.judge import MOST_EVALUATED, LatentJudge, flat
from recipes._latent_bounds.model import LatentArgs, LatentData
from recipes._report import tables
from recipes._runtime.run import RunFolder

MOST_CONDITIONAL = 100
"""The most points of the table of conditional densities."""
FEWEST_DRAWN = 512
"""Codes of each point that a bound is measured with, at least."""


iwae_bound = eqx.filter_jit(theory.iwae_bound)


class Reference(NamedTuple):
    """Models of the same data whose likelihoods are closed forms.

    - `ppca`: the best linear-Gaussian model, of as many latents or one fewer than entries.
    - `constant`: mean and deviations `(d,)` of the Gaussian that the best constant decoder is.
    - `constant_value`: its mean log-likelihood of the training data; `None` where the data have
      entries that never vary, under deviations of their own.
    """

    ppca: theory.LinearGaussian
    constant: tuple[np.ndarray, np.ndarray]
    constant_value: float | None


def references(args: LatentArgs, data: LatentData) -> Reference:
    """The closed forms of the data."""
    mean, covariance = (np.asarray(part) for part in data.moments)
    variances, shared = np.diagonal(covariance), args.likelihood == "gaussian_shared"
    own = np.full_like(variances, variances.mean()) if shared else variances
    with jax.enable_x64(True):
        ppca = theory.probabilistic_pca(*data.moments, min(args.latent_size, len(mean) - 1))
        value = float(theory.constant_gaussian_log_likelihood(variances, shared=shared))
    return Reference(ppca, (mean, np.sqrt(own)), value if own.min() > 0 else None)


def exact_law(players: go.Players, name: str, data: LatentData) -> Decoded:
    """A method's model on the fine nodes of the prior: one at a time, since it is large."""
    return on_nodes(model_of(players, name), FINE, data.observed.size)


@eqx.filter_jit
def prior_log_weights(
    decoder: Any, points: Float[Array, "n d"], count: int, size: int, key: PRNGKeyArray
) -> Float[Array, "n l"]:
    r"""$\log p(x|z_l)$ of `count` codes of the prior for each point."""
    seen = jnp.ones(points.shape[1], bool)

    def of(given: Any) -> Array:
        point, key = given
        return conditional.weighted_codes(decoder, None, count, size, key).fits(point, seen)

    return jax.lax.map(of, (points, jax.random.split(key, len(points))))


@eqx.filter_jit
def encoder_log_weights(
    model: LatentModel, encoder: GaussianEncoder, points: Array, count: int, key: PRNGKeyArray
) -> Float[Array, "n l"]:
    r"""$\log p(x, z_l) - \log q(z_l|x)$ of `count` codes of the encoder for each point."""

    def of(given: Any) -> Array:
        point, key = given
        noise = jax.random.normal(key, (count, prior_of(model).size))
        return draw_codes(model, prior_of(model), encoder, point, noise).log_weights

    return jax.lax.map(of, (points, jax.random.split(key, len(points))))


def estimates_of(
    players: go.Players,
    name: str,
    points: np.ndarray,
    count: int,
    key: PRNGKeyArray,
    *,
    prior: bool,
) -> np.ndarray:
    """Log weights of a model, `(n, count)`, at codes of the prior or of its encoder."""
    model = model_of(players, name)
    if not prior:
        found = encoder_log_weights(model, players.y[name], jnp.asarray(points), count, key)
        return np.asarray(found)
    size = prior_of(model).size
    decoder = eqx.Partial(decode, model)
    return np.asarray(prior_log_weights(decoder, jnp.asarray(flat(points)), count, size, key))


def bound_of(
    args: LatentArgs, players: go.Players, name: str, law: Decoded, points: np.ndarray, key: Any
) -> float:
    """The held-out value of the bound that a method is trained by, in nats."""
    if name == "jensen":
        return float(np.mean(jensen_bound(law, points)))
    each = {"elbo": 1, "iwae": args.samples}.get(name, args.samples * args.batch_size)
    count = max(1, FEWEST_DRAWN // each) * each
    weights = estimates_of(players, name, points, count, key, prior=name not in WITH_ENCODER)
    return float(iwae_bound(weights, each).value)


HEADS = (
    "method", "bound, held out", "exact, train", "exact, held out", "standard error",
    "spread of means", "W1 of samples",
)  # fmt: skip


def bounds_table(
    folder: RunFolder,
    args: LatentArgs,
    data: LatentData,
    players: go.Players,
    reference: Reference,
    judge: LatentJudge,
    key: PRNGKeyArray,
) -> list[list[Any]]:
    """Writes table.md and table.csv; returns the rows, of `HEADS`."""
    train, held_out = data.points[:MOST_EVALUATED], data.held_out[:MOST_EVALUATED]
    rows: list[list[Any]] = []
    errors = []
    for name in names_of(players):
        law = exact_law(players, name, data)
        exact, error = tables.mean_and_error(log_densities(law, held_out))
        half = {size: (count + 1) // 2 for size, count in FINE.items()}
        rougher = on_nodes(model_of(players, name), half, data.observed.size)
        errors.append(abs(float(np.mean(log_densities(rougher, held_out))) - exact))
        bound = bound_of(args, players, name, law, held_out, key)
        first = float(np.mean(log_densities(law, train)))
        share = spread(law) / data.variance
        rows.append([NAMES[name], bound, first, exact, error, share,
                     judge.w1(judge.points(players, name))])  # fmt: skip
    rows += _reference_rows(reference, data, judge, train, held_out, key)
    rows.append(["other data", None, None, None, None, None, judge.w1_floor])
    tables.write_csv(HEADS, rows, folder.path / "table.csv")
    notes = (
        f"\nNats; exact by quadrature over the code, off by less than {max(errors):.1g} (half of "
        "the nodes). Spread: variance of the decoder's mean over the prior as a share of the "
        "data's; 0 ignores the code.\n"
    )
    text = tables.markdown(HEADS, rows) + notes
    (folder.path / "table.md").write_text(text, encoding="utf-8")
    return rows


def _reference_rows(
    reference: Reference,
    data: LatentData,
    judge: LatentJudge,
    train: np.ndarray,
    held_out: np.ndarray,
    key: PRNGKeyArray,
) -> list[list[Any]]:
    mean, deviation = reference.constant
    with jax.enable_x64(True):
        wide = [jnp.asarray(flat(points), jnp.float64) for points in (train, held_out)]
        found = [np.asarray(linear_log_probs(reference.ppca, points)) for points in wide]
        points = np.asarray(reference.ppca.sample(key, len(judge.flat)))
        noise = np.asarray(jax.random.normal(key, points.shape, jnp.float64))
        weights = np.asarray(reference.ppca.weights)
    ppca = ["probabilistic PCA, exact", None, float(found[0].mean()),
            *tables.mean_and_error(found[1]), float((weights**2).sum()) / data.variance,
            judge.w1(points)]  # fmt: skip
    if reference.constant_value is None:
        return [ppca]
    of = lambda points: norm.logpdf(flat(points), mean[None], deviation[None]).sum(axis=1)
    constant = ["constant decoder, exact", None, float(of(train).mean()),
                *tables.mean_and_error(of(held_out)), 0.0,
                judge.w1(mean[None] + deviation[None] * noise)]  # fmt: skip
    return [ppca, constant]


CONDITIONAL_HEADS = (
    "model", "density of", "exact", "by", "estimate", "error of a point", "effective samples",
)  # fmt: skip


CONDITIONAL_NOTES = """
Mean log-densities of {points} held-out points, nats; {codes} codes for each, of which with a
proposal one in {share} is the prior's. Exact: by quadrature over the code, and of probabilistic PCA
in closed form. Error of a point: the root of the mean squared difference from the exact value.
"""


def conditional_table(
    folder: RunFolder,
    args: LatentArgs,
    data: LatentData,
    players: go.Players,
    ppca: theory.LinearGaussian,
    key: PRNGKeyArray,
) -> list[list[Any]]:
    """Writes conditional.md: importance sampling against exact values; returns its rows."""
    points = flat(data.held_out[:MOST_CONDITIONAL]).astype(np.float64)
    rows: list[list[Any]] = []
    cases = conditional.cases_of(data.observed)
    with jax.enable_x64(True):
        at = jnp.asarray(points)
        for name in names_of(players):
            law, model = exact_law(players, name, data), in_float64(model_of(players, name))
            for case in cases:
                exact = conditional.exact_conditional(law, points, case)
                ways: dict[str, Any] = {"prior": None}
                if name in WITH_ENCODER:
                    encoder = in_float64(players.y[name])
                    ways["encoder"] = encoder_proposals(
                        encoder, data.shape, ppca, at, jnp.asarray(case.observed)
                    )
                decoder = eqx.Partial(decode, model)
                found = _rows(args, decoder, args.latent_size, at, case, exact, ways, key)
                rows += [[NAMES[name], *row] for row in found]
        for case in cases:
            observed = jnp.asarray(case.observed)
            exact = exact_linear(ppca, at, case)
            ways = {"prior": None, "posterior": _linear_posteriors(ppca, at, observed)}
            size, decoder = ppca.weights.shape[1], linear_decoder(ppca)
            found = _rows(args, decoder, size, at, case, exact, ways, key)
            rows += [["probabilistic PCA", *row] for row in found]
    notes = CONDITIONAL_NOTES.format(
        points=len(points), codes=args.condition_samples, share=conditional.FROM_PRIOR
    )
    text = tables.markdown(CONDITIONAL_HEADS, rows) + notes
    (folder.path / "conditional.md").write_text(text, encoding="utf-8")
    return rows


@eqx.filter_jit
def encoder_proposals(
    encoder: GaussianEncoder,
    shape: tuple[int, ...],
    ppca: theory.LinearGaussian,
    points: Float[Array, "n d"],
    observed: Bool[Array, " d"],
) -> theory.Moments:
    """The encoder's posteriors; entries that are not observed have probabilistic PCA's mean.

    - `shape`: of one point as the encoder sees it.
    """

    def of(point: Array) -> theory.Moments:
        filled = jnp.where(observed, point, ppca.predictive(point, observed).mean)
        law = encoder(filled.reshape(shape))
        return theory.Moments(law.mean, jnp.diag(jnp.exp(2 * law.log_deviation)))

    return jax.vmap(of)(points)


@eqx.filter_jit
def linear_log_probs(law: theory.LinearGaussian, points: Float[Array, "n d"]) -> Float[Array, " n"]:
    """The log-likelihoods of a linear-Gaussian model."""
    return jax.vmap(law.log_prob)(points)


@eqx.filter_jit
def linear_predictives(
    law: theory.LinearGaussian, points: Float[Array, "n d"], observed: Bool[Array, " d"]
) -> theory.LinearGaussian:
    """The laws of further points given each point's observed part, a batch of models."""
    return jax.vmap(lambda x: law.predictive(x, observed))(points)


@eqx.filter_jit
def _linear_posteriors(law: theory.LinearGaussian, points: Array, observed: Array) -> Any:
    return jax.vmap(lambda x: law.posterior(x, observed))(points)


def exact_linear(
    law: theory.LinearGaussian, points: Float[Array, "n d"], case: conditional.Case
) -> np.ndarray:
    """The log conditional densities of the target entries, in closed form."""
    return np.asarray(
        _exact_linear(
            law, points, jnp.asarray(case.observed), jnp.asarray(np.flatnonzero(case.target))
        )
    )


@eqx.filter_jit
def _exact_linear(
    law: theory.LinearGaussian, points: Array, observed: Array, target: Array
) -> Array:
    def of(point: Array) -> Array:
        given = law.predictive(point, observed)
        asked = theory.LinearGaussian(given.weights[target], given.mean[target], given.variance)
        return asked.log_prob(point[target])

    return jax.vmap(of)(points)


def _rows(
    args: LatentArgs,
    decoder: Any,
    size: int,
    points: Array,
    case: conditional.Case,
    exact: np.ndarray,
    ways: Mapping[str, Any],
    key: PRNGKeyArray,
) -> list[list[Any]]:
    rows = []
    for way, proposals in ways.items():
        found = conditional.estimates(
            decoder, points, proposals, jnp.asarray(case.observed), jnp.asarray(case.target),
            args.condition_samples, size, key,
        )  # fmt: skip
        values = np.asarray(found.value)
        error = float(np.sqrt(np.mean((values - exact) ** 2)))
        rows.append([case.name, float(exact.mean()), way, float(values.mean()), error,
                     float(np.mean(np.asarray(found.effective_samples)))])  # fmt: skip
    return rows
