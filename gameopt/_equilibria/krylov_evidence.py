"""Evidence from Krylov spaces: large Jacobians, by products with them."""

import functools
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from gameopt._arithmetic import single_at_least
from gameopt._equilibria.dense_evidence import max_step
from gameopt._equilibria.evidence import VERDICT, Curvature, Facts, Leftmost, is_yes, verdict
from gameopt._equilibria.operators import Operator, operator, round_operator, schur_operator
from gameopt._games.base import AbstractGame
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import KrylovSpace, krylov_space, ritz_pairs
from gameopt._linalg.ritz_bounds import disc_bound, smallest_projection
from gameopt._linalg.ritz_values import RitzAnalysis, analyse, conditions_of
from gameopt._types import Key, Player, Players, Scalar

SAFETY = 100.0
"""How often an error that is known to first order must fit between an eigenvalue and the axis."""


class Budget(NamedTuple):
    """Budgets of `classify`.

    - `num_matvecs`: products a Krylov space. `schur_products`: with the Jacobian, for each Schur
      complement. `probability`: with which a bound may fail.
    """

    num_matvecs: int
    schur_products: int
    probability: float


def krylov_facts(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    equal_rates: bool,
    start: Float[Array, " n"],
    budget: Budget,
    vectors: bool,
) -> Facts:
    """The evidence of Krylov spaces.

    **Arguments:** `start`: a vector of random direction, of the size of both strategies together.
    """
    linear = operator(game, players, key, "jacobian")
    right, left = _two_sided(linear, start, budget)
    ritz = analyse("general", right, left, start.size, budget.probability)
    own_x = _own_curvature(game, players, key, "x", start, budget, vectors)
    noise = jnp.maximum(ritz.noise, own_x.noise)
    hessian_x, hessian_y, schur_x, schur_y = own_x.curvature, None, None, None
    nash = is_yes(hessian_x.positive) & game.is_zero_sum
    if "y" in game.player_names:
        own_y = _own_curvature(game, players, key, "y", start, budget, vectors)
        noise, hessian_y = jnp.maximum(noise, own_y.noise), own_y.curvature
        nash = nash & is_yes(hessian_y.positive)
        if game.is_zero_sum:
            small = right.small.astype(single_at_least(right.small.dtype))
            largest = (2 * jnp.linalg.norm(small, 2)).astype(right.small.dtype)
            schur = functools.partial(
                _schur_curvature, game, players, key, start, budget, vectors, largest
            )
            schur_x, schur_y = schur("x", hessian_y), schur("y", hessian_x)
    sides = _sides(ritz, noise)
    # The symmetric part of a zero-sum game's Jacobian is made of the two own Hessians.
    right_side = verdict((sides.all_right & ~sides.one_left) | nash, sides.one_left & ~nash)
    simultaneous = alternating = None
    if rates is not None:
        spaces = (right, left)
        simultaneous = _simultaneous(game, players, key, rates, equal_rates, start, budget, spaces)
        if hessian_y is not None:
            alternating = _alternating(game, players, key, rates, start, budget)
    decided = is_yes(right_side) | sides.all_left
    small = jnp.nanmin(jnp.abs(ritz.values) + ritz.residuals) <= noise
    return Facts(
        hessian_x=hessian_x,
        hessian_y=hessian_y,
        schur_x=schur_x,
        schur_y=schur_y,
        leftmost=Leftmost(
            value=ritz.values[0],
            lower=ritz.lower,
            condition=ritz.conditions[0],
            error=ritz.errors[0],
            positive=right_side,
        ),
        mixed=verdict(sides.one_left & sides.one_right, decided),
        singular=verdict(small, decided),
        simultaneous=simultaneous,
        alternating=alternating,
        tau_star=None if hessian_y is None else jnp.full_like(noise, jnp.nan),
        max_step=max_step(ritz.values, _moved(ritz, noise)),
        noise=noise,
        finite=jnp.all(jnp.isfinite(right.small)),
    )


class _Own(NamedTuple):
    """A smallest eigenvalue, and the noise that the products show."""

    curvature: Curvature
    noise: Scalar


def _own_curvature(
    game, players, key, player: Player, start, budget: Budget, vectors: bool
) -> _Own:
    """The smallest eigenvalue of an own Hessian."""
    linear = operator(game, players, key, "hessian_x" if player == "x" else "hessian_y")
    space = _space(linear, start, budget.num_matvecs)
    zero = jnp.zeros((), space.noise.dtype)
    return _lowest(linear, space, zero, budget.probability, vectors)


def _space(linear: Operator, start, num_matvecs: int) -> KrylovSpace:
    # Part of a random vector is a random vector.
    part = start[: linear.like.size].astype(linear.like.dtype)
    return krylov_space(linear.matvec, part, num_matvecs, symmetric=True)


def _lowest(
    linear: Operator, space: KrylovSpace, extra_noise: Scalar, probability: float, vectors: bool
) -> _Own:
    noisier = eqx.tree_at(lambda s: s.noise, space, space.noise + extra_noise)
    ritz = analyse("symmetric", noisier, None, linear.like.size, probability)
    value = ritz.values[0].real
    positive = verdict(ritz.lower > 0, value + ritz.noise < 0)
    vector = None
    if vectors:
        row = ritz.coefficients[0].real.astype(space.basis.dtype)
        vector = linear.unravel(row @ space.basis)
    found = Curvature(value, ritz.lower, ritz.residuals[0], positive, vector)
    return _Own(found, ritz.noise)


def _schur_curvature(
    game,
    players,
    key,
    start,
    budget: Budget,
    vectors: bool,
    largest: Scalar,
    player: Player,
    inner: Curvature,
) -> Curvature:
    """The smallest eigenvalue of a Schur complement; NaN unless the other Hessian is positive."""
    steps = max(budget.schur_products // budget.num_matvecs - 2, 1)

    def compute() -> Curvature:
        linear = schur_operator(game, players, key, player, steps)
        space = _space(linear, start, budget.num_matvecs)
        # What a solve leaves over comes back through the inverse and one block of the Jacobian.
        extra = (largest / inner.lower.astype(largest.dtype)) * space.inner_residual
        return _lowest(linear, space, extra, budget.probability, vectors).curvature

    def absent() -> Curvature:
        empty = jax.tree.map(_blank, jax.eval_shape(compute))
        return eqx.tree_at(lambda c: c.positive, empty, VERDICT.inconclusive)

    return jax.lax.cond(is_yes(inner.positive), compute, absent)


def _blank(shape: jax.ShapeDtypeStruct) -> Array:
    fill = jnp.nan if jnp.issubdtype(shape.dtype, jnp.inexact) else 0
    return jnp.full(shape.shape, fill, shape.dtype)


def _two_sided(linear: Operator, start, budget: Budget) -> tuple[KrylovSpace, KrylovSpace]:
    assert linear.transpose is not None
    begin = start.astype(linear.like.dtype)
    return (
        krylov_space(linear.matvec, begin, budget.num_matvecs),
        krylov_space(linear.transpose, begin, budget.num_matvecs),
    )


class _Sides(NamedTuple):
    all_right: Bool[Array, ""]
    one_left: Bool[Array, ""]
    one_right: Bool[Array, ""]
    all_left: Bool[Array, ""]


def _moved(ritz: RitzAnalysis, noise: Scalar) -> Float[Array, " m"]:
    """The first-order effect of noisy products on each Ritz value."""
    return noise * jnp.where(jnp.isnan(ritz.conditions), 1, ritz.conditions)


def _sides(ritz: RitzAnalysis, noise: Scalar) -> _Sides:
    real = ritz.values.real
    moved = _moved(ritz, noise)
    last = jnp.sum(~jnp.isnan(real), dtype=jnp.int32) - 1
    reach = SAFETY * (ritz.errors + moved)
    return _Sides(
        ritz.lower > moved[0],
        jnp.any(real + reach < 0),
        jnp.any(real - reach > 0),
        ritz.upper < -moved[last],
    )


def _simultaneous(
    game, players, key, rates, equal_rates: bool, start, budget: Budget, spaces
) -> VERDICT:
    if not equal_rates:
        linear = round_operator(game, players, key, rates, False)
        return _contraction(*_two_sided(linear, start, budget), start.size, budget)

    def of_the_round(space: KrylovSpace) -> KrylovSpace:
        """I - eta J has the Krylov spaces of J."""
        rate = rates.x.astype(space.small.dtype)
        eye = jnp.eye(len(space.small), dtype=space.small.dtype)
        # The sign of a basis vector is free; lengths are positive.
        signs = (-1.0) ** jnp.arange(len(eye)).astype(space.small.dtype)
        small = eye - rate * space.small
        return KrylovSpace(
            signs[:, None] * space.basis,
            signs[:, None] * small * signs[None, :],
            rate * space.last,
            rate * space.noise,
            space.inner_residual,
        )

    right, left = map(of_the_round, spaces)
    return _contraction(right, left, start.size, budget)


def _alternating(game, players, key, rates, start, budget: Budget) -> VERDICT:
    linear = round_operator(game, players, key, rates, True)
    return _contraction(*_two_sided(linear, start, budget), start.size, budget)


def _contraction(right: KrylovSpace, left: KrylovSpace, n: int, budget: Budget) -> VERDICT:
    """The verdict on all eigenvalues having a modulus below 1."""
    flag = jax.ShapeDtypeStruct((), jnp.bool_)
    function = functools.partial(_moduli, n, budget.probability)
    parts = (right.small, right.last, right.noise, left.small, left.last)
    return verdict(*on_host(function, (flag, flag), *parts, left.basis @ right.basis.T))


def _moduli(n: int, probability: float, small, last, noise, *left):
    values, residuals, vectors, lengths = ritz_pairs(np.asarray(small), float(last))
    if not np.isfinite(values).all():
        return np.asarray(False), np.asarray(False)
    conditions, distances = conditions_of(values, residuals, vectors, *left)
    noise = float(noise)
    moduli = np.abs(values)
    with np.errstate(invalid="ignore"):
        outside = bool(np.any(moduli - SAFETY * conditions * (distances + noise) > 1))
    moved = noise * conditions[np.argmax(moduli)]
    delta = smallest_projection(n, probability, real=False)
    inside = bool(
        moduli.max() + moved < 1 and disc_bound(values, lengths, delta, noise) + moved < 1
    )
    return np.asarray(inside), np.asarray(outside)
