"""Pictures from files and folders."""

import collections
import contextlib
import logging
import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recipes._data.arrays import LARGEST
from recipes._data.dataset import Dataset, Split, image_points, kind_of
from recipes._runtime.errors import UserError

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By the colour type of the header."""

PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)
"""Adam7: first column and row of each pass, and the steps between its columns and rows."""


def check_png(path: Path) -> None:
    """Raise a `ValueError` if its pixels end before the last row that its header promises."""
    raw = path.read_bytes()
    if len(raw) < 33 or raw[12:16] != b"IHDR":
        return  # Pillow says what is wrong
    expected = _expected_bytes(raw[16:29])
    inflate, found, at = zlib.decompressobj(), 0, 8
    while at + 8 <= len(raw):
        (length,), kind = struct.unpack(">I", raw[at : at + 4]), raw[at + 4 : at + 8]
        if kind == b"IDAT":
            chunk = raw[at + 8 : at + 8 + length]
            # In parts, so that what unpacks to gigabytes never is in memory.
            while chunk and found < expected:
                found += len(inflate.decompress(chunk, 2**20))
                chunk = inflate.unconsumed_tail
        at += length + 12
    found += len(inflate.flush()) if found < expected else 0
    if found < expected:
        raise ValueError(f"it is truncated: {found:,} of {expected:,} bytes of pixels are there")


def _expected_bytes(header: bytes) -> int:
    """Bytes of all rows, each with one for its filter."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * CHANNELS.get(colour, 1)
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + -(-columns * bits // 8))
    return total


if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = (
    "PNG",
    "JPEG",
    "BMP",
    "DIB",
    "GIF",
    "WEBP",
    "AVIF",
    "TIFF",
    "JPEG2000",
    "PPM",
    "TGA",
    "PCX",
    "ICO",
    "SGI",
)
"""Told by the content. No others, because some of them are programs, which would be run."""

MOST_PIXELS = 2**22
"""Pixels of a picture that is taken as it is, 2048x2048: larger ones are to be resampled."""


def suffixes() -> frozenset[str]:
    """Endings of the names of files in these formats, in lower case, as Pillow knows them."""
    from PIL import Image

    return frozenset(end for end, kind in Image.registered_extensions().items() if kind in FORMATS)


@contextlib.contextmanager
def pictures_can_be_read(folder: Path) -> Iterator[None]:
    """Within it `read_picture` works; a `UserError` if Pillow is not installed."""
    try:
        from PIL import Image
    except ImportError as error:
        raise UserError(
            f"{folder} is a folder, and Pillow, which reads images, is not installed: "
            "pip install pillow."
        ) from error
    log, quiet = logging.getLogger("PIL"), logging.NullHandler()
    log.addHandler(quiet)  # what is wrong with a file is said once, in an error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of metadata, which are not used
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        log.removeHandler(quiet)


def read_picture(path: Path, size: int | None) -> np.ndarray:
    """Pixels, uint8 of shape `(height, width)` if the file is greyscale, else with 3 channels.

    Of an animation the first picture; what is transparent is white.

    **Arguments:**

    - `size`: the central square is resampled to so many pixels a side, by Lanczos' kernel widened
      to the step between them, so that nothing is aliased. Left as it is if there is none.

    **Raises:** `UserError` if the file is no sound picture, or is too large.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=FORMATS) as opened:
            _check_pixels(opened, path, size)
            if opened.format == "PNG":
                check_png(path)
            image = _on_white(_eight_bits(ImageOps.exif_transpose(opened)))
        if size is not None:
            # The square is cut out first: a narrow image resized whole could fill the memory.
            image = ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS)
        return np.asarray(image)
    except UserError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise UserError(f"{path} is too large an image: {error} Make it smaller.") from error
    except MemoryError as error:
        raise UserError(f"{path} does not fit into memory; give --image-size.") from error
    except Exception as error:  # of damaged bytes: SyntaxError, struct.error, zlib.error...
        raise UserError(
            f"{path} cannot be read as an image: {error}; repair or remove it."
        ) from error


def _check_pixels(image: "Image", path: Path, size: int | None) -> None:
    if size is None and image.width * image.height > MOST_PIXELS:
        raise UserError(
            f"{path} has {image.width}x{image.height} pixels, and pictures of more than "
            f"{MOST_PIXELS:,} are not taken as they are; give --image-size."
        )


def _eight_bits(image: "Image") -> "Image":
    """An image without pixels of 16 bits or floats, which do not convert by themselves."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("its pixels are floats, whose range is unknown; save it with 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image).astype(np.int32)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"its pixels are from {values.min()} to {values.max()}, beyond 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _on_white(image: "Image") -> "Image":
    """As L or RGB."""
    from PIL import Image

    mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.mode == mode and "transparency" not in image.info:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert(mode)


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


def class_folders(folder: Path) -> list[str] | None:
    """The names of a folder's classes, in the order of their labels; `None` without labels."""
    parts = split_folders(folder)
    root = folder if parts is None else parts["train"]
    with pictures_can_be_read(folder):
        return _class_names(root, _picture_paths(root)[0])


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
