"""Small games: gameopt beside cooper-optim and jax-cgd, first whether they agree, then how fast.

    pip install -e ".[benchmark]" && python benchmarks/toy_solvers.py     # a minute

A peer that is not installed is left out, with a line that says so. Everything is in float64 and on
the CPU. The exit status is 1 if one trajectory is further than 1e-10 from gameopt's.

**cooper** (PyTorch) plays min over x, max over y of f(x) + y . g(x): the games of the first kind
here are written so. Its primal-dual optimizer is `Alternating` with x first, its dual-primal
optimizer the one with y first, and its extrapolation optimizer with `ExtraSGD` is `Extragradient`.
Where it can avoid work it does: the violations that its primal-dual optimizer needs afresh are
computed without the objective, as its documentation advises.

**jax-cgd** plays competitive gradient descent. In version 1.0.4 `BCGD.step` is a stub that returns
0, so that its rounds are played by the function written for it, `jax_cgd.cgd.step_func`, with the
solvers of `jax_cgd.solvers`. Its own loop is a jitted round called from Python, as its class
`ACGD` has it; the same round inside `lax.scan` is timed beside it. By default it solves by GMRES to
1e-7 and gameopt by conjugate gradients to 1e-10. Its CG at 1e-10 is timed too, which is then the
same method at the same tolerance, but for each library's own stopping rule. For the agreement all
solve to 1e-14; both CGs then do the same operations in the same order, and agree to the last bit.

**Speed.** All are timed in one run, in turn, so that a drift of the machine's speed meets all of
them; rates are medians, ratios those of the medians, with the range of the ratios of single turns.
A call of `rollout` costs a fraction of a millisecond before its first round, so that its rate
depends on the length of the call: two lengths are shown. Every call plays from the same start.
"""

import argparse
import importlib.util
import itertools
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optax

import gameopt as go

TOLERANCE = 1e-10
LEARNING_RATE = 0.05
COMPARED, CGD_COMPARED = 2000, 500  # rounds of the trajectories that are compared
SHORT, LONG = 1_000, 100_000  # rounds of a timed call of rollout
CALLS = 20  # short calls in a timed turn
STARTS, COOPER_BATCH_ROUNDS = 10_000, 100
METHODS = ("simultaneous", "alternating, x first", "alternating, y first", "extragradient")

HOW_TO_INSTALL = {
    "cooper": "cooper-optim is not installed here: left out. pip install cooper-optim torch",
    "jax_cgd": "jax-cgd is not installed here: left out. pip install jax-cgd",
}


class Problem(NamedTuple):
    """min over x, max over y of f(x) + y . g(x), for `jax.numpy` and `torch` alike."""

    name: str
    objective: Callable[[Any, Any], Any]
    violation: Callable[[Any, Any, Any], Any]
    data: tuple[np.ndarray, ...]
    start: go.Players[np.ndarray, np.ndarray]


def problems() -> list[Problem]:
    """A game of two numbers, and one of 5 against 3 that is not quadratic."""
    numbers = np.random.default_rng(0)
    matrix, offset = numbers.normal(size=(3, 5)), numbers.normal(size=3)
    return [
        Problem(
            "x²/2 + y (x - 1)",
            lambda xp, x: 0.5 * xp.sum(x * x),
            lambda xp, x, data: x - 1.0,
            (),
            go.Players(np.array([3.0]), np.array([0.5])),
        ),
        Problem(
            "Σ log cosh x + y·(A x - b), 5 × 3",
            lambda xp, x: xp.sum(xp.log(xp.cosh(x))),
            lambda xp, x, data: data[0] @ x - data[1],
            (matrix, offset),
            go.Players(numbers.normal(size=5), numbers.normal(size=3)),
        ),
    ]


def gameopt_solver(method: str):
    optimizers = go.Players(optax.sgd(LEARNING_RATE), optax.sgd(LEARNING_RATE))
    return {
        "simultaneous": go.Simultaneous(optimizers),
        "alternating, x first": go.Alternating(optimizers, order=("x", "y")),
        "alternating, y first": go.Alternating(optimizers, order=("y", "x")),
        "extragradient": go.Extragradient(optimizers),
    }[method]


def gameopt_game(problem: Problem):
    data = tuple(jnp.asarray(part) for part in problem.data)
    return go.zero_sum_game(
        lambda x, y: problem.objective(jnp, x) + jnp.sum(y * problem.violation(jnp, x, data))
    )


def on_device(players: go.Players) -> go.Players:
    return go.Players(jnp.asarray(players.x), jnp.asarray(players.y))


def gameopt_path(game, solver, start: go.Players, rounds: int) -> np.ndarray:
    """One row a round: x, then y. The last is that of the timed program, which has no others."""
    start = on_device(start)
    path = go.rollout(game, solver, start, rounds, record=go.record_players).records
    rows = np.concatenate([np.asarray(path.x), np.asarray(path.y)], axis=1)
    end = go.rollout(game, solver, start, rounds, every=rounds).players
    rows[-1] = np.concatenate([np.asarray(end.x), np.asarray(end.y)])
    return rows


def gameopt_run(game, solver, start: go.Players, rounds: int) -> Callable[[], None]:
    """One call of `rollout`, to its end. It records once, as no peer's loop records."""
    start = on_device(start)

    def run():
        jax.block_until_ready(go.rollout(game, solver, start, rounds, every=rounds).players)

    return run


class Cooper:
    """One of cooper's optimizers at the start of a problem, in its own loop."""

    def __init__(self, problem: Problem, method: str):
        import cooper
        import torch

        class Minimization(cooper.ConstrainedMinimizationProblem):
            def __init__(self):
                super().__init__()
                multiplier = cooper.multipliers.DenseMultiplier(
                    init=torch.tensor(problem.start.y), dtype=torch.float64
                )
                self.constraint = cooper.Constraint(
                    constraint_type=cooper.ConstraintType.EQUALITY, multiplier=multiplier
                )

            def compute_violations(self):
                violation = problem.violation(torch, x, data)
                state = cooper.ConstraintState(violation=violation)
                return cooper.CMPState(observed_constraints={self.constraint: state})

            def compute_cmp_state(self):
                state = self.compute_violations()
                state.loss = problem.objective(torch, x)
                return state

        data = tuple(torch.tensor(part) for part in problem.data)
        x = torch.nn.Parameter(torch.tensor(problem.start.x))
        minimization = Minimization()
        extra = method == "extragradient"
        sgd = cooper.optim.ExtraSGD if extra else torch.optim.SGD
        optimizer = {
            "simultaneous": cooper.optim.SimultaneousOptimizer,
            "alternating, x first": cooper.optim.AlternatingPrimalDualOptimizer,
            "alternating, y first": cooper.optim.AlternatingDualPrimalOptimizer,
            "extragradient": cooper.optim.ExtrapolationConstrainedOptimizer,
        }[method]
        dual = list(minimization.dual_parameters())
        self._played = [x, *dual]
        self._optimizer = optimizer(
            cmp=minimization,
            primal_optimizers=sgd([x], lr=LEARNING_RATE),
            dual_optimizers=sgd(dual, lr=LEARNING_RATE, maximize=True),
        )

    def play(self, rounds: int) -> None:
        for _ in range(rounds):
            self._optimizer.roll()

    def path(self, rounds: int) -> np.ndarray:
        """One row a round: x, then y."""
        rows = []
        for _ in range(rounds):
            self._optimizer.roll()
            rows.append(np.concatenate([part.detach().numpy().copy() for part in self._played]))
        return np.stack(rows)


class CompetitiveGame(NamedTuple):
    """min over x, max over y of a function."""

    name: str
    value: Callable[[Any, Any], Any]
    start: go.Players[np.ndarray, np.ndarray]


def competitive_games() -> list[CompetitiveGame]:
    """A bilinear game, and one in which every second derivative changes from place to place."""
    numbers = np.random.default_rng(1)
    matrix = jnp.asarray(numbers.normal(size=(5, 3)))
    start = go.Players(numbers.normal(size=5), numbers.normal(size=3))

    def smooth(x, y):
        own = 0.1 * jnp.sum(x**4) - 0.1 * jnp.sum(y**4)
        return own + jnp.sin(x) @ matrix @ y + jnp.sum(jnp.cos(x[:3] * y))

    return [
        CompetitiveGame("xᵀ M y, 5 × 3", lambda x, y: x @ matrix @ y, start),
        CompetitiveGame("quartic with sin and cos, 5 × 3", smooth, start),
    ]


def jax_cgd_round(value: Callable, solver: str, **tolerances: float):
    """One round of jax-cgd, from (x, y, t) to (x, y, t)."""
    import jax_cgd.cgd
    import jax_cgd.solvers

    def one_round(x, y, t):
        # A new solver each time this is traced: it keeps its last solution, then a tracer.
        solve = getattr(jax_cgd.solvers, solver)(**tolerances)
        return jax_cgd.cgd.step_func(x, y, t, LEARNING_RATE, solve, value)[:3]

    return one_round


def jax_cgd_path(one_round, start: go.Players, rounds: int) -> np.ndarray:
    players, rows = on_device(start), []
    carry, one_round = (players.x, players.y, 0), jax.jit(one_round)
    for _ in range(rounds):
        carry = one_round(*carry)
        rows.append(np.concatenate([np.asarray(carry[0]), np.asarray(carry[1])]))
    return np.stack(rows)


def jax_cgd_loop(one_round, start: go.Players, rounds: int) -> Callable[[], None]:
    players, one_round = on_device(start), jax.jit(one_round)

    def run():
        carry = (players.x, players.y, 0)
        for _ in range(rounds):
            carry = one_round(*carry)
        jax.block_until_ready(carry)

    return run


def jax_cgd_scan(one_round, start: go.Players, rounds: int) -> Callable[[], None]:
    players = on_device(start)

    @jax.jit
    def play(x, y):
        carry = (x, y, jnp.int32(0))
        return jax.lax.scan(lambda c, _: (one_round(*c), None), carry, length=rounds)[0]

    return lambda: jax.block_until_ready(play(players.x, players.y)) and None


def seconds_of(run: Callable[[], None]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


class Contestant(NamedTuple):
    """Who plays, how many rounds a call of `run` has, and how many calls a timed turn."""

    name: str
    rounds: int
    run: Callable[[], None]
    calls: int = 1


def times(contestants: list[Contestant], repeats: int) -> tuple[list[float], list[list[float]]]:
    """Seconds of the first call, and seconds a round of every turn after it."""
    first = [seconds_of(one.run) for one in contestants]
    turns = [[] for _ in contestants]
    for _ in range(repeats):
        for one, seconds in zip(contestants, turns, strict=True):
            turn = sum(seconds_of(one.run) for _ in range(one.calls))
            seconds.append(turn / one.calls / one.rounds)
    return first, turns


def ratio(ours: list[float], theirs: list[float]) -> str:
    """How many times as fast we are: of the medians, and the range over single turns."""
    middle = statistics.median(theirs) / statistics.median(ours)
    pairs = [b / a for a, b in zip(ours, theirs, strict=True)]
    return f"{figures(middle)} ({figures(min(pairs))} to {figures(max(pairs))})"


def figures(number: float) -> str:
    """Three significant figures without an exponent."""
    if number >= 100:
        digits = len(str(int(number))) - 3
        return f"{round(number / 10**digits) * 10**digits:,}".replace(",", " ")
    return f"{number:.3g}"


def table(header: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(header) + " |")
    print("|---" * len(header) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def agreement(have: dict[str, bool]) -> bool:
    """Prints how far the trajectories are from each other; whether all are close enough."""
    rows, good = [], True

    def compare(game: str, method: str, peer: str, ours: np.ndarray, theirs: np.ndarray) -> None:
        nonlocal good
        off = float(np.max(np.abs(ours - theirs)))
        good = good and off <= TOLERANCE  # NaN is not close
        rows.append([game, method, peer, f"{len(ours)}", f"{off:.1e}"])

    for problem, method in itertools.product(problems(), METHODS) if have["cooper"] else ():
        game, solver = gameopt_game(problem), gameopt_solver(method)
        ours = gameopt_path(game, solver, problem.start, COMPARED)
        compare(problem.name, method, "cooper", ours, Cooper(problem, method).path(COMPARED))
    for game in competitive_games() if have["jax_cgd"] else ():
        solver = go.CGD(LEARNING_RATE, lx.CG(rtol=1e-14, atol=1e-30, max_steps=50))
        ours = gameopt_path(go.zero_sum_game(game.value), solver, game.start, CGD_COMPARED)
        for name in ("GMRES", "CG"):
            one_round = jax_cgd_round(game.value, name, tol=1e-14, atol=1e-30, max_iter=50)
            theirs = jax_cgd_path(one_round, game.start, CGD_COMPARED)
            compare(game.name, "competitive", f"jax-cgd, {name}", ours, theirs)
    if rows:
        table(["game", "method", "peer", "rounds", "largest difference"], rows)
    return good


def rate(seconds: list[float]) -> str:
    return figures(1 / statistics.median(seconds))


def speed_beside_cooper(have: dict[str, bool], repeats: int) -> None:
    """Prints rounds a second of first-order solvers, one row a race."""
    rows = []
    for problem, method in itertools.product(problems(), METHODS):
        game, solver = gameopt_game(problem), gameopt_solver(method)
        contestants = [
            Contestant("gameopt", n, gameopt_run(game, solver, problem.start, n), calls)
            for n, calls in ((SHORT, CALLS), (LONG, 1))
        ]
        if have["cooper"]:
            cooper_run = lambda p=problem, m=method: Cooper(p, m).play(SHORT)
            contestants.append(Contestant("cooper", SHORT, cooper_run))
        first, (short, long, *peer) = times(contestants, repeats)
        theirs = [rate(peer[0]), ratio(short, peer[0]), ratio(long, peer[0])] if peer else [""] * 3
        rows.append([problem.name, method, f"{first[0]:.2g} s", rate(short), rate(long), *theirs])
    calls = [f"{figures(n)} rounds a call" for n in (SHORT, LONG)]
    header = ["game", "method", "first call of gameopt", *(f"gameopt, {n}" for n in calls)]
    table([*header, "cooper", *(f"times as fast, {n}" for n in calls)], rows)


def speed_beside_jax_cgd(have: dict[str, bool], repeats: int) -> None:
    """Prints rounds a second of competitive gradient descent."""
    rows = []
    for game in competitive_games():
        solver, start, n = go.CGD(LEARNING_RATE), game.start, SHORT
        run = gameopt_run(go.zero_sum_game(game.value), solver, start, n)
        contestants = [Contestant("gameopt", n, run, CALLS)]
        if have["jax_cgd"]:
            gmres = jax_cgd_round(game.value, "GMRES")
            cg = jax_cgd_round(game.value, "CG", tol=1e-10, atol=1e-30)
            loop, scan = "jax-cgd, jitted round in a loop", "jax-cgd, in lax.scan"
            contestants += [
                Contestant(f"{loop}, GMRES", n, jax_cgd_loop(gmres, start, n)),
                Contestant(f"{scan}, GMRES", n, jax_cgd_scan(gmres, start, n), CALLS),
                Contestant(f"{loop}, CG", n, jax_cgd_loop(cg, start, n)),
                Contestant(f"{scan}, CG", n, jax_cgd_scan(cg, start, n), CALLS),
            ]
        first, turns = times(contestants, repeats)
        for i, (one, seconds) in enumerate(zip(contestants, turns, strict=True)):
            faster = ratio(turns[0], seconds) if i else ""
            name = "" if i else game.name
            rows.append([name, one.name, f"{first[i]:.2g} s", rate(seconds), faster])
    header = ["game", "competitive gradient descent", "first call", "rounds / s"]
    table([*header, "gameopt is ... times as fast"], rows)


def many_starts(have: dict[str, bool], repeats: int) -> None:
    """Prints rounds times starts a second, for many starts of one game at once.

    Cooper has no such thing as `vmap`. But many copies of one game are one game, if they are
    separable as here: a vector x with one constraint for each of its entries.
    """
    problem, rows = problems()[0], []
    numbers = np.random.default_rng(2)
    starts = go.Players(numbers.normal(size=(STARTS, 1)), numbers.normal(size=(STARTS, 1)))
    flat = problem._replace(start=go.Players(starts.x[:, 0], starts.y[:, 0]))
    players, game = on_device(starts), gameopt_game(problem)

    for method in METHODS:
        solver = gameopt_solver(method)

        @jax.jit
        def play(players, solver=solver):
            one = lambda p: go.rollout(game, solver, p, SHORT, every=SHORT).players
            return jax.vmap(one)(players)

        run = lambda play=play: jax.block_until_ready(play(players)) and None
        contestants = [Contestant("gameopt", SHORT * STARTS, run)]
        if have["cooper"]:
            cooper_run = lambda m=method: Cooper(flat, m).play(COOPER_BATCH_ROUNDS)
            contestants.append(Contestant("cooper", COOPER_BATCH_ROUNDS * STARTS, cooper_run))
        first, (ours, *peer) = times(contestants, repeats)
        theirs = [rate(peer[0]), ratio(ours, peer[0])] if peer else ["", ""]
        rows.append([method, f"{first[0]:.2g} s", rate(ours), *theirs])
    header = ["method", "first call of gameopt", "gameopt, `vmap`", "cooper, one separable game"]
    table([*header, "gameopt is ... times as fast"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description="Small games: gameopt against its peers")
    parser.add_argument("--repeats", type=int, default=9, help="timed turns of each")
    repeats = parser.parse_args().repeats
    jax.config.update("jax_enable_x64", True)
    find = importlib.util.find_spec
    have = {
        "cooper": find("cooper") is not None and find("torch") is not None,
        "jax_cgd": find("jax_cgd") is not None,
    }
    for name, there in have.items():
        if not there:
            print(HOW_TO_INSTALL[name], end="\n\n")
    good = agreement(have)
    print("Rounds a second:\n")
    speed_beside_cooper(have, repeats)
    speed_beside_jax_cgd(have, repeats)
    print(f"{figures(STARTS)} starts of the first game at once, rounds times starts a second:\n")
    many_starts(have, repeats)
    if not good:
        sys.exit(f"A trajectory differs from gameopt's by more than {TOLERANCE}.")


if __name__ == "__main__":
    main()
