"""Modified flows, and solvers laid over them."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from gameopt._checks import Integer, check_choice, check_count
from gameopt._dynamics.flow import Flow, Integrator, flow, integrate
from gameopt._games.base import AbstractGame, check_strategies
from gameopt._games.derivatives import jvp
from gameopt._keys import again
from gameopt._loops import record_players, rollout
from gameopt._solvers.alternating import Alternating, check_inner_steps
from gameopt._solvers.simultaneous import Simultaneous
from gameopt._trees import per_player, playable, tree_scale, tree_weighted
from gameopt._types import Key, Player, Players, Real

Play = Literal["simultaneous", "alternating"]
ONE_EACH = Players(1, 1)


def modified_flow(
    game: AbstractGame,
    players: Players,
    rounds: Real,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
    save_at: Float[Array, " t"] | None = None,
    integrator: Integrator | None = None,
) -> Flow:
    """The flow that gradient play with finite steps follows to third order; time is in rounds.

    See `modified_field` for the equation; the arguments are those of it and of `flow`.
    """
    check_strategies(game, players)
    inner_steps = check_inner_steps(inner_steps)
    velocity = _Modified(game, key, per_player(learning_rate), play, order, inner_steps)
    return integrate(velocity, players, rounds, save_at, None, integrator)


class _Modified(eqx.Module):
    game: AbstractGame
    key: Key
    learning_rate: Players
    play: Play = eqx.field(static=True)
    order: tuple[Player, Player] = eqx.field(static=True)
    inner_steps: Players[int, int] = eqx.field(static=True)

    def __call__(self, t: Any, played: Players, rest: Players) -> Players:
        del t
        return modified_field(
            self.game,
            eqx.combine(played, rest),
            self.key,
            learning_rate=self.learning_rate,
            play=self.play,
            order=self.order,
            inner_steps=self.inner_steps,
        )


def modified_field(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
) -> Players:
    r"""The velocity a round whose flow is one round of gradient play up to $O(\eta^3)$.

    With the parts $a = (-\eta_x\nabla_x L_x, 0)$ and $b = (0, -\eta_y\nabla_y L_y)$, each the field
    of one player's moves, and $w = a + b$:

    - simultaneous: $w - \tfrac12 Dw\,w$;
    - alternating, x first, $n_x$ and $n_y$ inner steps: $n_x a + n_y b - \tfrac12(n_x Da\,a +
      n_y Db\,b) + \tfrac12 n_x n_y(Db\,a - Da\,b)$; the last bracket changes sign if y is first.
      At $n_x = n_y = 1$ this is simultaneous play's with the sign of $Db\,a$, through which y sees
      x, reversed.

    **Arguments:**

    - `learning_rate`: $\eta$, a number or a `Players`. `play`: both at once or in turn.
    - `order`, `inner_steps`: of alternating play.

    !!! cite "Source"

        Rosca, Wu, Dherin & Barrett (2021), arXiv:2105.13922, theorems 3.1 and 3.2; with inner steps
        by the Baker-Campbell-Hausdorff formula for the two players' maps.
    """
    check_choice("play", play, ("simultaneous", "alternating"))
    if play == "simultaneous" and (inner_steps.x, inner_steps.y) != (1, 1):
        raise ValueError("simultaneous play has no inner steps: leave inner_steps out.")
    check_strategies(game, players)
    inner_steps = check_inner_steps(inner_steps)
    rates = per_player(learning_rate)
    field = playable(game.losses_and_field(players, again(key))[1])
    zero = jax.tree.map(jnp.zeros_like, field)
    part = {
        "x": Players(tree_scale(-rates.x, field.x), zero.y),
        "y": Players(zero.x, tree_scale(-rates.y, field.y)),
    }
    steps = {"x": inner_steps.x, "y": inner_steps.y}

    def change(along: Players) -> dict[str, Players]:
        """The changes of both parts along a direction: $Da\\,v$ and $Db\\,v$."""
        moved = playable(jvp(game, players, along, key))
        return {
            "x": Players(tree_scale(-rates.x, moved.x), zero.y),
            "y": Players(zero.x, tree_scale(-rates.y, moved.y)),
        }

    by = {name: change(part[name]) for name in ("x", "y")}
    first, second = order if play == "alternating" else ("x", "y")
    n, m = steps[first], steps[second]
    # Weights of (part that changes, part along which).
    terms = [(-n / 2, first, first), (-m / 2, second, second), (-n * m / 2, first, second)]
    terms.append((n * m / 2 if play == "alternating" else -n * m / 2, second, first))
    velocity = tree_weighted((steps["x"], part["x"]), (steps["y"], part["y"]))
    corrections = [(weight, by[along][changing]) for weight, changing, along in terms]
    return tree_weighted((1, velocity), *corrections)


class Overlay(eqx.Module):
    """Three trajectories from one start, at the same rounds.

    - `rounds`: shape `(n + 1,)`, from 0. `iterates`: of gradient play. `flow`: of the field at the
      solver's rates. `modified`: of the corrected field. Each with a first axis of rounds.
    """

    rounds: Float[Array, " n"]
    iterates: Players
    flow: Players
    modified: Players


def overlay(
    game: AbstractGame,
    players: Players,
    rounds: Integer,
    key: Key = None,
    *,
    learning_rate: Players[Real, Real] | Real,
    play: Play = "simultaneous",
    order: tuple[Player, Player] = ("x", "y"),
    inner_steps: Players[int, int] = ONE_EACH,
    integrator: Integrator | None = None,
) -> Overlay:
    """Gradient play, the game's flow and the modified flow from one start, at the same rounds.

    **Arguments:** those of `modified_flow`. The game is deterministic, or held at one sample: `key`
    is used for every round.
    """
    check_strategies(game, players)
    rounds, inner_steps = check_count("rounds", rounds), check_inner_steps(inner_steps)
    rates, settings = per_player(learning_rate), (play, order, inner_steps)
    return _overlay(game, players, rounds, key, rates, *settings, integrator)


@eqx.filter_jit
def _overlay(
    game, players, rounds: int, key, rates, play, order, inner_steps, integrator
) -> Overlay:
    optimizers = Players(optax.sgd(rates.x), optax.sgd(rates.y))
    if play == "simultaneous":
        solver = Simultaneous(optimizers)
    else:
        solver = Alternating(optimizers, order=order, inner_steps=inner_steps)
    path = rollout(game, solver, players, rounds, key=key, record=record_players).records
    first = playable(players)
    iterates = jax.tree.map(lambda z, p: jnp.concatenate([z[None], p]), first, path)
    dtype = jax.tree.leaves(first)[0].dtype
    times = jnp.arange(rounds + 1).astype(dtype)
    # In a round each player moves as often as its inner steps say.
    moves = Players(rates.x * inner_steps.x, rates.y * inner_steps.y)
    plain = flow(game, players, rounds, key, rates=moves, save_at=times, integrator=integrator)
    modified = modified_flow(
        game,
        players,
        rounds,
        key,
        learning_rate=rates,
        play=play,
        order=order,
        inner_steps=inner_steps,
        save_at=times,
        integrator=integrator,
    )
    return Overlay(times, iterates, plain.players, modified.players)
