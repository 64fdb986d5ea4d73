"""Evidence for the verdicts of `classify`, from dense or Krylov computations."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex

from gameopt._equilibria.nearby import Nearby
from gameopt._types import Players, Scalar
from gameopt._verdicts import (
    VERDICT as VERDICT,
    is_no as is_no,
    is_yes as is_yes,
    verdict as verdict,
)


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
    - `smooth`: whether no kink is within rounding. `exact`: whether the field is exactly 0.
    - `hessian_x`, `hessian_y`, `schur_x`, `schur_y`: see `Curvature`; the last two `None` in a
      general-sum game, all but the first if y is absent.
    - `mixed`: the Jacobian has eigenvalues on either side of the axis.
    - `singular`, and whether a round of `simultaneous` and of `alternating` play contracts: `None`
      without step sizes. `alternating` and `tau_star` are `None` if y is absent.
    """

    near: Nearby
    faces: Players
    smooth: Bool[Array, ""]
    exact: Bool[Array, ""]
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
    tau_star_lower: Scalar | None
    max_step: Scalar
    noise: Scalar
    finite: Bool[Array, ""]
