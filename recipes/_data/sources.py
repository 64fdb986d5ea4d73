"""Data sets by name or by file. Nothing is downloaded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recipes._data.arrays import has_test_arrays, load_array_file
from recipes._data.builtin import TABLES, digits, grid, ring, swiss_roll
from recipes._data.cifar import load_cifar10
from recipes._data.dataset import (
    Dataset,
    Split,
    check_labelled_images,
    check_labels,
    check_points,
    hold_out,
    image_points,
    kind_of,
)
from recipes._data.idx import read_idx
from recipes._data.pictures import load_picture_folder, split_folders
from recipes._data.sprites import sprites
from recipes._data.table import (
    Table,
    check_table,
)
from recipes._runtime.errors import UserError

TOYS: dict[str, Callable[[int], Dataset]] = {"ring": ring, "grid": grid, "swiss_roll": swiss_roll}
IDX = ("mnist", "fashion_mnist")
CIFAR = "cifar10"
NAMES = ("digits", "sprites", *IDX, CIFAR, *TOYS)


def load(
    data: str,
    data_dir: Path | None = None,
    seed: int = 0,
    split: Split = "train",
    *,
    image_size: int | None = None,
    flag: str = "--data",
) -> Dataset:
    """A data set.

    **Arguments:**

    - `data`: one of `NAMES`, or the path of a .npy or .npz file or of a folder of images.
    - `data_dir`: where the files of mnist, fashion_mnist and cifar10 are.
    - `seed`: of what is drawn, for the toys.
    - `split`: which part of these three, of a .npz with `x_train` and `x_test` or alike, or of a
      folder with `train` and `test`; other data have only `train`.
    - `image_size`: pixels a side, to which images of a folder are cut and resampled. Other images
      must have it.
    - `flag`: what the user named the data by, for the errors.

    **Raises:** `UserError` if it is not there or not sound.
    """
    if image_size is not None and image_size < 2:
        raise UserError(f"--image-size must be at least 2, got {image_size}.")
    if is_folder(data):
        return load_picture_folder(Path(data), image_size, split)
    found = _load_as_it_is(data, data_dir, seed, split, flag)
    if image_size is not None:
        _check_image_size(found, image_size, f"{flag} {data}")
    return found


def is_folder(data: str) -> bool:
    """Is it the path of a folder, and no name of a data set?"""
    try:
        # An empty text would be the folder that the program was started in.
        return data not in NAMES and bool(data.strip()) and Path(data).is_dir()
    except (OSError, ValueError):  # a name that is too long, or has a zero byte in it
        return False


def has_test_split(data: str) -> bool:
    """Do the data have a part of their own for testing?"""
    if data in (*IDX, CIFAR):
        return True
    if is_folder(data):
        return split_folders(Path(data)) is not None
    return Path(data).suffix.lower() == ".npz" and has_test_arrays(Path(data))


def _load_as_it_is(data: str, data_dir: Path | None, seed: int, split: Split, flag: str) -> Dataset:
    if data == "digits":
        return digits()
    if data == "sprites":
        return sprites()
    if data in TOYS:
        return TOYS[data](seed)
    if data in IDX:
        return _load_idx(data, data_dir, split, flag)
    if data == CIFAR:
        return load_cifar10(data_dir, split, flag)
    if Path(data).suffix.lower() in (".npy", ".npz"):
        return load_array_file(Path(data), flag, split)
    short = data if len(data) <= 100 else f"{data[:100]}... ({len(data)} characters)"
    raise UserError(
        f"{flag} {short or '(empty)'} is none of {', '.join(NAMES)}, nor a .npy or .npz file, nor "
        "a folder of images."
    )


def _check_image_size(data: Dataset, size: int, where: str) -> None:
    if data.kind != "image":
        raise UserError(f"--image-size: {where} is of kind {data.kind}, no images; leave it out.")
    height, width = data.points.shape[1:3]
    if (height, width) != (size, size):
        raise UserError(
            f"--image-size {size}: {where} has images of {width}x{height} pixels, and only those "
            "of a folder are resized; leave it out."
        )


def load_labelled(
    data: str,
    data_dir: Path | None = None,
    *,
    image_size: int | None = None,
    flag: str = "--data",
) -> tuple[Dataset, Dataset, int]:
    """Labelled images to learn from, others held out, and the number of classes.

    mnist, fashion_mnist and cifar10 have their own test files, and so may archives and folders;
    of other data a fifth is held out.

    **Arguments:** as of `load`.

    **Raises:** `UserError` if `load` does, or if they are no images with labels.
    """
    train = load(data, data_dir, image_size=image_size, flag=flag)
    if has_test_split(data):
        held_out = load(data, data_dir, split="test", image_size=image_size, flag=flag)
    else:
        train, held_out = hold_out(train)
    return train, held_out, check_labelled_images(train, held_out, flag)


def _load_idx(name: str, data_dir: Path | None, split: Split, flag: str) -> Dataset:
    prefix = "train" if split == "train" else "t10k"
    wanted = [f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"]
    listing = " and ".join(f"{file}(.gz)" for file in wanted)
    if data_dir is None:
        raise UserError(f"{flag} {name} needs --data-dir, a folder with {listing}.")
    found = [_find(data_dir, name, file) for file in wanted]
    if not data_dir.is_dir() or None in found:
        missing = [f"{w}(.gz)" for w, path in zip(wanted, found, strict=True) if path is None]
        why = "is no folder" if not data_dir.is_dir() else f"lacks {' and '.join(missing)}"
        raise UserError(f"--data-dir {data_dir} {why}; {flag} {name} reads {listing} there.")
    images_path, labels_path = (path for path in found if path is not None)
    images, labels = read_idx(images_path, ndim=3), read_idx(labels_path, ndim=1)
    if images.dtype != np.uint8:
        raise UserError(f"{images_path} holds {images.dtype}, where bytes are expected as pixels.")
    kind_of(images.shape, str(images_path))
    check_points(images, str(images_path))
    labels = check_labels(labels, len(images), f"{labels_path} (for {images_path.name})")
    return Dataset(name, image_points(images), labels, "image", f"IDX files in {data_dir}")


TORCHVISION = {"mnist": "MNIST", "fashion_mnist": "FashionMNIST"}


def _find(folder: Path, data: str, name: str) -> Path | None:
    """The file in the folder itself, or where torchvision puts it below its root.

    Under its usual names: with and without .gz, with a dot for the second hyphen.
    """
    dotted = name.replace("-idx", ".idx")
    folders = [folder, folder / "raw", folder / TORCHVISION[data] / "raw"]
    candidates = [
        place / f"{stem}{end}"
        for place in folders
        for stem in (name, dotted)
        for end in (".gz", "")
    ]
    return next((path for path in candidates if path.is_file()), None)


def load_table(name: str, label_bins: int) -> Table:
    """A bundled table, by a name of `TABLES`; `label_bins`: classes of a continuous label."""
    return check_table(TABLES[name](label_bins))
