"""The path-angle: the field along the line to a point."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float

from gameopt._arithmetic import divisor
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._keys import again
from gameopt._trees import (
    float_array,
    tree_axpy,
    tree_dot,
    tree_norm,
    tree_subtract,
)
from gameopt._types import Key, Players, Real, Scalar


class PathAngle(eqx.Module):
    r"""The field along $z_\alpha = z_0 + \alpha (z_1 - z_0)$, at `alphas` of shape `(k,)`.

    - `cosine`: $c(\alpha) = \langle\xi(z_\alpha), z_1 - z_0\rangle / (\|\xi\| \|z_1 - z_0\|)$,
      shape `(k,)`; 0 where the field is 0, or rounding beside its largest value on the line, NaN
      where it is not finite.
    - `field_norm`: $\|\xi(z_\alpha)\|$, shape `(k,)`.
    - `own_cosine`, `own_field_norm`: the same of each player's own components alone; `None` of an
      absent one.
    - `switch`: the $\alpha$ nearest 1 where $c$ goes from negative to positive; infinite if none.
    - `bump`: how far $c$, within the window around 1, leaves the interval between its values at
      the window's two ends: from 0 to 2, negative if it leaves it downward. Both are NaN if a
      cosine is.
    """

    alphas: Float[Array, " k"]
    cosine: Float[Array, " k"]
    field_norm: Float[Array, " k"]
    own_cosine: Players[Float[Array, " k"], Any]
    own_field_norm: Players[Float[Array, " k"], Any]
    switch: Scalar
    bump: Scalar


def path_angle(
    game: AbstractGame,
    start: Players,
    end: Players,
    key: Key = None,
    *,
    alphas: Float[ArrayLike, " k"] | Sequence[float] | None = None,
    window: Real = 0.2,
) -> PathAngle:
    r"""The angle between the field and the line from one point to another, and beyond it.

    $\xi$ is the gradient, and play goes along $-\xi$. So $c < 0$ before 1 and $c > 0$ after it
    says that play is drawn to the end from both sides: a switch from negative to positive is
    attraction, one from positive to negative repulsion. Rotation is a bump of one sign around 1.
    Near an equilibrium $z^\star$ with $J = aI + bR$, $R$ the quarter turn, $c = \cos(\varphi +
    \psi)$, $\varphi$ being the angle from the line to $z_\alpha - z^\star$, which sweeps half a
    turn, and $\psi = \arg(a + ib)$: without rotation a switch and no bump, without attraction a
    bump of 1 and no switch, else a switch and a bump of $1 - \cos\psi$.

    The bump is as wide as the line passes the equilibrium by: a line right through it has none,
    and shows rotation as a $|c| = \cos\psi$ below 1 instead. An end that training has led to
    passes it by, but wants `alphas` close enough to see it.

    **Arguments:**

    - `start`, `end`: $z_0$ and $z_1$; leaves that are not played are those of `start`.
    - `key`: the sample of a stochastic game, held fixed on the whole line.
    - `alphas`: shape `(k,)` with `k >= 3`; ascending, from -0.25 to 1.25 in steps of 0.01
      by default. One field at a time is in memory.
    - `window`: the bump is sought for $|\alpha - 1|$ up to it.

    **Raises:** `ValueError` for fewer than three alphas, such that do not ascend, or a player with
    nothing to play.

    !!! cite "Source"

        Berard et al. (2020), arXiv:1906.04848, section 4: path-norm and path-angle.
    """
    check_strategies(game, start)
    check_strategies(game, end)
    alphas = float_array(np.linspace(-0.25, 1.25, 151) if alphas is None else alphas)
    _check(alphas)
    return _path_angle(game, start, end, key, alphas, float_array(window))


def _check(alphas: Array) -> None:
    if alphas.ndim != 1 or alphas.size < 3:
        raise ValueError(f"alphas must be of shape (k,) with k >= 3, got {alphas.shape}.")
    if not isinstance(alphas, Tracer) and not (np.diff(jax.device_get(alphas)) > 0).all():
        raise ValueError("alphas must ascend.")


@eqx.filter_jit
def _path_angle(game, start, end, key, alphas, window) -> PathAngle:
    line = tree_subtract(end, start)

    def look(alpha):
        xi = game.losses_and_field(tree_axpy(alpha, line, start), again(key))[1]
        parts = {name: (getattr(xi, name), getattr(line, name)) for name in game.player_names}
        own = {name: (tree_dot(*part), tree_norm(part[0])) for name, part in parts.items()}
        return own, tree_dot(xi, line), tree_norm(xi)

    own, dots, norms = jax.lax.map(look, alphas)
    both = _cosine(dots, norms, tree_norm(line))
    lengths = {name: tree_norm(getattr(line, name)) for name in own}
    cosines = {name: _cosine(dot, norm, lengths[name]) for name, (dot, norm) in own.items()}
    alphas, window = alphas.astype(both.dtype), window.astype(both.dtype)
    # The inner product, not the cosine, is linear in alpha on a quadratic game.
    switch = _switch(alphas, jnp.where(both == 0, 0, dots))
    bump = _bump(both, jnp.abs(alphas - 1) <= window * (1 + 1e-6))
    known = jnp.all(~jnp.isnan(both))
    switch, bump = (jnp.where(known, number, jnp.nan) for number in (switch, bump))
    pair = lambda entries: Players(entries["x"], entries.get("y"))
    own_norms = {name: norm for name, (_, norm) in own.items()}
    return PathAngle(alphas, both, norms, pair(cosines), pair(own_norms), switch, bump)


def _cosine(dots: Array, norms: Array, length: Array) -> Float[Array, " k"]:
    # Of a field that is rounding, and of an inner product that is, the sign means nothing.
    rounding = 64 * float(jnp.finfo(norms.dtype).eps)
    blank = norms <= rounding * jnp.nanmax(jnp.where(jnp.isfinite(norms), norms, 0))
    # Divided one after the other: their product may overflow.
    cosine = dots / jnp.where(blank, 1, norms) / divisor(length)
    return jnp.where(blank | (length == 0) | (jnp.abs(cosine) <= rounding), 0, cosine)


def _switch(alphas: Float[Array, " k"], dots: Float[Array, " k"]) -> Scalar:
    here, there = dots[:-1], dots[1:]
    # A zero at an alpha itself is a switch if the next one is positive.
    beyond = jnp.where(there == 0, jnp.append(dots[2:], 0), there)
    switches = (here < 0) & (beyond > 0)
    share = jnp.where(switches, here / jnp.where(switches, here - there, 1), 0)
    where = jnp.where(switches, alphas[:-1] + share * jnp.diff(alphas), jnp.inf)
    return where[jnp.argmin(jnp.abs(where - 1))]


def _bump(cosine: Float[Array, " k"], inside: Array) -> Scalar:
    first = cosine[jnp.argmax(inside)]
    last = cosine[cosine.size - 1 - jnp.argmax(inside[::-1])]
    above = jnp.max(jnp.where(inside, cosine, -2)) - jnp.maximum(first, last)
    below = jnp.minimum(first, last) - jnp.min(jnp.where(inside, cosine, 2))
    bump = jnp.where(below > above, -below, above)
    return jnp.where(jnp.any(inside), bump, 0)
