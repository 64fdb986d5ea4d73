"""What a certificate is made of, whichever way it was found out."""

from typing import NamedTuple

from jaxtyping import Array, Bool

from gameopt._report import Curvature, Leftmost
from gameopt._types import Scalar
from gameopt._verdicts import VERDICT


class Facts(NamedTuple):
    """Of the Jacobian at a point.

    - `hessian_x`, `hessian_y`, `schur_x`, `schur_y`: see `Curvature`; the last two `None` in a
      general-sum game.
    - `mixed`: the Jacobian has eigenvalues on either side of the axis.
    - `singular`, and whether a round of `simultaneous` and of `alternating` play contracts: `None`
      without step sizes.
    """

    hessian_x: Curvature
    hessian_y: Curvature
    schur_x: Curvature | None
    schur_y: Curvature | None
    leftmost: Leftmost
    mixed: VERDICT
    singular: VERDICT
    simultaneous: VERDICT | None
    alternating: VERDICT | None
    tau_star: Scalar
    max_step: Scalar
    noise: Scalar
    finite: Bool[Array, ""]
