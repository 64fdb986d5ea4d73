"""Positivity of a quadratic form on a cone of directions; host code in float64."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Matrix = Float[np.ndarray, "n n"]


class ConeCurvature(NamedTuple):
    """Least curvature on a cone of directions.

    - `value`: the smallest Rayleigh quotient found in the cone, and `vector` its unit direction,
      shape `(n,)`; infinity and zeros if the cone is 0. `lower`: no quotient is below this, noise
      taken off. `yes`, `no`: proofs that the form is positive, that it is not.
    """

    value: float
    lower: float
    yes: bool
    no: bool
    vector: Float[np.ndarray, " n"]


def face_basis(
    free: Float[np.ndarray, " n"], normals: Float[np.ndarray, "m n"]
) -> Float[np.ndarray, "n k"]:
    """Orthonormal columns that span the vectors zero outside `free` and orthogonal to `normals`."""
    raise NotImplementedError


def curvature_on_cone(
    hessian: Matrix,
    noise: float,
    free: Float[np.ndarray, " n"],
    normals: Float[np.ndarray, "m n"],
    mu: float,
    weak: Int[np.ndarray, " n"],
    uncertain: Bool[np.ndarray, " n"],
) -> ConeCurvature:
    """Curvature of H + mu I on a critical cone, for all symmetric matrices within `noise` of H."""
    raise NotImplementedError
