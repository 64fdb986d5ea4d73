"""Checkpoints: written whole or not at all, verified before they are trusted.

    RUN/checkpoints/00000500/
        tree/          the arrays, by Orbax, one entry per leaf named by its path
        manifest.json  the round, shape and dtype of every leaf, SHA-256 of every file of tree/ and
                       of the manifest itself

A folder is written under a temporary name and renamed when it is complete, so that a checkpoint
with its final name was finished. What a disk does to it afterwards, the checksums find. Manifests
of before they had a checksum of their own are still read.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from recipes._runtime.errors import UserError
from recipes._runtime.files import digest
from recipes._runtime.standing import newest_rounds

FORMAT = 1
KEYS = {"format", "round", "leaves", "sha256"}
CHECKSUM = "checksum"
Described = dict[str, dict[str, Any]]
"""Shape and dtype of each leaf, by its path."""


def _named_leaves(tree: Any) -> dict[str, jax.Array]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _described(leaves: Mapping[str, jax.Array]) -> Described:
    return {k: {"shape": list(v.shape), "dtype": str(v.dtype)} for k, v in leaves.items()}


def _is_key(leaf: jax.Array) -> bool:
    return jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _to_host(leaf: jax.Array) -> np.ndarray:
    """The numbers of an array; of typed keys, the data that they are made of."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _from_host(array: np.ndarray | None, like: jax.Array) -> jax.Array:
    """The inverse of `_to_host`; an array without entries is in no file."""
    if array is None:
        return jax.numpy.zeros_like(like)
    if _is_key(like):
        return jax.random.wrap_key_data(jax.numpy.asarray(array), impl=jax.random.key_impl(like))
    return jax.numpy.asarray(array, like.dtype)


def _checksum(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's values, without its own."""
    rest = {key: value for key, value in manifest.items() if key != CHECKSUM}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _files(checkpoint: Path) -> dict[str, Path]:
    """The files of the arrays by their paths in the checkpoint, with slashes on every system."""
    paths = sorted(path for path in (checkpoint / "tree").rglob("*") if path.is_file())
    return {path.relative_to(checkpoint).as_posix(): path for path in paths}


def save(folder: Path, round: int, tree: Any, keep: int = 3) -> Path:
    """Writes the arrays of `tree` as the checkpoint of `round`, and keeps the newest `keep`.

    **Arguments:**

    - `folder`: RUN/checkpoints. `tree`: any pytree; leaves that are no arrays are not written.

    **Returns:** the checkpoint's folder.
    """
    import orbax.checkpoint as ocp  # here: a wrong flag need not wait for it

    leaves = _named_leaves(tree)
    arrays = {name: _to_host(leaf) for name, leaf in leaves.items() if leaf.size > 0}
    target, temporary = folder / f"{round:08d}", folder / f".writing-{round:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    if arrays:  # Orbax refuses a tree without any, and those without entries
        try:
            with ocp.PyTreeCheckpointer() as checkpointer:
                checkpointer.save((temporary / "tree").absolute(), arrays)
        except (OSError, MemoryError):
            raise
        except Exception as error:  # a full disk, as Orbax and its formats say it
            why = (str(error).splitlines() or [""])[0]
            raise UserError(f"{target} cannot be written: {why}") from error
    manifest = {
        "format": FORMAT,
        "round": round,
        "leaves": _described(leaves),
        "sha256": {name: digest(path) for name, path in _files(temporary).items()},
    }
    manifest[CHECKSUM] = _checksum(manifest)
    with (temporary / "manifest.json").open("w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    shutil.rmtree(target, ignore_errors=True)
    temporary.rename(target)
    for old in _checkpoints(folder)[keep:]:
        shutil.rmtree(old)
    return target


def _checkpoints(folder: Path) -> list[Path]:
    """The finished checkpoints, newest first."""
    return [folder / f"{round:08d}" for round in newest_rounds(folder)]


def newest_round(folder: Path) -> int | None:
    """The round of the newest finished checkpoint, sound or not; `None` if there is none."""
    return next(iter(newest_rounds(folder)), None)


def newest_sound_round(folder: Path) -> int | None:
    """The round of the newest checkpoint that is as it was written; `None` if there is none."""
    sound = (path for path in _checkpoints(folder) if isinstance(_manifest(path), dict))
    return next((int(path.name) for path in sound), None)


def check_sound(folder: Path) -> None:
    """Raise a `UserError` if there are checkpoints and none of them is as it was written."""
    faults = []
    for checkpoint in _checkpoints(folder):
        found = _manifest(checkpoint)
        if isinstance(found, dict):
            return
        faults.append(f"skipped checkpoint {checkpoint}: {found}")
    if faults:
        raise _no_sound(folder, faults)


def _no_sound(folder: Path, faults: list[str]) -> UserError:
    why = f" ({'; '.join(faults)})" if faults else ""
    return UserError(f"{folder} has no sound checkpoint{why}. Start a new run.")


def _manifest(checkpoint: Path) -> dict[str, Any] | str:
    """The manifest of a checkpoint that is as it was written; else its fault, in a few words."""
    try:
        manifest = json.loads((checkpoint / "manifest.json").read_text(encoding="utf-8"))
        round, leaves, digests = manifest["round"], manifest["leaves"], manifest["sha256"]
        if manifest["format"] != FORMAT:
            return f"format {manifest['format']} instead of {FORMAT}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        return f"its manifest.json cannot be read ({type(error).__name__})"
    if type(round) is not int or checkpoint.name != f"{round:08d}":
        return "its manifest.json is of another round"
    if not isinstance(leaves, dict) or not isinstance(digests, dict):
        return "its manifest.json lists no arrays or no files"
    if manifest.keys() - {CHECKSUM} != KEYS:
        return "its manifest.json has other keys"
    if manifest.get(CHECKSUM, _checksum(manifest)) != _checksum(manifest):
        return "its manifest.json does not match its checksum"
    # Those that were written on Windows had its separators.
    expected = {name.replace("\\", "/"): value for name, value in digests.items()}
    try:
        return _file_fault(checkpoint, expected) or manifest
    except OSError as error:
        return f"its files cannot be read ({error})"


def _file_fault(checkpoint: Path, expected: Mapping[str, str]) -> str | None:
    there = _files(checkpoint)
    for name in expected:
        if name not in there:
            return f"{name} is missing"
    for name, path in there.items():
        if name not in expected:
            return f"{name} is not in its manifest.json"
        if digest(path) != expected[name]:
            return f"{name} does not match its checksum"
    return None


def load(folder: Path, like: Any, round: int | None = None) -> tuple[Any, int, list[str]]:
    """The newest sound checkpoint, or that of one round.

    **Arguments:**

    - `folder`: RUN/checkpoints. `like`: a pytree of the structure, shapes and dtypes to fill.
    - `round`: the only one that will do; any if left out.

    **Returns:** the tree, its round, and one line for each newer checkpoint that was skipped.

    **Raises:** `UserError` if there is no sound checkpoint.
    """
    expected, skipped = _named_leaves(like), []
    there = _checkpoints(folder)
    wanted = [path for path in there if round is None or int(path.name) == round]
    if round is not None and not wanted:
        rounds = ", ".join(str(int(path.name)) for path in reversed(there)) or "none"
        raise UserError(f"{folder} has no checkpoint of round {round}; there are {rounds}.")
    for checkpoint in wanted:
        found = _restored(checkpoint, expected)
        if not isinstance(found, str):
            return _filled(like, found), int(checkpoint.name), skipped
        skipped.append(f"skipped checkpoint {checkpoint}: {found}")
    raise _no_sound(folder, skipped)


def _restored(checkpoint: Path, expected: Mapping[str, jax.Array]) -> dict[str, jax.Array] | str:
    """The arrays of a sound checkpoint by their paths; else its fault, in a few words."""
    import orbax.checkpoint as ocp

    manifest = _manifest(checkpoint)
    if isinstance(manifest, str):
        return manifest
    leaves, wanted = manifest["leaves"], _described(expected)
    if leaves != wanted:
        every = leaves.keys() | wanted.keys()
        names = sorted(name for name in every if leaves.get(name) != wanted.get(name))
        return f"{len(names)} arrays have another shape or type, such as {names[0]}"
    try:
        arrays = {}
        if manifest["sha256"]:
            with ocp.PyTreeCheckpointer() as checkpointer:
                arrays = checkpointer.restore((checkpoint / "tree").absolute())
        found = {k: _from_host(arrays[k] if v.size else None, v) for k, v in expected.items()}
        if _described(found) != wanted:
            return "its arrays have another shape or type than its manifest.json says"
    except Exception as error:  # whatever Orbax and its formats raise
        return f"its arrays cannot be restored ({type(error).__name__})"
    return found


def _filled(like: Any, found: Mapping[str, jax.Array]) -> Any:
    slots, rest = eqx.partition(like, eqx.is_array)
    leaves, treedef = jax.tree_util.tree_flatten_with_path(slots)
    new = [found[jax.tree_util.keystr(path)] for path, _ in leaves]
    return eqx.combine(jax.tree_util.tree_unflatten(treedef, new), rest)
