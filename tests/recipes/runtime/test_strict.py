"""Recipes under JAX's own checkers. Those of a rank hold in every test of a recipe: see `float32`.

Here are runs that no other quick test makes, and the search for leaked tracers.
"""

from typing import Any

import jax
import pytest

from recipes import cgan, critic, divergences, phase_diagram, tournament
from recipes._runtime.solvers import FIRST_ORDER

RUNS = {
    "divergences": (divergences, {"steps": 20, "thetas": 2, "batch_size": 4, "width": 4}),
    "critic": (
        critic,
        {"points": 6, "steps": 20, "batch_size": 4, "width": 4, "depth": 1,
         "constraints": ("gp", "sn"), "deep_clips": (0.1,), "deep_depth": 2,
         "deep_width": 4, "deep_steps": 20},
    ),
    "cgan": (
        cgan,
        {"steps": 2, "eval_every": 2, "log_every": 1, "batch_size": 4, "width": 2,
         "latent_size": 3, "eval_size": 10, "metrics": False, "condition": "edges"},
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "critic")) for n in sorted(RUNS)]
)
def test_a_recipe_under_strict_ranks(name, tmp_path, monkeypatch, float32):
    """`jax_numpy_rank_promotion=raise`: every broadcast of ranks is written out."""
    recipe, flags = RUNS[name]
    monkeypatch.chdir(tmp_path)
    assert getattr(jax.config, "jax_numpy_rank_promotion") == "raise"  # noqa: B009
    assert recipe.run(recipe.Args(out=tmp_path / "run", **flags)).summary["recipe"] == name


@pytest.mark.parametrize("solver", ["extragradient", "alternating", "lookahead_simultaneous"])
def test_a_phase_diagram_leaks_no_tracers(solver, tmp_path, float32):
    """Step sizes are mapped over, and no cache of JAX's keeps one after its trace."""
    small: dict[str, Any] = {"step_sizes": 3, "second_values": 2, "plays": 2, "steps": 40}
    with jax.checking_leaks():
        result = phase_diagram.run(phase_diagram.Args(out=tmp_path / "run", solver=solver, **small))
    assert result.summary["solver"] == solver


def test_a_tournament_leaks_no_tracers(tmp_path, float32):
    """Six first-order solvers on one game."""
    args = tournament.Args(
        out=tmp_path / "run", games=("bilinear",), solvers=tuple(FIRST_ORDER)[:6], budget=100,
        step_sizes=2, starts=2,
    )  # fmt: skip
    with jax.checking_leaks():
        assert tournament.run(args).summary["recipe"] == "tournament"
