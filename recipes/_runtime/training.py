"""The training loop of the recipes: compiled chunks, and what happens between them."""

import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from tqdm import tqdm

import gameopt as go
from recipes._runtime.chunk import Chunk, ChunkedPlay, Record
from recipes._runtime.errors import UserError
from recipes._runtime.progress import says
from recipes._runtime.run import RunFolder
from recipes._runtime.signals import asked, raise_if_asked, signals_ask

Evaluate = Callable[[go.Players, int], dict[str, Any]]
Probe = Callable[[go.Players, int], dict[str, Any] | None]
SECONDS = 1.0
"""Length of a chunk: the time that a signal waits at most, and that the bar stands still."""
FASTER = 8
"""A chunk has at most so many times the rounds of the one before, until the rate is known."""


def no_probe(players: go.Players, round: int) -> None:
    """A probe that says nothing."""
    del players, round


def record_losses(now: go.Moment) -> dict[str, jax.Array]:
    """A training line of metrics.jsonl: losses, and the game's own metrics apart."""
    metrics = now.game.metrics(now.players, now.key)
    losses = {"loss_x": now.info.losses.x, "loss_y": now.info.losses.y}
    # An absent player has none.
    present = {name: loss for name, loss in losses.items() if loss is not None}
    return {"round": now.round, **present, **metrics}


def train(
    folder: RunFolder,
    game: go.AbstractGame,
    solver: go.AbstractSolver,
    players: go.Players,
    key: PRNGKeyArray,
    evaluate: Evaluate,
    *,
    steps: int,
    eval_every: int,
    log_every: int,
    shown: dict[str, str],
    probe: Probe = no_probe,
    record: Record = record_losses,
    may_diverge: bool = False,
    draw_at: Sequence[int] = (),
) -> tuple[go.Players, float]:
    """Play to round `steps`, in chunks of about a second, all by one compiled program.

    Between two chunks, and nowhere else, the host works: it appends the records to metrics.jsonl,
    and at multiples of `eval_every`, and at the end, writes a checkpoint and calls `evaluate`. A
    checkpoint comes before its evaluation, and the first before any round. So a run goes on to the
    same bits wherever it was cut off, also by a signal, which has a checkpoint written where it is.

    **Arguments:**

    - `evaluate`: `(players, round) -> numbers`, of players as the solver evaluates them; draws its
      pictures itself.
    - `log_every`: rounds between two training lines, at most `eval_every` and `steps`.
    - `shown`: which of its numbers the progress bar shows, and by what name.
    - `probe`: called after an evaluation; what it returns is a line of its own.
    - `record`: what a training line holds.
    - `draw_at`: rounds between evaluations in which `evaluate` is called for its pictures alone.
    - `may_diverge`: go on although players are not finite: of many, some may be.

    **Returns:** the players at the end, as the solver evaluates them, and rounds per second without
    compilation and evaluation.

    **Raises:** `UserError` if the players, or what the solver remembers, stop being finite, unless
    they may; the checkpoints before that are kept. `Stopped` after a signal.
    """
    state, round = solver.init(game, players, key), 0
    play = ChunkedPlay(
        game, solver, state, key, record,
        every=min(log_every, eval_every, steps), longest=eval_every, may_diverge=may_diverge,
    )  # fmt: skip
    players, state, round = _begin(folder, players, state)
    is_due = lambda round: round % eval_every == 0 or round == steps
    evaluated = (line for line in folder.read_metrics() if line["kind"] == "eval")
    if is_due(round) and not any(line.get("round") == round for line in evaluated):
        with says("evaluating"):
            _look(folder, evaluate, probe, solver.evaluate(players, state), round)
    if round < steps:
        with says("compiling"):
            play(players, state, round, 0)
    pace, said = _Pace(), False
    with tqdm(total=steps, initial=round, unit=" rounds", mininterval=0, smoothing=0.5) as bar:
        while round < steps:
            goal = min((round // eval_every + 1) * eval_every, steps)
            with signals_ask():
                while round < goal:
                    stop = min((r for r in draw_at if round < r < goal), default=goal)
                    begin, length = time.perf_counter(), min(pace.rounds, stop - round)
                    chunk = play(players, state, round, min(length, play.longest))
                    pace.took(chunk.round - round, time.perf_counter() - begin)
                    bar.update(chunk.round - round)
                    players, state, round = chunk.players, chunk.state, chunk.round
                    folder.append_metrics(chunk.records)
                    if any(chunk.first_bad) and not may_diverge:
                        raise _not_finite(chunk)
                    if any(chunk.first_bad) and not said:
                        said = True
                        first = min(filter(None, chunk.first_bad))
                        print(f"in round {first} some plays became inf or nan", file=sys.stderr)
                    if round in draw_at and round < goal:
                        evaluate(solver.evaluate(players, state), round)
                    if asked() or round == goal:
                        folder.save_checkpoint(round, (players, state))
                    raise_if_asked()
            with says("evaluating", bar):
                now = solver.evaluate(players, state)
                measured = _look(folder, evaluate, probe, now, round)
            numbers = {label: f"{np.mean(measured[name]):.4g}" for name, label in shown.items()}
            bar.set_postfix(numbers)
    return solver.evaluate(players, state), pace.rate


class _Pace:
    """The number of rounds that take `SECONDS`, from those that have been played."""

    def __init__(self):
        self.rounds = 1
        self._played, self._seconds = 0, 0.0

    def took(self, rounds: int, seconds: float) -> None:
        """Notes a chunk."""
        self._played += rounds
        self._seconds += seconds
        wanted = int(SECONDS * rounds / max(seconds, 1e-9))
        self.rounds = max(1, min(wanted, FASTER * self.rounds))

    @property
    def rate(self) -> float:
        """Rounds per second, over all chunks; NaN if there was none."""
        return self._played / self._seconds if self._seconds else float("nan")


def _begin(folder: RunFolder, players: go.Players, state: Any) -> tuple[go.Players, Any, int]:
    """The players and state to begin with, and their round, of which there is a checkpoint."""
    if not folder.resumed or not folder.has_checkpoints():
        folder.cut_metrics(-1)
        folder.save_checkpoint(0, (players, state))
        return players, state, 0
    (players, state), round, skipped = folder.load_checkpoint((players, state))
    for line in skipped:
        print(line, file=sys.stderr)
    folder.cut_metrics(round)
    print(f"resumed at round {round}", file=sys.stderr)
    return players, state, round


def _look(folder: RunFolder, evaluate: Evaluate, probe, players, round: int) -> dict[str, Any]:
    """Evaluates and probes the players of a round, and returns the evaluation's numbers."""
    measured = evaluate(players, round)
    probed = probe(players, round)
    line = {"kind": "eval", "round": round, **measured}
    # At once: a run that was cut off has both or none of them.
    folder.append_metrics([line] if probed is None else [line, probed])
    return measured


def _not_finite(chunk: Chunk) -> UserError:
    """The error that names what is not finite, and its first round."""
    x, y, _ = chunk.first_bad
    kept = "The checkpoints before it are kept."
    if x or y:
        who = " and ".join(name for name, bad in (("x", x), ("y", y)) if bad)
        return UserError(
            f"training became inf or nan in round {chunk.round}: player {who}; lower the learning "
            f"rates. {kept}"
        )
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(chunk.state, eqx.is_inexact_array))
    wrong = [path for path, leaf in leaves if not np.isfinite(np.asarray(leaf)).all()]
    return UserError(
        f"what the solver remembers became inf or nan in round {chunk.round} ({len(wrong)} arrays, "
        f"such as state{jax.tree_util.keystr(wrong[-1])}), which stops players that are finite; "
        f"lower the learning rates or the weights of penalties. {kept}"
    )
