"""The training loop of the recipes: jitted chunks, and what happens between them."""

import sys
import time
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PRNGKeyArray
from tqdm import tqdm

import gameopt as go
from recipes._runtime.errors import UserError
from recipes._runtime.run import RunFolder
from recipes._runtime.signals import stop_if_asked

Evaluate = Callable[[go.Players, int], dict[str, Any]]
Probe = Callable[[go.Players, int], dict[str, Any] | None]
Record = Callable[[go.Moment], dict[str, jax.Array]]


def no_probe(players: go.Players, round: int) -> None:
    """A probe that says nothing."""
    del players, round


def record_losses(now: go.Moment) -> dict[str, jax.Array]:
    """What a training line of metrics.jsonl holds: losses, and the game's own metrics apart."""
    metrics = now.game.metrics(now.players, now.key)
    return {
        "round": now.round,
        "loss_x": now.info.losses.x,
        "loss_y": now.info.losses.y,
        **metrics,
    }


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
) -> tuple[go.Players, float]:
    """Plays to round `steps`, in chunks of `eval_every` rounds.

    Between two chunks, and nowhere else, the host works: it appends the records to metrics.jsonl,
    calls `evaluate`, and writes a checkpoint. A run has at most two lengths of chunk and so at most
    two compilations. In a resumed folder it goes on from the last sound checkpoint.

    **Arguments:**

    - `evaluate`: `(players, round) -> numbers`, of players as the solver evaluates them; draws its
      pictures itself.
    - `shown`: which of its numbers the progress bar shows, and by what name.
    - `probe`: called after an evaluation; what it returns is a line of its own.
    - `record`: what a training line holds.
    - `may_diverge`: go on although players are not finite: of many, some may be.

    **Returns:** the players at the end, as the solver evaluates them, and rounds per second without
    compilation and evaluation.

    **Raises:** `UserError` if the players, or what the solver remembers, stop being finite, unless
    they may; the checkpoints before that are kept.
    """
    state, start = solver.init(game, players, key), 0
    at_first, said = set(_not_finite(state)), False
    if folder.resumed:
        (players, state), start, skipped = folder.load_checkpoint((players, state))
        for line in skipped:
            print(line, file=sys.stderr)
        folder.cut_metrics(start)
        print(f"resumed at round {start}", file=sys.stderr)
        evaluated = (line for line in folder.read_metrics() if line["kind"] == "eval")
        if not any(line.get("round") == start for line in evaluated):
            _look(folder, evaluate, probe, solver.evaluate(players, state), start)
    else:
        _look(folder, evaluate, probe, solver.evaluate(players, state), 0)
    speeds: list[tuple[int, float]] = []
    with tqdm(total=steps, initial=start, unit=" rounds", mininterval=0, smoothing=0.5) as bar:
        while start < steps:
            length = min(eval_every, steps - start)
            begin = time.perf_counter()
            last = go.rollout(
                game,
                solver,
                players,
                length,
                key=key,
                state=state,
                start=start,
                record=record,
                every=min(log_every, length),
            )
            players, state = last.players, last.state
            jax.block_until_ready(eqx.filter(players, eqx.is_array))
            speeds.append((length, time.perf_counter() - begin))
            start += length
            folder.append_metrics(_lines(last.records))
            if not may_diverge:
                _check_finite(players, start)
                _check_state(state, at_first, start)
            elif not said and [*_not_finite(players), *(set(_not_finite(state)) - at_first)]:
                said = True
                print(f"before round {start} some of the plays became inf or nan", file=sys.stderr)
            measured = _look(folder, evaluate, probe, solver.evaluate(players, state), start)
            folder.save_checkpoint(start, (players, state))
            numbers = {label: f"{np.mean(measured[name]):.4g}" for name, label in shown.items()}
            bar.set_postfix(numbers, refresh=False)
            bar.update(length)
            stop_if_asked()
    # The first chunk compiled; where there is no other, it has to do.
    timed = speeds[1:] or speeds
    rate = sum(n for n, _ in timed) / sum(s for _, s in timed) if timed else float("nan")
    return solver.evaluate(players, state), rate


def _look(folder: RunFolder, evaluate: Evaluate, probe, players, round: int) -> dict[str, Any]:
    """Evaluates and probes the players of a round, and returns the evaluation's numbers."""
    measured = evaluate(players, round)
    folder.append_metrics([{"kind": "eval", "round": round, **measured}])
    probed = probe(players, round)
    folder.append_metrics([] if probed is None else [probed])
    return measured


def _lines(records: dict[str, jax.Array]) -> list[dict[str, Any]]:
    columns = {name: np.asarray(values).tolist() for name, values in records.items()}
    rows = zip(*columns.values(), strict=True)
    return [{"kind": "train", **dict(zip(columns, row, strict=True))} for row in rows]


def _not_finite(tree: Any) -> list[str]:
    """The paths of the arrays with entries that are inf or nan."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_inexact_array))
    found = [path for path, leaf in leaves if not np.isfinite(np.asarray(leaf)).all()]
    return [jax.tree_util.keystr(path) for path in found]


def _check_finite(players: go.Players, round: int) -> None:
    if _not_finite(go.playable(players)):
        raise UserError(
            f"training became inf or nan before round {round}; lower the learning rates. "
            "The checkpoints before it are kept."
        )


def _check_state(state: Any, at_first: set[str], round: int) -> None:
    """Steps of an optimizer whose moments overflow are 0 or nan, though the players are finite."""
    wrong = [path for path in _not_finite(state) if path not in at_first]
    if wrong:
        raise UserError(
            f"what the solver remembers became inf or nan before round {round} ({len(wrong)} "
            f"arrays, such as state{wrong[0]}), which stops players that are finite; lower the "
            "learning rates or the weights of penalties. The checkpoints before it are kept."
        )
