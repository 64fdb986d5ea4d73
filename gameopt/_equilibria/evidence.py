"""Evidence for the verdicts of `classify`, from dense or Krylov computations."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Complex

from gameopt._enumerations import Enumeration
from gameopt._equilibria.nearby import Nearby
from gameopt._types import Players, Scalar


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


def is_yes(value: VERDICT) -> Bool[Array, "..."]:
    """True where a verdict is yes."""
    return value == VERDICT.yes


def is_no(value: VERDICT) -> Bool[Array, "..."]:
    """True where a verdict is no."""
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


class Curvature(eqx.Module):
    r"""The smallest eigenvalue of a symmetric matrix.

    - `value`: the smallest that was found: a Rayleigh quotient, so that the true one is at most
      this. `lower`: the true one is at least this, but for the stated probability; `noise` is
      taken off. NaN where it was not computed.
    - `residual`: of the eigenvector. `vector`: that, as a strategy, if asked for.
    - `positive`: whether the matrix is positive definite.
    """

    value: Scalar
    lower: Scalar
    residual: Scalar
    positive: VERDICT
    vector: Any = None


class Leftmost(eqx.Module):
    r"""The Jacobian's eigenvalue of smallest real part.

    - `value`: of those found. `lower`: no eigenvalue has a real part below this, but for the
      stated probability (if dense: to first order in the noise).
    - `condition`: $1/|y^\top x|$ of its unit eigenvectors. `error`: how far from `value` there is
      an eigenvalue, to first order.
    - `positive`: whether all real parts are positive.
    """

    value: Complex[Array, ""]
    lower: Scalar
    condition: Scalar
    error: Scalar
    positive: VERDICT


class Facts(NamedTuple):
    """Evidence for the verdicts of `classify`, from dense or Krylov computations.

    - `near`: of the critical point nearby. `faces`: a pair of `Face`, `None` for an absent player.
    - `hessian_x`, `hessian_y`, `schur_x`, `schur_y`: see `Curvature`; the last two `None` in a
      general-sum game, all but the first if y is absent.
    - `mixed`: the Jacobian has eigenvalues on either side of the axis.
    - `singular`, and whether a round of `simultaneous` and of `alternating` play contracts: `None`
      without step sizes. `alternating` and `tau_star` are `None` if y is absent.
    """

    near: Nearby
    faces: Players
    hessian_x: Curvature
    hessian_y: Curvature | None
    schur_x: Curvature | None
    schur_y: Curvature | None
    leftmost: Leftmost
    mixed: VERDICT
    singular: VERDICT
    simultaneous: VERDICT | None
    alternating: VERDICT | None
    tau_star: Scalar | None
    max_step: Scalar
    noise: Scalar
    finite: Bool[Array, ""]
