"""The round of each model that is judged: the best on the validation users."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._recommender.game import Decoders
from recipes._runtime import checkpoint
from recipes._runtime.run import RunFolder


class BestRounds:
    """Each model's networks of the round of its largest score, kept in best/ of the run folder.

    - `rounds`: that round, by model. A run that goes on begins with what was found before.
    """

    def __init__(self, folder: RunFolder, players: go.Players):
        self.rounds: dict[str, int] = {}
        self._scores: dict[str, float] = {}
        self._networks = {name: _networks(players, name) for name in players.y}
        self._folder = folder.path / "best"
        for name in self._networks if folder.resumed else ():
            self._read(name, self._folder / name)

    def _read(self, name: str, path: Path) -> None:
        if checkpoint.newest_round(path) is not None:
            like = (jnp.float32(0), self._networks[name])
            (score, networks), self.rounds[name], _ = checkpoint.load(path, like)
            self._networks[name], self._scores[name] = networks, float(score)

    def see(self, name: str, players: go.Players, round: int, score: float) -> None:
        """Keep a model's networks if their score is the largest so far."""
        score = float(np.float32(score))  # as it is kept
        if score > self._scores.get(name, -np.inf):
            self._networks[name] = _networks(players, name)
            self._scores[name], self.rounds[name] = score, round
            tree = (jnp.float32(score), self._networks[name])
            checkpoint.save(self._folder / name, round, tree, keep=1)

    def players(self, last: go.Players) -> go.Players:
        """The players of the last round, but each model's networks of its best."""
        decoders = {name: networks[0] for name, networks in self._networks.items()}
        encoders = {name: networks[1] for name, networks in self._networks.items()}
        return go.Players(Decoders(decoders, last.x.round), encoders)


def _networks(players: go.Players, name: str) -> tuple[Any, Any]:
    """A model's decoder and encoder."""
    return players.x.networks[name], players.y[name]
