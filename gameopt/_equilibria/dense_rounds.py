"""Small Jacobians on the faces of sets, and proofs about rounds of play there: host code."""

from typing import Any, NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Float

from gameopt._linalg.cones import face_basis
from gameopt._linalg.dense import contraction

Matrix = np.ndarray
"""Shape `(n, n)`."""
Rates = Float[np.ndarray, "2"]
"""Step sizes, x's first."""


class Proof(NamedTuple):
    """Flags: proved, refuted. Neither is inconclusive."""

    yes: Any
    no: Any


OPEN = Proof(False, False)


class FaceNumbers(NamedTuple):
    """The fields of `Face` that the host needs."""

    free: Any
    normals: Any
    curvature: Any
    weak: Any
    uncertain: Any


class JacobianOnFaces(NamedTuple):
    """A Jacobian on the tangent space of the faces.

    - `matrix`: with the faces' curvatures; `flat`: without. `curvatures`: of each row.
    - `bases`: of x's and y's tangent spaces, as columns.
    """

    matrix: Matrix
    flat: Matrix
    curvatures: np.ndarray
    bases: list[Matrix]

    @property
    def size_x(self) -> int:
        return self.bases[0].shape[1]


def on_faces(matrix: Matrix, faces: tuple[FaceNumbers, FaceNumbers | None]) -> JacobianOnFaces:
    there = [face for face in faces if face is not None]
    bases = [face_basis(face.free, face.normals) for face in there]
    basis = scipy.linalg.block_diag(*bases)
    flat = basis.T @ matrix @ basis
    bends = [np.full(b.shape[1], f.curvature) for b, f in zip(bases, there, strict=True)]
    curvatures = np.concatenate(bends)
    return JacobianOnFaces(flat + np.diag(curvatures), flat, curvatures, bases)


def _steps(on_face: JacobianOnFaces, rates: Rates) -> np.ndarray:
    """Each row's step size."""
    return np.where(np.arange(len(on_face.flat)) < on_face.size_x, rates[0], rates[1])


def simultaneous(on_face: JacobianOnFaces, noise: float, rates: Rates) -> Proof:
    """Proofs that a round of simultaneous play contracts, or does not.

    The projection on a curved face divides a step along it by 1 + step times curvature.
    """
    n = len(on_face.flat)
    if not (rates > 0).all() or n == 0:
        return Proof(n == 0, False)
    steps = _steps(on_face, rates)
    shrink = 1 / (1 + steps * on_face.curvatures)
    round_map = shrink[:, None] * (np.eye(n) - steps[:, None] * on_face.flat)
    return Proof(*contraction(round_map, noise * steps.max()))


def alternating(on_face: JacobianOnFaces, noise: float, rates: Rates) -> Proof:
    """Proofs that a round of alternating play contracts, or does not."""
    n, size_x = len(on_face.flat), on_face.size_x
    if not (rates > 0).all() or n == 0:
        return Proof(n == 0, False)
    first, second, (rate_x, rate_y) = np.eye(n), np.eye(n), rates
    shrink = 1 / (1 + _steps(on_face, rates) * on_face.curvatures)
    first[:size_x] -= rate_x * on_face.flat[:size_x]
    second[size_x:] -= rate_y * on_face.flat[size_x:]
    first[:size_x] *= shrink[:size_x, None]
    second[size_x:] *= shrink[size_x:, None]
    off_x, off_y = rate_x * noise, rate_y * noise
    norms = np.linalg.norm(first, 2), np.linalg.norm(second, 2)
    moved = float(off_y * norms[0] + off_x * norms[1] + off_x * off_y)
    return Proof(*contraction(second @ first, moved))
