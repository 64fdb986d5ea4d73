"""Array files of the user's own, and every way in which one can be wrong."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from recipes import _data
from recipes._data import arrays, raw_bytes
from recipes._runtime.errors import UserError
from tests.recipes.data.test_data import IMAGES, LABELS, refused, write_pair


def save(path: Path, **arrays) -> str:
    np.savez(path, **arrays)
    return str(path)


def test_array_files_of_every_kind(tmp_path):
    """Vectors keep their units; bytes and [0, 1] images come out in [-1, 1]."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "v.npy", 50 * rng.normal(size=(9, 4)))
    data = _data.load(str(tmp_path / "v.npy"))
    assert data.kind == "vector"
    assert np.abs(data.points).max() > 10
    np.save(tmp_path / "p.npy", rng.normal(size=(9, 2)))
    assert _data.load(str(tmp_path / "p.npy")).kind == "plane"
    path = save(tmp_path / "i.npz", images=IMAGES, labels=LABELS)
    data = _data.load(path)
    np.testing.assert_allclose((data.points + 1) * 127.5, IMAGES, atol=1e-4)
    np.testing.assert_array_equal(data.labels, LABELS)
    assert _data.load(path).checksum() == data.checksum()
    colour = rng.uniform(size=(9, 4, 4, 3))
    data = _data.load(save(tmp_path / "c.npz", x=colour))
    np.testing.assert_allclose(data.points, 2 * colour - 1, atol=1e-6)
    signed = rng.uniform(-1, 1, (9, 4, 4))
    np.testing.assert_allclose(
        _data.load(save(tmp_path / "s.npz", data=signed)).points, signed, 1e-6
    )


def test_names_in_an_archive(tmp_path):
    """A single array may have any name; arrays of no use are not even read; .NPZ is .npz."""
    path = save(tmp_path / "one.npz", anything=np.ones((9, 4)))
    Path(path).rename(tmp_path / "ONE.NPZ")
    assert _data.load(str(tmp_path / "ONE.NPZ")).points.shape == (9, 4)
    path = save(tmp_path / "two.npz", x=np.ones((9, 4)), comments=np.array([{}], dtype=object))
    assert _data.load(path).labels is None


def with_nan():
    points = np.ones((9, 4))
    points[3, 1], points[7, 0] = np.nan, np.inf
    return points


WRONG_ARRAYS = {
    "nan": (with_nan(), ["NaN or inf in 2 of its 9 points", "point 3"]),
    "axes": (np.ones(9), ["shape (9,)", "(n, height, width)"]),
    "channels": (np.ones((9, 4, 4, 2)), ["shape (9, 4, 4, 2)"]),
    "thin_images": (np.ones((9, 1, 5)), ["shape (9, 1, 5)"]),
    "text": (np.array([["a", "b"]]), ["dtype", "numbers are needed"]),
    "complex": (np.ones((9, 4), complex), ["complex128"]),
    "one_point": (np.ones((1, 4)), ["1 points", "at least 2"]),
    "pixels": (300.0 * np.ones((9, 4, 4)), ["pixels from 300 to 300"]),
    "float32": (1e300 * np.ones((9, 4)), ["beyond float32", "1e+300"]),
    "pickle": (np.array([{}, []], dtype=object), ["Python objects"]),
}


@pytest.mark.parametrize("name", sorted(WRONG_ARRAYS))
def test_wrong_arrays_are_refused_by_name(tmp_path, name):
    """One line with the path and what is wrong."""
    array, words = WRONG_ARRAYS[name]
    path = tmp_path / "x.npy"
    np.save(path, array, allow_pickle=True)
    refused(lambda: _data.load(str(path)), path, *words)


def test_files_that_are_no_array_files(tmp_path):
    """Missing, cut off, not what they seem, without points, with other labels."""
    refused(lambda: _data.load(str(tmp_path / "gone.npy"), flag="--x"), "--x", "no such file")
    (tmp_path / "text.npy").write_text("hello")
    refused(lambda: _data.load(str(tmp_path / "text.npy")), "text.npy", "0x68656c6c6f")
    np.save(tmp_path / "cut.npy", np.ones((9, 4)))
    raw = (tmp_path / "cut.npy").read_bytes()
    (tmp_path / "cut.npy").write_bytes(raw[:-30])
    refused(lambda: _data.load(str(tmp_path / "cut.npy")), "cut.npy", "cannot be read")
    path = save(tmp_path / "z.npz", a=np.ones((9, 4)), b=np.ones(9))
    refused(lambda: _data.load(path), "z.npz", "a, b", "points")
    Path(path).write_bytes(Path(path).read_bytes()[:40])
    refused(lambda: _data.load(path), "z.npz", "cannot be read")


WRONG_LABELS = {
    "count": (np.ones(3), ["labels of shape (3,)", "9 points"]),
    "text": (np.array(list("abcdefghi")), ["dtype <U1", "no whole"]),
    "fractions": (np.arange(9) / 2, ["dtype float64", "no whole"]),
    "nan": (np.full(9, np.nan), ["no whole"]),
    "large": (np.arange(9) + 2**40, ["32-bit"]),
}


@pytest.mark.parametrize("name", sorted(WRONG_LABELS))
def test_wrong_labels_are_refused(tmp_path, name):
    """Nothing is cut or wrapped to make a label of it."""
    labels, words = WRONG_LABELS[name]
    path = save(tmp_path / "l.npz", x=np.ones((9, 4)), y=labels)
    refused(lambda: _data.load(path), path, *words)


@pytest.mark.parametrize("kind", ["npy", "npz", "packed"])
def test_damaged_bytes_end_in_one_line(tmp_path, kind):
    """300 files with a few wrong bytes each: read, or refused with the path; no other exception."""
    rng, path = np.random.default_rng(0), tmp_path / ("x.npy" if kind == "npy" else "x.npz")
    points = rng.uniform(size=(9, 4)).astype(np.float32)
    write = {"npy": np.save, "npz": np.savez, "packed": np.savez_compressed}[kind]
    write(path, points)
    whole, refusals = path.read_bytes(), []
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            _data.load(str(path))
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) > 100
    assert all(str(path) in text and "\n" not in text for text in refusals)


def test_an_archive_of_something_else(tmp_path):
    """A member that is no array is refused as one that holds no numbers."""
    with zipfile.ZipFile(tmp_path / "z.npz", "w") as archive:
        archive.writestr("points", b"hello")
    refused(lambda: _data.load(str(tmp_path / "z.npz")), "z.npz (points)", "numbers are needed")


PARTS: dict[_data.Split, slice] = {"train": slice(None, 6), "test": slice(6, None)}


@pytest.mark.parametrize(
    ("points", "labels"), [("x_{}", "y_{}"), ("{}_images", "{}_labels")], ids=["keras", "medmnist"]
)
def test_archives_of_training_and_test_arrays(tmp_path, points, labels):
    """As Keras and MedMNIST publish them, labels of shape (n, 1) included."""
    arrays = {}
    for split, rows in PARTS.items():
        arrays |= {
            points.format(split): IMAGES[rows],
            labels.format(split): np.asarray(LABELS)[rows][:, None],
        }
    path = save(tmp_path / "d.npz", **arrays)
    for split, rows in PARTS.items():
        data = _data.load(path, split=split)
        np.testing.assert_allclose((data.points + 1) * 127.5, IMAGES[rows], atol=1e-4)
        np.testing.assert_array_equal(data.labels, LABELS[rows])
    train, held_out, _ = _data.load_labelled(path)
    assert (len(train.points), len(held_out.points)) == (6, len(IMAGES) - 6)


def test_what_unpacks_to_more_than_the_limit_is_refused(tmp_path, monkeypatch):
    """The limit and the name are said, and no more than the limit is ever unpacked."""
    monkeypatch.setattr(raw_bytes, "LARGEST", 10**6)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10**7)))
    refused(lambda: raw_bytes.read_bytes(tmp_path / "bomb.gz"), "bomb.gz", "1,000,000 bytes")
    (tmp_path / "plain").write_bytes(bytes(10**7))
    refused(lambda: raw_bytes.read_bytes(tmp_path / "plain"), "plain", "1,000,000 bytes")
    monkeypatch.setattr(arrays, "LARGEST", 10**6)
    np.savez_compressed(tmp_path / "bomb.npz", x=np.zeros((10**6, 4)))
    refused(lambda: _data.load(str(tmp_path / "bomb.npz")), "bomb.npz (x)", "32,000,", "1,000,000")
    np.save(tmp_path / "large.npy", np.zeros((10**6, 4)))
    refused(lambda: _data.load(str(tmp_path / "large.npy")), "large.npy", "1,000,000")


@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
def test_mnist_where_torchvision_puts_it(tmp_path, below):
    """The folder itself, its raw/, and MNIST/raw/ below a root."""
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    write_pair(folder)
    assert len(_data.load("mnist", tmp_path).points) == len(IMAGES)
