"""Answers in three values, and how they combine."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool


class VERDICT(eqx.Enumeration):
    """What a certificate says of a statement. An array like any other, so that it can be mapped.

    `verdict == VERDICT.yes` is an array of booleans.
    """

    inconclusive = "inconclusive"
    no = "no"
    yes = "yes"


def verdict(yes: Bool[ArrayLike, ""], no: Bool[ArrayLike, ""]) -> VERDICT:
    """From proofs of either side; if there is neither, inconclusive."""
    if_not = VERDICT.where(jnp.asarray(no), VERDICT.no, VERDICT.inconclusive)
    return VERDICT.where(jnp.asarray(yes) & ~jnp.asarray(no), VERDICT.yes, if_not)


def is_yes(value: VERDICT) -> Bool[Array, ""]:
    """Whether it is proved."""
    return value == VERDICT.yes


def is_no(value: VERDICT) -> Bool[Array, ""]:
    """Whether it is refuted."""
    return value == VERDICT.no


def all_of(*values: VERDICT) -> VERDICT:
    """Yes if all are, no if one is."""
    yes, no = jnp.asarray(True), jnp.asarray(False)
    for value in values:
        yes, no = yes & is_yes(value), no | is_no(value)
    return verdict(yes, no)


def negation(value: VERDICT) -> VERDICT:
    """No for yes and yes for no."""
    return verdict(is_no(value), is_yes(value))
