"""The moving averages of a critic's scores that a LeCam penalty is anchored at."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from gameopt._games.base import AbstractGame
from gameopt._gans.gan import AbstractGAN
from gameopt._gans.regularisers import anchors_of, with_anchors
from gameopt._keys import again
from gameopt._solvers.base import AbstractSolver, RoundInfo
from gameopt._trees import float_array
from gameopt._types import Key, Players


class LeCamState(eqx.Module):
    """The solver's own state, the averages of the scores of data and of generated points before
    the correction of their bias, shape `(2,)`, and how many rounds are in them."""

    solver_state: Any
    average: Float[Array, "2"]
    count: Int[Array, ""]


class Anchored(AbstractSolver[LeCamState]):
    r"""Play as `solver` does, with the anchors of the game's `LeCamPenalty` kept up to date.

    - `solver`: any solver of the joint strategy.
    - `decay`: $\beta$ of $m^+ = \beta m + (1 - \beta)\bar s$, with $\bar s$ the mean scores of the
      batch that the round's key stands for, by the critic after the round, and $m = 0$ at first.

    After $t$ rounds the anchors are $m/(1 - \beta^t)$, means with weights that add up to 1; in the
    first round they are the game's own. Costs the solver's round and one batch of scores more.
    `anchored` gives the game of a state, for records: the losses of `RoundInfo` are of that game.

    !!! cite "Source"

        Tseng et al. (2021), arXiv:2104.03310, section 3; the correction is that of Adam.
    """

    solver: AbstractSolver
    decay: Float[Array, ""] = eqx.field(converter=float_array, default=0.99)

    @property
    def no_single_rate(self) -> str:
        return "the newest scores weigh less in the anchors with every round that is in them"

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> LeCamState:
        gan = _anchored_gan(game)
        state = self.solver.init(game, players, key)
        return LeCamState(state, jnp.zeros_like(anchors_of(gan)[0]), jnp.zeros((), jnp.int32))

    def step(
        self, game: AbstractGame, players: Players, state: LeCamState, key: Key = None
    ) -> tuple[Players, LeCamState, RoundInfo]:
        now = self.anchored(game, state)
        players, inner, info = self.solver.step(now, players, state.solver_state, key)
        gan, old = _anchored_gan(game), state.average
        scores = gan.scores_on(players, gan.draw(again(key)))
        means = jnp.stack([jnp.mean(kind.astype(old.dtype)) for kind in scores])
        decay = self.decay.astype(old.dtype)
        average = decay * old + (1 - decay) * means
        return players, LeCamState(inner, average, state.count + 1), info

    def anchored(self, game: AbstractGame, state: LeCamState) -> AbstractGame:
        """The game with the anchors of this state."""
        own = anchors_of(game)[0]
        begun = state.count > 0
        kept = self.decay.astype(own.dtype) ** state.count.astype(own.dtype)
        mean = state.average / jnp.where(begun, 1 - kept, 1)
        return with_anchors(game, jnp.where(begun, mean, own))

    def evaluate(self, players: Players, state: LeCamState) -> Players:
        return self.solver.evaluate(players, state.solver_state)


def _anchored_gan(game: AbstractGame) -> AbstractGAN:
    """The GAN of a game, wrapped or not, that has anchors."""
    is_gan = lambda node: isinstance(node, AbstractGAN)
    nodes = jax.tree.leaves(game, is_leaf=is_gan)
    gans = [node for node in nodes if isinstance(node, AbstractGAN) and anchors_of(node)]
    if len(gans) != 1:
        raise ValueError(
            f"Anchored keeps the anchors of one GAN with a LeCamPenalty, and {type(game).__name__} "
            f"has {len(gans)} of them. Give a GAN penalty=LeCamPenalty(weight), or play by the "
            "inner solver alone."
        )
    return gans[0]
