"""How contestants are timed beside each other, and how fast this machine multiplies matrices."""

import statistics
import time
from collections.abc import Callable

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
