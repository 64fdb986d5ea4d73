"""Contraction of rounds of gradient play, by Krylov spaces."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from gameopt._equilibria.evidence import VERDICT, verdict
from gameopt._equilibria.krylov_setting import Setting, largest_of, two_sided
from gameopt._equilibria.operators import round_operator
from gameopt._linalg.host import on_host
from gameopt._linalg.krylov import KrylovSpace
from gameopt._linalg.spectral_radius import radius_from
from gameopt._types import Players, Scalar

TwoSided = tuple[KrylovSpace, KrylovSpace]
"""Spaces of an operator and of its transpose."""


def rounds_contract(
    setting: Setting,
    spaces: TwoSided,
    rates: Players[Scalar, Scalar] | None,
    equal_rates: bool,
    is_curved: Bool[Array, ""],
) -> tuple[VERDICT | None, VERDICT | None]:
    """Verdicts on simultaneous and alternating rounds; `None` without step sizes.

    On a curved face a round's projection is no linear map: inconclusive.
    """
    if rates is None:
        return None, None
    simultaneous = _simultaneous(setting, spaces, rates, equal_rates)
    alternating = VERDICT.inconclusive
    if "y" in setting.game.player_names:
        largest = largest_of(spaces[0])
        # To first order and beyond, of the product of two moves.
        moved = (
            setting.noise * (rates.x + rates.y) * (1 + rates.x * largest) * (1 + rates.y * largest)
        )
        alternating = _of_round(setting, rates, True, moved)
    flat = lambda value: VERDICT.where(is_curved, VERDICT.inconclusive, value)
    return flat(simultaneous), flat(alternating)


def _of_round(setting: Setting, rates, alternating: bool, moved: Scalar) -> VERDICT:
    at = (setting.game, setting.players, setting.key)
    right, left = two_sided(round_operator(*at, rates, alternating), setting)
    noisier = lambda noise: noise + moved.astype(noise.dtype)
    return _contraction(eqx.tree_at(lambda s: s.noise, right, replace_fn=noisier), left, setting)


def _simultaneous(setting: Setting, spaces: TwoSided, rates, equal_rates: bool) -> VERDICT:
    if not equal_rates:
        moved = setting.noise * jnp.maximum(rates.x, rates.y)
        return _of_round(setting, rates, False, moved)

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

    right, left = spaces
    return _contraction(of_the_round(right), of_the_round(left), setting)


def _contraction(right: KrylovSpace, left: KrylovSpace, setting: Setting) -> VERDICT:
    """The verdict on all eigenvalues having a modulus below 1."""
    flag = jax.ShapeDtypeStruct((), jnp.bool_)
    gram = left.basis @ right.basis.T
    parts = (right.small, right.last, right.noise, left.small, left.last, gram)
    found = on_host(_moduli, (flag, flag), setting.size, setting.probability, *parts)
    corner = setting.size == 0
    return verdict(found[0] | corner, found[1] & ~corner)


def _moduli(*parts):
    radius = radius_from(*parts)
    return np.asarray(radius.upper < 1), np.asarray(radius.lower > 1)
