"""Evidence from Krylov spaces: large Jacobians, by products with them."""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float

from gameopt._equilibria.dense_numbers import SINGULAR
from gameopt._equilibria.evidence import VERDICT, Curvature, Facts, Leftmost, is_yes, verdict
from gameopt._equilibria.krylov_rounds import rounds_contract
from gameopt._equilibria.krylov_setting import (
    BOUNDS,
    SAFETY,
    Budget,
    Setting,
    largest_of,
    own_space,
    two_sided,
)
from gameopt._equilibria.on_faces import OnFaces, along, dimension, gap, has_sets, is_curved, turn
from gameopt._equilibria.operators import operator, schur_operator
from gameopt._equilibria.surroundings import faces_at, look_around
from gameopt._games.base import AbstractGame
from gameopt._linalg.krylov import KrylovSpace
from gameopt._linalg.ritz_values import RitzAnalysis, analyse
from gameopt._trees import ravel
from gameopt._types import Key, Player, Players, Scalar


def krylov_facts(
    game: AbstractGame,
    players: Players,
    key: Key,
    rates: Players[Scalar, Scalar] | None,
    equal_rates: bool,
    start: Float[Array, " n"],
    probability: Scalar,
    reach: Scalar,
    residual: Scalar,
    budget: Budget,
    vectors: bool,
) -> Facts:
    """The evidence of Krylov spaces.

    **Arguments:** `start`: a vector of random direction, of the size of both strategies together.
    `reach`, `residual`: as for `dense_facts`.
    """
    vector, _ = ravel(players)
    start = start.astype(vector.dtype)
    at = faces_at(game, players, key, start, reach)
    on = at.faces
    setting = Setting(
        OnFaces(game, players, on) if has_sets(game, players) else game,
        players,
        key,
        along(on, ravel(players.x)[0].size, start),
        Players(dimension(on.x), None if on.y is None else dimension(on.y)),
        Players(on.x.is_clear, None if on.y is None else on.y.is_clear),
        probability / BOUNDS,
        budget,
        vectors,
        jnp.zeros((), vector.dtype),
    )
    spaces = _spaces(setting)
    probes, lower = _probes(setting, spaces)
    around = (spaces.right, probes, lower, reach, residual)
    near, noise = look_around(setting.game, players, key, at, *around)
    near = near._replace(radius=near.radius + gap(on, vector).astype(near.radius.dtype))
    # Beside the change of the Jacobian, that of a sphere's tangent space and curvature.
    tilted = 4 * (turn(on, players) * largest_of(spaces.right)).astype(near.radius.dtype)
    moved = near.change + jnp.where(tilted > 0, tilted * near.radius, 0)
    moved = jnp.where(near.shown, moved, 0).astype(vector.dtype)
    setting = setting._replace(noise=noise.astype(vector.dtype) + moved)
    rounds = rates, equal_rates, is_curved(on)
    return _facts(setting, spaces, rounds, near=near, faces=on, smooth=at.smooth, exact=at.exact)


class _Spaces(NamedTuple):
    """Krylov spaces of the Jacobian, of its transpose, and of the own Hessians."""

    right: KrylovSpace
    left: KrylovSpace
    own_x: KrylovSpace
    own_y: KrylovSpace | None


def _spaces(setting: Setting) -> _Spaces:
    at = (setting.game, setting.players, setting.key)
    own_x = own_space(operator(*at, "hessian_x"), setting, "x")
    own_y = None
    if "y" in setting.game.player_names:
        own_y = own_space(operator(*at, "hessian_y"), setting, "y")
    return _Spaces(*two_sided(operator(*at, "jacobian"), setting), own_x, own_y)


def _probes(setting: Setting, spaces: _Spaces) -> tuple[Float[Array, "p n"], Scalar]:
    r"""Directions that matter, as rows; a lower bound on the symmetric part of $J$, or $-\infty$.

    The start; the lowest Ritz vectors of both own Hessians; the leftmost one of the Jacobian, its
    real and its imaginary part.
    """
    n, size_x = setting.start.size, spaces.own_x.basis.shape[1]
    analysed = functools.partial(analyse, probability=setting.probability)
    ritz_x = analysed("symmetric", spaces.own_x, None, setting.sizes.x)
    ritz = analysed("general", spaces.right, None, setting.size)
    combined = lambda part, space: jnp.nan_to_num(part).astype(space.basis.dtype) @ space.basis
    rows = [
        setting.start,
        jnp.pad(combined(ritz_x.coefficients[0].real, spaces.own_x), (0, n - size_x)),
    ]
    lower = jnp.where(setting.sizes.x == 0, jnp.inf, ritz_x.lower)
    if spaces.own_y is not None:
        ritz_y = analysed("symmetric", spaces.own_y, None, setting.sizes.y)
        rows.append(jnp.pad(combined(ritz_y.coefficients[0].real, spaces.own_y), (size_x, 0)))
        lower = jnp.minimum(lower, jnp.where(setting.sizes.y == 0, jnp.inf, ritz_y.lower))
    leftmost = ritz.coefficients[0]
    rows += [combined(leftmost.real, spaces.right), combined(leftmost.imag, spaces.right)]
    # Of a general-sum game's Jacobian the own Hessians are no symmetric part.
    has_part = setting.game.is_zero_sum or spaces.own_y is None
    return jnp.stack(rows), lower if has_part else jnp.full_like(lower, -jnp.inf)


def _facts(setting: Setting, spaces: _Spaces, rounds: tuple, **known: Any) -> Facts:
    """All facts, now that the noise is known.

    **Arguments:** `rounds`: see `rounds_contract`. `known`: the facts that are there already.
    """
    noisier = lambda space: eqx.tree_at(lambda s: s.noise, space, space.noise + setting.noise)
    right, left = noisier(spaces.right), spaces.left
    ritz = analyse("general", right, left, setting.size, setting.probability)
    own_x = _lowest(setting, noisier(spaces.own_x), "x")
    noise = jnp.maximum(ritz.noise, own_x.noise)
    hessian_x, hessian_y, schur_x, schur_y = own_x.curvature, None, None, None
    nash = is_yes(hessian_x.positive) & setting.game.is_zero_sum
    if spaces.own_y is not None:
        own_y = _lowest(setting, noisier(spaces.own_y), "y")
        noise, hessian_y = jnp.maximum(noise, own_y.noise), own_y.curvature
        nash = nash & is_yes(hessian_y.positive)
        if setting.game.is_zero_sum:
            schur = functools.partial(_schur_curvature, setting, largest_of(right))
            schur_x, schur_y = schur("x", hessian_y), schur("y", hessian_x)
    sides = _sides(ritz, noise)
    # The symmetric part of a zero-sum game's Jacobian is made of the two own Hessians.
    nash = nash | (setting.size == 0)
    right_side = verdict((sides.all_right & ~sides.one_left) | nash, sides.one_left & ~nash)
    simultaneous, alternating = rounds_contract(setting, (right, left), *rounds)
    decided = is_yes(right_side) | sides.all_left
    unknown = None if hessian_y is None else jnp.full_like(noise, jnp.nan)
    told = noise <= SINGULAR * largest_of(right).astype(noise.dtype)
    small = jnp.nanmin(jnp.abs(ritz.values) + ritz.residuals) <= noise
    return Facts(
        **known,
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
        singular=verdict(small & told, decided),
        simultaneous=simultaneous,
        alternating=alternating if hessian_y is not None else None,
        tau_star=unknown,
        tau_star_lower=unknown,
        max_step=_max_step(ritz.values, _moved(ritz, noise)),
        noise=noise,
        finite=jnp.all(jnp.isfinite(right.small)),
    )


class _Own(NamedTuple):
    """A smallest eigenvalue, and the noise that the products show."""

    curvature: Curvature
    noise: Scalar


def _lowest(setting: Setting, space: KrylovSpace, player: Player) -> _Own:
    """The smallest eigenvalue of an operator on one player's entries."""
    size = getattr(setting.sizes, player)
    ritz = analyse("symmetric", space, None, size, setting.probability)
    value = ritz.values[0].real
    corner = size == 0
    # A direction of weakly active constraints may lead out of the set.
    refuted = (value + ritz.noise < 0) & ~corner & getattr(setting.clear, player)
    positive = verdict((ritz.lower > 0) | corner, refuted)
    vector = None
    if setting.vectors:
        row = ritz.coefficients[0].real.astype(space.basis.dtype)
        vector = ravel(getattr(setting.players, player))[1](row @ space.basis)
    found = Curvature(value, ritz.lower, ritz.residuals[0], positive, vector)
    return _Own(found, ritz.noise)


def _schur_curvature(
    setting: Setting, largest: Scalar, player: Player, inner: Curvature
) -> Curvature:
    """The smallest eigenvalue of a Schur complement; NaN unless the other Hessian is positive."""
    budget = setting.budget
    steps = max(budget.schur_products // budget.num_matvecs - 2, 1)

    def compute() -> Curvature:
        at = (setting.game, setting.players, setting.key)
        linear = schur_operator(*at, player, steps)
        space = own_space(linear, setting, player)
        # What a solve leaves over comes back through the inverse and one block of the Jacobian, as
        # does the noise of each block.
        reach = largest / inner.lower.astype(largest.dtype)
        extra = reach * space.inner_residual + setting.noise * (1 + reach) ** 2
        noisier = eqx.tree_at(lambda s: s.noise, space, space.noise + extra)
        return _lowest(setting, noisier, player).curvature

    def absent() -> Curvature:
        empty = jax.tree.map(_blank, jax.eval_shape(compute))
        return eqx.tree_at(lambda c: c.positive, empty, VERDICT.inconclusive)

    return jax.lax.cond(is_yes(inner.positive), compute, absent)


def _blank(shape: jax.ShapeDtypeStruct) -> Array:
    fill = jnp.nan if jnp.issubdtype(shape.dtype, jnp.inexact) else 0
    return jnp.full(shape.shape, fill, shape.dtype)


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


def _max_step(values: Complex[Array, " m"], moved: Float[Array, " m"]) -> Scalar:
    r"""$\min 2\,\mathrm{Re}\lambda / |\lambda|^2$ of Ritz values, those that are there.

    **Arguments:** `moved`: what rounding may do to each real part; 0 is the answer where one is no
    larger than that.
    """
    real, there = values.real, ~jnp.isnan(values.real)
    right = jnp.all((real > moved) | ~there)
    moduli = jnp.abs(jnp.where(right & there, values, 1))
    # Not over the square, which may underflow.
    smallest = jnp.min(jnp.where(there, 2 * (real / moduli) / moduli, jnp.inf))
    return jnp.where(jnp.any(there), jnp.where(right, smallest, 0), jnp.nan)
