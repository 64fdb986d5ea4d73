"""Two point clouds to be compared: toys by name, or files."""

from pathlib import Path

import numpy as np

from recipes._data import TOYS, load, load_point_csv
from recipes._runtime.errors import UserError

CLOUDS = ("normal", *TOYS)
"""Clouds in the plane by name; normal is the standard one."""

SUFFIXES = (".npy", ".npz", ".csv")


def load_cloud(name: str, flag: str, points: int, seed: int) -> np.ndarray:
    """At most `points` points of a toy or a file: float64 of shape `(n, d)`, d of 2 or more.

    **Arguments:**

    - `flag`: the flag that names it, for the errors.
    - `seed`: of what is drawn, and of which points of a larger cloud are taken.

    **Raises:** `UserError` if it is not there, not sound, or on the line.
    """
    rng = np.random.default_rng(seed)
    if name == "normal":
        return rng.normal(size=(points, 2))
    found = _from_name(name, flag, seed)
    flat = found.reshape(len(found), -1).astype(np.float64)
    if flat.shape[1] < 2:
        raise UserError(f"{flag} {name} has points of 1 number each; 2 or more are needed.")
    if len(flat) <= points:
        return flat
    return flat[rng.choice(len(flat), points, replace=False)]


def _from_name(name: str, flag: str, seed: int) -> np.ndarray:
    if name in TOYS:
        return TOYS[name](seed).points
    path = Path(name)
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(
            f"{flag} {name} is none of {', '.join(CLOUDS)}, nor a file of {', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise UserError(f"{flag} {name}: there is no such file.")
    return (load_point_csv(path) if path.suffix.lower() == ".csv" else load(name)).points


def check_same_dimension(left: np.ndarray, right: np.ndarray, names: tuple[str, str]) -> None:
    """Raise a `UserError` unless both clouds, `(n, d)` and `(m, d)`, are of one dimension."""
    if left.shape[1] != right.shape[1]:
        raise UserError(
            f"--cloud {names[0]} has points of {left.shape[1]} numbers and --other {names[1]} of "
            f"{right.shape[1]}: no distance is defined between them; give clouds of one dimension."
        )
