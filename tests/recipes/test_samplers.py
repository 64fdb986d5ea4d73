"""recipes.samplers: a run, the orders of samplers with an exact score, and what is refused."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import models
from recipes import samplers
from recipes._diffusion.args import DiffusionArgs
from recipes._diffusion.exact import ExactLaw
from recipes._diffusion.processes import make_process
from recipes._runtime.errors import UserError
from recipes._samplers import study
from recipes._samplers.study import ExactDenoiser, Judge, steps_of, studied

TINY = {
    "steps": 2, "eval_every": 2, "log_every": 1, "width": 8, "depth": 1, "batch_size": 16,
    "points": 200, "evaluations": (3, 5), "samplers": ("ancestral", "heun"),
}  # fmt: skip


def broad() -> ExactLaw:
    """Two Gaussians in the plane that every step size here resolves."""
    covs = jnp.asarray([[[0.3, 0.1], [0.1, 0.2]], [[0.2, 0.0], [0.0, 0.4]]])
    return ExactLaw(jnp.asarray([0.4, 0.6]), jnp.asarray([[-1.0, 0.0], [1.0, 0.5]]), covs)


def judge_of(law, points):
    process = make_process(DiffusionArgs(objective="velocity"), 1.0)
    return Judge(law, process, points, jax.random.key(0))


def test_ends_of_paths_come_nearer_at_the_samplers_order():
    """From 16 to 64 steps with an exact score; float64, so that nothing here is rounding.

    DPM-Solver++ has its order on levels even in log-SNR, which these are not at their ends.
    """
    judge = judge_of(broad(), 64)
    denoiser = ExactDenoiser(judge.exact)
    ends = judge.ends(denoiser, models.Heun(), 400)
    for rule, order in ((models.DDIM(), 1), (models.Heun(), 2)):
        coarse, fine = (
            float(jnp.mean(jnp.linalg.norm(judge.ends(denoiser, rule, steps) - ends, axis=1)))
            for steps in (16, 64)
        )
        assert np.log(coarse / fine) / np.log(4) == pytest.approx(order, abs=0.1)


def test_costs_are_paid_in_full_and_no_more():
    """Heun's method takes two evaluations a step, and one in its last."""
    process = make_process(DiffusionArgs(objective="velocity"), 1.0)
    for count in (3, 5, 8, 129):
        assert steps_of(models.DDIM(), process, count) == count
        assert steps_of(models.Heun(), process, count) == (count + 1) // 2


@pytest.fixture
def _few_fine_steps(monkeypatch):
    """Paths without a step size, roughly: a step is one program, run so many times."""
    monkeypatch.setattr(study, "FINE", 10)


@pytest.mark.usefixtures("_few_fine_steps")
def test_a_perfect_network_has_no_error_of_its_own():
    """Both errors are then the sampler's alone."""
    judge = judge_of(broad(), 32)
    exact = ExactDenoiser(judge.exact)
    study = studied(
        judge,
        {"exact": exact, "trained": exact},
        {"ddim": models.DDIM()},
        [4],
        contextlib.nullcontext,
    )
    assert study.network.off == 0
    left, right = study.lines
    assert left[2:] == right[2:]
    assert left.off is not None
    assert left.off > 0


@pytest.mark.usefixtures("_few_fine_steps")
def test_a_run_leaves_everything_and_is_read_back(tmp_path, float32):
    found = samplers.run(samplers.Args(out=tmp_path / "run", **TINY))
    text = (found.folder / "samplers.md").read_text(encoding="utf-8")
    assert text.count("| ancestral |") == text.count("| heun |") == 4
    for picture in ("curves", "samples"):
        assert (found.folder / f"{picture}.png").stat().st_size > 10_000
    assert found.summary["w1_heun_exact"] < found.summary["w1_heun_trained"]


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        ({"samplers": ()}, "--samplers must name at least one"),
        ({"samplers": ("heun", "heun")}, "none twice"),
        ({"evaluations": (2, 5)}, "--evaluations must be numbers from 3 on"),
        ({"evaluations": (5, 5)}, "none twice"),
    ],
)
def test_what_cannot_be_compared_is_one_line(flags, says):
    with pytest.raises(UserError, match=says):
        samplers.resolve(samplers.Args(**flags))
