"""A folder of pictures as a data set; its subfolders, if they hold all of them, are the classes."""

import collections
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from recipes._data._dataset import Dataset, Split, image_points, kind_of
from recipes._data._files import LARGEST
from recipes._data._picture import pictures_can_be_read, read_picture, suffixes
from recipes._errors import UserError

SPLITS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "test": ("test", "testing", "val", "valid", "validation"),
}
"""Names of the subfolders of a folder that is divided, in lower case, first choice first."""


def load_picture_folder(folder: Path, size: int | None, split: Split = "train") -> Dataset:
    """Every picture in the folder and below, in the order of their paths.

    Images are `(n, height, width)` if all files are greyscale, else with 3 channels. If each is in
    a direct subfolder, labels are the places of its name among the sorted names of them all. A
    folder with subfolders `train` and `test` (or `val`) of such subfolders has both splits.

    **Arguments:** `size`: as `read_picture` takes it; without it all must be of one size.

    **Raises:** `UserError` for fewer than two pictures, for one that is not sound, for two that
    differ in size, and for a class of the test split that the training split lacks.
    """
    root, classes = folder, None
    parts = split_folders(folder)
    if parts is not None:
        root = parts[split]
        with pictures_can_be_read(folder):
            classes = _class_names(parts["train"], _picture_paths(parts["train"])[0])
    with pictures_can_be_read(folder):
        paths, others = _picture_paths(root)
        if len(paths) < 2:
            raise UserError(
                f"{root} has {len(paths)} images in it and below, of {_listing(suffixes())}; at "
                "least 2 are needed."
            )
        pixels = _stacked(_read_all(paths, size))
    kind = kind_of(pixels.shape, str(root))
    labels = _labels(root, paths, classes)
    source = f"{root}{_passed_over(others)}"
    return Dataset(folder.resolve().name, image_points(pixels), labels, kind, source)


def split_folders(folder: Path) -> dict[Split, Path] | None:
    """The subfolders of training and test pictures, if that is all that the folder has."""
    inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
    by_name = {path.name.lower(): path for path in inside if path.is_dir()}
    found = {
        split: next((by_name[name] for name in names if name in by_name), None)
        for split, names in SPLITS.items()
    }
    known = {name for names in SPLITS.values() for name in names}
    if not set(by_name) <= known:
        return None
    train, test = found["train"], found["test"]
    return None if train is None or test is None else {"train": train, "test": test}


def _picture_paths(folder: Path) -> tuple[list[Path], list[Path]]:
    """Pictures, sorted, and other files; hidden ones are neither, which some systems put there."""
    seen = [
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    ends = suffixes()
    is_picture = lambda path: path.suffix.lower() in ends
    return sorted(filter(is_picture, seen)), [path for path in seen if not is_picture(path)]


def _passed_over(others: list[Path]) -> str:
    """Number and suffixes of the files that were no pictures, for a person to read."""
    if not others:
        return ""
    ends = collections.Counter(path.suffix.lower() or path.name for path in others)
    listing = ", ".join(f"{count} {end}" for end, count in sorted(ends.items())[:6])
    return f" ({len(others)} other files passed over: {listing})"


def _listing(ends: Iterable[str]) -> str:
    return ", ".join(sorted(ends))


def _read_all(paths: list[Path], size: int | None) -> list[np.ndarray]:
    images: list[np.ndarray] = []
    for path in paths:
        image = read_picture(path, size)
        if images and image.shape[:2] != images[0].shape[:2]:
            one, other = ("x".join(map(str, i.shape[1::-1])) for i in (images[0], image))
            raise UserError(
                f"{paths[0]} has {one} pixels and {path} {other}; give --image-size to bring all "
                "to one size."
            )
        if 4 * image.size * len(paths) > LARGEST:
            raise UserError(
                f"{len(paths)} pictures of {image.shape[1]}x{image.shape[0]} pixels as "
                f"{paths[0]} need more than {LARGEST:,} bytes; give a smaller --image-size."
            )
        images.append(image)
    return images


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    """One array, in colour if any image is."""
    if any(image.ndim == 3 for image in images):
        images = [
            image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in images
        ]
    return np.stack(images)


def _class_names(folder: Path, paths: list[Path]) -> list[str] | None:
    """The sorted names of the direct subfolders, if they hold all pictures."""
    if not paths or any(path.parent.parent != folder for path in paths):
        return None
    return sorted({path.parent.name for path in paths})


def _labels(folder: Path, paths: list[Path], classes: list[str] | None) -> np.ndarray | None:
    names = _class_names(folder, paths)
    if names is None:
        return None
    known = names if classes is None else classes
    new = [name for name in names if name not in known]
    if new:
        raise UserError(f"{folder} has the class {new[0]!r}, which the training pictures lack.")
    return np.array([known.index(path.parent.name) for path in paths], np.int32)
