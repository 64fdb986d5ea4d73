"""Every solver, by name: one line here, and it inherits the tests of the protocol."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
import pytest

import gameopt as go
from recipes._runtime.solvers import FINITE_SUM_SOLVERS, SOLVERS


def both(make: Callable, eta_x, eta_y=None) -> go.Players:
    """One optimizer per player, of the same kind."""
    return go.Players(make(eta_x), make(eta_x if eta_y is None else eta_y))


def sgd(eta) -> go.Players:
    """Plain gradient steps for both."""
    return both(optax.sgd, eta)


def heavy_ball(eta, beta) -> go.Players:
    """Momentum, of either sign."""
    return both(lambda rate: optax.sgd(rate, momentum=beta), eta)


def _cases(solvers: dict[str, Callable[[float], go.AbstractSolver]]) -> list:
    seen, cases = set(), []
    for name, make in solvers.items():
        kind = type(make(0.1))
        cases.append(pytest.param(name, marks=pytest.mark.slow if kind in seen else ()))
        seen.add(kind)
    return cases


ALL_SOLVERS: dict[str, Callable[[float], go.AbstractSolver]] = {
    **SOLVERS,
    **FINITE_SUM_SOLVERS,
    # Settings that no recipe offers: the name of what they vary comes first.
    "simultaneous_adam": lambda eta: go.Simultaneous(both(optax.adam, eta)),
    "simultaneous_negative_momentum": lambda eta: go.Simultaneous(heavy_ball(eta, -0.3)),
    "alternating_y_first": lambda eta: go.Alternating(sgd(eta), order=("y", "x")),
    "alternating_inner_steps": lambda eta: go.Alternating(
        sgd(eta), order=("y", "x"), inner_steps=go.Players(2, 3)
    ),
    "extragradient_cross": lambda eta: go.Extragradient(sgd(eta), variant="cross"),
    "extragradient_fresh": lambda eta: go.Extragradient(sgd(eta), sample="fresh"),
    "extragradient_two_steps": lambda eta: go.Extragradient(sgd(eta), extrapolation=sgd(2 * eta)),
    "extra_adam_separate": lambda eta: go.Extragradient(both(optax.adam, eta), memory="separate"),
    "extra_adam_untouched": lambda eta: go.Extragradient(both(optax.adam, eta), memory="untouched"),
    "optimistic_zero": lambda eta: go.Optimistic(sgd(eta), first="zero"),
    "optimistic_adam_update": lambda eta: go.Optimistic(both(optax.adam, eta), on="update"),
    "lookahead_nested": lambda eta: go.Lookahead(
        go.Lookahead(go.Alternating(sgd(eta)), steps=2), steps=3
    ),
    "lookahead_adam_reset": lambda eta: go.Lookahead(
        go.Alternating(both(optax.adam, eta)), steps=3, memory="reset"
    ),
    "ema_of_x": lambda eta: go.Averaged(go.Alternating(sgd(eta)), decay=go.Players(0.9, 0.0)),
    "euler": lambda eta: go.RungeKutta(eta, "euler"),
    "heun": lambda eta: go.RungeKutta(eta, "heun"),
    "rk4": lambda eta: go.RungeKutta(eta),
    "svre_short": lambda eta: go.SVRE(eta, epoch=4),
    "svre_coin": lambda eta: go.SVRE(eta, epoch=4, coin=jax.random.key(7)),
    "unrolled_three": lambda eta: go.Unrolled(sgd(eta), steps=3, unroll_rate=eta),
    "sga_plain": lambda eta: go.SGA(sgd(eta), align=False),
    "lola_foerster": lambda eta: go.LOLA(eta, convention="foerster"),
}
"""Every solver of the recipes' registry under its name there, and further settings."""

SOLVER_CASES = _cases(ALL_SOLVERS)
"""For `parametrize`: one setting of each class of solver, and the others in the slow tests."""

RANDOM = ("svre", "svre_short", "svre_coin")
"""Those that need a key on a deterministic game too."""


def point(x, y) -> go.Players:
    """A joint strategy of two arrays."""
    return go.Players(jnp.asarray(x), jnp.asarray(y))


class EqualTerms(go.AbstractFiniteSumGame):
    """A deterministic game as a finite sum of four equal terms, so that SVRE can play it too."""

    game: go.AbstractGame

    @property
    def size(self) -> int:
        return 4

    @property
    def is_zero_sum(self) -> bool:
        return self.game.is_zero_sum

    @property
    def player_names(self):
        return self.game.player_names

    def draw_indices(self, key):
        assert key is not None
        return jax.random.randint(key, (1,), 0, 4)

    def losses_at(self, players, indices, key=None):
        del indices
        return self.game.losses(players, key)

    def losses(self, players, key=None):
        return self.game.losses(players, key)

    def losses_and_field(self, players, key=None):
        return self.game.losses_and_field(players, key)

    def project(self, players):
        return self.game.project(players)

    def sets(self, players):
        return self.game.sets(players)
