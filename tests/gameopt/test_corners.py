"""Corner cases of every public function and solver: NaN, precision, types, JAX's own checkers."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import gameopt as go
from tests.gameopt import public
from tests.gameopt.public import ANALYSES, EXEMPT

GAME = go.zero_sum_game(public.value)
# The noise is of the value alone, so that its derivatives are those of the game.
NOISY = go.zero_sum_game(
    lambda x, y, key: public.value(x, y) + jax.random.normal(key, (), x["w"].dtype),
    stochastic=True,
)
DERIVATIVES = {
    name
    for name, where in public.DEFINED_IN.items()
    if where in ("gameopt._games.derivatives", "gameopt._games.derivatives")
} | {"modified_field", "spectrum"}
"""They run the losses themselves, whose numbers only a compiled program does not transfer."""

each_analysis = pytest.mark.parametrize("name", sorted(ANALYSES))

LONG = ("overlay", "modified_flow", "high_resolution_flow")
"""Cases that take seconds to compile, made of parts that the other tests cover."""


def compiled(*slow, without=()):
    """Every analysis that a test compiles, the long ones in the slow tests."""
    names = sorted(set(ANALYSES) - set(without))
    mark = lambda name: pytest.mark.slow if name in (*LONG, *slow) else ()
    return pytest.mark.parametrize("name", [pytest.param(n, marks=mark(n)) for n in names])


def strategy(values, dtype=jnp.float64):
    """With what is carried along: a typed key, and arrays of size 0, played and not."""
    empty = {"empty": jnp.zeros((0, 2), dtype), "none": jnp.zeros((0,), jnp.int32)}
    return {"w": jnp.asarray(values, dtype), "key": jax.random.key(3), **empty}


def players(x=(0.3, 0.1), y=(-0.2, 0.4), dtype=jnp.float64):
    return go.Players(strategy(x, dtype), strategy(y, dtype))


def numbers(result) -> np.ndarray:
    """All floating-point numbers of a result."""
    leaves = [leaf for leaf in jax.tree.leaves(result) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return np.concatenate([np.asarray(leaf, np.complex128).ravel() for leaf in leaves])


def verdicts(result) -> list:
    is_verdict = lambda node: isinstance(node, go.VERDICT)
    leaves = jax.tree.leaves(result, is_leaf=is_verdict)
    return [str(leaf) for leaf in leaves if is_verdict(leaf)]


def test_every_public_callable_is_in_a_table_or_exempt():
    """And no exemption is of what is not there."""
    there = {name for name in dir(go) if callable(getattr(go, name)) and not name.startswith("_")}
    tested = public.table_names() | set(EXEMPT)
    assert there - tested == set()
    assert tested - there == set()


HEADLINES = {
    "local_rate": lambda r: r.spectral_radius,
    "local_rate (krylov)": lambda r: r.spectral_radius,
    "exploitability": lambda r: r.total,
    "duality_gap": lambda r: r.total,
    "path_angle": lambda r: (r.cosine, r.switch, r.bump),
    "rotation": lambda r: (r.potential, r.rotational, r.angular_frequency),
    "classify": lambda r: (r.tau_star, r.max_step, r.stationarity),
    "classify (krylov)": lambda r: (r.tau_star, r.max_step, r.stationarity),
    "spectral_density": lambda r: (r.density, r.weights),
    "flow": lambda r: r.end.x["w"][0],
    "rollout": lambda r: (r.players.x["w"][0], r.records.losses.x),
    "solve": lambda r: (r.stats.stationarity, r.stats.losses),
}
"""The numbers of a result that must not be finite at NaN; of others, one of them must not be."""


@compiled()
def test_jax_s_checkers_and_nan(name):
    """In float32, with keys and empty arrays in the strategies, under JAX's checkers of transfers
    and of keys: numbers at a finite point, and at NaN no number to be proud of."""
    analyse = eqx.filter_jit(ANALYSES[name]) if name in DERIVATIVES else ANALYSES[name]
    fine, key = players(dtype=jnp.float32), jax.random.key(0)
    broken = players((jnp.nan, 0.1), dtype=jnp.float32)
    with jax.transfer_guard("disallow"), jax.debug_key_reuse(True):
        found = analyse(NOISY, fine, key)
        try:
            lost = analyse(NOISY, broken, key)
        except ValueError as error:
            assert "inf or nan" in str(error)  # noqa: PT017
            lost = None
    if name not in ("find_critical_points", "spectral_density"):
        known = numbers(HEADLINES.get(name, lambda r: r)(found))
        assert name.startswith("classify") or np.isfinite(known).any()
    if isinstance(lost, go.FoundPoints):
        assert lost.counts.size == 0
    elif lost is not None:
        shown = numbers(HEADLINES.get(name, lambda r: r)(lost))
        assert not np.isfinite(shown).any() if name in HEADLINES else not np.isfinite(shown).all()
        assert "yes" not in verdicts(lost)
        assert not isinstance(lost, go.Solution) or str(lost.result) == "nonfinite"


@compiled("flow", "classify (krylov)", without=DERIVATIVES)
def test_no_tracer_leaks(name):
    """Under jax.checking_leaks."""
    with jax.checking_leaks():
        ANALYSES[name](GAME, players(), None)


@compiled("flow", "classify (krylov)")
@pytest.mark.parametrize("dtype", [jnp.bfloat16, pytest.param(jnp.float16, marks=pytest.mark.slow)])
def test_half_precision(name, dtype):
    """Gives numbers."""
    found = ANALYSES[name](GAME, players(dtype=dtype), None)
    if name not in ("classify", "classify (krylov)", "find_critical_points", "safe_step"):
        assert np.isfinite(numbers(HEADLINES.get(name, lambda r: r)(found))).any()


@pytest.mark.parametrize("name", ["rollout", "solve", "local_rate", "exploitability", "jacobian"])
def test_numpy_arrays_are_played_as_jax_s_are(name):
    """The same numbers, of arrays and of 0-d arrays."""
    given = players()
    is_key = lambda leaf: jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    hosted = jax.tree.map(lambda a: a if is_key(a) else np.asarray(a), given)
    found, same = (ANALYSES[name](GAME, z, None) for z in (given, hosted))
    np.testing.assert_array_equal(numbers(same), numbers(found))


REFUSED = {
    "floats": (go.Players({"w": 1.0}, {"w": 2.0}), ValueError, "no floating-point JAX array"),
    "integers": (
        go.Players({"w": jnp.arange(2)}, {"w": jnp.arange(2)}), ValueError, "no floating-point",
    ),
    "size 0": (
        go.Players({"w": jnp.zeros(0)}, {"w": jnp.ones(1)}), ValueError, "no floating-point",
    ),
    "size 0 for y": (
        go.Players({"w": jnp.zeros(1)}, {"w": jnp.ones(0)}), ValueError, "no floating-point",
    ),
}  # fmt: skip


@each_analysis
@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_what_cannot_be_played_is_refused(name, kind):
    """One line that says which player and what to do; nothing is computed."""
    given, error, message = REFUSED[kind]
    with pytest.raises(error, match=message):
        public.ANALYSES[name](GAME, given, None)


@each_analysis
def test_wrong_kinds_of_arguments_are_type_errors(name):
    """A tuple for the players, a function for the game: named, before anything is traced."""
    pair: Any = ({"w": jnp.ones(2)}, {"w": jnp.ones(2)})
    no_game: Any = public.value
    with pytest.raises(TypeError, match=r"players|starts|go\.Players|start"):
        ANALYSES[name](GAME, pair, None)
    with pytest.raises(TypeError, match="game"):
        ANALYSES[name](no_game, players(), None)
