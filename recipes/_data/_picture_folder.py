"""A folder of pictures as a data set; its subfolders, if they hold all of them, are the classes."""

from pathlib import Path

import numpy as np

from recipes._data._dataset import Dataset, image_points, kind_of
from recipes._data._picture import SUFFIXES, pictures_can_be_read, read_picture
from recipes._errors import UserError


def load_picture_folder(folder: Path, size: int | None) -> Dataset:
    """Every picture in the folder and below, in the order of their paths.

    Images are `(n, height, width)` if all files are greyscale, else with 3 channels. If each is in
    a direct subfolder, labels are the places of its name among the sorted names of them all.

    **Arguments:** `size`: as `read_picture` takes it; without it all must be of one size.

    **Raises:** `UserError` for fewer than two pictures, for one that is not sound, and for two
    that differ in size.
    """
    paths = _picture_paths(folder)
    if len(paths) < 2:
        raise UserError(
            f"{folder} has {len(paths)} images in it and below, of {', '.join(SUFFIXES)}; at "
            "least 2 are needed."
        )
    with pictures_can_be_read(folder):
        pixels = _stacked(_read_all(paths, size))
    kind = kind_of(pixels.shape, str(folder))
    labels = _labels(folder, paths)
    return Dataset(folder.resolve().name, image_points(pixels), labels, kind, str(folder))


def _picture_paths(folder: Path) -> list[Path]:
    """Sorted, without what is hidden: some systems keep there what only looks like a picture."""
    found = [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.is_file()
    ]
    return sorted(found)


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
        images.append(image)
    return images


def _stacked(images: list[np.ndarray]) -> np.ndarray:
    """One array, in colour if any image is."""
    if any(image.ndim == 3 for image in images):
        images = [
            image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2) for image in images
        ]
    return np.stack(images)


def _labels(folder: Path, paths: list[Path]) -> np.ndarray | None:
    if any(path.parent.parent != folder for path in paths):
        return None
    names = [path.parent.name for path in paths]
    return np.unique(names, return_inverse=True)[1].astype(np.int32)
