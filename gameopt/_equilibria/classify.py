"""Second-order classification of critical points."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_choice, check_count
from gameopt._equilibria.dense_evidence import dense_facts
from gameopt._equilibria.evidence import (
    VERDICT,
    Facts,
    all_of,
    is_yes,
    negation,
    verdict,
)
from gameopt._equilibria.krylov_evidence import Budget, krylov_facts
from gameopt._equilibria.operators import played_sizes
from gameopt._equilibria.report import EquilibriumReport
from gameopt._equilibria.spectrum import DENSE
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.derivatives import stationarity
from gameopt._keys import again
from gameopt._linalg.krylov import random_start
from gameopt._trees import all_finite, any_nan, float_array, per_player, tree_norm
from gameopt._types import Key, Players, Real, Scalar


def classify(
    game: AbstractGame,
    players: Players,
    key: Key = None,
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
    r"""Second-order classification of a point: equilibrium, saddle, attractor, with proofs.

    A verdict is yes or no where an error argument proves it, and else inconclusive. Of an
    optimisation problem (`one_player_game`) `dne` says whether the Hessian is positive definite,
    and what a second player would have is `None`.

    - `dense` (up to 256 entries): eigenvalues of symmetric matrices to within the noise of their
      entries; of the Jacobian, and of a round, the inertia theorem of Lyapunov equations, which
      holds for every matrix within that noise, however ill-conditioned the eigenvalues. At a point
      that is stationary to the default `tol` the noise has twice what the Jacobian changes by in a
      Newton step, so that it covers the critical point nearby.
    - `krylov`: one Rayleigh quotient refutes a Hessian's positivity; it, the Jacobian's stability
      and a round's contraction are proved from Krylov spaces of a random start, each failing with
      `failure_probability`. That an eigenvalue lies on the wrong side is known to first order, from
      residuals and condition numbers, and asked of a hundred times that. The verdicts are of the
      point itself.

    May be called under `jit`, and under `vmap` for small games; compiled once per shape.

    **Arguments:**

    - `key`: the sample of a stochastic game. Minibatch games are certified over stated samples:
      `classify(over(game, keys), players)`.
    - `learning_rate`: the step sizes at which rounds of simultaneous and alternating gradient play
      are judged; one number or a `Players`, `None` for no judgement.
    - `tol`: the largest stationarity that counts as 0; the square root of the machine precision by
      default (1.5e-8 in float64, 3.5e-4 in float32).
    - `num_matvecs`: products in each Krylov space. There is one space for each own Hessian and each
      Schur complement, two (one transposed) for the Jacobian, two for alternating rounds, and two
      for simultaneous rounds if the step sizes differ.
    - `schur_products`: the most products with second derivatives for each Schur complement, which
      is computed only if the opponent's own Hessian is proved to be positive definite.
    - `vectors`: whether to return the eigenvectors of the smallest eigenvalues of the Hessians.
    - `seed`: of the random start.

    **Raises:** `ValueError` for an unknown method or players with nothing to play.

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
    budget = Budget(num_matvecs, schur_products, failure_probability)
    tolerance = None if tol is None else float_array(tol)
    return _classify(
        game, players, key, rates, tolerance, start, method, equal_rates, budget, vectors
    )


@eqx.filter_jit
def _classify(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    tol: Scalar | None,
    start: Float[Array, " n"],
    method: str,
    equal_rates: bool,
    budget: Budget,
    vectors: bool,
) -> EquilibriumReport:
    losses, gradient = game.losses_and_field(players, again(key))
    off = stationarity(game, players, key)
    norm_y = tree_norm(gradient.y) if "y" in game.player_names else None
    norms = Players(tree_norm(gradient.x), norm_y)
    precision = jnp.sqrt(jnp.finfo(off.dtype).eps)
    tol = precision if tol is None else tol.astype(off.dtype)
    is_near = off <= tol
    # Where a set holds the field, a step against it would leave the set.
    interior = ~is_near | (tree_norm(gradient) <= 2 * tol)
    if method == "dense":
        drifts = interior & (off <= precision)
        facts = dense_facts(game, players, key, rates, drifts, vectors)
    else:
        facts = krylov_facts(game, players, key, rates, equal_rates, start, budget, vectors)
    # Of a quadratic game even nan has derivatives that are finite.
    finite = facts.finite & ~any_nan(players) & all_finite(losses) & jnp.isfinite(off)
    # Where the losses are not finite nothing is an equilibrium, whatever their derivatives say.
    stationary = verdict(is_near & finite, ~(is_near & finite))
    facts = _if_finite(finite, facts)
    inside = lambda value: None if value is None else _unless(~interior, value)

    def needs(*values: VERDICT | None) -> VERDICT | None:
        """Yes if the point is stationary, and all of these hold at an interior point."""
        known = [value for value in map(inside, values) if value is not None]
        return all_of(stationary, *known) if len(known) == len(values) else None

    own = [own for own in (facts.hessian_x, facts.hessian_y) if own is not None]
    # On the edge of a convex set curvature still proves a strict local minimum, and refutes none.
    nash = all_of(stationary, *(_unless_no(interior, each.positive) for each in own))
    attractor = all_of(stationary, _unless(~interior, facts.leftmost.positive))
    positive = lambda curvature: None if curvature is None else curvature.positive
    return EquilibriumReport(
        stationary=stationary,
        dne=nash,
        degenerate=_unless(~interior, facts.singular),
        minimax=needs(positive(facts.hessian_y), positive(facts.schur_x)),
        maximin=needs(positive(facts.hessian_x), positive(facts.schur_y)),
        attractor=attractor,
        attractor_simultaneous=needs(facts.simultaneous),
        attractor_alternating=needs(facts.alternating),
        spurious=all_of(attractor, negation(nash)),
        saddle=all_of(stationary, _unless(~interior, facts.mixed)),
        losses=losses,
        field_norm=norms,
        stationarity=off,
        tol=tol,
        hessian_x=facts.hessian_x,
        hessian_y=facts.hessian_y,
        schur_x=facts.schur_x,
        schur_y=facts.schur_y,
        leftmost=facts.leftmost,
        tau_star=facts.tau_star,
        max_step=facts.max_step,
        noise=facts.noise,
        finite=finite,
        interior=interior,
        learning_rate=rates,
        method=method,
        entries=start.size,
        failure_probability=budget.probability,
    )


def _if_finite(finite, facts: Facts) -> Facts:
    """The same facts, or inconclusive ones where the point is not finite."""
    is_verdict = lambda node: isinstance(node, VERDICT)
    blank = lambda node: _unless(~finite, node) if is_verdict(node) else node
    return jax.tree.map(blank, facts, is_leaf=is_verdict)


def _unless(condition, value: VERDICT) -> VERDICT:
    return VERDICT.where(condition, VERDICT.inconclusive, value)


def _unless_no(interior, value: VERDICT) -> VERDICT:
    """Keep "no" only at interior points."""
    return VERDICT.where(~interior & ~is_yes(value), VERDICT.inconclusive, value)
