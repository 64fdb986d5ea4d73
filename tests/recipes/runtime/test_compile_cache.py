"""Compiled programs that are kept: where, by whom, and that nothing depends on them."""

import os
import subprocess
import sys

import pytest

from recipes._runtime.compile_cache import cache_folder, setting

PROGRAM = """
import sys
import jax, jax.monitoring, jax.numpy as jnp
from recipes._runtime import cli, compile_cache, run
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name.split("/")[-1]))
compile_cache.SECONDS = 0.0
class Result:
    def __init__(self, summary):
        self.summary = summary
def work(args):
    found = jax.jit(lambda a: jnp.tanh(a @ a).sum())(jnp.ones((9, 9)) / 7)
    return Result({"value": float(found), "hits": events.count("cache_hits")})
cli.main(run.FolderArgs, work)
"""


def started(cache, *argv):
    """The summary of a fresh process, which says nothing else."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    del environment["JAX_ENABLE_COMPILATION_CACHE"]
    command = [sys.executable, "-c", PROGRAM, *argv]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def files(cache):
    return sorted(path for path in cache.rglob("*-cache") if path.is_file())


def test_the_second_start_reads_what_the_first_has_compiled(tmp_path):
    """The same numbers; damaged files, and a folder that cannot be made, are no error."""
    first, second = started(tmp_path), started(tmp_path)
    assert '"hits": 0' in first
    assert '"hits": 0' not in second
    assert first.split('"hits"')[0] == second.split('"hits"')[0]
    kept = files(tmp_path)
    assert kept
    assert all(path.is_relative_to(tmp_path / "gameopt" / "compiled") for path in kept)
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert started(tmp_path) == first
    (tmp_path / "file").touch()
    assert started(tmp_path / "file") == first


def test_no_compile_cache_leaves_it_out(tmp_path):
    """Nothing is written."""
    assert '"hits": 0' in started(tmp_path, "--no-compile-cache")
    assert files(tmp_path) == []


def test_the_tests_keep_nothing():
    """Neither these, nor the processes that they start."""
    assert not setting("jax_enable_compilation_cache")
    assert os.environ["JAX_ENABLE_COMPILATION_CACHE"] == "false"


@pytest.mark.parametrize("value", ["", "relative"])
def test_a_cache_home_that_is_no_absolute_path_is_ignored(value, monkeypatch, tmp_path):
    """As the standard has it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert cache_folder().is_relative_to(tmp_path / ".cache" / "gameopt")
