"""CIFAR-10's files, binary and for Python, and every way in which one can be wrong."""

import pickle
import struct

import numpy as np
import pytest

from recipes import _data
from recipes._runtime.errors import UserError
from tests.recipes.data.test_data import refused

ROWS = 3
TRAIN = [f"data_batch_{i}" for i in range(1, 6)]
NAMES = (*TRAIN, "test_batch")


def batch(place):
    """Images as `load` gives them before scaling, and labels: another of each for each batch."""
    rng = np.random.default_rng(place)
    images = rng.integers(0, 256, (ROWS, 32, 32, 3)).astype(np.uint8)
    return images, rng.integers(0, 10, ROWS)


def flat(images):
    """Rows with red, then green, then blue: written here a second time."""
    return np.concatenate([images[..., c].reshape(len(images), -1) for c in range(3)], axis=1)


def binary(images, labels):
    """The bytes of a batch of the binary version."""
    return b"".join(bytes([y]) + row.tobytes() for y, row in zip(labels, flat(images), strict=True))


def text2(text):
    """A short string as Python 2 pickles it."""
    return b"U" + bytes([len(text)]) + text


def python2(images, labels):
    """The bytes of a batch as Python 2 wrote the published ones, opcode by opcode."""
    raw, rows = flat(images).tobytes(), len(images)
    kind = b"cnumpy\ndtype\n(" + text2(b"u1") + b"K\x00K\x01tR(K\x03" + text2(b"|") + b"NNN"
    kind += b"J\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text2(b"b") + b"tR"
    shape = b"(K" + bytes([rows]) + b"M\x00\x0ct"
    array += b"(K\x01" + shape + kind + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([y]) for y in labels) + b"e"
    return b"\x80\x02}(" + text2(b"data") + array + text2(b"labels") + numbers + b"u."


def dumped(protocol, **changes):
    """A way to write a batch with this Python; `changes` to its entries, `None` leaves one out."""

    def write(images, labels):
        entries = {"data": flat(images), "labels": labels.tolist(), "filenames": ["a.png"]}
        entries = {k: v for k, v in (entries | changes).items() if v is not None}
        return pickle.dumps({k.encode(): v for k, v in entries.items()}, protocol)

    return write


def write_all(folder, write=binary, end=".bin"):
    folder.mkdir(exist_ok=True)
    for place, name in enumerate(NAMES):
        (folder / f"{name}{end}").write_bytes(write(*batch(place)))
    return folder


VERSIONS = {
    "binary": (binary, ".bin", ""),
    "binary_folder": (binary, ".bin", "cifar-10-batches-bin"),
    "python2": (python2, "", "cifar-10-batches-py"),
    **{f"protocol_{p}": (dumped(p), "", "") for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "columns": (lambda x, y: dumped(4, data=np.asfortranarray(flat(x)))(x, y), "", ""),
    "label_array": (lambda x, y: dumped(2, labels=y.astype(">i2"))(x, y), "", ""),
    "label_scalars": (lambda x, y: dumped(4, labels=list(y))(x, y), "", ""),
    "text_keys": (lambda x, y: pickle.dumps({"data": flat(x), "labels": y.tolist()}), "", ""),
}


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_both_versions_are_read_wherever_they_are(tmp_path, name):
    """Bytes to [-1, 1], channels last; five batches in order, and the test batch by itself."""
    write, end, below = VERSIONS[name]
    write_all(tmp_path / below, write, end)
    train, test = (_data.load("cifar10", tmp_path, split=split) for split in ("train", "test"))
    for data, places in ((train, range(5)), (test, [5])):
        images, labels = zip(*map(batch, places), strict=True)
        assert data.labels is not None
        assert (data.points.dtype, data.labels.dtype) == (np.float32, np.int32)
        # 1e-4 of a grey level: rounding to float32.
        np.testing.assert_allclose((data.points + 1) * 127.5, np.concatenate(images), atol=1e-4)
        np.testing.assert_array_equal(data.labels, np.concatenate(labels))
        assert (data.kind, data.name) == ("image", "cifar10")


def test_the_test_batch_is_held_out(tmp_path):
    """Not a fifth of the training images; an image size that is theirs passes."""
    write_all(tmp_path)
    train, held_out, classes = _data.load_labelled("cifar10", tmp_path, image_size=32)
    assert (len(train.points), len(held_out.points)) == (5 * ROWS, ROWS)
    assert held_out.checksum() == _data.load("cifar10", tmp_path, split="test").checksum()
    assert classes == 1 + np.concatenate([batch(place)[1] for place in range(6)]).max()


def test_missing_folders_and_batches_are_named(tmp_path):
    """What is expected, and what of it lacks, by the flag that the user gave."""
    load = lambda folder=None: lambda: _data.load("cifar10", folder, flag="--images")
    listing = "data_batch_1.bin to data_batch_5.bin, or the same without .bin"
    refused(load(), "--images cifar10 needs --data-dir", listing)
    refused(load(tmp_path / "gone"), "gone is no folder; --images cifar10", listing)
    refused(load(tmp_path), f"lacks {listing}", "cifar-10-binary.tar.gz")
    write_all(tmp_path)
    (tmp_path / "data_batch_2.bin").unlink()
    (tmp_path / "data_batch_4.bin").unlink()
    refused(load(tmp_path), tmp_path, "lacks data_batch_2.bin and data_batch_4.bin")
    (tmp_path / "test_batch.bin").unlink()
    refused(lambda: _data.load("cifar10", tmp_path, split="test"), "lacks test_batch.bin")


class Deed:
    """What a pickle would run."""

    def __init__(self, *call):
        self.call = call

    def __reduce__(self):
        return self.call[0], self.call[1:]


IMAGES, LABELS = batch(0)
RAW = binary(IMAGES, LABELS)
WRONG = {
    "cut.bin": (RAW[:-7], [f"{3 * 3073 - 7} bytes", "no whole number of rows of 3073"]),
    "empty.bin": (b"", ["0 bytes", "truncated"]),
    "label.bin": (RAW[:3073] + b"\x0a" + RAW[3074:], ["label 10 in row 1", "0 to 9"]),
    "label": (dumped(4, labels=[1, -1, 2])(IMAGES, LABELS), ["label -1 in row 1"]),
    "cut": (python2(IMAGES, LABELS)[:-40], ["truncated or no pickle"]),
    "ends": (python2(IMAGES, LABELS)[:-1], ["it ends early"]),
    "empty": (b"", ["it ends early"]),
    "text": (b"hello", ["no pickle"]),
    "list": (pickle.dumps([1, 2]), ["holds a list"]),
    "keys": (dumped(4, labels=None, fine=[1])(IMAGES, LABELS), ["keys data, filenames, fine"]),
    "no_keys": (pickle.dumps({}), ["keys (none)", "has data and labels"]),
    "shape": (dumped(4, data=IMAGES)(IMAGES, LABELS), ["shape (3, 32, 32, 3)", "(n, 3072)"]),
    "width": (dumped(4, data=flat(IMAGES)[:, 1:])(IMAGES, LABELS), ["shape (3, 3071)"]),
    "rows": (dumped(4, data=flat(IMAGES)[:0], labels=[])(IMAGES, LABELS), ["shape (0, 3072)"]),
    "dtype": (dumped(4, data=flat(IMAGES).astype(int))(IMAGES, LABELS), ["dtype int64", "bytes"]),
    "floats": (dumped(4, data=flat(IMAGES) / 255)(IMAGES, LABELS), ["'f8'", "whole numbers"]),
    "nothing": (dumped(4, data="x")(IMAGES, LABELS), ["data is neither an array nor a list"]),
    "count": (dumped(4, labels=[1, 2])(IMAGES, LABELS), ["labels of shape (2,) for 3 images"]),
    "halves": (dumped(4, labels=[1, 2, 0.5])(IMAGES, LABELS), ["labels is neither"]),
    "huge": (dumped(4, labels=[1, 2, 10**30])(IMAGES, LABELS), ["labels cannot be read"]),
    "code": (dumped(4, labels=Deed(exec, "raise SystemExit"))(IMAGES, LABELS), ["builtins.exec"]),
    "python2_code": (b"cos\nsystem\n(S'false'\ntR.", ["asks for code to be run", "'os.system'"]),
    "attribute": (pickle.dumps(Deed(getattr, [], "append"), 4), ["builtins.getattr"]),
    "extension": (b"\x80\x02\x82\x01.", ["no pickle"]),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(WRONG))
def test_wrong_batches_are_refused_by_name(tmp_path, name):
    """Each fault in one line, with the path; what a pickle asks to be run is not."""
    content, words = WRONG[name]
    end = ".bin" if name.endswith(".bin") else ""
    path = write_all(tmp_path, binary if end else python2, end) / f"data_batch_3{end}"
    path.write_bytes(content)
    refused(lambda: _data.load("cifar10", tmp_path), path, *words)


def test_one_image_is_too_few(tmp_path):
    """As for all data."""
    (tmp_path / "test_batch.bin").write_bytes(RAW[:3073])
    refused(lambda: _data.load("cifar10", tmp_path, split="test"), tmp_path, "1 points")


@pytest.mark.parametrize("name", ["binary", "python2", "protocol_0", "protocol_2", "protocol_5"])
def test_damaged_bytes_end_in_one_line(tmp_path, name):
    """Cut anywhere, or 300 times with three wrong bytes outside the pixels: read, or refused."""
    write, end, _ = VERSIONS[name]
    path, rng = tmp_path / f"test_batch{end}", np.random.default_rng(0)
    images = np.zeros((2, 32, 32, 3), np.uint8)
    whole = write(images, LABELS[:2])
    places = np.flatnonzero(np.frombuffer(whole, np.uint8))
    # An opcode for each byte of the text of protocol 0 is slow to read.
    cuts = [whole[:cut] for cut in rng.integers(len(whole), size=30)]
    damaged = [bytearray(whole) for _ in range(300 if name != "protocol_0" else 30)]
    for content in damaged:
        for place in rng.choice(places, 3):
            content[place] = rng.integers(256)
    refusals = []
    for content in [*cuts, *map(bytes, damaged)]:
        path.write_bytes(content)
        try:
            data = _data.load("cifar10", tmp_path, split="test")
            assert data.points.shape[1:] == (32, 32, 3)
        except UserError as error:
            refusals.append(str(error))
    assert len(refusals) > 30
    assert all(str(tmp_path) in text and "\n" not in text for text in refusals)
