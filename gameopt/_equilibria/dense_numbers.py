"""Proofs about small Jacobians, by dense linear algebra in float64: host code."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from gameopt._equilibria.dense_rounds import (
    OPEN,
    FaceNumbers,
    JacobianOnFaces,
    Matrix,
    Proof,
    Rates,
    alternating,
    on_faces,
    simultaneous,
)
from gameopt._equilibria.measured import MARGIN
from gameopt._equilibria.nearby import Nearby, nearby
from gameopt._linalg.cones import curvature_on_cone
from gameopt._linalg.dense import conditioned_eigenvalues, sides
from gameopt._linalg.krylov import ROUNDING
from gameopt._linalg.timescales import timescale_threshold

SINGULAR = 1e-6
"""The largest noise, in parts of the norm, at which a matrix is called singular."""


class Extreme(NamedTuple):
    """The smallest eigenvalue of a symmetric matrix, a lower bound, its eigenvector."""

    value: Any
    lower: Any
    positive: Proof
    vector: Any


class Left(NamedTuple):
    """The fields of `Leftmost`, as NumPy has them."""

    value: Any
    lower: Any
    condition: Any
    error: Any
    positive: Proof


class BallNumbers(NamedTuple):
    """Observations around a point.

    - `near`, `far`: Jacobians there. `left_over`: of the field at the near places.
    - `radius`, `reach`: of the balls. `field`, `residual`: see `nearby`.
    - `exact`: whether the field is exactly 0, on the faces. `gap`: the distance to the faces.
    - `turn`: of curved faces, per length.
    """

    near: Any
    far: Any
    left_over: Any
    radius: Any
    reach: Any
    field: Any
    residual: Any
    exact: Any
    gap: Any
    turn: Any


class Numbers(NamedTuple):
    """Results of the host, a tree of arrays; `None` for what an absent player would have, and for
    Schur complements of general-sum games."""

    near: Nearby
    hessian_x: Extreme
    hessian_y: Extreme | None
    schur_x: Extreme | None
    schur_y: Extreme | None
    leftmost: Left
    mixed: Proof
    singular: Proof
    simultaneous: Proof
    alternating: Proof | None
    tau_star: Any
    tau_star_lower: Any
    max_step: Any
    noise: Any


def shapes(size_x: int, size_y: int, zero_sum: bool) -> Numbers:
    """Shapes and dtypes of the results."""
    one = jax.ShapeDtypeStruct((), jnp.result_type(float))
    flag = jax.ShapeDtypeStruct((), jnp.bool_)
    proof = Proof(flag, flag)
    extreme = lambda n: Extreme(one, one, proof, jax.ShapeDtypeStruct((n,), one.dtype))
    two = size_y > 0
    value = jax.ShapeDtypeStruct((), jnp.result_type(complex))
    return Numbers(
        near=Nearby.shapes(),
        hessian_x=extreme(size_x),
        hessian_y=extreme(size_y) if two else None,
        schur_x=extreme(size_x) if two and zero_sum else None,
        schur_y=extreme(size_y) if two and zero_sum else None,
        leftmost=Left(value, one, one, one, proof),
        mixed=proof,
        singular=proof,
        simultaneous=proof,
        alternating=proof if two else None,
        tau_star=one if two else None,
        tau_star_lower=one if two else None,
        max_step=one,
        noise=one,
    )


def numbers(
    zero_sum: bool,
    eps: float,
    matrix: Matrix,
    drawn: np.ndarray,
    around: BallNumbers,
    faces: tuple[FaceNumbers, FaceNumbers | None],
    rates: Rates,
) -> Numbers:
    """All proofs about the Jacobian `matrix`.

    **Arguments:**

    - `eps`: the precision in which it was computed. `drawn`: Jacobians of perturbed arithmetic.
    - `faces`: x's and y's. `rates`: step sizes, 0 if none are asked for.
    """
    doubles = lambda array: np.asarray(array, np.float64)
    matrix, drawn, around, rates = jax.tree.map(doubles, (matrix, drawn, around, rates))
    faces = jax.tree.map(doubles, faces)
    size_x, two = faces[0].free.size, faces[1] is not None
    if not np.isfinite(matrix).all():
        blank = lambda s: np.zeros(s.shape, bool) if s.dtype == bool else np.full(s.shape, np.nan)
        return jax.tree.map(blank, shapes(size_x, len(matrix) - size_x, zero_sum))
    rounding = _noise(matrix, drawn, size_x, zero_sum, eps)
    on_face = on_faces(matrix, faces)
    near = _nearby(on_face, around, faces, rounding)
    noise = rounding + near.change
    if near.shown:
        # Tangent space and curvature of a sphere at the critical point.
        largest = float(np.linalg.norm(on_face.matrix, 2)) if on_face.matrix.size else 0.0
        noise += 4 * largest * float(around.turn) * near.radius
    blocks = np.split(np.arange(len(matrix)), [size_x])
    cone = lambda own, face: _on_cone(matrix[np.ix_(own, own)], noise, face)
    hessian_x = cone(blocks[0], faces[0])
    hessian_y = cone(blocks[1], faces[1]) if faces[1] is not None else None
    schur_x = schur_y = None
    if hessian_y is not None and zero_sum:
        schur_x = _schur(on_face, False, noise, hessian_y)
        schur_y = _schur(on_face, True, noise, hessian_x)
    left, mixed, singular = _flow(on_face.matrix, noise)
    tau = _timescale(on_face, noise, left)
    return Numbers(
        near=near,
        hessian_x=hessian_x,
        hessian_y=hessian_y,
        schur_x=schur_x,
        schur_y=schur_y,
        leftmost=left,
        mixed=mixed,
        singular=singular,
        simultaneous=simultaneous(on_face, noise, rates),
        alternating=alternating(on_face, noise, rates) if two else None,
        tau_star=tau[1] if two else None,
        tau_star_lower=tau[0] if two else None,
        max_step=_max_step(on_face, left),
        noise=noise,
    )


def _noise(matrix: Matrix, drawn: np.ndarray, size_x: int, zero_sum: bool, eps: float) -> float:
    """The effect of rounding on the entries, in the spectral norm.

    A few units in the last place of the norm at least, what the draws of perturbed arithmetic
    show, and what should be symmetric and is not.
    """
    norm = lambda part: float(np.linalg.norm(part, 2)) if part.size else 0.0
    a, b = matrix[:size_x, :size_x], matrix[size_x:, size_x:]
    off = [a - a.T, b - b.T]
    if zero_sum:
        off.append(matrix[:size_x, size_x:] + matrix[size_x:, :size_x].T)
    if not np.isfinite(drawn).all():
        return np.inf
    seen = MARGIN * max(norm(one - matrix) for one in drawn)
    return max(seen, *(float(np.linalg.norm(part)) for part in off), ROUNDING * eps * norm(matrix))


def _nearby(on_face: JacobianOnFaces, around: BallNumbers, faces, noise: float) -> Nearby:
    """The critical point nearby, on the faces."""
    if on_face.matrix.size == 0 or around.exact:
        # A corner is critical itself, and so is a point at which the field is exactly 0, alone or
        # one of many.
        return Nearby(True, False, float(around.gap), 0.0)
    basis = scipy.linalg.block_diag(*on_face.bases)
    values = np.linalg.svd(on_face.matrix, compute_uv=False)
    off = lambda one: float(np.linalg.norm(basis.T @ one @ basis - on_face.flat, 2))
    finite = lambda rows: bool(np.isfinite(rows).all())
    change = change_far = np.inf
    if finite(around.near) and finite(around.left_over):
        change = MARGIN * max(*map(off, around.near), float(around.left_over.max()))
    if finite(around.far):
        change_far = MARGIN * max(map(off, around.far))
    smallest = float(values[-1]) - noise
    inverse = 1 / smallest if smallest > 0 else np.inf
    found = nearby(
        inverse,
        values[0] + noise,
        around.field,
        around.residual,
        change,
        change_far,
        around.radius,
        around.reach,
    )
    return found._replace(radius=found.radius + float(around.gap))


def _on_cone(hessian: Matrix, noise: float, face: FaceNumbers) -> Extreme:
    weak, uncertain = face.weak.astype(int), face.uncertain > 0
    value, lower, yes, no, vector = curvature_on_cone(
        hessian, noise, face.free, face.normals, float(face.curvature), weak, uncertain
    )
    return Extreme(value, lower, Proof(yes, no), vector)


def _smallest(matrix: Matrix, noise: float, basis: np.ndarray) -> Extreme:
    """The smallest eigenvalue of a symmetric matrix on a basis."""
    if matrix.size == 0:
        return Extreme(np.inf, np.inf, Proof(True, False), np.zeros(len(basis)))
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    value, lower = values[0], values[0] - noise
    return Extreme(value, lower, Proof(lower > 0, value + noise < 0), basis @ vectors[:, 0])


def _schur(on_face: JacobianOnFaces, turned: bool, noise: float, inner: Extreme) -> Extreme:
    """The smallest eigenvalue of a Schur complement; NaN unless the other block is positive.

    It is x's, or y's if `turned`. Blocks that are off by `noise` move it by at most
    noise (1 + |B|) (1 + |C|), to first order, and by a second order that the smallest eigenvalue of
    the inner block bounds.
    """
    x, y = np.split(np.arange(len(on_face.matrix)), [on_face.size_x])
    own, other = (y, x) if turned else (x, y)
    basis = on_face.bases[int(turned)]
    if not inner.positive.yes:
        return Extreme(np.nan, np.nan, OPEN, np.full(len(basis), np.nan))
    block = lambda rows, columns: on_face.matrix[np.ix_(rows, columns)]
    a, b, c, d = block(own, own), block(own, other), block(other, own), block(other, other)
    if not (a.size and d.size):
        return _smallest(a, noise, basis)
    left, right = np.linalg.solve(d.T, b.T).T, np.linalg.solve(d, c)
    norm = lambda m: 1 + float(np.linalg.norm(m, 2))
    moved = noise * norm(left) * norm(right) * (1 + noise / float(inner.lower))
    return _smallest(a - b @ right, moved, basis)


def _flow(matrix: Matrix, noise: float) -> tuple[Left, Proof, Proof]:
    """The leftmost eigenvalue; whether there are some on either side; whether one is 0."""
    if matrix.size == 0:
        return (
            Left(np.inf, np.inf, 1.0, 0.0, Proof(True, False)),
            Proof(False, True),
            Proof(False, True),
        )
    all_right, one_left, one_right, all_left = sides(matrix, noise)
    values, conditions, _ = conditioned_eigenvalues(matrix)
    errors = conditions * noise
    lower = np.min(np.real(values) - errors)
    left = Left(values[0], lower, conditions[0], errors[0], Proof(all_right, one_left))
    smallest = float(np.linalg.svd(matrix, compute_uv=False)[-1])
    # Of a matrix that is noise altogether nothing is said.
    told = noise <= SINGULAR * float(np.linalg.norm(matrix, 2))
    singular = Proof(smallest <= noise and told, smallest > noise)
    return left, Proof(one_left and one_right, all_right or all_left), singular


def _timescale(on_face: JacobianOnFaces, noise: float, left: Left) -> tuple[float, float]:
    """Bounds of the ratio of speeds from which on the point attracts.

    With one player held, all ratios do or none.
    """
    if on_face.size_x in (0, len(on_face.matrix)):
        return (np.inf if left.positive.no else 0.0), (0.0 if left.positive.yes else np.inf)
    found = timescale_threshold(on_face.matrix, on_face.size_x, noise)
    return found.lower, found.upper


def _max_step(on_face: JacobianOnFaces, left: Left) -> float:
    r"""$\min 2\,\mathrm{Re}\lambda / |\lambda|^2$; 0 unless all real parts are proved positive.

    Infinite at a corner; NaN on a curved face, where rounds are other maps.
    """
    if on_face.matrix.size == 0:
        return np.inf
    if on_face.curvatures.any():
        return np.nan
    if not left.positive.yes:
        return 0.0
    values = np.linalg.eigvals(on_face.matrix)
    # Not over the square, which may underflow.
    return float(np.min(2 * np.real(values) / np.abs(values) / np.abs(values)))
