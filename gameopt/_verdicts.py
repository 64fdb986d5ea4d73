"""Answers in three values, and how they combine."""

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool

from gameopt._enumerations import Enumeration


class VERDICT(Enumeration):
    """The answer of a certificate: yes, no or inconclusive. An array, so that it can be mapped.

    `verdict == VERDICT.yes`, or `is_yes(verdict)`, is an array of booleans; a verdict in an `if` is
    an error. `str(verdict)` is the word.
    """

    inconclusive: ClassVar["VERDICT"]
    no: ClassVar["VERDICT"]
    yes: ClassVar["VERDICT"]


VERDICT.define(inconclusive="inconclusive", no="no", yes="yes")


def verdict(yes: Bool[ArrayLike, ""], no: Bool[ArrayLike, ""]) -> VERDICT:
    """From proofs of either side; if there is neither, inconclusive."""
    if_not = VERDICT.where(jnp.asarray(no), VERDICT.no, VERDICT.inconclusive)
    return VERDICT.where(jnp.asarray(yes) & ~jnp.asarray(no), VERDICT.yes, if_not)


def is_yes(value: VERDICT) -> Bool[Array, "..."]:
    """Whether it is proved."""
    return value == VERDICT.yes


def is_no(value: VERDICT) -> Bool[Array, "..."]:
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
