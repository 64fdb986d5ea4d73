"""One picture file as bytes: greyscale or RGB, upright, on white, of the size asked for."""

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recipes._data._png import check_png
from recipes._errors import UserError

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
