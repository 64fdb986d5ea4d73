"""A solver written outside of the repository, from public names alone, as CONTRIBUTING.md says."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go


class Delayed(go.AbstractSolver[Any]):
    r"""Gradient play with stale gradients: $z^+ = z - \eta\,\xi(z^-)$, $z^-$ of a round before.

    - `optimizers`: one per player; `None` freezes a player.

    Two gradients a round. On a bilinear game, per singular value s, the rates are the roots of
    $\lambda^2 - \lambda + i\eta s$.
    """

    optimizers: go.Optimizers

    def init(self, game: go.AbstractGame, players: go.Players, key: go.Key = None) -> Any:
        return go.init_optimizers(self.optimizers, players), go.field(game, players, key)

    def step(
        self, game: go.AbstractGame, players: go.Players, state: Any, key: go.Key = None
    ) -> tuple[go.Players, Any, go.RoundInfo]:
        memory, stale = state
        losses, field = game.losses_and_field(players, key)
        x, memory_x = go.descend(self.optimizers.x, stale.x, memory.x, players.x)
        y, memory_y = go.descend(self.optimizers.y, stale.y, memory.y, players.y)
        new = game.project(go.Players(x, y))
        return new, (go.Players(memory_x, memory_y), field), go.round_info(losses, gradients=2)


ETA, S = 0.2, 1.5
GAME = go.Bilinear(jnp.asarray([[S]]))
SOLVER = Delayed(go.Players(optax.sgd(ETA), optax.sgd(ETA)))
START = go.Players(jnp.asarray([1.0]), jnp.asarray([0.5]))


def test_its_rate_is_the_closed_form():
    """The largest root of l^2 - l +- i eta s; one mode, to rounding."""
    roots = np.abs(np.roots([1, -1, 1j * ETA * S]))
    zero = jax.tree.map(jnp.zeros_like, START)
    np.testing.assert_allclose(
        go.local_rate(GAME, SOLVER, zero).spectral_radius, roots.max(), rtol=1e-12
    )


@pytest.mark.parametrize("wrap", [lambda s: s, go.Averaged, lambda s: go.Lookahead(s, steps=2)])
def test_the_librarys_loops_and_wrappers_take_it(wrap):
    """Rounds cut in two are the rounds of one; a frozen player stays; Adam keeps its state."""
    for optimizers in (SOLVER.optimizers, go.Players(optax.adam(0.1), optax.adam(0.1))):
        solver = wrap(Delayed(optimizers))
        whole = go.rollout(GAME, solver, START, 6)
        half = go.rollout(GAME, solver, START, 2)
        rest = go.rollout(GAME, solver, half.players, 4, state=half.state, start=half.round)
        assert eqx.tree_equal(whole.players, rest.players)
        assert whole.records.gradients[0] in (2, 4)
    frozen = go.rollout(GAME, Delayed(go.Players(optax.sgd(ETA), None)), START, 3).players
    assert eqx.tree_equal(frozen.y, START.y)


def test_sets_and_mixed_precision():
    """Half precision stays so, and a box is kept to."""
    half = jax.tree.map(lambda a: a.astype(jnp.float16), START)
    game = go.Bilinear(jnp.asarray([[S]], jnp.float16))
    last = go.rollout(go.constrained(game, x=go.Box(-0.9, 0.9)), SOLVER, half, 3)
    assert last.players.x.dtype == jnp.float16
    assert abs(float(last.players.x[0])) <= 0.9
