"""Checkpoints: written whole or not at all, verified before they are trusted.

    RUN/checkpoints/00000500/
        tree/          the arrays, by Orbax, one entry per leaf named by its path
        manifest.json  the round, shape and dtype of every leaf, SHA-256 of every file of tree/

A folder is written under a temporary name and renamed when it is complete, so that a checkpoint
with its final name was finished. What a disk does to it afterwards, the checksums find.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np

from recipes._errors import UserError

FORMAT = 1


def _named_leaves(tree: Any) -> dict[str, jax.Array]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(eqx.filter(tree, eqx.is_array))
    return {jax.tree_util.keystr(path): leaf for path, leaf in leaves}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def save(folder: Path, round: int, tree: Any, keep: int = 3) -> Path:
    """Writes the arrays of `tree` as the checkpoint of `round`, and keeps the newest `keep`.

    **Arguments:**

    - `folder`: RUN/checkpoints. `tree`: any pytree; leaves that are no arrays are not written.

    **Returns:** the checkpoint's folder.
    """
    import orbax.checkpoint as ocp  # here: a wrong flag need not wait for it

    arrays = {name: np.asarray(leaf) for name, leaf in _named_leaves(tree).items()}
    target, temporary = folder / f"{round:08d}", folder / f".writing-{round:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    with ocp.PyTreeCheckpointer() as checkpointer:
        checkpointer.save((temporary / "tree").absolute(), arrays)
    manifest = {
        "format": FORMAT,
        "round": round,
        "leaves": {k: {"shape": list(v.shape), "dtype": str(v.dtype)} for k, v in arrays.items()},
        "sha256": {str(p.relative_to(temporary)): _digest(p) for p in _files(temporary / "tree")},
    }
    with (temporary / "manifest.json").open("w") as file:
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
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.name.isdigit()), reverse=True)


def _fault(checkpoint: Path, like: dict[str, jax.Array]) -> str | None:
    """What is wrong with a checkpoint, in a few words; `None` if it is sound."""
    try:
        manifest = json.loads((checkpoint / "manifest.json").read_text())
        round, leaves, digests = manifest["round"], manifest["leaves"], manifest["sha256"]
        if manifest["format"] != FORMAT:
            return f"format {manifest['format']} instead of {FORMAT}"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"its manifest.json cannot be read ({type(error).__name__})"
    if not isinstance(round, int) or checkpoint.name != f"{round:08d}":
        return "its manifest.json is of another round"
    for name, digest in digests.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if _digest(path) != digest:
            return f"{name} does not match its checksum"
    expected = {k: {"shape": list(v.shape), "dtype": str(v.dtype)} for k, v in like.items()}
    if leaves != expected:
        names = sorted(
            k for k in leaves.keys() | expected.keys() if leaves.get(k) != expected.get(k)
        )
        return f"{len(names)} arrays have another shape or type, such as {names[0]}"
    return None


def load(folder: Path, like: Any, round: int | None = None) -> tuple[Any, int, list[str]]:
    """The newest sound checkpoint, or that of one round.

    **Arguments:**

    - `folder`: RUN/checkpoints. `like`: a pytree of the structure, shapes and dtypes to fill.
    - `round`: the only one that will do; any if left out.

    **Returns:** the tree, its round, and one line for each newer checkpoint that was skipped.

    **Raises:** `UserError` if there is no sound checkpoint.
    """
    import orbax.checkpoint as ocp

    expected, skipped = _named_leaves(like), []
    there = _checkpoints(folder)
    wanted = [path for path in there if round is None or int(path.name) == round]
    if round is not None and not wanted:
        rounds = ", ".join(str(int(path.name)) for path in reversed(there)) or "none"
        raise UserError(f"{folder} has no checkpoint of round {round}; there are {rounds}.")
    for checkpoint in wanted:
        fault = _fault(checkpoint, expected)
        if fault is not None:
            skipped.append(f"skipped checkpoint {checkpoint}: {fault}")
            continue
        with ocp.PyTreeCheckpointer() as checkpointer:
            arrays = checkpointer.restore((checkpoint / "tree").absolute())
        return _filled(like, arrays), int(checkpoint.name), skipped
    why = f" ({'; '.join(skipped)})" if skipped else ""
    raise UserError(f"{folder} has no sound checkpoint{why}. Start a new run.")


def _filled(like: Any, arrays: dict[str, Any]) -> Any:
    slots, rest = eqx.partition(like, eqx.is_array)
    leaves, treedef = jax.tree_util.tree_flatten_with_path(slots)
    new = [
        jax.numpy.asarray(arrays[jax.tree_util.keystr(path)], leaf.dtype) for path, leaf in leaves
    ]
    return eqx.combine(jax.tree_util.tree_unflatten(treedef, new), rest)
