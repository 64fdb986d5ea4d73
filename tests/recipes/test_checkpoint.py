"""Checkpoints: whole, verified, and the last sound one is used."""

import json
import shutil

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from recipes import _checkpoint
from recipes._errors import UserError


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
            (c / "manifest.json").read_text().replace('"round": 300', '"round": 200')
        ),
        "of another round",
    ),
    "other_format": (
        lambda c: (c / "manifest.json").write_text(
            (c / "manifest.json").read_text().replace('"format": 1', '"format": 9')
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
    manifest = json.loads((saved(tmp_path, [100]) / "00000100" / "manifest.json").read_text())
    leaf = manifest["leaves"]["['net'].layers[0].weight"]
    assert leaf == {"shape": [4, 3], "dtype": "float32"}
    assert manifest["round"] == 100
    assert np.all([len(digest) == 64 for digest in manifest["sha256"].values()])
