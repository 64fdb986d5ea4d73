"""How contestants are timed beside each other, and how fast this machine multiplies matrices."""

import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor

import jax
import jax.numpy as jnp

Contestants = dict[str, Callable[[], None]]
"""What is timed, by name: each does its work once and waits until it is done."""


def race(contestants: Contestants, repeats: int) -> dict[str, list[float]]:
    """Seconds of every contestant, in turn, so that a drift of the machine's speed meets all."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            begin = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def race_apart(
    prepare: Callable[..., Contestants], names: Sequence[str], arguments: tuple, repeats: int
) -> dict[str, dict[str, list[float]]]:
    """Seconds of every contestant at each of its tasks, in turn, each in a process of its own.

    In one process two frameworks slow each other by up to a third: threads of one that wait
    spinning take the other's cores, and memory is laid out differently. One turn is not counted.

    **Arguments:** `prepare(name, *arguments)`: the tasks of one contestant, by their names. It must
    be importable.
    """
    spawn = multiprocessing.get_context("spawn")
    pools = {name: ProcessPoolExecutor(1, spawn) for name in names}
    tasks = {name: pools[name].submit(_enter, prepare, name, arguments).result() for name in names}
    seconds: dict[str, dict[str, list[float]]] = {}
    for task in tasks[names[0]]:
        found = seconds.setdefault(task, {name: [] for name in names})
        for turn in range(repeats + 1):
            for name in names:
                passed = pools[name].submit(_take_turn, task).result()
                if turn > 0:
                    found[name].append(passed)
    for pool in pools.values():
        pool.shutdown()
    return seconds


_entered: Contestants = {}
"""The tasks of this process's contestant."""


def _enter(prepare: Callable[..., Contestants], name: str, arguments: tuple) -> list[str]:
    _entered.update(prepare(name, *arguments))
    return list(_entered)


def _take_turn(task: str) -> float:
    return race({task: _entered[task]}, 1)[task][0]


def ratio(ours: list[float], theirs: list[float]) -> str:
    """Their median over ours, and the range of the pairs without their outer tenths."""
    median = statistics.median(theirs) / statistics.median(ours)
    pairs = sorted(b / a for a, b in zip(ours, theirs, strict=True))
    cut = len(pairs) // 10
    return f"{median:.2f} ({pairs[cut]:.2f} to {pairs[-1 - cut]:.2f})"


def matrix_rate(size: int = 1024, seconds: float = 2.0) -> float:
    """Floating-point operations a second of a float32 matrix product, the best of many."""
    square = jnp.ones((size, size))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(square))
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        jax.block_until_ready(product(square))
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


def table(header: list[str], rows: list[list[str]]) -> None:
    """A Markdown table, its columns aligned."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    lines = [header, ["-" * width for width in widths], *rows]
    for row in lines:
        print("| " + " | ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)) + " |")
