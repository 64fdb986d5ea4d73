"""Strategies as vectors: played leaves, norms, and flattening."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PyTree

from gameopt._arithmetic import square_root
from gameopt._types import Fixed, Players, Real, Scalar, Strategy


def float_array(value: ArrayLike | Sequence[Any]) -> Float[Array, "..."]:
    """A number or array as a floating-point JAX array, of its own dtype if it has one."""
    if isinstance(value, list | tuple) and not any(map(eqx.is_array, jax.tree.leaves(value))):
        value = np.asarray(value)
    # Python's and NumPy's numbers are put there explicitly: no implicit transfer.
    plain = isinstance(value, float | int | np.ndarray | np.generic)
    array = jax.device_put(value) if plain else jnp.asarray(value)
    inexact = jnp.issubdtype(array.dtype, jnp.floating)
    return array if inexact else array.astype(jnp.result_type(float))


def per_player(value: Any) -> Players:
    """A `Players` of float arrays, from one or from a single number for both."""
    if isinstance(value, Players):
        return Players(float_array(value.x), float_array(value.y))
    return Players(float_array(value), float_array(value))


def optional_float_array(value: ArrayLike | None) -> Float[Array, "..."] | None:
    """`float_array`, and `None` of `None`."""
    return None if value is None else float_array(value)


def playable(strategy: Strategy) -> Strategy:
    """The played leaves (inexact arrays outside of `Fixed`), and `None` in place of the others."""
    return split_played(strategy)[0]


def split_played(strategy: Strategy) -> tuple[Strategy, Strategy]:
    """The played leaves, and the others; `eqx.combine` puts them together again."""
    is_fixed = lambda node: isinstance(node, Fixed)
    is_played = lambda node: eqx.is_inexact_array(node) and not is_fixed(node)
    return eqx.partition(strategy, jax.tree.map(is_played, strategy, is_leaf=is_fixed))


def check_players(players: Any, name: str = "players") -> None:
    """Raise a `TypeError` unless this is a pair."""
    if not isinstance(players, Players):
        raise TypeError(
            f"{name} must be a pair, go.Players(x, y), got {type(players).__name__}: give "
            "go.Players(first, second)."
        )


def check_playable(players: Players, names: tuple[str, ...] = ("x", "y")) -> None:
    """Raise a `ValueError` if one of the named players has no number to play.

    A `TypeError` if the players are no pair.
    """
    check_players(players)
    for name in names:
        if getattr(players, name) is None:
            raise ValueError(
                f"players.{name} is None, so that there is nobody to play: give a strategy. Of an "
                "optimisation problem (go.one_player_game) y is None, and go.descent(optimizer) is "
                "a solver."
            )
        leaves = jax.tree.leaves(playable(getattr(players, name)))
        if not leaves:
            raise ValueError(
                f"players.{name} has no floating-point JAX array to play. Wrap its numbers: "
                "jnp.asarray(1.0) instead of 1.0 or of integers."
            )
        if not any(leaf.size for leaf in leaves):
            raise ValueError(
                f"players.{name} has no floating-point JAX array to play but such of size 0. Give "
                "it an entry, or freeze it: None in place of its optimizer."
            )


def check_numbers(players: Players) -> None:
    """`check_playable`, but for a player without any number, such as a function: it is fixed."""
    check_players(players)
    numbers = lambda player: [a for a in jax.tree.leaves(player) if eqx.is_array_like(a)]
    named = tuple(name for name in ("x", "y") if numbers(getattr(players, name)))
    check_playable(players, named or ("x", "y"))


def tree_size(tree: PyTree) -> int:
    """Number of entries of the played leaves of a tree."""
    return sum(leaf.size for leaf in jax.tree.leaves(playable(tree)))


def tree_norm(tree: PyTree) -> Scalar:
    """Euclidean norm over the played leaves of a tree, also where squares would underflow: `()`.

    Differentiable; at 0 the derivative is taken to be 0.
    """
    leaves = jax.tree.leaves(playable(tree))
    # The dtype of the first leaf decides, so that strict promotion holds for mixed trees.
    dtype = leaves[0].dtype if leaves else jnp.result_type(float)
    dtype = jnp.finfo(dtype).dtype
    moduli = [jnp.abs(leaf) for leaf in leaves]
    moduli = [part.astype(jnp.promote_types(part.dtype, dtype)) for part in moduli]
    zero = jnp.zeros((), dtype)
    largest = [jnp.max(part, initial=0).astype(dtype) for part in moduli]
    scale = functools.reduce(jnp.maximum, largest, zero)
    # The norm does not depend on its unit, nor does its derivative.
    scale = jax.lax.stop_gradient(jnp.where((scale > 0) & (scale < jnp.inf), scale, 1))
    squares = [jnp.sum(jnp.square(part / scale.astype(part.dtype))) for part in moduli]
    return scale * square_root(sum((part.astype(dtype) for part in squares), start=zero))


def tree_subtract(left: PyTree, right: PyTree) -> PyTree:
    """`left - right` on the played leaves of two like trees; `None` where `right` has none."""
    left, right = playable(left), playable(right)
    return jax.tree.map(
        lambda l, r: None if r is None else l - r, left, right, is_leaf=lambda leaf: leaf is None
    )


def tree_axpy(scale: Real, x: PyTree, y: PyTree) -> PyTree:
    """`y + scale * x` on the leaves of `x`, in the dtypes of `y`; the rest of `y` stays."""
    add = lambda b, a: b if a is None else b + _cast(scale, b) * _cast(a, b)
    return jax.tree.map(add, y, x, is_leaf=lambda leaf: leaf is None)


def tree_scale(scale: Real, tree: PyTree) -> PyTree:
    """`scale * tree` on the played leaves, each in its own dtype; `None` in place of the others."""
    return jax.tree.map(lambda leaf: _cast(scale, leaf) * leaf, playable(tree))


def tree_weighted(*terms: tuple[Real, PyTree]) -> PyTree:
    """The weighted sum of like trees, given as (weight, tree)."""
    add = lambda *leaves: sum(leaves[1:], start=leaves[0])
    return jax.tree.map(add, *(tree_scale(weight, tree) for weight, tree in terms))


def _cast(value: Any, like: Array) -> Any:
    return value.astype(like.dtype) if eqx.is_array(value) else value


def tree_dot(left: PyTree, right: PyTree) -> Scalar:
    """Inner product of the played leaves of two like trees: shape `()`."""
    left, right = jax.tree.leaves(playable(left)), jax.tree.leaves(playable(right))
    dtype = left[0].dtype if left else jnp.result_type(float)
    products = [jnp.sum(l * r).astype(dtype) for l, r in zip(left, right, strict=True)]
    return sum(products, start=jnp.zeros((), dtype))


def _numbers(tree: PyTree) -> list[Array]:
    """All inexact arrays, played or not."""
    return jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))


def all_finite(tree: PyTree) -> Array:
    """True if every number is finite, carried ones too: shape `()`, boolean."""
    leaves = _numbers(tree)
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in leaves], bool))


def any_nan(tree: PyTree) -> Array:
    """True if there is a NaN, in what is carried too: shape `()`, boolean."""
    leaves = _numbers(tree)
    return jnp.any(jnp.array([jnp.any(jnp.isnan(leaf)) for leaf in leaves], bool))


def stayed_finite(tree: PyTree, begun: PyTree) -> Array:
    """True if every entry that was finite in the beginning still is: shape `()`, boolean.

    Of what solvers remember: some begin with a best value of infinity.
    """
    pairs = zip(_numbers(tree), _numbers(begun), strict=True)
    fine = [jnp.all(jnp.isfinite(new) | ~jnp.isfinite(old)) for new, old in pairs]
    return jnp.all(jnp.array(fine, bool))


def strong(tree: PyTree) -> PyTree:
    """Drop weak types, so that the carry of a scan keeps its type from the first round on."""
    # A typed key has no weak type, and is no number.
    is_number = lambda a: eqx.is_array(a) and not jnp.issubdtype(a.dtype, jax.dtypes.prng_key)
    return jax.tree.map(lambda a: jnp.asarray(a, a.dtype) if is_number(a) else a, tree)


def ravel(players: PyTree) -> tuple[Float[Array, " n"], Callable[[Float[Array, " n"]], Any]]:
    """The played leaves as one vector, x first, and the function that puts a vector back."""
    played, rest = split_played(players)
    vector, unravel = jax.flatten_util.ravel_pytree(played)
    return vector, lambda v: eqx.combine(unravel(v), rest)
