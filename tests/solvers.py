"""Every solver, by name: one line here, and it inherits the tests of the protocol."""

from collections.abc import Callable

import jax.numpy as jnp
import optax

import gameopt as go


def both(make: Callable, eta_x, eta_y=None) -> go.Players:
    """One optimizer per player, of the same kind."""
    return go.Players(make(eta_x), make(eta_x if eta_y is None else eta_y))


ALL_SOLVERS: dict[str, Callable[[float], go.AbstractSolver]] = {
    "simultaneous": lambda eta: go.Simultaneous(both(optax.sgd, eta)),
    "simultaneous_adam": lambda eta: go.Simultaneous(both(optax.adam, eta)),
    "alternating": lambda eta: go.Alternating(both(optax.sgd, eta)),
    "alternating_y_first": lambda eta: go.Alternating(both(optax.sgd, eta), order=("y", "x")),
    "alternating_inner_steps": lambda eta: go.Alternating(
        both(optax.sgd, eta), order=("y", "x"), inner_steps=go.Players(2, 3)
    ),
    "alternating_adam": lambda eta: go.Alternating(both(optax.adam, eta)),
}


def point(x, y) -> go.Players:
    """A joint strategy of two arrays."""
    return go.Players(jnp.asarray(x), jnp.asarray(y))
