"""Phase portrait of a game on the plane: the flow, a solver's plays, and the critical points.

    python -m recipes.phase_portrait                                      # Dirac-GAN, alternating
    python -m recipes.phase_portrait --game forsaken --solver extragradient --learning-rate 0.05
    python -m recipes.phase_portrait --game adolphs --solver follow_the_ridge --learning-rate 0.02
    python -m recipes.phase_portrait --game bilinear --solver simultaneous --modified

Grey lines are the flow -xi; each coloured line is a play from its own start. Critical points are
marked by what they are, from the Jacobian and the players' own Hessians, and beside each stands the
spectral radius of one round of the solver there. With --modified the flow that finite steps really
follow (simultaneous and alternating play) is laid over the plays.
"""

import dataclasses
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import gameopt as go
from recipes._planar.games import PLANAR_GAMES, PlanarGame, Verdict, critical_points
from recipes._planar.portrait import draw_distances, draw_portrait
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.fields import AtLeast1, Positive
from recipes._runtime.progress import says
from recipes._runtime.run import FolderArgs, Result, open_run, write_json
from recipes._runtime.seeds import key_of
from recipes._runtime.solvers import SOLVERS, check_names

MODIFIED = ("simultaneous", "alternating")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(FolderArgs):
    """Draw how a solver plays a game on the plane."""

    game: str = "dirac_gan"
    """Game: bilinear, quadratic, dirac_gan, dirac_gan_r1 (and _nsgan, _wgan, _wgan_clip,
    _wgan_gp, _consensus, _instance_noise, _r1_critical), or a name of gameopt.TOY_GAMES: adolphs,
    almost_bilinear, avoided_nash, balduzzi_stable, balduzzi_unstable, forsaken, global_forsaken,
    jin_no_minimax, jin_not_stationary, mazumdar_fiez, polar, ratliff, tandem, wang_g1, wang_g2,
    wang_g3."""
    solver: str = "alternating"
    """Solver, by its name in the tournament: simultaneous, alternating, extragradient,
    optimistic, lookahead_alternating, ode_gan_rk4, sga, consensus, cgd, lola, sos, stackelberg,
    follow_the_ridge, proximal_point, ...; a wrong name is answered by the list."""
    learning_rate: Positive = 0.1
    """Step size of both players."""
    steps: AtLeast1 = 500
    """Rounds played from each start."""
    starts: AtLeast1 = 6
    """Number of plays, from random points of the window."""
    modified: bool = False
    """Lay the modified flow over the plays; for simultaneous and alternating only."""
    half_width: Positive | None = None
    """Half of the window's side; default: the game's own."""


def check(args: Args) -> None:
    """Raise a `UserError` for a flag that cannot work."""
    check_names("--game", (args.game,), tuple(PLANAR_GAMES))
    check_names("--solver", (args.solver,), tuple(SOLVERS))
    if args.modified and args.solver not in MODIFIED:
        raise UserError(
            f"--modified is known for {' and '.join(MODIFIED)} play only, not for {args.solver}."
        )


def window(args: Args) -> PlanarGame:
    """The game with the window that the flags ask for."""
    planar = PLANAR_GAMES[args.game]
    return planar if args.half_width is None else planar._replace(half_width=args.half_width)


def starts_of(args: Args, planar: PlanarGame) -> go.Players:
    """Random points of the window's middle, with a first axis."""
    draw = jax.random.uniform(key_of(args.seed), (args.starts, 2), minval=-0.8, maxval=0.8).astype(
        jnp.result_type(float)
    )
    points = jnp.asarray(planar.centre)[None] + planar.half_width * draw
    return go.Players(points[:, 0], points[:, 1])


def play(game: go.AbstractGame, args: Args, starts: go.Players) -> np.ndarray:
    """Every play, its start included: shape `(starts, rounds + 1, 2)`."""
    solver = SOLVERS[args.solver](args.learning_rate)

    def one(x, y):
        start = go.Players(x, y)
        return go.rollout(game, solver, start, args.steps, record=go.record_players).records

    path = jax.vmap(one)(starts.x, starts.y)
    join = lambda first, rest: np.concatenate([np.asarray(first)[:, None], np.asarray(rest)], 1)
    return np.stack([join(starts.x, path.x), join(starts.y, path.y)], axis=-1)


def modified_paths(game: go.AbstractGame, args: Args, starts: go.Players) -> np.ndarray | None:
    """The modified flow from the same starts: shape `(starts, rounds + 1, 2)`."""
    if not args.modified:
        return None

    def one(x, y):
        return go.modified_flow(
            game,
            go.Players(x, y),
            args.steps,
            learning_rate=args.learning_rate,
            play="simultaneous" if args.solver == "simultaneous" else "alternating",
            save_at=jnp.arange(args.steps + 1).astype(x.dtype),
            integrator=go.Integrator(rtol=1e-6, atol=1e-6, max_steps=20_000),
        ).players

    path = jax.jit(jax.vmap(one))(starts.x, starts.y)
    return np.stack([np.asarray(path.x), np.asarray(path.y)], axis=-1)


def rate_at(game: go.AbstractGame, args: Args, verdict: Verdict) -> float | None:
    """The spectral radius of a round at a point; `None` where the solver has no single one."""
    solver = SOLVERS[args.solver](args.learning_rate)
    if solver.no_single_rate:
        return None
    radius = float(go.local_rate(game, solver, verdict.players).spectral_radius)
    return radius if np.isfinite(radius) else None


SHORTEST = 64
"""Rounds from which on `gameopt.limit_cycle` judges a play: 32 after its first half."""


def ending(path: np.ndarray, verdicts: list[Verdict], reach: float) -> str:
    """End of a play in words: a critical point, a closed orbit, away, or nowhere yet.

    The motion is that of `gameopt.limit_cycle`; to be called in float64.
    """
    if not np.isfinite(path).all():
        return "diverged"
    motion = go.MOTIONS.undecided
    if len(path) >= SHORTEST:
        motion = go.limit_cycle(path, max_norm=10 * reach).motion
    if motion == go.MOTIONS.diverging:
        return "diverged"
    if motion == go.MOTIONS.cycle:
        return "cycle"
    for verdict in verdicts:
        if np.hypot(*(path[-1] - _place(verdict))) < 1e-3 * reach:
            return verdict.word
    if motion == go.MOTIONS.settled:
        return "at rest, at no known critical point"
    return "still moving"


def _place(verdict: Verdict) -> np.ndarray:
    return np.array([float(verdict.players.x), float(verdict.players.y)])


def run(args: Args) -> Result:
    """Play, judge, draw, and return the plays and the summary.

    **Raises:** `UserError` for flags that cannot work, before anything is compiled.
    """
    begin = time.perf_counter()
    check(args)
    folder = open_run("phase_portrait", args, None)
    print(f"writing to {folder.path}", flush=True)
    folder.write_config("phase_portrait", args, {"name": args.game})
    # Rates near 1 and points that are found again need more than float32.
    with jax.enable_x64(True):
        planar = window(args)
        game = planar.make()
        starts = starts_of(args, planar)
        with says("classifying critical points"):
            verdicts = critical_points(game)
            rates = [rate_at(game, args, verdict) for verdict in verdicts]
        with says("playing"):
            paths = play(game, args, starts)
            flows = modified_paths(game, args, starts)
        title = f"{args.game}: {args.solver}, step size {args.learning_rate:g}"
        draw_portrait(
            game,
            planar,
            paths,
            flows,
            list(zip(verdicts, rates, strict=True)),
            title,
            folder.path / "portrait.png",
        )
        places = [(_place(v), v.word, rate) for v, rate in zip(verdicts, rates, strict=True)]
        draw_distances(paths, places, title, folder.path / "distances.png")
        reach = planar.half_width + max(abs(c) for c in planar.centre)
        endings = [ending(path, verdicts, reach) for path in paths]
    summary = _summary(args, verdicts, rates, endings, begin, str(folder.path))
    write_json(folder.path / "summary.json", summary)
    print(f"pictures: {folder.path / 'portrait.png'}, {folder.path / 'distances.png'}")
    return Result(paths, folder.path, summary)


def _summary(args, verdicts, rates, endings, begin, folder: str) -> dict[str, Any]:
    points = [
        {
            "x": float(v.players.x),
            "y": float(v.players.y),
            "is": v.word,
            "nash": v.is_("dne"),
            "minimax": v.is_("minimax"),
            "attracts_the_flow": v.is_("attractor"),
            "rate_of_a_round": rate,
        }
        for v, rate in zip(verdicts, rates, strict=True)
    ]
    return {
        "recipe": "phase_portrait",
        "game": args.game,
        "solver": args.solver,
        "learning_rate": args.learning_rate,
        "critical_points": points,
        "endings": {word: endings.count(word) for word in dict.fromkeys(endings)},
        "seconds": round(time.perf_counter() - begin, 1),
        "folder": folder,
    }


def main() -> None:
    """Parses the flags and runs."""
    cli.main(Args, run)


if __name__ == "__main__":
    main()
