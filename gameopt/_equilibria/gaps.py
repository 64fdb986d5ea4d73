"""Gains from best answers: duality gap and exploitability."""

from typing import Any, Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool

from gameopt._checks import Integer, check_choice, check_count
from gameopt._games.base import (
    AbstractGame,
    check_game,
    check_strategies,
    player_loss_and_gradient,
    replace,
)
from gameopt._keys import again
from gameopt._solvers.base import Known, as_optimizers, descend
from gameopt._trees import all_finite, any_nan, playable, split_played, strong
from gameopt._types import Key, Losses, Player, Players, Scalar, Strategy

Optimizer = optax.GradientTransformation
Method = Literal["auto", "exact", "ascent"]

_ADAM = optax.adam(1e-2)


class Gap(eqx.Module):
    """The gains of the players from answering each other.

    Zero at a Nash equilibrium, and only there if `exact`.

    - `total`: the sum of `gains`; never below zero, and never nan.
    - `gains`: each player's loss, less the least that it can make of it alone. Infinite where that
      is unbounded, and where the loss is not finite to begin with, or a
      strategy is nan.
    - `exact`: whether the gains are those of best answers; else they are of the best answers that
      were found, and each is a lower bound.
    - `nonfinite`: whether a player's search met a loss, gradient or strategy that is inf or nan,
      and stopped there: a bound is then that of the steps before; lower the learning rate. Loss
      minus infinity is a gain of infinity.
    - `answers`: the `Players` that gain it; `None` if exact, where a best answer need not exist.
    """

    total: Scalar
    gains: Losses
    nonfinite: Players[Bool[Array, ""], Bool[Array, ""] | None]
    answers: Any
    exact: bool = eqx.field(static=True)


def exploitability(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    optimizer: Players[Optimizer, Optimizer] | Optimizer = _ADAM,
    steps: Integer = 1000,
    method: Method = "auto",
) -> Gap:
    r"""$\sum_p L_p(z) - \min_{z_p'} L_p(z_p', z_{-p})$: what the best answers gain, in sum.

    Exact on games that know their `best_answer_gains`. On others each player descends its own
    loss for `steps` steps from `players`, on the game's sets, while the other waits, and the best
    point of all counts: a lower bound, never below zero and never falling as `steps` grow.

    **Arguments:**

    - `players`: moved to the nearest point of the game's sets first.
    - `key`: the sample of a stochastic game, held fixed: an answer to one sample gains more than
      one to all of them, and the gap of the game itself is that of `over(game, keys)`.
    - `optimizer`: for both, or one each; make it once, because another one is another program.
      Adam with rate 0.01 by default.
    - `steps`: the budget, in gradients of each player's loss.
    - `method`: `exact` insists on a closed form, `ascent` on the search; `auto` prefers the former.

    **Returns:** a `Gap`, in units of the losses.

    **Raises:** `ValueError` if `steps` is no integer or negative, for a player with nothing to
    play, or if `exact` is asked of a game that is not; `TypeError` for what is no game, or no
    optimizer.

    !!! cite "Source"

        Nikaido & Isoda (1955), Note on non-cooperative convex games.
    """
    check_choice("method", method, ("auto", "exact", "ascent"))
    steps = check_count("steps", steps)
    optimizers = optimizer if isinstance(optimizer, Players) else Players(optimizer, optimizer)
    as_optimizers(optimizers, "optimizer")
    check_strategies(game, players)
    if any(getattr(optimizers, name) is None for name in game.player_names):
        raise ValueError("exploitability needs an optimizer for each player: both search.")
    return _gap(game, players, key, optimizers, steps, method)


def duality_gap(
    game: AbstractGame,
    players: Players,
    key: Key = None,
    *,
    optimizer: Players[Optimizer, Optimizer] | Optimizer = _ADAM,
    steps: Integer = 1000,
    method: Method = "auto",
) -> Gap:
    r"""$\max_{y'} V(x, y') - \min_{x'} V(x', y)$ of a zero-sum game: its `exploitability`.

    On $V = \frac\mu2 x^2 + sxy - \frac\mu2 y^2$ it is $\frac12(\mu + s^2/\mu)(x^2 + y^2)$. The
    arguments, and what is returned, are those of `exploitability`.

    **Raises:** as `exploitability`; and `ValueError` if the game is not zero-sum.
    """
    check_game(game)
    if not game.is_zero_sum:
        raise ValueError(
            f"duality_gap needs a zero-sum game, and {type(game).__name__} does not say that it is "
            "one. Of general-sum games, take the exploitability."
        )
    return exploitability(game, players, key, optimizer=optimizer, steps=steps, method=method)


@eqx.filter_jit
def _gap(game, players, key, optimizers, steps: int, method: Method) -> Gap:
    players = game.project(players)
    known = None if method == "ascent" else game.best_answer_gains(players)
    if known is not None:
        broken = any_nan(players)
        # Of a strategy that is nan, a best answer may still look like nothing gained.
        known = jax.tree.map(lambda gain: jnp.where(broken, jnp.inf, gain), known)
        return _report(known, Players(broken, broken), None, exact=True)
    if method == "exact":
        raise ValueError(
            f"{type(game).__name__} has no best_answer_gains in closed form. Use method='ascent'."
        )
    x = _search(game, players, "x", key, optimizers.x, steps)
    if "y" not in game.player_names:
        absent = lambda entry: Players(entry, None)
        return _report(absent(x.gain), absent(x.nonfinite), absent(x.answer), False)
    y = _search(game, players, "y", key, optimizers.y, steps)
    gains = Players(x.gain, y.gain)
    return _report(gains, Players(x.nonfinite, y.nonfinite), Players(x.answer, y.answer), False)


def _report(gains: Players, nonfinite: Players, answers: Players | None, exact: bool) -> Gap:
    """Rounding below zero is zero, and where not even a difference is defined there is no bound."""
    clean = lambda gain: jnp.where(jnp.isnan(gain), jnp.inf, jnp.maximum(gain, 0))
    gains = jax.tree.map(clean, gains)
    total = gains.x if gains.y is None else gains.x + gains.y.astype(gains.x.dtype)
    return Gap(total, gains, nonfinite, answers, exact)


class _Found(NamedTuple):
    gain: Scalar
    nonfinite: Bool[Array, ""]
    answer: Strategy


class _Search(NamedTuple):
    """State of a search: strategy, best so far, and a flag for going on; played leaves only."""

    strategy: Strategy
    state: optax.OptState
    best: Strategy
    least: Scalar
    going: Bool[Array, ""]


def _search(game, players: Players, player: Player, key, optimizer, steps: int) -> _Found:
    """Descend one player's loss, the other waiting, and keep the best point of all."""
    played, rest = split_played(getattr(players, player))
    joint = lambda strategy: replace(players, player, eqx.combine(strategy, rest))
    evaluate = lambda strategy: player_loss_and_gradient(game, joint(strategy), player, again(key))

    def one_step(now: _Search, _):
        loss, gradient = evaluate(now.strategy)
        now = _keep_better(now, loss)
        known = Known(loss, lambda own: evaluate(own)[0])
        moved, state = descend(optimizer, playable(gradient), now.state, now.strategy, known)
        moved = playable(getattr(game.project(joint(moved)), player))
        going = now.going & all_finite(gradient) & all_finite(moved)
        take = lambda new, old: jnp.where(going, new, old) if eqx.is_array(new) else new
        strategy, state = jax.tree.map(take, (moved, state), (now.strategy, now.state))
        return _Search(strategy, state, now.best, now.least, going), None

    played = strong(played)
    first = evaluate(played)[0]
    first = jnp.where(any_nan(players), jnp.nan, first)
    state = strong(optimizer.init(played))
    start = _Search(played, state, played, first, jnp.isfinite(first))
    end, _ = jax.lax.scan(one_step, start, length=steps)
    end = _keep_better(end, evaluate(end.strategy)[0])
    gain = jnp.where(jnp.isfinite(first), first - end.least, jnp.inf)
    return _Found(gain, ~end.going, eqx.combine(end.best, rest))


def _keep_better(now: _Search, loss: Scalar) -> _Search:
    better = now.going & (loss < now.least)
    best = jax.tree.map(lambda new, old: jnp.where(better, new, old), now.strategy, now.best)
    least = jnp.where(better, loss, now.least)
    return _Search(now.strategy, now.state, best, least, now.going & jnp.isfinite(loss))
