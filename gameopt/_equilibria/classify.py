"""Second-order classification of critical points."""

from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key as KeyArray, UInt

from gameopt._checks import Integer, check_choice, check_count
from gameopt._equilibria.dense_evidence import dense_facts
from gameopt._equilibria.evidence import (
    VERDICT,
    Facts,
    all_of,
    negation,
    verdict,
)
from gameopt._equilibria.krylov_evidence import Budget, krylov_facts
from gameopt._equilibria.on_faces import is_clear, is_known, is_whole
from gameopt._equilibria.operators import played_sizes
from gameopt._equilibria.report import EquilibriumReport
from gameopt._equilibria.sample import is_many, sample_of
from gameopt._equilibria.spectrum import DENSE
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.derivatives import stationarity
from gameopt._keys import again
from gameopt._linalg.krylov import random_start
from gameopt._trees import all_finite, any_nan, float_array, per_player, playable, tree_norm
from gameopt._types import Key, Players, Real, Scalar


def classify(
    game: AbstractGame,
    players: Players,
    key: Key | KeyArray[Array, " m"] | UInt[Array, "m words"] = None,
    *,
    method: Literal["auto", "dense", "krylov"] = "auto",
    learning_rate: Players[Real, Real] | Real | None = 0.01,
    tol: float | None = None,
    num_matvecs: Integer = 64,
    schur_products: Integer = 1000,
    failure_probability: float = 1e-6,
    vectors: bool = False,
    seed: Integer = 0,
) -> EquilibriumReport:
    r"""Second-order classification of a critical point: equilibrium, saddle, attractor.

    A verdict is yes or no where an error argument says so, and else inconclusive. It speaks of the
    critical point within `radius` of `players`, where the losses are twice differentiable; a kink
    within rounding leaves it inconclusive. Of an optimisation problem (`one_player_game`) `dne`
    says whether the Hessian is positive definite, and what a second player would have is `None`.

    - `dense` (up to 256 entries): eigenvalues of symmetric matrices to within the noise of their
      entries; of the Jacobian, and of a round, the inertia theorem of Lyapunov equations, which
      holds for every matrix within that noise, however ill-conditioned the eigenvalues.
    - `krylov`: one Rayleigh quotient refutes a Hessian's positivity; it, the Jacobian's stability
      and a round's contraction are proved from Krylov spaces of a random start, but for
      `failure_probability`. That an eigenvalue lies on the wrong side is known to first order, from
      residuals and condition numbers, and asked of a hundred times that.
    - Noise is measured: by products that are repeated with every operation perturbed by its
      rounding error. To it comes what the Jacobian may change by up to the critical point.
    - `stationary`: a critical point is shown by a contraction on a ball, over which the change of
      the Jacobian is estimated at a few points.
    - On a `Box`, `Simplex` or `Ball`, Hessians are asked on the critical cone, and the flow on the
      face. Of another projection nothing is known at the edge of its set, and all is inconclusive.

    docs/certificates.md has a table of what is proved and what is estimated.

    May be called under `jit`, and under `vmap` for small games; compiled once for each shape,
    method, `num_matvecs` and `schur_products`.

    **Arguments:**

    - `key`: the sample of a stochastic game. Minibatch games are certified over stated samples:
      `classify(over(game, keys), players)`. An array of keys, of shape `(m,)`, is a report for each
      sample, with a first axis; its text says how the verdicts vary.
    - `learning_rate`: the step sizes at which rounds of simultaneous and alternating gradient play
      are judged; one number or a `Players`, `None` for no judgement.
    - `tol`: the largest stationarity that counts as 0, wherever the critical point then is; by
      default the critical point must be within `reach`, the square root of the machine precision
      times $\max(1, \|z\|)$ (1.5e-8 in float64, 3.5e-4 in float32).
    - `num_matvecs`: products in each Krylov space. There is one space for each own Hessian and each
      Schur complement, two (one transposed) for the Jacobian, two for alternating rounds, and two
      for simultaneous rounds if the step sizes differ.
    - `schur_products`: the most products with second derivatives for each Schur complement, which
      is computed only if the opponent's own Hessian is proved to be positive definite.
    - `failure_probability`: of each verdict, over the random start.
    - `vectors`: whether to return the eigenvectors of the smallest eigenvalues of the Hessians.
    - `seed`: of the random start.

    **Raises:** `ValueError` for an unknown method, players with nothing to play, or a projection on
    a set that is said not to be convex.

    !!! cite "Source"

        Definitions: Ratliff, Burden & Sastry (2016), arXiv:1411.2168; Jin, Netrapalli & Jordan
        (2020), arXiv:1902.00618; Mazumdar, Jordan & Sastry (2019), arXiv:1901.00838; Fiez & Ratliff
        (2021), arXiv:2009.14820. Error arguments: docs/derivations.md.
    """
    check_choice("method", method, ("auto", "dense", "krylov"))
    check_strategies(game, players)
    num_matvecs = check_count("num_matvecs", num_matvecs, 1)
    schur_products = check_count("schur_products", schur_products, 1)
    size = sum(played_sizes(players))
    if method == "auto":
        method = "dense" if size <= DENSE else "krylov"
    rates = None if learning_rate is None else per_player(learning_rate)
    equal_rates = not isinstance(learning_rate, Players)
    start = random_start(size, seed, jnp.result_type(float))
    budget = Budget(num_matvecs, schur_products)
    options = _Options(method, equal_rates, budget, vectors)
    numbers = _Numbers(
        rates, None if tol is None else float_array(tol), start, float_array(failure_probability)
    )
    if is_many(key):
        return _classify_each(game, players, key, numbers, options)
    return _classify(game, players, key, numbers, options)


class _Numbers(NamedTuple):
    """Arguments of `classify` that are numbers, so that another value is not compiled again."""

    rates: Players[Scalar, Scalar] | None
    tol: Scalar | None
    start: Float[Array, " n"]
    probability: Scalar


class _Options(NamedTuple):
    """Arguments of `classify` that decide what is compiled."""

    method: str
    equal_rates: bool
    budget: Budget
    vectors: bool


@eqx.filter_jit
def _classify_each(game, players, keys, numbers: _Numbers, options: _Options) -> EquilibriumReport:
    """A report for each key."""
    return jax.lax.map(lambda key: _report(game, players, key, numbers, options), keys)


@eqx.filter_jit
def _classify(game, players, key, numbers: _Numbers, options: _Options) -> EquilibriumReport:
    return _report(game, players, key, numbers, options)


def _report(
    game: AbstractGame, players: Players, key: Key, numbers: _Numbers, options: _Options
) -> EquilibriumReport:
    losses, gradient = game.losses_and_field(players, again(key))
    off = stationarity(game, players, key)
    norm_y = tree_norm(gradient.y) if "y" in game.player_names else None
    norms = Players(tree_norm(gradient.x), norm_y)
    precision = jnp.sqrt(jnp.finfo(off.dtype).eps)
    reach = (precision * jnp.maximum(1, tree_norm(playable(players)))).astype(off.dtype)
    facts = _facts(game, players, key, reach, off, numbers, options)
    # Of a quadratic game even nan has derivatives that are finite.
    finite = facts.finite & ~any_nan(players) & all_finite(losses) & jnp.isfinite(off)
    # Where the losses are not finite nothing is an equilibrium, whatever their derivatives say.
    facts = _if_finite(finite, facts)
    shown = _is_shown(facts, reach, finite)
    stationary, tol = _stationary(facts, off, shown, reach, numbers.tol, finite)
    # Where nothing is known of a set, or second derivatives are one-sided.
    known = is_known(facts.faces) & facts.smooth
    clear = is_clear(facts.faces) & facts.smooth

    def on_face(value: VERDICT) -> VERDICT:
        return _unless(~clear, value)

    def needs(*values: VERDICT | None) -> VERDICT | None:
        """Yes if the point is stationary, and all of these hold on the face."""
        asked = [on_face(value) for value in values if value is not None]
        return all_of(stationary, *asked) if len(asked) == len(values) else None

    own = [own for own in (facts.hessian_x, facts.hessian_y) if own is not None]
    nash = all_of(stationary, *(_unless(~known, each.positive) for each in own))
    attractor = all_of(stationary, on_face(facts.leftmost.positive))
    positive = lambda curvature: None if curvature is None else curvature.positive
    return EquilibriumReport(
        stationary=stationary,
        dne=nash,
        degenerate=on_face(facts.singular),
        minimax=needs(positive(facts.hessian_y), positive(facts.schur_x)),
        maximin=needs(positive(facts.hessian_x), positive(facts.schur_y)),
        attractor=attractor,
        attractor_simultaneous=needs(facts.simultaneous),
        attractor_alternating=needs(facts.alternating),
        spurious=all_of(attractor, negation(nash)),
        saddle=all_of(stationary, on_face(facts.mixed)),
        losses=losses,
        field_norm=norms,
        stationarity=off,
        tol=tol,
        radius=jnp.where(shown, facts.near.radius, jnp.inf),
        reach=reach,
        hessian_x=facts.hessian_x,
        hessian_y=facts.hessian_y,
        schur_x=facts.schur_x,
        schur_y=facts.schur_y,
        leftmost=facts.leftmost,
        tau_star=facts.tau_star,
        tau_star_lower=facts.tau_star_lower,
        max_step=facts.max_step,
        noise=facts.noise,
        finite=finite,
        interior=is_whole(facts.faces),
        known=is_known(facts.faces),
        smooth=facts.smooth,
        learning_rate=numbers.rates,
        failure_probability=numbers.probability,
        sample=sample_of(game, players, key),
        method=options.method,
        entries=numbers.start.size,
    )


def _facts(
    game, players, key, reach: Scalar, residual: Scalar, numbers: _Numbers, options: _Options
) -> Facts:
    if options.method == "dense":
        at = (game, players, key, numbers.rates, reach, residual)
        return dense_facts(*at, options.vectors)
    return krylov_facts(
        game,
        players,
        key,
        numbers.rates,
        options.equal_rates,
        numbers.start,
        numbers.probability,
        reach,
        residual,
        options.budget,
        options.vectors,
    )


def _is_shown(facts: Facts, reach: Scalar, finite: Bool[Array, ""]) -> Bool[Array, ""]:
    """True where a critical point is shown within the radius."""
    shown = facts.near.shown & finite & is_known(facts.faces) & facts.smooth
    # Of constraints whose multipliers may be 0 Newton's map on the face knows nothing.
    shown = shown & (is_clear(facts.faces) | facts.exact)
    # Further away multipliers may have changed their signs.
    return shown & (is_whole(facts.faces) | _is_within(facts, reach))


def _is_within(facts: Facts, reach: Scalar) -> Bool[Array, ""]:
    return facts.near.radius <= reach.astype(facts.near.radius.dtype)


def _stationary(
    facts: Facts, off, shown, reach: Scalar, tol: Scalar | None, finite
) -> tuple[VERDICT, Scalar | None]:
    """The verdict on a critical point here, and the tolerance in the field's dtype."""
    if tol is None:
        here = shown & _is_within(facts, reach)
        return verdict(here, ~here & (facts.near.none | ~finite)), None
    tol = tol.astype(off.dtype)
    return verdict(shown & (off <= tol), (off > tol) | ~finite), tol


def _if_finite(finite, facts: Facts) -> Facts:
    """The same facts, or inconclusive ones where the point is not finite."""
    is_verdict = lambda node: isinstance(node, VERDICT)
    blank = lambda node: _unless(~finite, node) if is_verdict(node) else node
    return jax.tree.map(blank, facts, is_leaf=is_verdict)


def _unless(condition, value: VERDICT) -> VERDICT:
    return VERDICT.where(condition, VERDICT.inconclusive, value)
