"""Phase diagram of a solver on a game: convergence rates in theory and measured.

    python -m recipes.phase_diagram                                     # extragradient on xy
    python -m recipes.phase_diagram --solver alternating --second momentum
    python -m recipes.phase_diagram --game dirac_gan_r1 --solver simultaneous --second timescale
    python -m recipes.phase_diagram --game adolphs --solver follow_the_ridge --point 1

The map shows the spectral radius of one round at a critical point, over the step size and a second
hyper-parameter; on the black line it is 1. The curves are a cut through the map: beside the radius
stands what was measured, 256 plays from random starts near the point for each of 64 step sizes, all
in one compiled call, and the closed form where there is one.
"""

import dataclasses
import time
from typing import Annotated, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
import theory
from recipes._planar.diagram import Cut, draw_diagram
from recipes._planar.games import PLANAR_GAMES, Verdict, critical_points
from recipes._planar.hyper_parameters import SECOND, Second
from recipes._runtime import cli
from recipes._runtime.errors import UserError, check_increasing
from recipes._runtime.fields import AtLeast0, AtLeast1, AtLeast2, Positive, at_least
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import check_names


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Map where a solver converges on a game of the plane."""

    game: str = "bilinear"
    """Game: bilinear, quadratic, dirac_gan, dirac_gan_r1, ..., or one of gameopt.TOY_GAMES; a
    wrong name is answered by the list."""
    point: AtLeast0 = 0
    """Index of the game's critical point, from 0."""
    solver: str = "extragradient"
    """Solver: simultaneous, alternating, extragradient, optimistic, alex_gda,
    lookahead_simultaneous, lookahead_alternating, ode_gan_rk4, unrolled, consensus, sga, cgd,
    look_ahead, lola, follow_the_ridge, proximal_point."""
    second: str | None = None
    """The second hyper-parameter, such as extrapolation, momentum or timescale; the solver's first
    if left out. A wrong name is answered by the list."""
    second_value: float | None = None
    """Its value in the measured cut; a usual one if left out."""
    smallest_step: float = 0.02
    """The step sizes are from here ..."""
    largest_step: float = 2.0
    """... to here, at equal ratios."""
    step_sizes: AtLeast2 = 64
    """Number of step sizes."""
    second_values: AtLeast2 = 64
    """Values of the second hyper-parameter on the map."""
    plays: AtLeast1 = 256
    """Plays measured for each step size."""
    steps: Annotated[int, at_least(40)] = 200
    """Rounds of a measured play."""
    radius: Positive = 1e-5
    """Initial distance of plays from the critical point."""


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    check_names("--game", (args.game,), tuple(PLANAR_GAMES))
    check_names("--solver", (args.solver,), tuple(SECOND))
    if args.second is not None:
        check_names("--second", (args.second,), tuple(SECOND[args.solver]))
    check_increasing(args, "smallest_step", "largest_step")
    if args.second_value is not None and not np.isfinite(args.second_value):
        raise UserError(f"--second-value must be finite, got {args.second_value}.")


def find_point(game: go.AbstractGame, args: Args) -> Verdict:
    """The critical point that the flag names.

    **Raises:** `UserError` if the game has fewer.
    """
    points = critical_points(game)
    if args.point >= len(points):
        known = "none" if not points else f"{len(points)}, numbered from 0"
        raise UserError(f"--point {args.point}: {args.game} has {known}.")
    return points[args.point]


@eqx.filter_jit
def measure(
    game: go.AbstractGame,
    make: Any,
    etas: jax.Array,
    second: jax.Array,
    starts: jax.Array,
    target: go.Players,
    rounds: int,
) -> jax.Array:
    """The factor a round of every play, from the slope of its log distance: `(etas, starts)`.

    The first third is left out, and what lies below 1e-9 or above 1e4 of the beginning: there it is
    rounding, or no longer near the point. NaN where fewer than six rounds are left.
    """

    def one(eta, offset):
        solver = make(eta, second)
        start = go.Players(target.x + offset[0], target.y + offset[1])
        path = go.rollout(game, solver, start, rounds, record=go.record_players).records
        distance = go.distances(path, target) / jnp.linalg.norm(offset)
        t = jnp.arange(rounds)
        near = jnp.isfinite(distance) & (distance > 1e-9) & (distance < 1e4)
        # Nothing counts after a play has first left the window.
        near = jnp.cumprod(near.astype(jnp.int32)) * (t >= jnp.sum(near) // 3)
        weight = near.astype(distance.dtype)
        count = jnp.sum(weight)
        log = jnp.where(near > 0, jnp.log(jnp.where(near > 0, distance, 1)), 0)
        centred = (t - jnp.sum(weight * t) / count) * weight
        slope = jnp.sum(centred * log) / jnp.sum(centred * t)
        return jnp.where(count >= 6, jnp.exp(slope), jnp.nan)

    return jax.vmap(lambda eta: jax.vmap(lambda offset: one(eta, offset))(starts))(etas)


def closed_form(args: Args, etas: np.ndarray, value: float) -> np.ndarray | None:
    """The rate in closed form, where theory has one for this game, solver and cut."""
    if args.game != "bilinear":
        return None
    forms = {
        ("simultaneous", "momentum"): lambda eta: theory.heavy_ball_rate(
            eta, 1.0, value, alternating=False
        ),
        ("alternating", "momentum"): lambda eta: theory.heavy_ball_rate(
            eta, 1.0, value, alternating=True
        ),
        ("extragradient", "extrapolation"): lambda eta: theory.extragradient_rate(
            eta, 1.0, gamma=eta * value
        ),
        ("alex_gda", "extrapolation"): lambda eta: theory.alex_rate(eta, 1.0, value, value),
        ("lookahead_simultaneous", "alpha"): lambda eta: theory.lookahead_rate(
            jnp.array([1 + 1j * eta]), 5, value
        ),
        ("consensus", "strength"): lambda eta: theory.consensus_rate(eta, 1.0, gamma=value),
        ("sga", "strength"): lambda eta: theory.sga_rate(eta, 1.0, strength=value),
    }
    if value == 1:
        forms[("optimistic", "optimism")] = lambda eta: theory.optimistic_rate(eta, 1.0)
        forms[("cgd", "timescale")] = lambda eta: theory.proximal_rate(eta, 1.0)
        forms[("proximal_point", "timescale")] = lambda eta: theory.proximal_rate(eta, 1.0)
    form = forms.get((args.solver, args.second or next(iter(SECOND[args.solver]))))
    return None if form is None else np.array([float(form(float(eta))) for eta in etas])


def run(args: Args) -> Result:
    """Maps, measures, draws, and returns the cut and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    name = args.second or next(iter(SECOND[args.solver]))
    second = SECOND[args.solver][name]
    # Distances fall by many orders of magnitude: more than float32 has.
    with jax.enable_x64(True):
        game = PLANAR_GAMES[args.game].make()
        verdict = find_point(game, args)
        folder = open_run("phase_diagram", args, None)
        print(f"writing to {folder.path}", flush=True)
        folder.write_config("phase_diagram", args, {"name": args.game})
        with says("mapping rates and measuring plays"):
            cut, radii, values = _compute(args, game, verdict, second)
    draw_diagram(
        cut,
        radii,
        values,
        second,
        f"{args.game}, {verdict.word} at "
        f"({float(verdict.players.x):.3g}, {float(verdict.players.y):.3g}): {args.solver}",
        folder.path / "diagram.png",
    )
    summary = {
        "recipe": "phase_diagram",
        "game": args.game,
        "solver": args.solver,
        "second": name,
        **_numbers(cut, radii, values),
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": str(folder.path),
    }
    write_json(folder.path / "summary.json", summary)
    print(f"picture: {folder.path / 'diagram.png'}")
    return Result(cut, folder.path, summary)


def _compute(args: Args, game, verdict: Verdict, second: Second):
    """The cut, the map and the map's second axis."""
    etas = np.geomspace(args.smallest_step, args.largest_step, args.step_sizes)
    value = second.usual if args.second_value is None else args.second_value
    values = np.linspace(second.low, second.high, args.second_values)
    radii = np.asarray(
        go.rate_map(game, second.make, verdict.players, jnp.asarray(etas), jnp.asarray(values))
    )
    along = go.local_rates(
        game, second.make, verdict.players, jnp.asarray(etas), jnp.full(len(etas), value)
    )
    directions = jax.random.normal(key_of(args.seed), (args.plays, 2), jnp.float64)
    starts = args.radius * directions / jnp.linalg.norm(directions, axis=1, keepdims=True)
    begin = time.perf_counter()
    measured = np.asarray(
        measure(
            game,
            second.make,
            jnp.asarray(etas),
            jnp.asarray(value),
            starts,
            verdict.players,
            args.steps,
        )
    )
    seconds = time.perf_counter() - begin
    cut = Cut(etas, value, along, measured, closed_form(args, etas, value), seconds)
    return cut, radii, values


def _numbers(cut: Cut, radii: np.ndarray, values: np.ndarray) -> dict[str, Any]:
    """Numbers of the summary."""
    best = np.unravel_index(np.argmin(radii), radii.shape)
    counted = np.isfinite(cut.median) & (np.abs(np.log(cut.radius)) > 1e-3)
    error = np.abs(np.log(cut.median[counted] / cut.radius[counted]))
    return {
        "best_step": float(cut.etas[best[0]]),
        "best_second": float(values[best[1]]),
        "best_rate": float(radii[best]),
        "stable_share_of_the_map": float((radii < 1).mean()),
        "cut_at": float(cut.value),
        "measured_against_radius_worst": float(error.max()) if counted.any() else None,
        "measuring_seconds": round(cut.seconds, 1),
    }


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
