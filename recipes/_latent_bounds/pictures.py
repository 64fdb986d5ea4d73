"""Pictures of bounds, estimates and conditionals beside exact values."""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

import gameopt as go
import theory
from recipes._latent_bounds import conditional, report
from recipes._latent_bounds.exact import (
    Decoded,
    decode,
    in_float64,
    linear_decoder,
    log_densities,
)
from recipes._latent_bounds.game import NAMES, WITH_ENCODER, model_of, names_of
from recipes._latent_bounds.judge import LatentJudge, flat
from recipes._latent_bounds.model import LatentArgs, LatentData
from recipes._report import plots
from recipes._report.plots import COLOURS, FAKE, REAL, THEORY, Curve, Panel, constant
from recipes._report.rows import Row, draw_rows
from recipes._runtime.run import RunFolder

MOST_ESTIMATED, CODES = 50, 4096
"""The most held-out points that estimates are shown of, and codes of each."""
SIZES = (1, 4, 16, 64, 256, 1024)
"""Codes of one estimate."""
COLUMNS, DRAWS = 10, 2
"""Images that are completed, and draws of each."""
DRAWN = 2000
"""Draws of a histogram."""


def draw_curves(folder: RunFolder, rows: Sequence[Sequence[Any]]) -> None:
    """curves.png: exact held-out likelihoods, spreads and W1 of every method, round by round."""
    held = plots.columns_of(folder.read_metrics(), "eval", after=0)
    at = held["round"]
    names = [name for name in NAMES if f"exact_{name}" in held]
    of = lambda what: [Curve(NAMES[n], at, held[f"{what}_{n}"], "o-") for n in names]
    known = {row[0]: row[3] for row in rows if row[0].endswith(", exact")}
    styles = {"constant decoder, exact": "--", "probabilistic PCA, exact": ":"}
    likelihoods = of("exact") + [
        Curve(name, at, [value] * len(at), styles[name], THEORY) for name, value in known.items()
    ]
    floor = constant(plots.PERFECT, held["w1_floor"][-1], at)
    plots.panels(
        [
            Panel("Log-likelihood of held-out points, exact", "round", "nats", likelihoods),
            Panel("Variance of the decoder's mean", "round", "share of the data's", of("spread")),
            Panel("W1 of samples", "round", "the data's units", [*of("w1"), floor], log_y=True),
        ],
        folder.path / "curves.png",
        columns=3,
    )


def draw_samples(folder: RunFolder, players: go.Players, judge: LatentJudge) -> None:
    """samples.png: means of every method's decoder at the same codes of the prior, a row each."""
    rows = [Row(NAMES[n], judge.means(players, n, 12)) for n in names_of(players)]
    draw_rows(rows, folder.path / "samples.png", "decoded codes of the prior, one a column")


def draw_estimates(
    folder: RunFolder,
    args: LatentArgs,
    data: LatentData,
    players: go.Players,
    ppca: theory.LinearGaussian,
    key: PRNGKeyArray,
) -> None:
    """estimates.png: log-mean-exp of L codes against L, below the exact value."""
    points = data.held_out[:MOST_ESTIMATED]
    sizes = np.asarray(SIZES)
    with jax.enable_x64(True):
        at = jnp.asarray(flat(points), jnp.float64)
        weights = report.prior_log_weights(
            linear_decoder(ppca), at, CODES, ppca.weights.shape[1], key
        )
        exact = report.linear_log_probs(ppca, at)
        moments = _second_moments(ppca, at)
        predicted = [float(jnp.mean(theory.log_mean_exp_bias(moments, int(n)))) for n in sizes]
        known = float(jnp.mean(exact))
    parts = [("probabilistic PCA", {"prior": np.asarray(weights)}, known)]
    for name in [n for n in ("prior_samples", "iwae", "elbo") if n in players.x][:2]:
        ways = {"prior": report.estimates_of(players, name, points, CODES, key, prior=True)}
        if name in WITH_ENCODER:
            ways["encoder"] = report.estimates_of(players, name, points, CODES, key, prior=False)
        known = float(np.mean(log_densities(report.exact_law(players, name, data), points)))
        parts.append((f"model trained by {NAMES[name]}", ways, known))
    panels = [_shortfall(title, ways, known) for title, ways, known in parts]
    short = -np.asarray(predicted)
    line = Curve("Var(w) / 2 L p²", sizes, np.where(short < 3, short, np.nan), ":", THEORY)
    panels[0] = panels[0]._replace(curves=[*panels[0].curves, line])
    plots.panels(panels, folder.path / "estimates.png", columns=3)


def _shortfall(title: str, ways: Mapping[str, np.ndarray], known: float) -> Panel:
    """A panel of estimates below the exact value, by where their codes come from."""
    curves = []
    for (way, found), color in zip(ways.items(), (REAL, FAKE), strict=False):
        gap = known - _values(found)
        shown = np.where(gap > 1e-4, gap, np.nan)
        curves.append(Curve(f"codes of the {way}", np.asarray(SIZES), shown, "o-", color))
    label = "nats below the exact log p(x)"
    return Panel(title, "codes L (1: Jensen's bound)", label, curves, True, True)


@eqx.filter_jit
def _second_moments(ppca: theory.LinearGaussian, points: Array) -> Array:
    return jax.vmap(lambda x: theory.log_second_moment(ppca, x))(points)


def _values(weights: np.ndarray) -> np.ndarray:
    with jax.enable_x64(True):
        return np.array([float(report.iwae_bound(weights, k).value) for k in SIZES])


def draw_conditionals(
    folder: RunFolder,
    args: LatentArgs,
    data: LatentData,
    players: go.Players,
    ppca: theory.LinearGaussian,
    key: PRNGKeyArray,
) -> None:
    """conditional.png: completions of images, or densities of one coordinate given the other."""
    name = next(n for n in ("iwae", "elbo", "prior_samples", "jensen") if n in players.x)
    case = conditional.cases_of(data.observed)[0]
    count = COLUMNS if data.is_image else 3
    # Of digits in a row many are one writer's.
    points = flat(data.held_out[:: max(1, len(data.held_out) // count)])[:count].astype(np.float64)
    draws: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    with jax.enable_x64(True):
        decoder = eqx.Partial(decode, in_float64(model_of(players, name)))
        at = jnp.asarray(points)
        ways: dict[str, Any] = {"prior": None}
        if name in WITH_ENCODER:
            encoder = in_float64(players.y[name])
            ways["encoder"] = report.encoder_proposals(
                encoder, data.shape, ppca, at, jnp.asarray(case.observed)
            )
        for way, proposals in ways.items():
            found = conditional.completions(
                decoder, at, proposals, jnp.asarray(case.observed), args.condition_samples,
                args.latent_size, DRAWS if data.is_image else DRAWN, key,
            )  # fmt: skip
            draws[way] = (np.asarray(found[0]), np.asarray(found[1]))
        linear = np.asarray(report.linear_predictives(ppca, at, jnp.asarray(case.observed)).mean)
    if data.is_image:
        linear = np.where(case.observed[None], points, linear)
        law = report.exact_law(players, name, data)
        exact = np.stack([conditional.exact_mean(law, x, case.observed) for x in points])
        _draw_completions(folder, data, points, draws, exact, linear, name)
    elif data.observed.size == 2:
        shown = dict.fromkeys((name, "jensen") if "jensen" in players.x else (name,))
        laws = {each: report.exact_law(players, each, data) for each in shown}
        _draw_densities(folder, data, points, draws, laws, ppca, name)


def _draw_completions(
    folder: RunFolder,
    data: LatentData,
    points: np.ndarray,
    draws: Mapping[str, tuple[np.ndarray, np.ndarray]],
    exact: np.ndarray,
    linear: np.ndarray,
    name: str,
) -> None:
    """Observed halves, completions by each way, exact means and the truth, a column an image."""
    image = lambda rows: np.asarray(rows, np.float32).reshape(-1, *data.shape)
    rows = [Row("observed", image(np.where(data.observed[None], points, -0.5)))]
    for way, (means, _) in draws.items():
        rows += [Row(f"drawn, {way}", image(means[:, index])) for index in range(DRAWS)]
    rows += [
        Row("mean, exact", image(exact)),
        Row("linear-Gaussian mean", image(linear)),
        Row("truth", image(points)),
    ]
    title = f"held-out images completed by the model of {NAMES[name]}, and exact means"
    draw_rows(rows, folder.path / "conditional.png", title)


def _draw_densities(
    folder: RunFolder,
    data: LatentData,
    points: np.ndarray,
    draws: Mapping[str, tuple[np.ndarray, np.ndarray]],
    laws: Mapping[str, Decoded],
    ppca: theory.LinearGaussian,
    name: str,
) -> None:
    """Distribution functions of the second coordinate given three values of the first."""
    low, high = plots.plane_limits(data.points, margin=0.1)
    line = np.linspace(low[1], high[1], 300)
    panels = []
    case = conditional.cases_of(data.observed)[0]
    for point in points:
        along = np.stack([np.full_like(line, point[0]), line], axis=1)
        below = lambda law, along=along: _summed(
            np.exp(conditional.exact_conditional(law, along, case))
        )
        curves = [Curve(f"{NAMES[name]}, exact", line, below(laws[name]), "-", THEORY)]
        for (way, found), color in zip(draws.items(), (FAKE, COLOURS[2]), strict=False):
            drawn = np.sort(found[1][len(panels), :, 1])
            share = np.arange(1, len(drawn) + 1) / len(drawn)
            inside = (drawn > low[1]) & (drawn < high[1])
            curves.append(Curve(f"draws by the {way}", drawn[inside], share[inside], "--", color))
        if "jensen" in laws and name != "jensen":
            curves.append(Curve("Jensen's bound, exact", line, below(laws["jensen"]), "-", REAL))
        with jax.enable_x64(True):
            law = ppca.predictive(jnp.asarray(point), jnp.asarray(case.observed))
            rest = theory.LinearGaussian(law.weights[1:], law.mean[1:], law.variance)
            linear = np.exp(np.asarray(report.linear_log_probs(rest, jnp.asarray(line[:, None]))))
        curves.append(Curve("probabilistic PCA, exact", line, _summed(linear), ":", COLOURS[6]))
        label = "probability of a smaller $x_2$"
        panels.append(Panel(f"$x_1$ = {point[0]:.2f}", "$x_2$", label, curves))
    plots.panels(panels, folder.path / "conditional.png", columns=3)


def _summed(densities: np.ndarray) -> np.ndarray:
    """The distribution function of densities on a line, as shares of their sum."""
    sums = np.cumsum(densities)
    return sums / sums[-1]
