"""Anchored extragradient: every round pulled back towards the start, ever more weakly."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from gameopt._games.base import AbstractGame, check_strategies
from gameopt._keys import again
from gameopt._solvers.base import AbstractSolver, RoundInfo, descend_plainly, round_info
from gameopt._trees import per_player, playable, tree_axpy, tree_subtract
from gameopt._types import Key, Players, Scalar


class AnchoredState(eqx.Module):
    """The start of play, and the number of rounds since."""

    anchor: Players
    count: Int[Array, ""]


class AnchoredExtragradient(AbstractSolver[AnchoredState]):
    r"""With $\beta_t = 1/(t + 2)$ and $t = 0, 1, \dots$ (EAG-C, a Halpern iteration):

    $z^{1/2} = z + \beta_t(z_0 - z) - \eta\,\xi(z)$, then
    $z^+ = z + \beta_t(z_0 - z) - \eta\,\xi(z^{1/2})$.

    - `learning_rate`: $\eta$, a number or a `Players`.

    Four gradients a round. On a convex-concave game without sets, whose field has the Lipschitz
    constant $R$ and vanishes at $z^\star$, with $a = \eta R$ so small that $1 - 8a + a^2 - 2a^3 \ge
    0$ ($a = 1/8$ is), for the *last* iterate

    $$\|\xi(z_t)\|^2 \le \frac{4(1 + a + a^2)}{1 + a}\,
    \frac{\|z_0 - z^\star\|^2}{\eta^2 (t + 1)^2},$$

    which is at most $260R^2\|z_0 - z^\star\|^2/(t + 1)^2$ at $\eta = 1/(8R)$, and grows as
    $1/\eta^2$ for smaller steps. No method has a better order.

    !!! cite "Source"

        Yoon & Ryu (2021), arXiv:2102.07922, on EAG with a constant step (EAG-C).
    """

    learning_rate: Players[Scalar, Scalar] = eqx.field(converter=per_player)

    @property
    def no_single_rate(self) -> str:
        return "the pull towards the anchor is 1/(t + 2), which changes every round"

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> AnchoredState:
        del key
        check_strategies(game, players)
        return AnchoredState(playable(players), jnp.zeros((), jnp.int32))

    def step(
        self, game: AbstractGame, players: Players, state: AnchoredState, key: Key = None
    ) -> tuple[Players, AnchoredState, RoundInfo]:
        dtype = jax.tree.leaves(playable(players))[0].dtype
        pull = 1 / (state.count + 2).astype(dtype)
        anchored = tree_axpy(pull, tree_subtract(state.anchor, players), players)
        _, field = game.losses_and_field(players, key)
        ahead = descend_plainly(game, self.learning_rate, field, anchored)
        losses, field = game.losses_and_field(ahead, again(key))
        new = descend_plainly(game, self.learning_rate, field, anchored)
        return new, AnchoredState(state.anchor, state.count + 1), round_info(losses, 4)
