"""Best answers in turn: expectation maximisation, Lloyd's algorithm, alternating least squares."""

from collections.abc import Callable

import equinox as eqx

from gameopt._checks import check_callable
from gameopt._games.base import AbstractGame, replace
from gameopt._keys import again
from gameopt._solvers.base import AbstractMemorylessSolver, RoundInfo, round_info
from gameopt._trees import check_players
from gameopt._types import Key, Player, Players, Strategy

Answer = Callable[[AbstractGame, Players, Key], Strategy]
"""`(game, players, key) -> strategy`: a player's best strategy against the other's."""


def _check_answers(answers: Players[Answer, Answer]) -> Players[Answer, Answer]:
    check_players(answers, "answers")
    check_callable("answers.x", answers.x)
    check_callable("answers.y", answers.y)
    return answers


class BestAnswers(AbstractMemorylessSolver):
    r"""With y first: $y^+ = \arg\min_y L_y(x, y)$, then $x^+ = \arg\min_x L_x(x, y^+)$.

    - `answers`: for each player, its best answer: `(game, players, key) -> strategy`.
    - `order`: who answers first.

    In an identical-interest game no round raises the loss, and a fixed point is a Nash equilibrium.
    With an encoder y and a decoder x it is expectation maximisation; with assignments and centres,
    Lloyd's algorithm; with two factors of a matrix, alternating least squares. No gradients; one
    evaluation of the losses for each answer.

    !!! cite "Source"

        Neal & Hinton (1998), "A view of the EM algorithm that justifies incremental, sparse, and
        other variants", in Learning in Graphical Models; Monderer & Shapley (1996), Potential
        games, Games and Economic Behavior 14.
    """

    answers: Players[Answer, Answer] = eqx.field(converter=_check_answers)
    order: tuple[Player, Player] = ("y", "x")

    needs_two = True

    def __check_init__(self):
        if sorted(map(str, self.order)) != ["x", "y"]:
            raise ValueError(f"order must be ('x', 'y') or ('y', 'x'), got {self.order}.")

    def step(
        self, game: AbstractGame, players: Players, state: None, key: Key = None
    ) -> tuple[Players, None, RoundInfo]:
        losses = {}
        for player in self.order:
            losses[player] = getattr(game.losses(players, again(key)), player)
            answer = getattr(self.answers, player)(game, players, again(key))
            players = game.project(replace(players, player, answer))
        return players, state, round_info(Players(losses["x"], losses["y"]), 0)
