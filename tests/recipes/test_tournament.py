"""recipes.tournament: numbers against rollouts, budgets, verdicts, resuming, and wrong starts."""

import csv
import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from recipes import tournament
from recipes._runtime import cli
from recipes._runtime.errors import UserError
from recipes._runtime.solvers import FINITE_SUM_SOLVERS, SOLVERS, solver_names
from recipes._tournament.games import DEFAULT_GAMES, GAMES, flat, make_contest, points_of
from recipes._tournament.gan import GanArgs, Scores, make_scores, ring
from recipes._tournament.play import TAIL, Task, cost_of, line_of, play, play_all, verdicts

SMALL = tournament.Args(
    games=("bilinear", "forsaken"),
    solvers=("simultaneous", "extragradient", "hamiltonian"),
    budget=200,
    step_sizes=3,
    smallest_step=0.125,
    largest_step=0.5,
    starts=4,
)


@pytest.mark.parametrize("name", solver_names)
def test_every_solver_plays_a_round(name):
    """On a quadratic, with a traced step size; and it moves."""
    game = go.ZeroSumQuadratic(np.eye(2), np.array([[1.0, 2.0], [0.0, 1.0]]), -np.eye(2))
    start = go.Players(jnp.array([1.0, 2.0]), jnp.array([-1.0, 0.5]))

    @jax.jit
    def one_round(rate):
        solver = SOLVERS[name](rate)
        return solver.step(game, start, solver.init(game, start))

    players, _, info = one_round(0.1)
    moved = flat(players, 0) - flat(start, 0)
    assert np.isfinite(moved).all()
    assert np.linalg.norm(moved) > 1e-4
    assert info.gradients >= 2


def test_the_registry_has_every_solver_of_gameopt():
    """Each class of solver once at least, but for those of LeCam's penalty and of `Fixed`, and for
    best answers, which are those of one game."""
    classes = {
        value
        for value in vars(go).values()
        if isinstance(value, type) and issubclass(value, go.AbstractSolver)
    } - {go.AbstractSolver, go.Anchored, go.BestAnswers, go.Carrying}
    made = [make(0.1) for make in (*SOLVERS.values(), *FINITE_SUM_SOLVERS.values())]
    assert {type(solver) for solver in made} == classes


def test_a_run_and_its_numbers(tmp_path, float32):
    """The table's numbers are those of a plain rollout with the step size; the picture is there."""
    result = tournament.run(dataclasses.replace(SMALL, out=tmp_path / "run"))
    with (tmp_path / "run/table.csv").open() as file:
        rows = {(row["game"], row["solver"]): row for row in csv.DictReader(file)}
    assert len(rows) == 6
    for name in ("tournament", "curves_gradients", "curves_seconds"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 10_000
    assert "| extragradient |" in (tmp_path / "run/table.md").read_text(encoding="utf-8")
    with jax.enable_x64(True):
        for game in SMALL.games:
            key = jax.random.fold_in(jax.random.key(0), list(GAMES).index(game))
            contest = make_contest(game, SMALL.games, key, SMALL.starts)
            for name in SMALL.solvers:
                row = rows[game, name]
                solver, plain = SOLVERS[name](float(row["step_size"])), GAMES[game].make()

                def end_of(start, solver=solver, plain=plain, rounds=int(row["rounds"])):
                    end = go.rollout(plain, solver, start, rounds).players
                    return go.stationarity(plain, end)

                ends = jax.vmap(end_of)(contest.starts)
                if row["starts_diverged"] == "0":
                    np.testing.assert_allclose(
                        float(row["stationarity"]), np.median(ends), rtol=1e-6, atol=1e-12
                    )
    # At its least step size it grows by a factor of 5e-7 a round: that is no closed orbit.
    assert rows["bilinear", "simultaneous"]["verdict"] == "moving"
    assert rows["bilinear", "extragradient"]["verdict"] == "nash"
    assert rows["bilinear", "simultaneous"]["rounds"] == "100"
    assert rows["bilinear", "extragradient"]["rounds"] == "50"
    assert result.summary["best"]["bilinear"] == "hamiltonian"
    # A resumed run plays what is missing alone.
    before = (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8")
    words = ["--resume", str(tmp_path / "run"), "--solvers", "simultaneous", "extragradient"]
    again = tournament.run(cli.parse(tournament.Args, words))
    assert (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8") == before
    assert len(again.players) == 6


def test_factor_of_extragradient_is_the_closed_form(tmp_path, float32):
    """On xy a round of four gradients multiplies by sqrt((1 - e^2)^2 + e^2)."""
    changes = {"games": ("bilinear",), "solvers": ("extragradient",), "out": tmp_path / "run"}
    result = tournament.run(dataclasses.replace(SMALL, **changes))
    (line,) = result.players
    eta = line["step_size"]
    exact = ((1 - eta**2) ** 2 + eta**2) ** (1 / 8)
    np.testing.assert_allclose(line["factor_per_gradient"], exact, rtol=1e-3)


@pytest.mark.parametrize(
    ("solver", "rate", "verdict"),
    [
        ("alternating", 0.3, "cycle"),
        ("alternating", 0.01, "cycle"),
        ("simultaneous", 0.3, "diverged"),
        ("simultaneous", 0.001, "moving"),
        ("extragradient", 0.3, "nash"),
    ],
)
def test_verdicts_are_the_motions_of_play_on_xy(solver, rate, verdict):
    """Alternating play is on an ellipse, of 21 rounds or of 628: one shows in the tail, the other
    in the moments of the budget."""
    contest = make_contest("bilinear", ("bilinear",), jax.random.key(0), 4)
    budgets = jnp.round(jnp.linspace(0, 12_000, 101)).astype(jnp.int32)
    task = Task(SOLVERS[solver], contest, jnp.array([rate]), budgets)
    (plays,) = play_all([task])
    line = line_of(task, plays, points_of(GAMES["bilinear"].make()))
    assert line["ended"] == {verdict: 4}


def test_a_play_stops_at_its_budget():
    """With the round that uses it up; out of reach it stops at once."""
    contest = make_contest("bilinear", ("bilinear",), jax.random.key(0), 2)
    budgets = jnp.array([0, 50, 101], jnp.int32)
    plays = play(SOLVERS["extragradient"], contest, jnp.array([0.1, 1e3]), budgets)
    assert (np.asarray(plays.spent[0]) == 104).all()
    assert (np.asarray(plays.rounds[0]) == 26).all()
    assert np.asarray(plays.diverged[1]).all()
    assert (np.asarray(plays.rounds[1]) < 5).all()


def test_a_whole_sum_costs_all_its_minibatches():
    """SVRE on 20 terms, two at a time: 8 gradients a round, and 20 more with a snapshot."""
    contest = make_contest("stochastic_bilinear", DEFAULT_GAMES, jax.random.key(0), 1)
    solver = FINITE_SUM_SOLVERS["svre"](0.1)
    start = jax.tree.map(lambda leaf: leaf[0], contest.starts)
    state, costs = solver.init(contest.game, start, contest.keys[0]), []
    for _ in range(2):
        start, state, info = solver.step(contest.game, start, state, contest.keys[0])
        costs.append(int(cost_of(info)))
    assert costs == [28, 8]


@pytest.mark.parametrize("name", sorted(set(GAMES)))
def test_points_are_critical_and_a_shared_game_is_the_game(name):
    """The verdict at each point is its own; losses within the shared program are the game's."""
    contest = make_contest(name, tuple(GAMES), jax.random.key(1), 3)
    game, points = GAMES[name].make(), points_of(GAMES[name].make())
    for point in points:
        # The measure is of the whole sum, and of the shared game.
        assert contest.measure(point.players) < 1e-8
    places = np.stack([flat(point.players, 0) for point in points])
    zero = np.zeros((len(places), 3))
    paths = np.repeat(places[:, None], 3 + TAIL, axis=1)
    names, distance = verdicts(places, zero, zero[:, 0] > 0, paths, 3, points)
    assert [name == "nash" for name in names] == [point.nash for point in points]
    assert (distance == 0).all()
    if contest.keys is None:
        start = jax.tree.map(lambda leaf: leaf[0], contest.starts)
        here, there = game.losses(start), contest.game.losses(start)
        np.testing.assert_allclose([there.x, there.y], [here.x, here.y], rtol=1e-12)


def test_scores_of_samples_made_by_hand(float32):
    """Data is near the ceiling; one bump is one mode and log 8; nothing near is zero."""
    law = ring()
    scores = make_scores(law, jax.random.key(0))
    assert isinstance(scores, Scores)
    data = scores.of(law.sample(jax.random.key(1), 2500))
    assert data["modes"] == 8
    assert data["overlap"] > 0.95
    # Three deviations in the plane: 1 - exp(-9/2).
    np.testing.assert_allclose(data["high_quality"], 1 - np.exp(-4.5), atol=0.01)
    one = scores.of(jnp.tile(law.means[:1], (100, 1)))
    np.testing.assert_allclose(one["modes"], 1)
    np.testing.assert_allclose(one["reverse_kl"], np.log(8), rtol=1e-5)
    np.testing.assert_allclose(one["overlap"], 1 / 8, rtol=1e-5)
    none = scores.of(jnp.zeros((100, 2)))
    assert none["modes"] == none["high_quality"] == none["overlap"] == 0
    np.testing.assert_allclose(none["reverse_kl"], np.log(8), rtol=1e-5)


@pytest.mark.slow
def test_a_gan_run(tmp_path, float32):
    """Two solvers for a few rounds: the table beside the data's, the panel, and a resumed run."""
    small = GanArgs(budget=40, seeds=3, step_sizes=2, batch_size=8, width=4)
    args = dataclasses.replace(
        SMALL, games=("gan",), solvers=("simultaneous", "extra_adam"), gan=small
    )
    result = tournament.run(dataclasses.replace(args, out=tmp_path / "run"))
    table = result.summary["gan"]
    assert list(table) == ["real data", "simultaneous", "extra_adam"]
    assert table["real data"]["overlap"] > 0.95
    assert table["simultaneous"]["rounds"] == 20
    for name in ("gan_samples", "gan_curves"):
        assert (tmp_path / "run" / f"{name}.png").stat().st_size > 10_000
    assert "| real data |" in (tmp_path / "run/gan_table.md").read_text(encoding="utf-8")
    lines = (tmp_path / "run/metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["solver"] for line in lines] == ["simultaneous", "extra_adam"]
    again = tournament.run(cli.parse(tournament.Args, ["--resume", str(tmp_path / "run")]))
    assert again.summary["gan"] == table


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"games": ("bilinea",)}, "--games bilinea: there is no such name; perhaps .* bilinear"),
        ({"games": ()}, "--games needs at least one name"),
        ({"solvers": ("extragradients",)}, "perhaps you meant extragradient"),
        ({"solvers": ("svre",)}, "svre plays stochastic_bilinear alone"),
        ({"solvers": ("svre",), "games": ("gan",)}, "none of --solvers plays gan"),
        ({"starts": 0}, "--starts must be at least 1"),
        ({"budget": 50}, "--budget must be at least 100"),
        ({"largest_step": 1e-4}, "--smallest-step and --largest-step"),
        ({"gan": GanArgs(seeds=2)}, "--gan.seeds must be at least 3"),
        ({"gan": GanArgs(smallest_step=-1.0)}, "--gan.smallest-step"),
    ],
)
def test_wrong_flags_are_refused(tmp_path, changes, message):
    """In one line, before anything is written."""
    with pytest.raises(UserError, match=message):
        tournament.run(dataclasses.replace(SMALL, out=tmp_path / "run", **changes))
    assert not (tmp_path / "run").exists()


def test_a_resumed_run_is_the_same_run(tmp_path, float32):
    """Another budget would be another table; no folder is no run."""
    changes = {"games": ("bilinear",), "solvers": ("simultaneous",), "out": tmp_path / "run"}
    tournament.run(dataclasses.replace(SMALL, **changes))
    with pytest.raises(UserError, match="--budget is 200"):
        tournament.run(
            cli.parse(tournament.Args, ["--resume", str(tmp_path / "run"), "--budget", "300"])
        )
    with pytest.raises(UserError, match="does not exist"):
        cli.parse(tournament.Args, ["--resume", str(tmp_path / "other")])
