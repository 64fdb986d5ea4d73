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

from tests.gameopt.equilibria.adversary import SHAPES, Method, Said, classify_all, wrong
from tests.gameopt.equilibria.data_games import KINDS, classify_data, solved_data
from tests.gameopt.equilibria.draws import Shape, solved
from tests.gameopt.equilibria.exact import Truth

METHODS: tuple[Method, ...] = ("dense", "krylov")
BATCH = 100
"""Cases in one call, and of one task."""


Family = Shape | tuple[str, str]
"""Drawn cases of a shape, or games of data: their kind and their dtype."""

FAMILIES: tuple[Family, ...] = (*SHAPES, *itertools.product(KINDS, ("float64", "float32")))


def _solve(family: Family, seeds: range) -> list[Truth]:
    if isinstance(family, Shape):
        return [solved(family, seed) for seed in seeds]
    return [solved_data(*family, seed) for seed in seeds]


def _said(family: Family, truths: list[Truth], method: Method) -> list[Said]:
    cases = [truth.case for truth in truths]
    if isinstance(family, Shape):
        return classify_all(cases, method)
    return classify_data(cases, family[1], method)


def _tasks(games: int, seed: int) -> list[tuple[Family, range]]:
    each = -(-games // len(FAMILIES))
    batches = range(seed, seed + each, BATCH)
    return [(f, range(b, min(b + BATCH, seed + each))) for f in FAMILIES for b in batches]


def count_wrong(games: int, seed: int, workers: int) -> collections.Counter:
    """The number of wrong verdicts by method, field and word; the first case of each is printed."""
    tasks, counts, words = _tasks(games, seed), collections.Counter(), collections.Counter()
    spawn = multiprocessing.get_context("spawn")
    begin = time.perf_counter()
    with ProcessPoolExecutor(workers, spawn) as pool:
        solved_batches = pool.map(_solve, *zip(*tasks, strict=True))
        last = None
        for (family, seeds), truths in zip(tasks, solved_batches, strict=True):
            if family != last:
                # Programs of all families together would take more maps of memory than there are.
                jax.clear_caches()
                last = family
            for method in METHODS:
                reports = _said(family, truths, method)
                for number, report, truth in zip(seeds, reports, truths, strict=True):
                    for field in wrong(report, truth):
                        kind = (method, field, report.words.get(field, "yes"))
                        if not counts[kind]:
                            print(f"first {kind}: {family}, seed {number}", flush=True)
                        counts[kind] += 1
                    words.update(word for word in report.words.values() if word)
                seconds = time.perf_counter() - begin
                print(f"{seconds:.0f} s, {family}, {method}: {counts.total()} wrong", flush=True)
    print(f"{sum(len(s) for _, s in tasks)} games by each method: {dict(words)}")
    return counts


def table(rows: Iterable[Iterable[object]], head: Iterable[str]) -> str:
    """A Markdown table."""
    lines = [list(head), ["---"] * len(list(head)), *map(list, rows)]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main() -> None:
    """Print the tables that the flags ask for."""
    flags = argparse.ArgumentParser(description="Certificates against exact arithmetic")
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
