"""Float64, strict promotion, warnings as errors; recipes run in float32 through the fixture."""

import importlib.metadata
import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "agg")
# Not into the cache of the user; `compiled_programs_kept` obeys.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "false")

import hypothesis
import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("gameopt", deadline=None, derandomize=True, max_examples=50)
hypothesis.settings.load_profile("gameopt")


def pytest_configure(config: pytest.Config) -> None:
    """Most tests run a program once, so that compiling it well takes longer than running it.

    The long studies (``-m slow``) train, and get XLA's full optimisation.
    """
    if config.option.markexpr.strip() != "not slow":
        return
    jax.config.update("jax_disable_most_optimizations", True)
    # XLA's older code generator compiles small programs in two thirds of the time. A flag that a
    # version does not know ends the process, so that it is only given to those that do. XLA reads
    # flags when its first program is compiled, which is later than this.
    if importlib.metadata.version("jaxlib").startswith("0.10."):
        os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")


@pytest.fixture
def float32():
    """The recipes' own precision, for tests that run one in this process."""
    with (
        jax.enable_x64(False),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("raise"),
    ):
        yield


@pytest.fixture(scope="module", autouse=True)
def _forget_compiled_programs():
    """The programs of one file are of no use to the next, and together they fill the memory."""
    yield
    jax.clear_caches()
