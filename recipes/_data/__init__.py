"""Data sets by name or by file. Nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from recipes._data._builtin import digits, grid, ring, swiss_roll
from recipes._data._builtin_tables import TABLES as TABLES
from recipes._data._csv import Roles as Roles, load_csv as load_csv, write_csv as write_csv
from recipes._data._dataset import Dataset as Dataset, check_labels, check_points, kind_of
from recipes._data._files import load_array_file
from recipes._data._idx import read_idx
from recipes._data._point_csv import load_point_csv as load_point_csv
from recipes._data._scaling import Scaling as Scaling, standardized as standardized
from recipes._data._split import (
    check_labelled_images as check_labelled_images,
    hold_out as hold_out,
)
from recipes._data._table import (
    Column as Column,
    Table as Table,
    check_table,
    hold_out_rows as hold_out_rows,
    rows_like as rows_like,
)
from recipes._data._table_encoding import (
    Encoding as Encoding,
    Scale as Scale,
    fit_encoding as fit_encoding,
)
from recipes._errors import UserError

Split = Literal["train", "test"]

TOYS: dict[str, Callable[[int], Dataset]] = {"ring": ring, "grid": grid, "swiss_roll": swiss_roll}
IDX = ("mnist", "fashion_mnist")
NAMES = ("digits", *IDX, *TOYS)


def load(data: str, data_dir: Path | None = None, seed: int = 0, split: Split = "train") -> Dataset:
    """A data set.

    **Arguments:**

    - `data`: one of `NAMES`, or the path of a .npy or .npz file.
    - `data_dir`: where the IDX files of mnist and fashion_mnist are.
    - `seed`: of what is drawn, for the toys.
    - `split`: which pair of IDX files; other data have only `train`.

    **Raises:** `UserError` if it is not there or not sound.
    """
    if data == "digits":
        return digits()
    if data in TOYS:
        return TOYS[data](seed)
    if data in IDX:
        return _load_idx(data, data_dir, split)
    if Path(data).suffix.lower() in (".npy", ".npz"):
        return load_array_file(Path(data))
    raise UserError(f"--data {data} is none of {', '.join(NAMES)}, nor a .npy or .npz file.")


def load_labelled(data: str, data_dir: Path | None = None) -> tuple[Dataset, Dataset, int]:
    """Labelled images to learn from, others held out, and the number of classes.

    mnist and fashion_mnist have their own test files; of other data a fifth is held out.

    **Raises:** `UserError` if `load` does, or if they are no images with labels.
    """
    if data in IDX:
        train, held_out = load(data, data_dir), load(data, data_dir, split="test")
    else:
        train, held_out = hold_out(load(data, data_dir))
    return train, held_out, check_labelled_images(train, held_out)


def _load_idx(name: str, data_dir: Path | None, split: Split) -> Dataset:
    prefix = "train" if split == "train" else "t10k"
    wanted = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    listing = " and ".join(f"{file}(.gz)" for file in wanted)
    if data_dir is None:
        raise UserError(f"--data {name} needs --data-dir, a folder with {listing}.")
    found = [_find(data_dir, file) for file in wanted]
    if not data_dir.is_dir() or None in found:
        missing = [f"{w}(.gz)" for w, path in zip(wanted, found, strict=True) if path is None]
        why = "is no folder" if not data_dir.is_dir() else f"lacks {' and '.join(missing)}"
        raise UserError(f"--data-dir {data_dir} {why}; --data {name} reads {listing} there.")
    images_path, labels_path = (path for path in found if path is not None)
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if images.dtype != np.uint8:
        raise UserError(f"{images_path} holds {images.dtype}, where bytes are expected as pixels.")
    kind_of(images.shape, str(images_path))
    check_points(images, str(images_path))
    points = images.astype(np.float32) / np.float32(127.5) - 1
    labels = check_labels(labels, len(points), f"{labels_path} (for {images_path.name})")
    return Dataset(name, points, labels, "image", f"IDX files in {data_dir}")


def _find(folder: Path, name: str) -> Path | None:
    """The file under its usual names: with and without .gz, with a dot for the second hyphen."""
    dotted = name.replace("-idx", ".idx")
    candidates = [folder / f"{stem}{end}" for stem in (name, dotted) for end in (".gz", "")]
    return next((path for path in candidates if path.is_file()), None)


def load_table(name: str, label_bins: int) -> Table:
    """A bundled table, by a name of `TABLES`; `label_bins`: classes of a continuous label."""
    return check_table(TABLES[name](label_bins))
