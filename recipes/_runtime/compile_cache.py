"""Compiled programs that are kept from one start of a recipe to the next, by JAX's own cache."""

import contextlib
import hashlib
import os
import platform
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SECONDS = 0.2
"""Programs that compile faster are not kept."""


@contextlib.contextmanager
def compiled_programs_kept(keep: bool) -> Iterator[None]:
    """Within it JAX reads and writes compiled programs below the user's cache folder.

    JAX's own settings come first, and nothing that happens to the folder is an error: what cannot
    be read is compiled, and what cannot be written is not kept.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*persistent compilation cache")
        if keep:
            _begin()
        yield


def _begin() -> None:
    import jax

    if setting("jax_compilation_cache_dir") or not setting("jax_enable_compilation_cache"):
        return
    with contextlib.suppress(OSError, RuntimeError):  # the latter: there is no home
        folder = cache_folder()
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            jax.config.update("jax_compilation_cache_dir", str(folder))
            jax.config.update("jax_persistent_cache_min_compile_time_secs", SECONDS)


def setting(name: str) -> Any:
    """A setting of JAX's, which its types do not list."""
    import jax

    return getattr(jax.config, name)


def cache_folder() -> Path:
    """The folder of this kind of processor: a home may be shared by several.

    A program for another processor may be refused by it in the middle of a training.
    """
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not root.is_absolute():  # as the standard has it
        root = Path.home() / ".cache"
    return root / "gameopt" / "compiled" / hashlib.sha256(_processor()).hexdigest()[:16]


def _processor() -> bytes:
    try:
        lines = Path("/proc/cpuinfo").read_bytes().splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}".encode()
    wanted = (b"model name", b"flags", b"Features", b"CPU part")
    return b"\n".join(sorted({line for line in lines if line.startswith(wanted)}))
