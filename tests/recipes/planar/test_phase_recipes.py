"""Phase portraits and phase diagrams: they say what theory says, and errors are one line."""

import json

import numpy as np
import pytest

from recipes import phase_diagram, phase_portrait
from recipes._planar.games import PLANAR_GAMES, critical_points
from recipes._planar.hyper_parameters import SECOND
from recipes._runtime.errors import UserError


def portrait(tmp_path, **flags):
    return phase_portrait.run(phase_portrait.Args(out=tmp_path / "run", **flags))


def test_a_portrait_judges_the_points_and_where_plays_end(tmp_path, float32):
    """Adolphs' game from six starts: each play ends at the Nash equilibrium or the spurious one."""
    result = portrait(tmp_path, game="adolphs", solver="simultaneous", learning_rate=0.05)
    words = [point["is"] for point in result.summary["critical_points"]]
    assert sorted(words) == ["Nash equilibrium", "critical, repelling", "spurious attractor"]
    assert sum(result.summary["endings"].values()) == 6
    assert set(result.summary["endings"]) <= {"Nash equilibrium", "spurious attractor"}
    for name in ("portrait.png", "distances.png", "config.json", "summary.json"):
        assert (result.folder / name).stat().st_size > 100
    saved = json.loads((result.folder / "summary.json").read_text(encoding="utf-8"))
    assert saved["critical_points"] == result.summary["critical_points"]


def test_a_portrait_with_the_modified_flow(tmp_path, float32):
    """Simultaneous play on xy grows by sqrt(1 + eta^2) a round, as the rate at the point says."""
    result = portrait(
        tmp_path, game="bilinear", solver="simultaneous", steps=30, starts=2, modified=True
    )
    (point,) = result.summary["critical_points"]
    np.testing.assert_allclose(point["rate_of_a_round"], np.sqrt(1.01), rtol=1e-12)
    norms = np.linalg.norm(result.players, axis=-1)
    np.testing.assert_allclose(norms[:, 1:] / norms[:, :-1], np.sqrt(1.01), rtol=1e-9)


@pytest.mark.parametrize(
    ("solver", "ending"),
    [("alternating", "cycle"), ("simultaneous", "diverged"), ("optimistic", "at the point")],
)
def test_endings_are_the_motions_of_play_on_xy(tmp_path, float32, solver, ending):
    """Alternating play circles, simultaneous play leaves, optimistic play comes to the point."""
    result = portrait(
        tmp_path, game="bilinear", solver=solver, learning_rate=0.3, steps=2000, starts=3
    )
    word = result.summary["critical_points"][0]["is"]
    assert word == "degenerate, the flow circles"
    assert result.summary["endings"] == {word if ending == "at the point" else ending: 3}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"game": "chess"}, "--game chess: there is no such name"),
        ({"game": "adolph"}, "perhaps you meant adolphs"),
        ({"solver": "sgd"}, "--solver sgd"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"learning_rate": -1.0}, "--learning-rate must be positive"),
        ({"half_width": 0.0}, "--half-width must be positive"),
        ({"solver": "cgd", "modified": True}, "--modified is known for simultaneous and alt"),
        ({"resume": "runs/x"}, "runs in one piece"),
    ],
)
def test_a_portrait_refuses_what_cannot_work(tmp_path, flags, message):
    """One line, before anything is written."""
    if "resume" in flags:
        flags = {"resume": tmp_path}
    with pytest.raises(UserError, match=message):
        portrait(tmp_path, **flags)
    assert not (tmp_path / "run").exists()


VARIANTS = {name for name in PLANAR_GAMES if name.startswith("dirac_gan_")}
LONG = VARIANTS | {"avoided_nash", "global_forsaken", "mazumdar_fiez"}
"""Games of the plane whose certificates take seconds to compile, with the slow tests."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] * (n in LONG)) for n in sorted(PLANAR_GAMES)],
)
def test_every_game_of_the_plane_has_a_window_on_its_points(name):
    """Its critical points, if it has any, lie within; the words are those of the pictures."""
    from recipes._planar.portrait import MARKERS

    planar = PLANAR_GAMES[name]
    for verdict in critical_points(planar.make()):
        place = np.array([float(verdict.players.x), float(verdict.players.y)])
        assert np.abs(place - planar.centre).max() < planar.half_width
        assert verdict.word in MARKERS


def diagram(tmp_path, **flags):
    small = {"step_sizes": 12, "second_values": 5, "plays": 8, "out": tmp_path / "run"}
    return phase_diagram.run(phase_diagram.Args(**{**small, **flags}))


@pytest.mark.parametrize(
    ("solver", "second"), [("extragradient", "extrapolation"), ("alternating", "momentum")]
)
def test_measured_convergence_is_the_theory_curve(tmp_path, float32, solver, second):
    """On xy: the median of the plays, the spectral radius and the closed form, within 1 %."""
    result = diagram(tmp_path, solver=solver, second=second)
    cut = result.players
    np.testing.assert_allclose(cut.radius, cut.closed_form, rtol=1e-7)
    seen = np.isfinite(cut.median)
    assert seen.sum() >= 10
    np.testing.assert_allclose(cut.median[seen], cut.radius[seen], rtol=0.01)
    assert (result.folder / "diagram.png").stat().st_size > 1000


@pytest.mark.parametrize("solver", sorted(SECOND))
def test_every_second_hyper_parameter_makes_a_solver(solver):
    """At its usual value and at both ends: a spectral radius that is a number."""
    import gameopt as go

    game = PLANAR_GAMES["quadratic"].make()
    (point,) = critical_points(game)
    for second in SECOND[solver].values():
        values = np.array([second.low, second.usual, second.high])
        radii = go.local_rates(game, second.make, point.players, np.full(3, 0.1), values)
        assert np.isfinite(radii).all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"solver": "anchored"}, "--solver anchored"),
        ({"second": "warmth"}, "--second warmth"),
        ({"point": 3}, "--point 3: bilinear has 1, numbered from 0"),
        ({"game": "jin_not_stationary", "point": 5}, "--point 5"),
        ({"smallest_step": 3.0}, "--smallest-step and --largest-step"),
        ({"radius": 0.0}, "--radius must be positive"),
        ({"steps": 3}, "--steps must be at least 40"),
        ({"second_value": float("nan")}, "--second-value must be finite"),
    ],
)
def test_a_diagram_refuses_what_cannot_work(tmp_path, flags, message):
    """One line, before anything is written."""
    with pytest.raises(UserError, match=message):
        diagram(tmp_path, **flags)
    assert not (tmp_path / "run").exists()
