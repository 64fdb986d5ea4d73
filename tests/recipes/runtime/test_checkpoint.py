"""Checkpoints: whole, verified, and the last sound one is used."""

import json
import shutil

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes._runtime import checkpoint as _checkpoint
from recipes._runtime.errors import UserError


def tree(scale=1.0):
    """Arrays of several types and shapes, None, a function, numbers that are no arrays."""
    mlp = eqx.nn.MLP(3, 2, 4, 1, key=jax.random.key(0))
    mlp = jax.tree.map(lambda v: (scale * v).astype(jnp.float32) if eqx.is_array(v) else v, mlp)
    count = jnp.asarray(int(7 * scale), jnp.int32)
    return {"net": mlp, "count": count, "half": jnp.ones(3, jnp.bfloat16) * scale, "none": None}


def saved(folder, rounds=(100, 200, 300)):
    for round in rounds:
        _checkpoint.save(folder, round, tree(round / 100))
    return folder


def test_what_was_saved_is_loaded_bit_for_bit(tmp_path):
    """Every leaf, its dtype and its shape; what is no array comes from the template."""
    saved(tmp_path, [100])
    loaded, round, skipped = _checkpoint.load(tmp_path, tree(0.0))
    assert (round, skipped) == (100, [])
    chex.assert_trees_all_equal(eqx.filter(loaded, eqx.is_array), eqx.filter(tree(), eqx.is_array))
    assert loaded["none"] is None
    assert loaded["net"].activation is tree()["net"].activation


def test_the_newest_three_are_kept(tmp_path):
    """And nothing half-written is left."""
    saved(tmp_path, [100, 200, 300, 400])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["00000200", "00000300", "00000400"]
    assert _checkpoint.load(tmp_path, tree())[1] == 400


def largest_file(folder):
    return max((p for p in folder.rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


DAMAGE = {
    "flipped_bit": (lambda c: flip(largest_file(c / "tree")), "does not match its checksum"),
    "truncated": (lambda c: largest_file(c / "tree").write_bytes(b"x"), "does not match"),
    "missing_file": (lambda c: largest_file(c / "tree").unlink(), "is missing"),
    "no_manifest": (lambda c: (c / "manifest.json").unlink(), "manifest.json cannot be read"),
    "cut_manifest": (lambda c: (c / "manifest.json").write_text("{"), "manifest.json cannot"),
    "other_round": (
        lambda c: (c / "manifest.json").write_text(
            (c / "manifest.json")
            .read_text(encoding="utf-8")
            .replace('"round": 300', '"round": 200')
        ),
        "of another round",
    ),
    "other_format": (
        lambda c: (c / "manifest.json").write_text(
            (c / "manifest.json").read_text(encoding="utf-8").replace('"format": 1', '"format": 9')
        ),
        "format 9 instead of 1",
    ),
}


@pytest.mark.parametrize("name", sorted(DAMAGE))
def test_a_damaged_checkpoint_is_skipped_and_said(tmp_path, name):
    """The one before it is used."""
    damage, words = DAMAGE[name]
    damage(saved(tmp_path) / "00000300")
    loaded, round, skipped = _checkpoint.load(tmp_path, tree())
    assert round == 200
    assert int(loaded["count"]) == 14
    assert len(skipped) == 1
    assert "00000300" in skipped[0]
    assert words in skipped[0]


def test_every_bit_of_every_file_is_guarded(tmp_path):
    """A bit flipped in any file of the tree is found."""
    checkpoint = saved(tmp_path / "run", [300]) / "00000300"
    for path in [p for p in (checkpoint / "tree").rglob("*") if p.stat().st_size and p.is_file()]:
        whole = path.read_bytes()
        flip(path)
        with pytest.raises(UserError, match="checksum"):
            _checkpoint.load(tmp_path / "run", tree())
        path.write_bytes(whole)
    assert _checkpoint.load(tmp_path / "run", tree())[1] == 300


def test_an_interrupted_save_leaves_no_checkpoint(tmp_path, monkeypatch):
    """A crash before the rename: the older one is used, and the next save succeeds."""
    saved(tmp_path, [100])
    monkeypatch.setattr(_checkpoint.os, "fsync", lambda fd: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        _checkpoint.save(tmp_path, 200, tree(2.0))
    monkeypatch.undo()
    assert _checkpoint.load(tmp_path, tree())[1:] == (100, [])
    _checkpoint.save(tmp_path, 200, tree(2.0))
    assert _checkpoint.load(tmp_path, tree())[1] == 200


def test_another_architecture_is_refused_by_its_first_leaf(tmp_path):
    """Not restored into wrong shapes."""
    saved(tmp_path, [100])
    other = {**tree(), "half": jnp.ones(4, jnp.bfloat16)}
    with pytest.raises(UserError, match=r"1 arrays have another shape or type, such as \['half'\]"):
        _checkpoint.load(tmp_path, other)


def test_nothing_to_resume_from(tmp_path):
    """An empty folder, and one whose checkpoints are all damaged, end in one line."""
    with pytest.raises(UserError, match="no sound checkpoint"):
        _checkpoint.load(tmp_path / "gone", tree())
    shutil.rmtree(saved(tmp_path, [100]) / "00000100" / "tree")
    with pytest.raises(UserError, match=r"00000100.*is missing"):
        _checkpoint.load(tmp_path, tree())


def test_the_manifest_describes_every_leaf(tmp_path):
    """Names, shapes and dtypes that another program can read."""
    manifest = json.loads(
        (saved(tmp_path, [100]) / "00000100" / "manifest.json").read_text(encoding="utf-8")
    )
    leaf = manifest["leaves"]["['net'].layers[0].weight"]
    assert leaf == {"shape": [4, 3], "dtype": "float32"}
    assert manifest["round"] == 100
    assert np.all([len(digest) == 64 for digest in manifest["sha256"].values()])


def test_typed_keys_and_empty_arrays_are_kept(tmp_path, monkeypatch):
    """Keys of every kind, one and several, and arrays without entries: bit for bit."""
    state = {
        "key": jax.random.key(3),
        "keys": jax.random.split(jax.random.key(3), 4),
        "other": jax.random.key(1, impl="rbg"),
        "no_keys": jax.random.split(jax.random.key(3), 4)[:0],
        "empty": jnp.zeros((0, 3), jnp.bfloat16),
        "some": jnp.arange(3),
    }
    _checkpoint.save(tmp_path, 1, state)
    like = jax.tree.map(lambda leaf: jnp.zeros_like(leaf), state)
    loaded, _, skipped = _checkpoint.load(tmp_path, like)
    assert skipped == []
    bits = lambda leaf: (
        jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
    )
    for name, leaf in state.items():
        assert (loaded[name].dtype, loaded[name].shape) == (leaf.dtype, leaf.shape)
        np.testing.assert_array_equal(bits(loaded[name]), bits(leaf))
    draw = jax.random.normal(loaded["key"], (3,))
    np.testing.assert_array_equal(draw, jax.random.normal(jax.random.key(3), (3,)))
    for number, tree in enumerate(({}, {"empty": state["empty"]}), start=2):
        _checkpoint.save(tmp_path, number, tree)
        assert _checkpoint.load(tmp_path, tree)[1:] == (number, [])
    with pytest.raises(UserError, match="another shape or type"):
        _checkpoint.load(tmp_path, {**state, "key": jnp.zeros(2, jnp.uint32)}, 1)


LISTS = {
    "no_files": ({"sha256": {}}, "is not in its manifest.json"),
    "no_leaves": ({"leaves": []}, "lists no arrays or no files"),
    "files_null": ({"sha256": None}, "lists no arrays or no files"),
    "round_true": ({"round": True}, "of another round"),
    "more": ({"note": 1}, "has other keys"),
}


@pytest.mark.parametrize("own", ["with", "without"])
@pytest.mark.parametrize("name", sorted(LISTS))
def test_a_manifest_that_was_changed_is_refused(name, own, tmp_path):
    """By its own checksum; and without it, as older ones are, by what it lists."""
    changes, word = LISTS[name]
    path = saved(tmp_path, [100]) / "00000100" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | changes
    if own == "without":
        del manifest["checksum"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    if own == "with" and name == "no_files":
        word = "does not match its checksum"
    with pytest.raises(UserError, match=word):
        _checkpoint.load(tmp_path, tree())
    with pytest.raises(UserError, match=word):
        _checkpoint.check_sound(tmp_path)


def test_a_manifest_without_a_checksum_of_its_own_is_still_read(tmp_path):
    """As runs of older versions have them."""
    path = saved(tmp_path, [100]) / "00000100" / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["checksum"]
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert _checkpoint.load(tmp_path, tree())[1:] == (100, [])


def test_a_file_that_the_manifest_does_not_list_is_a_fault(tmp_path):
    """So that the arrays are of the files that have been looked at."""
    (saved(tmp_path, [100]) / "00000100" / "tree" / "more").touch()
    with pytest.raises(UserError, match=r"tree/more is not in its manifest\.json"):
        _checkpoint.load(tmp_path, tree())


def test_what_the_formats_raise_is_a_fault(tmp_path, monkeypatch):
    """Arrays that cannot be restored though their files are as they were: the older is tried."""
    saved(tmp_path, [100, 200])
    real = _checkpoint._from_host

    def break_newest(array, like):
        if float(np.asarray(array).max()) == 14:  # the count of round 200
            raise RuntimeError("no such codec")
        return real(array, like)

    monkeypatch.setattr(_checkpoint, "_from_host", break_newest)
    loaded, round, skipped = _checkpoint.load(tmp_path, tree())
    assert (int(loaded["count"]), round) == (7, 100)
    assert "cannot be restored (RuntimeError)" in skipped[0]
