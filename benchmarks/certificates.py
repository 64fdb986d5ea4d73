"""Certificates against 60-digit arithmetic: wrong verdicts, and the share of inconclusive ones.

    PYTHONPATH=. python benchmarks/certificates.py --games 20000     # wrong verdicts, by kind
    PYTHONPATH=. python benchmarks/certificates.py --power 1000      # inconclusive, by row

Games and the definition of a wrong verdict: tests/gameopt/equilibria/adversary.py; each is judged
by dense matrices and by Krylov spaces. Exact critical points are found in processes of their own.
Planted honest games, one kind for each row of the table: `_honest_games.py`.
"""

import argparse
import collections
import itertools
import multiprocessing
import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
from _honest_games import ROWS, inconclusive_share

from tests.gameopt.equilibria.adversary import SHAPES, Method, classify_all, wrong
from tests.gameopt.equilibria.draws import Shape, solved

METHODS: tuple[Method, ...] = ("dense", "krylov")
BATCH = 100
"""Cases in one call, and of one task."""


def _solve(shape: Shape, seeds: range):
    return [solved(shape, seed) for seed in seeds]


def _tasks(games: int, seed: int) -> list[tuple[Shape, range]]:
    each = -(-games // len(SHAPES))
    batches = range(seed, seed + each, BATCH)
    return [(s, range(b, min(b + BATCH, seed + each))) for s in SHAPES for b in batches]


def count_wrong(games: int, seed: int, workers: int) -> collections.Counter:
    """The number of wrong verdicts by method, field and word; the first case of each is printed."""
    tasks, counts, said = _tasks(games, seed), collections.Counter(), collections.Counter()
    spawn = multiprocessing.get_context("spawn")
    begin = time.perf_counter()
    with ProcessPoolExecutor(workers, spawn) as pool:
        solved_batches = pool.map(_solve, *zip(*tasks, strict=True))
        for (shape, seeds), truths in zip(tasks, solved_batches, strict=True):
            for method in METHODS:
                reports = classify_all([truth.case for truth in truths], method)
                for number, report, truth in zip(seeds, reports, truths, strict=True):
                    for field in wrong(report, truth):
                        kind = (method, field, report.words.get(field, "yes"))
                        if not counts[kind]:
                            print(f"first {kind}: {shape}, seed {number}", flush=True)
                        counts[kind] += 1
                    said.update(("games", method, word) for word in report.words.values())
    seconds = time.perf_counter() - begin
    total = sum(said.values())
    print(
        f"{len(METHODS)} x {sum(len(s) for _, s in tasks)} games in {seconds:.0f} s; {total} words"
    )
    return counts


def table(rows: Iterable[Iterable[object]], head: Iterable[str]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *map(list, rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Print the tables that the flags ask for."""
    flags = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    flags.add_argument("--games", type=int, default=0, help="adversarial games")
    flags.add_argument("--power", type=int, default=0, help="honest games of each kind")
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--workers", type=int, default=os.cpu_count())
    args = flags.parse_args()
    jax.config.update("jax_enable_x64", True)
    # Programs are compiled for a few hundred calls each.
    jax.config.update("jax_disable_most_optimizations", True)
    if args.games:
        counts = count_wrong(args.games, args.seed, args.workers)
        rows = [(*kind, number) for kind, number in sorted(counts.items())]
        print(table(rows, ("method", "verdict", "said", "wrong")))
        print(f"wrong confident verdicts: {sum(counts.values())}")
    if args.power:
        head = ("row", "games", "method", "verdicts", "inconclusive", "wrong")
        rows = []
        for row, method in itertools.product(ROWS, METHODS):
            found = inconclusive_share(row, method, args.power, args.seed)
            rows.append((row.number, row.name, method, *found))
            print(f"row {row.number}, {method}: {found}", flush=True)
        print(table(rows, head))


if __name__ == "__main__":
    main()
