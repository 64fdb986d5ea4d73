"""Adversarial training as a zero-sum game, and rounds that see a few of its images."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

import gameopt as go
from recipes._adversarial.attacks import Norm, PerturbationBall, cross_entropy, steepest


class AdversarialGame(go.ZeroSumGame):
    r"""$V(x, y) = \frac1n\sum_i \mathrm{CE}(x(p_i + y_i), c_i)$, with every $y_i$ in its ball.

    x is a classifier, y an array of one perturbation for each image. Since every $y_i$ has a term
    of its own, $\max_y V(x, y)$ is the mean of the worst losses: the robust risk that x minimises.

    - `points`: $p_i$ in [0, 1], shape `(n, *shape)`. `labels`: $c_i$, shape `(n,)`.
    - `ball`: where each $y_i$ may be.
    """

    points: Float[Array, "n *shape"]
    labels: Int[Array, " n"]
    ball: PerturbationBall

    def value(self, players: go.Players, key: go.Key = None) -> Float[Array, ""]:
        del key
        logits = jax.vmap(players.x)(self.points + players.y)
        return jnp.mean(jax.vmap(cross_entropy)(logits, self.labels))

    def project(self, players: go.Players) -> go.Players:
        return go.Players(players.x, self.ball.project(players.y, self.points))

    def window(self, rows: Int[Array, " m"]) -> "AdversarialGame":
        """The same game on these images alone."""
        data = lambda game: (game.points, game.labels)
        return eqx.tree_at(data, self, (self.points[rows], self.labels[rows]))


class Windows(go.AbstractSolver[Any]):
    """A solver whose every round is played on a window: some images, and their perturbations.

    All steps of the round, the classifier's and the adversary's, see the same window. The
    perturbations outside of it have no gradient and stay where they are, and nothing is spent on
    them.

    - `solver`: plays the round. The adversary's optimizer must keep no state, because the next
      window is of other images.
    - `size`: images in a window.
    - `restart`: the window's perturbations begin the round at random places of their balls
      instead of where an earlier round left them.
    """

    solver: go.AbstractSolver
    size: int
    restart: bool = False

    def init(self, game: go.AbstractGame, players: go.Players, key: go.Key = None) -> Any:
        assert isinstance(game, AdversarialGame)
        rows = jnp.arange(self.size)
        return self.solver.init(game.window(rows), _window(players, rows), key)

    def step(
        self, game: go.AbstractGame, players: go.Players, state: Any, key: go.Key = None
    ) -> tuple[go.Players, Any, go.RoundInfo]:
        assert isinstance(game, AdversarialGame)
        assert key is not None
        key_rows, key_start, key_play = jax.random.split(key, 3)
        rows = distinct_rows(key_rows, len(game.points), self.size)
        seen, window = game.window(rows), _window(players, rows)
        if self.restart:
            window = go.Players(window.x, game.ball.sample(key_start, seen.points))
        window, state, info = self.solver.step(seen, window, state, key_play)
        return go.Players(window.x, players.y.at[rows].set(window.y)), state, info


def _window(players: go.Players, rows: Int[Array, " m"]) -> go.Players:
    return go.Players(players.x, players.y[rows])


def distinct_rows(key: PRNGKeyArray, n: int, size: int) -> Int[Array, " size"]:
    """`size` different rows of n, each row as likely as any other.

    One of each of `size` strata, all turned by one random offset: a permutation would cost a sort
    of n numbers a round.
    """
    key_within, key_offset = jax.random.split(key)
    length = n // size
    within = jax.random.randint(key_within, (size,), 0, length)
    offset = jax.random.randint(key_offset, (), 0, n)
    return (jnp.arange(size, dtype=within.dtype) * length + within + offset) % n


def steepest_steps(norm: Norm, length: float) -> optax.GradientTransformation:
    """Steps of one length for every image, down the gradient of the adversary's own loss.

    In `linf` it is sign descent, in `l2` each image's gradient is normalised by itself.
    """
    if norm == "linf":
        return optax.sign_sgd(length)
    return optax.stateless(
        lambda updates, params: jax.tree.map(lambda g: -length * steepest(norm, g), updates)
    )


class WindowPlan(NamedTuple):
    """The solver of a window, its gradients a round, and whether y begins it anew."""

    solver: go.AbstractSolver
    gradients: int
    restart: bool = False


def _inner_steps(optimizers: go.Players, k: int, restart: bool) -> WindowPlan:
    solver = go.Alternating(optimizers, order=("y", "x"), inner_steps=go.Players(1, k))
    return WindowPlan(solver, k + 1, restart)


PLANS: dict[str, Callable[[go.Players, int, bool], WindowPlan]] = {
    "none": lambda optimizers, k, restart: WindowPlan(
        go.Alternating(go.Players(optimizers.x, None)), 1
    ),
    "simultaneous": lambda optimizers, k, restart: WindowPlan(go.Simultaneous(optimizers), 2),
    "alternating": lambda optimizers, k, restart: WindowPlan(
        go.Alternating(optimizers, order=("y", "x")), 2
    ),
    "inner_steps": _inner_steps,
}
"""By the name of the flag: optimizers, inner steps and restart to a plan."""
