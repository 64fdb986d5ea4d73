"""Extragradient: look ahead, and move by the gradient seen there."""

from typing import Any, Literal

import equinox as eqx
import optax

from gameopt._checks import check_choice
from gameopt._games.base import AbstractGame, player_loss_and_gradient
from gameopt._keys import again, split_key
from gameopt._solvers.base import (
    AbstractSolver,
    Optimizers,
    RoundInfo,
    as_optimizers,
    count_moving,
    descend_both,
    init_optimizers,
    optional_optimizers,
    round_info,
)
from gameopt._types import Key, Players, Real


class Extragradient(AbstractSolver[Players[Any, Any]]):
    r"""$z^{1/2} = z - \gamma\,\xi(z)$, then $z^+ = z - \eta\,\xi(z^{1/2})$.

    - `optimizers`: of the update; `None` freezes a player.
    - `extrapolation`: of the look ahead, for $\gamma \ne \eta$; that of `optimizers` by
      default.
    - `variant`: `korpelevich` takes both gradients at $z^{1/2}$; `cross` takes each player's at its
      own current and the other's extrapolated strategy, which is another method except on
      bilinear games.
    - `sample`: whether the update sees the `same` sample as the look ahead, or a `fresh` one.
    - `memory`: what the look ahead does to optimizers with memory. `shared`: it advances the one
      state, so that moments and schedules advance twice a round (ExtraAdam as published);
      `separate`: it has a state of its own; `untouched`: it uses the update's state and leaves it
      as it was.

    Four gradients a round. On a bilinear game, per singular value s, the distance from equilibrium
    is multiplied by $\sqrt{(1 - \eta\gamma s^2)^2 + \eta^2 s^2}$.

    !!! cite "Source"

        Korpelevich (1976); Gidel et al. (2019), arXiv:1802.10551, algorithms 2 and 4 (ExtraSGD and
        ExtraAdam); Hsieh et al. (2020), arXiv:2003.10162 (unequal steps).
    """

    optimizers: Optimizers = eqx.field(converter=as_optimizers)
    extrapolation: Optimizers | None = eqx.field(
        converter=optional_optimizers("extrapolation"), default=None
    )
    variant: Literal["korpelevich", "cross"] = "korpelevich"
    sample: Literal["same", "fresh"] = "same"
    memory: Literal["shared", "separate", "untouched"] = "shared"

    def __check_init__(self):
        check_choice("variant", self.variant, ("korpelevich", "cross"))
        check_choice("sample", self.sample, ("same", "fresh"))
        check_choice("memory", self.memory, ("shared", "separate", "untouched"))
        if self.extrapolation is None:
            return
        for name in ("x", "y"):
            update, ahead = getattr(self.optimizers, name), getattr(self.extrapolation, name)
            if (update is None) != (ahead is None):
                raise ValueError(
                    f"extrapolation.{name} and optimizers.{name} must both be given or both be "
                    "None: a player either moves or is frozen."
                )

    def init(self, game: AbstractGame, players: Players, key: Key = None) -> Players[Any, Any]:
        del game, key
        state = init_optimizers(self.optimizers, players)
        if self.memory != "separate":
            return state
        ahead = init_optimizers(self.extrapolation or self.optimizers, players)
        return Players((state.x, ahead.x), (state.y, ahead.y))

    def step(
        self, game: AbstractGame, players: Players, state: Players[Any, Any], key: Key = None
    ) -> tuple[Players, Players[Any, Any], RoundInfo]:
        keys = [key, again(key)] if self.sample == "same" else split_key(key, 2)
        extrapolation = self.extrapolation or self.optimizers
        separate = self.memory == "separate"
        own = Players(state.x[0], state.y[0]) if separate else state
        used = Players(state.x[1], state.y[1]) if separate else state
        losses, field = game.losses_and_field(players, keys[0])
        ahead, advanced = descend_both(game, extrapolation, field, used, players, losses)
        if self.memory == "shared":
            own = advanced
        losses, field = _field_seen(self.variant, game, players, ahead, keys[1])
        players, own = descend_both(game, self.optimizers, field, own, players, losses)
        info = round_info(losses, 2 * count_moving(self.optimizers))
        if separate:
            own = Players((own.x, advanced.x), (own.y, advanced.y))
        return players, own, info


def _field_seen(variant: str, game: AbstractGame, players: Players, ahead: Players, key: Key):
    if variant == "korpelevich":
        return game.losses_and_field(ahead, key)
    loss_x, grad_x = player_loss_and_gradient(game, Players(players.x, ahead.y), "x", key)
    loss_y, grad_y = player_loss_and_gradient(game, Players(ahead.x, players.y), "y", again(key))
    return Players(loss_x, loss_y), Players(grad_x, grad_y)


def two_timescale_extragradient(learning_rate: Real, timescale: Real) -> Extragradient:
    r"""Extragradient with y the faster by $\tau$: $z^+ = z - \eta\Lambda\,\xi(z -
    \eta\Lambda\,\xi(z))$, $\Lambda = \mathrm{diag}(1/\tau, 1)$.

    **Arguments:**

    - `learning_rate`: $\eta$, that of y. `timescale`: $\tau \ge 1$; x's is $\eta/\tau$.

    !!! cite "Source"

        Chae, Kim & Kim (2023), arXiv:2305.16242, equation 3: for $\tau$ large enough it converges
        to strict local minimax points that are no Nash equilibria.
    """
    return Extragradient(Players(optax.sgd(learning_rate / timescale), optax.sgd(learning_rate)))
