"""Rest, circles, spirals, tori, noise and departures are told apart on paths made by hand."""

import hypothesis as hyp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.interpolate import make_interp_spline

import gameopt as go
from gameopt._dynamics.recurrence import _refined
from tests.solvers import point

ROUNDS = np.arange(3000)


def named(found):
    """The name of the motion."""
    names = ("settled", "cycle", "diverging", "undecided")
    return next(name for name in names if bool(found.motion == getattr(go.MOTIONS, name)))


def plane(z):
    """Complex numbers as rows."""
    return jnp.asarray(np.stack([z.real, z.imag], axis=1))


def spiral(growth, period=47.3, rounds=ROUNDS):
    """Multiplied by e^growth each round."""
    return plane(np.exp((growth + 2j * np.pi / period) * rounds))


@hyp.given(
    period=st.floats(8.0, 150.0),
    radius=st.floats(1e-3, 1e3),
    phase=st.floats(0, 6),
    x=st.floats(-9, 9),
)
@hyp.settings(max_examples=25)
def test_a_circle_is_its_period_radius_and_center(period, radius, phase, x):
    """Whatever its size, where it is, and however its period falls between the records."""
    circle = radius * np.exp(1j * (2 * np.pi * ROUNDS / period + phase)) + x
    found = go.limit_cycle(plane(circle))
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period, period, rtol=1e-6)
    np.testing.assert_allclose(found.amplitude, radius, rtol=1e-3)
    np.testing.assert_allclose(found.center, [x, 0], atol=2e-5 * radius)
    assert abs(found.drift) < 1e-6


@pytest.mark.parametrize("growth", [-1e-3, -1e-5, -1e-7, -1e-8, 1e-8, 1e-7, 1e-6, 1e-4])
def test_slow_spirals_are_no_cycles(growth):
    """Down to 1e-8 a round, which changes a turn by 5e-7; the drift is e^(g P) - 1."""
    found = go.limit_cycle(spiral(growth))
    assert named(found) == "undecided"
    np.testing.assert_allclose(found.period, 47.3, rtol=1e-4)
    np.testing.assert_allclose(found.drift, np.expm1(growth * 47.3), rtol=0.02)


def test_fast_spirals_settle_or_diverge():
    """At rest to the tolerance, or grown a thousandfold in the half that is judged."""
    assert named(go.limit_cycle(spiral(-0.01))) == "settled"
    assert named(go.limit_cycle(spiral(0.005))) == "diverging"
    assert named(go.limit_cycle(plane(np.exp(0.005 * ROUNDS + 0j)))) == "diverging"


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e9])
def test_what_is_not_finite_or_past_the_norm_diverges(bad):
    """Even in one round of those that are not judged."""
    path = np.ones((100, 2))
    path[3, 1] = bad
    found = go.limit_cycle(jnp.asarray(path))
    assert named(found) == "diverging"
    assert not jnp.isnan(found.drift)


def test_rest_is_rest_also_with_rounding_and_after_a_long_way():
    """A constant, a constant with jitter of one rounding, and a decay to it."""
    jitter = 1 + np.finfo(float).eps * (-1.0) ** np.arange(200)
    for path in (np.ones(200), jitter, 1 + 50 * 0.9 ** np.arange(400)):
        assert named(go.limit_cycle(jnp.asarray(path)[:, None])) == "settled"


@pytest.mark.parametrize("ratio", [(1 + np.sqrt(5)) / 2, np.sqrt(2), np.pi, 1.01])
@pytest.mark.parametrize("rounds", [400, 6000])
def test_two_frequencies_are_undecided(ratio, rounds):
    """A torus comes near itself, and nearer the longer one waits, but not time after time."""
    angle = 2 * np.pi * np.arange(rounds) / 30
    found = go.limit_cycle(plane(np.exp(1j * angle) + 0.5 * np.exp(1j * ratio * angle)))
    assert named(found) == "undecided"


def test_near_returns_without_a_change_of_size_are_undecided():
    """Circles in two planes, one slower by a thousandth: a turn is closed to 0.5 %, and many are
    not, though each has the same size."""
    angle = 2 * np.pi * np.arange(10_000) / 30
    both = [plane(np.exp(1j * angle)), plane(np.exp(1.001j * angle))]
    assert named(go.limit_cycle(jnp.concatenate(both, axis=1))) == "undecided"


def test_an_orbit_that_closes_after_two_turns_has_their_period():
    """Every other turn is larger; a record of three turns has not seen it often enough."""
    angle = 2 * np.pi * ROUNDS / 30
    path = plane(np.exp(1j * angle) * (1 + 0.03 * np.cos(angle / 2)))
    found = go.limit_cycle(path)
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period, 60, rtol=1e-9)
    assert named(go.limit_cycle(path[:200])) == "undecided"


def test_two_frequencies_with_a_common_period_are_a_cycle():
    """Of ten turns of the one and 31 of the other."""
    angle = 2 * np.pi * ROUNDS / 30
    found = go.limit_cycle(plane(np.exp(1j * angle) + 0.5 * np.exp(3.1j * angle)))
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period, 300, rtol=1e-9)


@pytest.mark.parametrize("rounds", [64, 500, 10_000])
@pytest.mark.parametrize("walks", [False, True])
def test_noise_is_undecided(rounds, walks):
    """White noise, and its sums."""
    path = np.random.default_rng(rounds).normal(size=(rounds, 2))
    found = go.limit_cycle(jnp.asarray(path.cumsum(axis=0) if walks else path))
    assert named(found) == "undecided"
    assert found.period == jnp.inf


def test_random_walks_neither_circle_nor_diverge():
    """Their pieces grow often enough, but not along a line."""
    for seed in range(100):
        walk = np.random.default_rng(seed).normal(size=(500, 1)).cumsum(axis=0)
        assert named(go.limit_cycle(walk)) == "undecided"


def test_a_noisy_circle_is_one_while_it_repeats_to_the_tolerance():
    """Noise of a thousandth is within it, of a twentieth is not unless asked for."""
    circle, noise = spiral(0.0), np.random.default_rng(0).normal(size=(len(ROUNDS), 2))
    for seed in range(10):
        small = 1e-3 * np.random.default_rng(seed).normal(size=noise.shape)
        assert named(go.limit_cycle(circle + small)) == "cycle"
    assert named(go.limit_cycle(circle + 0.05 * noise)) == "undecided"
    found = go.limit_cycle(circle + 0.05 * noise, closure=0.2)
    assert named(found) == "cycle"
    np.testing.assert_allclose(found.period, 47.3, rtol=1e-3)


@pytest.mark.parametrize(("rate", "motion"), [(2.8, "settled"), (3.2, 2), (3.5, 4), (3.9, "chaos")])
def test_the_logistic_map(rate, motion):
    """x' = r x (1 - x): a fixed point, periods 2 and 4 in whole rounds, and chaos."""
    x = [0.3]
    for _ in range(3000):
        x.append(rate * x[-1] * (1 - x[-1]))
    found = go.limit_cycle(jnp.asarray(x))
    if motion == "settled":
        assert named(found) == "settled"
        np.testing.assert_allclose(found.center, 1 - 1 / rate, rtol=1e-9)
    elif motion == "chaos":
        assert named(found) == "undecided"
    else:
        assert named(found) == "cycle"
        assert found.period == motion


def test_a_cycle_far_smaller_than_the_way_to_it():
    """From a million away to radius 1: its size is small beside the path, and it is no rest."""
    radius = 1 + 1e6 * np.exp(-np.arange(8000) / 50)
    found = go.limit_cycle(plane(radius * np.exp(0.1j * np.arange(8000))))
    assert named(found) == "cycle"
    np.testing.assert_allclose([found.period, found.amplitude], [20 * np.pi, 1], rtol=1e-3)


def test_growth_that_bends_down_is_not_called_diverging():
    """A logistic radius: exponential at first, which is all that a short record sees."""
    rounds = np.arange(12_000)
    path = plane(np.exp(0.1j * rounds) / (1 + 1e3 * np.exp(-rounds / 700)))
    assert named(go.limit_cycle(path[:3000])) == "diverging"
    assert named(go.limit_cycle(path[:6000])) == "undecided"
    assert named(go.limit_cycle(path, skip=0.9)) == "cycle"


def test_records_of_any_structure():
    """Players with leaves of several shapes, counters left out: the same as one array of rows."""
    rows = np.asarray(spiral(0.0))
    nested = go.Players({"a": jnp.asarray(rows[:, :1, None]), "n": jnp.arange(3000)}, rows_of(rows))
    found, plain = go.limit_cycle(nested), go.limit_cycle(jnp.asarray(rows))
    assert found.center.x["a"].shape == (1, 1)
    assert found.center.x["n"] is None
    assert found.center.y.shape == ()
    np.testing.assert_allclose(found.period, plain.period, rtol=1e-12)


def rows_of(rows):
    """The second column."""
    return jnp.asarray(rows[:, 1])


def test_single_precision(float32):
    """A circle is one, and a spiral is none."""
    assert named(go.limit_cycle(spiral(0.0))) == "cycle"
    assert named(go.limit_cycle(spiral(-1e-4))) == "undecided"
    assert named(go.limit_cycle(jnp.ones((100, 2)))) == "settled"


def test_short_paths_are_refused():
    """With the numbers; and paths that are none."""
    with pytest.raises(ValueError, match="only 20 of 40 rounds are left to judge, and 32 are"):
        go.limit_cycle(jnp.ones((40, 2)))
    with pytest.raises(ValueError, match="skip must be at least 0 and less than 1"):
        go.limit_cycle(jnp.ones((100, 2)), skip=1.0)
    with pytest.raises(ValueError, match="one first axis of rounds"):
        go.limit_cycle(point(jnp.ones(100), jnp.ones(99)))


def test_the_text_of_a_motion_says_what_may_be_done():
    """A Module of arrays, so that reports can be stacked; the text is the enumeration's."""
    found = go.limit_cycle(spiral(-1e-4))
    assert "record more rounds" in go.MOTIONS[found.motion]
    assert all(leaf.shape in {(), (2,)} for leaf in jax.tree.leaves(found))


def test_a_batch_is_its_paths_one_by_one():
    """A circle, rest and departure at once: the same bits."""
    circle, at_rest, away = spiral(0.0), spiral(-0.1), spiral(0.02)
    paths = go.Players(jnp.stack([circle, at_rest, away])[:, :, 0], None)
    found = go.limit_cycle(paths, batched=True)
    assert [str(go.MOTIONS(index)) for index in found.motion.index] == [
        "cycle",
        "settled",
        "diverging",
    ]
    for i in range(3):
        alone = go.limit_cycle(go.Players(paths.x[i], None))
        same = jax.tree.map(lambda leaf, i=i: leaf[i], found)
        jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(same), jax.tree.leaves(alone))
    assert (found.motion == go.MOTIONS.cycle).tolist() == [True, False, False]
    assert found.center.x.shape == (3,)
    with pytest.raises(ValueError, match="first axis of paths"):
        go.limit_cycle((jnp.zeros((2, 99)), jnp.zeros((3, 99))), batched=True)


def test_recorded_rollouts_of_a_batch():
    """Gradient play on V = xy leaves; alternating play circles; on x^2 - y^2 it rests."""
    starts = point(jnp.asarray([1.0, 0.5]), jnp.asarray([0.0, 0.5]))
    sgd = go.Players(optax.sgd(0.2), optax.sgd(0.2))
    bilinear = go.zero_sum_game(lambda x, y: x * y)
    saddle = go.zero_sum_game(lambda x, y: x**2 - y**2)
    cases = {
        "diverging": (bilinear, go.Simultaneous(sgd)),
        "cycle": (bilinear, go.Alternating(sgd)),
        "settled": (saddle, go.Simultaneous(sgd)),
    }
    for name, (game, solver) in cases.items():
        play = lambda z, game=game, solver=solver: go.rollout(
            game, solver, z, 1000, record=go.record_players
        )
        found = go.limit_cycle(jax.vmap(play)(starts).records, batched=True)
        assert np.all(found.motion == getattr(go.MOTIONS, name))


@pytest.mark.parametrize("lag", [32.5, 36.0, 39.0])
def test_a_lag_as_long_as_the_record_is_not_refined(lag):
    """Within 8 rounds of the record's end there is no room to search: the lag stays as it is.

    A path that returns after about 2.8 rounds is followed over turns whose rounding adds up to it.
    """
    path = np.random.default_rng(0).normal(size=(40, 2))
    spline = make_interp_spline(np.arange(40), path, k=5)
    assert _refined(spline, 40, lag, 0.4) == lag
