"""Data sets: what is bundled, IDX and array files, and every way in which a file can be wrong."""

import gzip
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from recipes import _data
from recipes._data.idx import TYPES, read_idx
from recipes._runtime.errors import UserError


def idx_bytes(array):
    """An IDX file's bytes, written here a second time."""
    codes = {dtype.newbyteorder("="): code for code, dtype in TYPES.items()}
    code = codes[array.dtype.newbyteorder("=")]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


IMAGES = np.random.default_rng(0).integers(0, 256, (12, 6, 5)).astype(np.uint8)
LABELS = np.arange(12, dtype=np.uint8) % 10
IMAGES_NAME, LABELS_NAME = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def write_pair(folder, images=None, labels=None, packed=True):
    images = idx_bytes(IMAGES) if images is None else images
    labels = idx_bytes(LABELS) if labels is None else labels
    end = ".gz" if packed else ""
    for name, content in ((IMAGES_NAME, images), (LABELS_NAME, labels)):
        (folder / (name + end)).write_bytes(gzip.compress(content) if packed else content)
    return folder


def refused(call, *words):
    """The call raises one line that has all the words in it."""
    with pytest.raises(UserError) as error:
        call()
    assert "\n" not in str(error.value)
    for word in words:
        assert str(word) in str(error.value), f"{word!r} in {error.value}"


def test_digits_are_the_real_ones():
    """1797 images of 8x8 in [-1, 1], with their labels."""
    data = _data.load("digits")
    flat, target = sklearn.datasets.load_digits(return_X_y=True)
    assert data.points.shape == (1797, 8, 8)
    assert data.points.dtype == np.float32
    np.testing.assert_allclose((data.points + 1) * 8, np.reshape(flat, (-1, 8, 8)))
    np.testing.assert_array_equal(data.labels, target)
    assert (data.points.min(), data.points.max()) == (-1, 1)


@pytest.mark.parametrize(("name", "modes"), [("ring", 8), ("grid", 25)])
def test_toys_are_drawn_as_in_the_authors_code(name, modes):
    """100 000 points; per mode the deviation 0.02 / 1.414 or 0.05 / 2.828, to 3 %."""
    data = _data.load(name, seed=3)
    assert data.kind == "plane"
    assert data.points.shape == (100_000, 2)
    spreads = [data.points[data.labels == k].std(axis=0) for k in range(modes)]
    expected = 0.02 / 1.414 if name == "ring" else 0.05 / 2.828
    # A deviation of 4000 points is known to 1.1 %; of 12 500, to 0.6 %: below 3 of these.
    np.testing.assert_allclose(spreads, expected, rtol=0.05)
    centres = np.array([data.points[data.labels == k].mean(axis=0) for k in range(modes)])
    if name == "ring":
        np.testing.assert_allclose(np.hypot(*centres.T), 2 / 1.414, rtol=1e-3)
    else:
        assert set(np.round(centres * 2.828 / 2).ravel()) == {-2, -1, 0, 1, 2}


@pytest.mark.parametrize("name", ["ring", "grid", "swiss_roll"])
def test_a_seed_decides_a_toy(name):
    """Same seed same checksum, another seed another."""
    sums = [_data.load(name, seed=seed).checksum() for seed in (0, 0, 1)]
    assert sums[0] == sums[1] != sums[2]


def test_swiss_roll_is_a_spiral():
    """The radius grows with the angle from 1.5 pi to 4.5 pi, over 7.5."""
    radii = np.hypot(*_data.load("swiss_roll").points.T) * 7.5
    assert 1.5 * np.pi - 1.5 < radii.min()
    assert radii.max() < 4.5 * np.pi + 1.5


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_idx_files_are_read_packed_or_not(tmp_path, packed, name):
    """Pixels 0..255 to [-1, 1], labels alongside."""
    data = _data.load(name, write_pair(tmp_path, packed=packed))
    np.testing.assert_allclose((data.points + 1) * 127.5, IMAGES, atol=1e-4)
    np.testing.assert_array_equal(data.labels, LABELS)
    assert data.kind == "image"


def test_idx_files_under_their_other_names(tmp_path):
    """A dot for the hyphen; packed content without .gz in the name."""
    (tmp_path / "train-images.idx3-ubyte").write_bytes(gzip.compress(idx_bytes(IMAGES)))
    (tmp_path / "train-labels.idx1-ubyte").write_bytes(idx_bytes(LABELS))
    assert len(_data.load("mnist", tmp_path).points) == 12


@pytest.mark.parametrize("code", sorted(TYPES))
def test_every_type_of_the_format(tmp_path, code):
    """Signed, wide and floating numbers, big-endian."""
    array = np.arange(6).reshape(2, 3).astype(TYPES[code])
    path = tmp_path / "x.idx"
    path.write_bytes(idx_bytes(array))
    np.testing.assert_array_equal(read_idx(path, ndim=2), array)


def test_missing_folder_and_files_are_named(tmp_path):
    """The exact names that are expected, and which of them lack."""
    both = (f"{IMAGES_NAME}(.gz)", f"{LABELS_NAME}(.gz)")
    refused(lambda: _data.load("mnist"), "--data-dir", *both)
    refused(lambda: _data.load("mnist", tmp_path / "gone"), "is no folder", "gone", *both)
    refused(lambda: _data.load("mnist", tmp_path), f"lacks {both[0]} and {both[1]}")
    (tmp_path / IMAGES_NAME).write_bytes(idx_bytes(IMAGES))
    refused(lambda: _data.load("mnist", tmp_path), f"lacks {both[1]};")
    refused(lambda: _data.load("mnist", tmp_path, split="test"), "t10k-images-idx3-ubyte(.gz)")


RAW = idx_bytes(IMAGES)
WRONG_IDX = {
    "magic": (b"\x12\x34" + RAW[2:], ["no IDX file", "0x12340803"]),
    "type": (b"\x00\x00\x55\x03" + RAW[4:], ["no IDX file"]),
    "axes": (idx_bytes(LABELS), ["1 axes where 3 are expected", "swapped"]),
    "truncated": (RAW[:-7], ["truncated", "12x6x5", "360 bytes", "353 follow"]),
    "header": (RAW[:9], ["truncated", "header"]),
    "too_long": (RAW + b"xx", ["too many", "362 follow"]),
    "nothing": (b"", ["no IDX file"]),
    "no_images": (idx_bytes(IMAGES[:0]), ["empty"]),
    "one_image": (idx_bytes(IMAGES[:1]), ["1 points", "at least 2"]),
    "floats": (idx_bytes(IMAGES.astype(np.float32)), ["holds >f4", "bytes are expected"]),
    "one_pixel": (idx_bytes(IMAGES[:, :1, :1]), ["shape (12, 1, 1)"]),
}


@pytest.mark.parametrize("name", sorted(WRONG_IDX))
@pytest.mark.parametrize("packed", [True, False])
def test_wrong_idx_files_are_refused_by_name(tmp_path, name, packed):
    """Each fault by its own words, with the path."""
    content, words = WRONG_IDX[name]
    write_pair(tmp_path, images=content, packed=packed)
    refused(lambda: _data.load("mnist", tmp_path), tmp_path / IMAGES_NAME, *words)


def test_damaged_gzip_streams(tmp_path):
    """A stream that ends early is truncated, a flipped byte is corrupt."""
    write_pair(tmp_path)
    path = tmp_path / f"{IMAGES_NAME}.gz"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    refused(lambda: _data.load("mnist", tmp_path), path, "truncated")
    path.write_bytes(whole[:-6] + bytes([whole[-6] ^ 0xFF]) + whole[-5:])
    refused(lambda: _data.load("mnist", tmp_path), path, "corrupt")


def test_labels_must_be_as_many_as_images(tmp_path):
    """Both numbers are said."""
    write_pair(tmp_path, labels=idx_bytes(LABELS[:5]))
    refused(lambda: _data.load("mnist", tmp_path), "(5,)", "12 points", LABELS_NAME)
    write_pair(tmp_path, labels=idx_bytes(LABELS + np.float32(0.5)))
    refused(lambda: _data.load("mnist", tmp_path), LABELS_NAME, ">f4", "no whole")


def test_an_unknown_name_lists_the_known():
    """All of them."""
    refused(
        lambda: _data.load("cifar"), "--data cifar", *_data.NAMES, ".npy or .npz", "nor a folder"
    )


def test_importing_the_data_is_light():
    """Neither JAX nor scikit-learn: a wrong path is said at once."""
    code = "import sys, recipes._data, recipes._runtime.cli; "
    code += "print({'jax', 'sklearn'} & set(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "set()"


@pytest.mark.skipif("GAMEOPT_MNIST_DIR" not in os.environ, reason="needs the real MNIST files")
def test_the_real_mnist():
    """60 000 and 10 000 images of 28x28, whose mean pixel is well known."""
    folder = Path(os.environ["GAMEOPT_MNIST_DIR"])
    train, test = (_data.load("mnist", folder, split=split) for split in ("train", "test"))
    assert train.points.shape == (60_000, 28, 28)
    assert test.points.shape == (10_000, 28, 28)
    np.testing.assert_allclose((train.points.mean() + 1) / 2, 0.1307, atol=1e-4)
