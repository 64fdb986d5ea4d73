"""Folders of pictures, --image-size, and every way in which a picture can be wrong."""

import contextlib
import os
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recipes import _data
from recipes._data.pictures import check_png
from recipes._runtime.errors import UserError
from tests.recipes.data.test_data import IMAGES, refused, write_pair

RNG = np.random.default_rng(0)
ENDS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
OTHER_ENDS = (".jfif", ".jpe", ".ppm", ".tga", ".sgi", ".JPG")
LOSSY = (".jpg", ".jpeg", ".jfif", ".jpe", ".webp")
GREY = RNG.integers(0, 256, (7, 6, 5)).astype(np.uint8)
COLOUR = RNG.integers(0, 256, (7, 6, 5, 3)).astype(np.uint8)


def folder_of(folder, images, end=".png", names=None):
    """Saves images as 0.png, 1.png, ..., or under other names."""
    for place, image in enumerate(images):
        path = folder / (names[place] if names else f"{place}{end}")
        path.parent.mkdir(parents=True, exist_ok=True)
        (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(path)
    return str(folder)


def levels(data):
    """The pixels in 0..255."""
    return (data.points + 1) * 127.5


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
@pytest.mark.parametrize("end", ENDS + OTHER_ENDS)
def test_every_format_is_read(tmp_path, images, end):
    """Exactly where the format loses nothing; JPEG and WebP keep the mean of flat images."""
    exact = end.lower() not in LOSSY
    shown = images if exact else np.broadcast_to(images[:, :1, :1], images.shape)
    if end == ".gif" and images is COLOUR:
        shown = images // 128 * 255  # eight colours, which a palette can hold
    data = _data.load(folder_of(tmp_path / "pets", shown, end))
    assert (data.kind, data.name, data.labels) == ("image", "pets", None)
    # GIF has palettes alone, and WebP colours: grey comes as three equal channels.
    widened = images is GREY and end in (".gif", ".webp")
    wanted = np.repeat(shown[..., None], 3, 3) if widened else shown
    # Luma and chroma are rounded, and by WebP kept in 220 of 256 levels.
    np.testing.assert_allclose(levels(data), wanted, atol=1e-4 if exact else 4)


def test_subfolders_are_classes(tmp_path):
    """Sorted by name, in the order of paths; anything elsewhere, and there are no labels."""
    names = ["cat/b.png", "ant/z.PNG", "cat/a.png", "dog/1.png", "ant/.x.png", ".git/y.png"]
    path = folder_of(tmp_path, GREY[:6], names=names)
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    data = _data.load(path)
    np.testing.assert_array_equal(data.labels, [0, 1, 1, 2])
    np.testing.assert_allclose(levels(data), GREY[[1, 2, 0, 3]], atol=1e-4)
    train, held_out, classes = _data.load_labelled(path)
    assert (len(train.points), len(held_out.points), classes) == (3, 1, 3)
    folder_of(tmp_path, GREY[:1], names=["dog/deep/1.png"])
    assert _data.load(path).labels is None
    with contextlib.chdir(tmp_path / "dog"):
        assert _data.load(".").name == "dog"


def test_one_colour_image_makes_all_colour(tmp_path):
    """Grey ones then have three equal channels."""
    data = _data.load(folder_of(tmp_path, [GREY[0], COLOUR[0]]))
    np.testing.assert_allclose(levels(data)[0], np.repeat(GREY[0][..., None], 3, 2), atol=1e-4)
    np.testing.assert_allclose(levels(data)[1], COLOUR[0], atol=1e-4)


def half_transparent(mode):
    """Black of opacity 0, 102 and 255, whose composite on white is 255, 153 and 0."""
    image = Image.new(mode, (3, 2))
    image.putalpha(Image.fromarray(np.array([[0, 102, 255]] * 2, np.uint8)))
    return image


def with_palette(**info):
    """Indices 0, 1 and 2 of red, green and blue."""
    image = Image.frombytes("P", (3, 2), bytes([0, 1, 2] * 2))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.info |= info
    return image


def of_cmyk():
    """No ink, all of cyan, all of black."""
    inks = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255]
    return Image.frombytes("CMYK", (3, 2), bytes(inks * 2))


MODES = {
    "LA.png": (half_transparent("L"), [255, 153, 0]),
    "RGBA.webp": (half_transparent("RGB"), [[255] * 3, [153] * 3, [0] * 3]),
    "P.png": (with_palette(), np.eye(3) * 255),
    "P.gif": (with_palette(transparency=1), [[255, 0, 0], [255] * 3, [0, 0, 255]]),
    "bytes.png": (
        with_palette(transparency=bytes([255, 0, 51])),
        [[255, 0, 0], [255] * 3, [204, 204, 255]],
    ),
    "CMYK.tif": (of_cmyk(), [[255] * 3, [0, 255, 255], [0] * 3]),
    "1.png": (Image.fromarray(np.array([[0, 255, 0]] * 2, np.uint8)).convert("1"), [0, 255, 0]),
    "16.png": (Image.fromarray(np.array([[0, 257 * 100, 65535]] * 2, np.uint16)), [0, 100, 255]),
    "16.tif": (Image.fromarray(np.array([[0, 257 * 9 + 128, 1]] * 2, np.uint16)), [0, 9, 0]),
    "32.tif": (Image.fromarray(np.array([[0, 257 * 9 + 129, 1]] * 2, np.int32)), [0, 10, 0]),
}


@pytest.mark.parametrize("name", sorted(MODES))
def test_every_mode_of_pixels(tmp_path, name):
    """Palettes and inks as RGB, opacity on white, 16 bits as the nearest 257th."""
    image, row = MODES[name]
    data = _data.load(folder_of(tmp_path, [image, image], names=["a" + name, "b" + name]))
    wanted = np.broadcast_to(np.array(row, float), data.points.shape)
    np.testing.assert_allclose(levels(data), wanted, atol=1e-4 if "webp" not in name else 2)


def test_pictures_are_upright(tmp_path):
    """A camera on its side writes orientation 6: to be turned by 90 degrees clockwise."""
    image = Image.fromarray(GREY[0])
    exif = image.getexif()
    exif[0x0112] = 6
    for name in "ab":
        image.save(tmp_path / f"{name}.png", exif=exif)
    data = _data.load(str(tmp_path))
    np.testing.assert_allclose(levels(data)[0], np.rot90(GREY[0], -1), atol=1e-4)


def test_image_size_crops_the_centre_and_does_not_alias(tmp_path):
    """Two halves and a wide margin: the central square alone; stripes of a pixel become grey.

    Same-sized squares stay the same bits. Lanczos overshoots an edge by at most 10 % of its step,
    and stripes of period 2, of mean 127.5, are beyond what an eighth of the pixels can show: to 3 %
    of them where the border cuts the kernel off, where every eighth pixel would be 0 or 255.
    """
    wide = np.zeros((32, 96), np.uint8)
    wide[:, 32:48], wide[:, 48:64] = 50, 200
    tall = np.zeros((64, 32), np.uint8)
    tall[:, ::2] = 255
    path = folder_of(tmp_path, [wide, tall])
    data = _data.load(path, image_size=4)
    assert data.points.shape == (2, 4, 4)
    np.testing.assert_allclose(levels(data)[0], [[50, 50, 200, 200]] * 4, atol=15)
    np.testing.assert_allclose(levels(data)[1], 127.5, atol=0.03 * 255)
    square = folder_of(tmp_path / "square", [wide[:, 32:64], tall[:32]])
    once, same = _data.load(square), _data.load(square, image_size=32)
    assert once.checksum() == same.checksum()
    assert _data.load(square, image_size=64).points.shape == (2, 64, 64)


def test_sizes_that_differ_are_named(tmp_path):
    """Two files and their sizes, width first, and the flag that helps."""
    path = folder_of(tmp_path, [GREY[0], GREY[1], GREY[2][:, :4]])
    first, other = tmp_path / "0.png", tmp_path / "2.png"
    refused(lambda: _data.load(path), f"{first} has 5x6", f"{other} 4x6", "give --image-size")
    assert _data.load(path, image_size=4).points.shape == (3, 4, 4)


def test_other_data_are_not_resized(tmp_path):
    """Their own size passes; another, or one of what is no image, is refused."""
    assert _data.load("digits", image_size=8).points.shape == (1797, 8, 8)
    refused(lambda: _data.load("digits", image_size=16), "--image-size 16", "8x8 pixels", "folder")
    refused(lambda: _data.load("ring", image_size=2), "--image-size", "--data ring is of kind plan")
    np.save(tmp_path / "x.npy", IMAGES)
    refused(lambda: _data.load(str(tmp_path / "x.npy"), image_size=6), "x.npy", "5x6 pixels")
    write_pair(tmp_path)
    refused(lambda: _data.load("mnist", tmp_path, image_size=6, flag="--of"), "--of mnist has")
    refused(lambda: _data.load("digits", image_size=1), "--image-size must be at least 2, got 1")


def test_folders_without_enough_images(tmp_path):
    """Their number is said; one pixel is no image; a .npy folder is a folder."""
    (tmp_path / "x.npy").mkdir()
    refused(lambda: _data.load(str(tmp_path / "x.npy")), "x.npy has 0 images", ".jpg", "at least 2")
    path = folder_of(tmp_path, GREY[:1])
    refused(lambda: _data.load(path), "has 1 images")
    path = folder_of(tmp_path / "dots", GREY[:2, :1, :1])
    refused(lambda: _data.load(path), "dots has shape (2, 1, 1)")
    refused(lambda: _data.load(str(tmp_path / "gone")), "gone is none of", "folder of images")


def test_without_pillow_the_cure_is_said(tmp_path, monkeypatch):
    """What is missing, and how to get it."""
    path = folder_of(tmp_path, GREY)
    monkeypatch.setitem(sys.modules, "PIL", None)
    refused(lambda: _data.load(path), path, "pip install pillow")


def bomb(width):
    """A PNG of few bytes that says it has so many pixels in a row of 20 000."""
    chunk = lambda kind, body: (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )
    head = struct.pack(">IIBBBBB", width, 20_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def saved(image, path):
    image.save(path)
    return path.read_bytes()


BEYOND = np.full((6, 5), 70_000, np.int32)
WRONG = {
    "text": (lambda path: b"hello", ["cannot be read as an image", "repair or remove it"]),
    "empty": (lambda path: b"", ["cannot be read as an image"]),
    "cut": (lambda path: saved(Image.fromarray(GREY[0]), path)[:-25], ["cannot be read"]),
    "program": (lambda path: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ["cannot be"]),
    "large": (lambda path: bomb(5_000), ["too large an image", "Make it smaller"]),
    "larger": (lambda path: bomb(50_000), ["too large an image"]),
    "floats": (
        lambda path: saved(Image.fromarray(np.ones((6, 5), np.float32)), path.with_suffix(".tif")),
        ["pixels are floats", "8 or 16 bits"],
    ),
    "beyond": (
        lambda path: saved(
            Image.fromarray(np.full((6, 5), 70_000, np.int32)), path.with_suffix(".tif")
        ),
        ["pixels are from 70000 to 70000, beyond 16 bits"],
    ),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_pictures_are_refused_by_name(tmp_path, name):
    """Each in one line with the path, and no program in it is run."""
    content, words = WRONG[name]
    path = folder_of(tmp_path / "all", GREY[:3])
    wrong = tmp_path / "all" / "1.png"
    wrong.write_bytes(content(tmp_path / "1.png"))
    refused(lambda: _data.load(path), wrong, *words)


@pytest.mark.parametrize("end", ENDS)
def test_damaged_bytes_end_in_one_line(tmp_path, end):
    """Cut anywhere, or 60 times with three wrong bytes: read, or refused with the path."""
    rng, path = np.random.default_rng(0), Path(folder_of(tmp_path, COLOUR[:2], end))
    wrong = path / f"1{end}"
    whole, refusals = wrong.read_bytes(), []
    damaged = [bytearray(whole) for _ in range(60)]
    for content in damaged:
        for place in rng.integers(len(whole), size=3):
            content[place] = rng.integers(256)
    for content in [*damaged, *(whole[:cut] for cut in rng.integers(len(whole), size=20))]:
        wrong.write_bytes(content)
        try:
            assert _data.load(str(path)).points.dtype == np.float32
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) >= 10
    assert all(str(wrong) in text and "\n" not in text for text in refusals)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path):
    """As one that is damaged."""
    path = folder_of(tmp_path, GREY[:2])
    (tmp_path / "1.png").chmod(0)
    refused(lambda: _data.load(path), tmp_path / "1.png", "Permission denied")


def test_other_files_are_counted_and_said(tmp_path):
    """Every ending that Pillow knows is read; what is passed over is in the data's description."""
    folder_of(tmp_path, GREY[:2], names=["0.jfif", "1.jpe"])
    assert len(_data.load(str(tmp_path)).points) == 2
    for name in ("readme.txt", "labels.csv", "a.heic", "b.heic", ".hidden.txt"):
        (tmp_path / name).write_bytes(b"")
    source = _data.load(str(tmp_path)).source
    assert source == f"{tmp_path} (4 other files passed over: 1 .csv, 2 .heic, 1 .txt)"


def png(width, height, rows, colour=2, depth=8, interlaced=0):
    """A PNG whose stream is ended properly after `rows` bytes of pixels."""
    chunk = lambda kind, body: (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    )
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    pixels = zlib.compress(bytes(rows))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("colour", "depth", "row"), [(2, 8, 1 + 3 * 9), (0, 1, 1 + 2), (6, 16, 1 + 8 * 9)]
)
def test_a_png_that_ends_before_its_last_row_is_truncated(tmp_path, colour, depth, row):
    """One byte of pixels less than the header promises; whole it is read."""
    for place, missing in enumerate((0, 1)):
        (tmp_path / "0.png").write_bytes(png(9, 7, 7 * row, colour, depth))
        (tmp_path / "1.png").write_bytes(png(9, 7, 7 * row - missing, colour, depth))
        if place == 0:
            assert len(_data.load(str(tmp_path)).points) == 2
        else:
            refused(lambda: _data.load(str(tmp_path)), tmp_path / "1.png", "truncated")


def test_an_interlaced_png_has_the_bytes_of_its_passes(tmp_path):
    """Adam7 as ImageMagick and browsers write it: sizes of passes of odd pictures."""
    for width, height in [(9, 7), (1, 1), (3, 20), (8, 8)]:
        sizes = [
            (-(-(width - x) // dx), -(-(height - y) // dy))
            for x, y, dx, dy in [
                (0, 0, 8, 8),
                (4, 0, 8, 8),
                (0, 4, 4, 8),
                (2, 0, 4, 4),
                (0, 2, 2, 4),
                (1, 0, 2, 2),
                (0, 1, 1, 2),
            ]
        ]
        whole = sum(h * (1 + w) for w, h in sizes if w > 0 and h > 0)
        for missing in (0, 1):
            content = png(width, height, whole - missing, colour=0, interlaced=1)
            (tmp_path / "x.png").write_bytes(content)
            if missing:
                with pytest.raises(ValueError, match="truncated"):
                    check_png(tmp_path / "x.png")
            else:
                check_png(tmp_path / "x.png")


def test_pictures_too_large_are_refused_from_their_headers(tmp_path):
    """9000x9000 pixels in 200 KB: one line that says the limit and what to do, and no memory."""
    for place in range(2):
        Image.new("1", (9000, 9000)).save(tmp_path / f"{place}.png")
    refused(lambda: _data.load(str(tmp_path)), "9000x9000", "4,194,304", "--image-size")
    assert _data.load(str(tmp_path), image_size=8).points.shape == (2, 8, 8)


def test_a_folder_of_training_and_test_pictures(tmp_path):
    """Each split its own folder of classes, which are numbered as in training."""
    names = [f"train/{animal}/{i}.png" for animal in ("ant", "bee", "cat") for i in range(2)]
    folder_of(tmp_path, GREY[:6], names=names)
    folder_of(tmp_path, GREY[:2], names=["test/cat/0.png", "test/bee/0.png"])
    data = _data.load(str(tmp_path))
    np.testing.assert_array_equal(data.labels, [0, 0, 1, 1, 2, 2])
    np.testing.assert_array_equal(_data.load(str(tmp_path), split="test").labels, [1, 2])
    train, held_out, classes = _data.load_labelled(str(tmp_path))
    assert (len(train.points), len(held_out.points), classes) == (6, 2, 3)
    folder_of(tmp_path, GREY[:1], names=["test/dog/0.png"])
    refused(lambda: _data.load(str(tmp_path), split="test"), "dog", "training pictures lack")


@pytest.mark.parametrize("data", ["", "  ", "x" * 5000, "a\0b"])
def test_names_that_are_no_paths_are_refused(data):
    """The folder that the program runs in is not taken for an empty name."""
    refused(lambda: _data.load(data), "--data", "is none of digits")
