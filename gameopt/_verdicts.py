"""Answers of a certificate: yes, no, or inconclusive."""

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
    """The verdict of proofs of either side; inconclusive if there is neither."""
    if_not = VERDICT.where(jnp.asarray(no), VERDICT.no, VERDICT.inconclusive)
    return VERDICT.where(jnp.asarray(yes) & ~jnp.asarray(no), VERDICT.yes, if_not)


def verdict_on_host(yes: bool, no: bool) -> VERDICT:
    """As `verdict`, of Python's booleans, without a transfer to the device."""
    return VERDICT.yes if yes and not no else VERDICT.no if no else VERDICT.inconclusive


def is_yes(value: VERDICT) -> Bool[Array, "..."]:
    """True where a verdict is yes."""
    return value == VERDICT.yes


def is_no(value: VERDICT) -> Bool[Array, "..."]:
    """True where a verdict is no."""
    return value == VERDICT.no
