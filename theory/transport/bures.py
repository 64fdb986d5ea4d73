r"""Bures distance between covariances and the joint spectrum behind it, with safe derivatives.

With $R_x, R_y$ the symmetric roots of $\Sigma_x, \Sigma_y$ and $R_yR_x = USV^\top$, the eigenvalues
of $\Sigma_x\Sigma_y$ are $S^2$. Differentiating through eigenvectors divides by differences of
eigenvalues, which is NaN wherever two are equal. The functions here need no such division:

- $d(S^2)_i = u_i^\top R_y\,d\Sigma_x\,R_yu_i + v_i^\top R_x\,d\Sigma_y\,R_xv_i$, right in every sum
  over equal eigenvalues, and
- $d\operatorname{tr}S = \tfrac12\operatorname{tr}(T_x\,d\Sigma_x + T_y\,d\Sigma_y)$ with
  $T_x = R_yUS^+U^\top R_y$ and $T_y = R_xVS^+V^\top R_x$, the optimal maps between the Gaussians.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from theory._numeric import Scalar, all_numbers, nan_unless


class _Joint(NamedTuple):
    root_x: Float[Array, "d d"]
    root_y: Float[Array, "d d"]
    left: Float[Array, "d d"]
    values: Float[Array, " d"]
    right: Float[Array, "d d"]  # its columns are right singular vectors


def _joint(cov_x: Float[Array, "d d"], cov_y: Float[Array, "d d"]) -> _Joint:
    root_x, root_y = _symmetric_root(cov_x), _symmetric_root(cov_y)
    left, values, right = jnp.linalg.svd(root_y @ root_x)
    return _Joint(root_x, root_y, left, values, right.T)


def _symmetric_root(matrix: Float[Array, "d d"]) -> Float[Array, "d d"]:
    values, vectors = jnp.linalg.eigh(matrix)
    # The root of an eigenvalue that is rounding only would be noise of half the digits.
    noise = len(matrix) * jnp.finfo(values.dtype).eps * jnp.max(jnp.abs(values))
    kept = jnp.where(values <= noise, 0, values)
    root = (vectors * jnp.sqrt(kept)[None, :]) @ vectors.T
    return nan_unless(all_numbers(matrix), root)  # LAPACK may return numbers for NaN


@jax.custom_jvp
def joint_spectrum(cov_x: Float[Array, "d d"], cov_y: Float[Array, "d d"]) -> Float[Array, " d"]:
    r"""Eigenvalues of $\Sigma_x\Sigma_y$, largest first; differentiable in symmetric functions."""
    return _joint(cov_x, cov_y).values ** 2


@joint_spectrum.defjvp
def _joint_spectrum_jvp(primals, tangents):
    joint, (of_x, of_y) = _joint(*primals), tangents
    from_x, from_y = joint.root_y @ joint.left, joint.root_x @ joint.right
    change = jnp.sum(from_x * (of_x @ from_x), axis=0) + jnp.sum(from_y * (of_y @ from_y), axis=0)
    return joint.values**2, change


@jax.custom_jvp
def bures_squared(cov_x: Float[Array, "d d"], cov_y: Float[Array, "d d"]) -> Scalar:
    r"""$\operatorname{tr}(\Sigma_x + \Sigma_y - 2(\Sigma_x^{1/2}\Sigma_y\Sigma_x^{1/2})^{1/2})$."""
    joint = _joint(cov_x, cov_y)
    return jnp.sum((joint.root_x - joint.root_y @ joint.left @ joint.right.T) ** 2)


@bures_squared.defjvp
def _bures_squared_jvp(primals, tangents):
    joint, (of_x, of_y) = _joint(*primals), tangents
    inverse = _pseudo_inverse(joint.values)
    scale = lambda maps: maps * jnp.sqrt(inverse)[None, :]
    to_y, to_x = scale(joint.root_y @ joint.left), scale(joint.root_x @ joint.right)
    fidelity = 0.5 * (jnp.sum(to_y * (of_x @ to_y)) + jnp.sum(to_x * (of_y @ to_x)))
    return bures_squared(*primals), jnp.trace(of_x) + jnp.trace(of_y) - 2 * fidelity


def _pseudo_inverse(values: Float[Array, " k"]) -> Float[Array, " k"]:
    noise = values.size * jnp.finfo(values.dtype).eps * jnp.max(values)
    empty = values <= noise
    return jnp.where(empty, 0, 1 / jnp.where(empty, 1, values))


@jax.custom_jvp
def bures_squared_of_factors(x: Float[Array, "n d"], y: Float[Array, "m d"]) -> Scalar:
    r"""`bures_squared` of $\Sigma_x = x^\top x$ and $\Sigma_y = y^\top y$, which are never formed.

    $\|x\|_F^2 + \|y\|_F^2 - 2\|xy^\top\|_*$, through triangular factors: fewer rows than columns
    leave exact zeros and no roots of rounding errors.
    """
    _, (upper_x, upper_y) = _triangular(x, y)
    left, _, right = jnp.linalg.svd(upper_x @ upper_y.T)
    squared = jnp.sum((upper_x - left @ right @ upper_y) ** 2)
    return nan_unless(all_numbers(x, y), squared)


def _triangular(
    x: Float[Array, "n d"], y: Float[Array, "m d"]
) -> tuple[list[Float[Array, "_ _"]], list[Float[Array, "r d"]]]:
    """The triangular factors of thin QRs, padded with zeros to the same number of rows."""
    orthogonal, upper = zip(*(jnp.linalg.qr(factor) for factor in (x, y)), strict=True)
    rows = max(len(u) for u in upper)
    fill = lambda u: jnp.pad(u, [(0, rows - len(u)), (0, 0)])
    return list(orthogonal), [fill(u) for u in upper]


@bures_squared_of_factors.defjvp
def _bures_squared_of_factors_jvp(primals, tangents):
    (x, y), (of_x, of_y) = primals, tangents
    (basis_x, basis_y), (upper_x, upper_y) = _triangular(x, y)
    left, values, right = jnp.linalg.svd(upper_x @ upper_y.T)
    kept = (values > values.size * jnp.finfo(values.dtype).eps * jnp.max(values)).astype(x.dtype)
    polar = (left * kept[None, :]) @ right
    toward_y = basis_x @ (polar @ upper_y)[: basis_x.shape[1]]
    toward_x = basis_y @ (polar.T @ upper_x)[: basis_y.shape[1]]
    change = jnp.sum(of_x * (x - toward_y)) + jnp.sum(of_y * (y - toward_x))
    return bures_squared_of_factors(x, y), 2 * change
