"""A run folder that a disk has changed: it goes on to the same numbers, or says that it cannot."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import gameopt as go
from recipes import wgan
from recipes._runtime import checkpoint as _checkpoint, cli
from recipes._runtime.run import Result, TrainArgs, open_run, write_summary
from recipes._runtime.seeds import key_of
from recipes._runtime.training import train

GAME = go.Bilinear(jnp.float32(1.0))
SOLVER = go.Simultaneous(go.Players(optax.adam(0.1), optax.adam(0.1)))
DATA = {"name": "toy", "source": "nowhere", "sha256": "0" * 64}
FLIPS, CUTS = 90, 40
"""Damages to a run's files, spread over all of them."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args(TrainArgs):
    """The smallest recipe that trains."""

    steps: int = 4
    """Rounds."""
    eval_every: int = 2
    """Rounds between two evaluations."""
    log_every: int = 1
    """Rounds between two lines."""
    start: float = 1.0
    """Where x begins."""


def run(args):
    """The steps of every recipe, without data and pictures."""
    folder = open_run("toy", args, ("steps",))
    folder.check_data(DATA)
    folder.write_config("toy", args, DATA)
    players = go.Players(jnp.float32(args.start), jnp.float32(1.0))
    numbers = lambda players, round: {"x": float(players.x), "y": float(players.y)}
    players, rate = train(
        folder, GAME, SOLVER, players, key_of(args.seed), numbers,
        steps=args.steps, eval_every=args.eval_every, log_every=args.log_every, shown={},
    )  # fmt: skip
    return Result(players, folder.path, write_summary(folder, "toy", {}, rate, 0.0))


def numbers_of(folder):
    """Everything that a run has measured, and its last players with the solver's state."""
    manifest = json.loads(
        (folder / "checkpoints/00000004/manifest.json").read_text(encoding="utf-8")
    )
    like = go.Players(jnp.float32(0), jnp.float32(0))
    tree = (like, SOLVER.init(GAME, like, jax.random.key(0)))
    leaves = jax.tree.leaves(_checkpoint.load(folder / "checkpoints", tree, 4)[0])
    args = json.loads((folder / "config.json").read_text(encoding="utf-8"))["args"]
    flags = {name: value for name, value in args.items() if name not in cli.OF_THE_CALL}
    metrics = (folder / "metrics.jsonl").read_bytes()
    return [metrics, flags, manifest["leaves"], *map(np.asarray, leaves)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of four rounds with two checkpoints."""
    path = tmp_path_factory.mktemp("whole") / "run"
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        run(Args(out=path))
    return path


def damages(folder):
    """Flipped bits and cut ends in every file that a resumed run reads, the same every time."""
    rng = np.random.default_rng(0)
    files = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != "summary.json"]
    sizes = np.array([path.stat().st_size for path in files])
    for kind, count in (("flip", FLIPS), ("cut", CUTS)):
        # Each file once, and the larger ones the oftener the larger they are.
        chosen = [*range(len(files)), *rng.choice(len(files), count, p=sizes / sizes.sum())]
        for index in chosen[: max(count, len(files))]:
            if sizes[index]:
                place = int(rng.integers(sizes[index]))
                yield kind, files[index].relative_to(folder), place, int(rng.integers(8))


def damage(path, kind, place, bit):
    raw = bytearray(path.read_bytes())
    if kind == "flip":
        raw[place] ^= 1 << bit
    else:
        del raw[place:]
    path.write_bytes(bytes(raw))


def resumed(folder, capsys):
    """The status of a command that goes on with a run, and what it said on standard error."""
    capsys.readouterr()
    status = 0
    try:
        cli.main(Args, run, ["--resume", str(folder)])
    except SystemExit as stop:
        status = stop.code
    return status, capsys.readouterr().err


def test_a_damaged_run_goes_on_to_the_same_numbers_or_says_that_it_cannot(
    whole, tmp_path, capsys, float32
):
    """Flipped bits and cut ends: the same bits, or one line and status 2; never other numbers."""
    expected, refused, done = numbers_of(whole), 0, 0
    for kind, name, place, bit in damages(whole):
        folder, what = tmp_path / "run", f"{kind} {name} at {place}, bit {bit}"
        shutil.copytree(whole, folder)
        damage(folder / name, kind, place, bit)
        status, err = resumed(folder, capsys)
        if status == 2:
            assert err.startswith("error: "), what
            assert err.count("\n") == 1, what
            refused += 1
        else:
            assert status == 0, what
            for left, right in zip(numbers_of(folder), expected, strict=True):
                np.testing.assert_array_equal(left, right, err_msg=what)
            done += 1
        shutil.rmtree(folder)
    # Damages to the newest checkpoint are passed over, those to metrics and flags are refused.
    assert min(refused, done) > 5


WGAN = {
    "torn_byte": (lambda run: append(run / "metrics.jsonl", b'{"kind": "tr\xff'), None),
    "stray_line": (lambda run: append(run / "metrics.jsonl", b"12\n"), None),
    "no_metrics": (lambda run: (run / "metrics.jsonl").unlink(), "is not what the run wrote"),
    "no_files_listed": (lambda run: relist(run, sha256={}), "not in its manifest.json"),
    "no_arrays_listed": (lambda run: relist(run, leaves=[]), "lists no arrays or no files"),
    "damaged_picture": (lambda run: (run / "samples/00000002.png").write_bytes(b"x"), None),
}


def append(path, text):
    with path.open("ab") as file:
        file.write(text)


def relist(run, **changes):
    """Changes every manifest, as one that is without a checksum of its own."""
    for path in run.glob("checkpoints/*/manifest.json"):
        manifest = json.loads(path.read_text(encoding="utf-8")) | changes
        del manifest["checksum"]
        path.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    path = tmp_path_factory.mktemp("trained") / "run"
    widths = {"generator_width": 4, "discriminator_width": 4, "latent_size": 2, "depth": 1}
    sizes = {"steps": 4, "eval_every": 2, "batch_size": 8, "eval_size": 8, "metrics": False}
    with jax.enable_x64(False), jax.numpy_dtype_promotion("standard"):
        wgan.run(wgan.Args(out=path, **widths, **sizes))
    return path


@pytest.mark.parametrize("name", sorted(WGAN))
def test_a_damaged_run_of_a_recipe(name, trained, tmp_path, monkeypatch, capsys, float32):
    """By its own command: the same metrics, or one line; and then nothing of it is changed."""
    run, (change, word) = tmp_path / "run", WGAN[name]
    shutil.copytree(trained, run)
    change(run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    monkeypatch.setattr("sys.argv", ["wgan", "--resume", str(run)])
    if word is None:
        wgan.main()
        assert (run / "metrics.jsonl").read_bytes() == (trained / "metrics.jsonl").read_bytes()
        return
    with pytest.raises(SystemExit) as stop:
        wgan.main()
    err = capsys.readouterr().err
    assert (stop.value.code, err.count("\n")) == (2, 1)
    assert word in err
    assert before == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_a_run_of_an_older_version_goes_on(whole, tmp_path, float32):
    """Without checksums of flags, of metrics and of manifests, which it did not have."""
    folder = tmp_path / "run"
    shutil.copytree(whole, folder)
    relist(folder)
    (folder / "metrics.sha256").unlink()
    append(folder / "metrics.jsonl", b'12\n{"kind": 3}\n{"kind": "tr')
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del config["crc32"]
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    run(cli.parse(Args, ["--resume", str(folder)]))
    for left, right in zip(numbers_of(folder), numbers_of(whole), strict=True):
        np.testing.assert_array_equal(left, right)
