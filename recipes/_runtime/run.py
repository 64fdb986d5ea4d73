"""The run folder that every recipe writes, and how a run begins, goes on and ends.

RUN/config.json          every resolved flag with a checksum, the data's checksum, the versions and
                         the device that it began with, and of every process that went on with it
    metrics.jsonl        one line of JSON per record; see _metrics_file
    samples/, *.png      pictures
    checkpoints/         see _checkpoint
    summary.json         the last line of standard output, or its table on a terminal, kept
"""

import dataclasses
import datetime
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

from recipes._runtime import checkpoint, standing
from recipes._runtime.cli import OF_THE_CALL, args_to_json, finite
from recipes._runtime.config import CHECKSUMS, flag_checksums, read_run_config, with_session
from recipes._runtime.errors import UserError, flag_of
from recipes._runtime.fields import AtLeast1, Flags
from recipes._runtime.files import digest, lock_run, write_atomically
from recipes._runtime.metrics_file import MetricsFile

GENERATED = "generated.npy"
"""The samples that a run leaves."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FolderArgs(metaclass=Flags):
    """The flags that every recipe has."""

    seed: int = 0
    """One number that decides the whole run, from 0 to 2**64 - 1: same seed, machine and versions,
    same bits."""
    out: Path | None = None
    """Folder to write to; it must not exist. Default: a new one below runs/."""
    overwrite: bool = False
    """Replace --out if it is the folder of an earlier run."""
    resume: Path | None = None
    """Folder of an earlier run to go on with, from its last sound checkpoint."""
    config: Path | None = None
    """A config.json whose flags are taken over; flags given beside it override it."""
    compile_cache: bool = True
    """Keep compiled programs in the user's cache folder, so that the next start is faster."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainArgs(FolderArgs):
    """The flags that every recipe that trains has too."""

    steps: AtLeast1 = 4000
    """Rounds."""
    eval_every: AtLeast1 = 500
    """Rounds between two evaluations: exact numbers, pictures, a checkpoint."""
    log_every: AtLeast1 = 25
    """Rounds between two lines of metrics.jsonl."""


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of a run: the players, its folder, and the numbers of the last line."""

    players: Any
    folder: Path
    summary: dict[str, Any]


class RunFolder:
    """A folder being written to. Made by `open_run`."""

    def __init__(self, path: Path, resumed: bool):
        self.path = path
        self.resumed = resumed
        self.checkpoints = path / "checkpoints"
        self._metrics = MetricsFile(path)
        self._locks = lock_run(path)

    def part(self, name: str) -> "RunFolder":
        """A folder within, with metrics and checkpoints of its own, for one training of several.

        In a resumed run a part without a checkpoint begins anew.
        """
        path = self.path / name
        path.mkdir(exist_ok=True)
        begun = checkpoint.newest_round(path / "checkpoints") is not None
        part = RunFolder(path, self.resumed and begun)
        if not part.resumed:
            part.cut_metrics(-1)
        return part

    def write_config(self, recipe: str, args: Any, data: dict[str, Any]) -> None:
        """Writes config.json: what `--config` and `--resume` read."""
        flags = finite(args_to_json(args))
        begun = {"recipe": recipe, "args": flags, CHECKSUMS: flag_checksums(flags), "data": data}
        before = read_run_config(self.path) if self.resumed else None
        round = checkpoint.newest_sound_round(self.checkpoints) if self.resumed else 0
        write_json(self.path / "config.json", with_session(begun, before, round))

    def check_data(self, data: dict[str, Any]) -> None:
        """Raise a `UserError` if this run goes on, and its data are others than when it began."""
        if not self.resumed:
            return
        saved = read_run_config(self.path)["data"]
        # Exact densities have no checksum: their name is a flag, which cannot have changed.
        if _checksums(saved) != _checksums(data):
            raise UserError(
                f"--resume {self.path}: the run began with other data than "
                f"{data.get('source', data.get('name'))} has now; restore them, or start a new run."
            )

    def append_metrics(self, lines: list[dict[str, Any]]) -> None:
        """Appends lines to metrics.jsonl; numbers that are not finite become null."""
        self._metrics.append(lines)

    def read_metrics(self) -> list[dict[str, Any]]:
        """The lines so far; a line that was cut off is left out."""
        return self._metrics.read()

    def cut_metrics(self, round: int) -> None:
        """Forgets the lines after `round`, which a resumed run is about to write again."""
        self._metrics.cut(round)

    def save_checkpoint(self, round: int, tree: Any) -> None:
        """Writes the checkpoint of `round`."""
        checkpoint.save(self.checkpoints, round, tree)

    def has_checkpoints(self) -> bool:
        """True if a checkpoint was finished, sound or not."""
        return checkpoint.newest_round(self.checkpoints) is not None

    def load_checkpoint(self, like: Any) -> tuple[Any, int, list[str]]:
        """The newest sound checkpoint: the tree, its round, and what was skipped."""
        return checkpoint.load(self.checkpoints, like)


def _checksums(described: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if name.endswith("sha256")}


def open_run(
    recipe: str,
    args: FolderArgs,
    may_change: tuple[str, ...] | None = ("steps",),
    *,
    in_parts: bool = False,
) -> RunFolder:
    """Make or find the run's folder, before anything is compiled.

    **Arguments:**

    - `may_change`: flags that a resumed run may change. Any other difference from its config.json
      is an error, because it would no longer be the same run. `None` for recipes that are done in
      one piece and cannot be resumed.
    - `in_parts`: whether the checkpoints are those of parts, which may begin anew.

    **Raises:** `UserError` if `--out` exists or cannot be written, or if there is no run to resume.
    """
    if args.resume is not None and may_change is None:
        raise UserError(
            f"--resume: recipes.{recipe} runs in one piece, which leaves nothing to go on with; "
            f"repeat it with --config {args.resume / 'config.json'} and another --out."
        )
    if args.overwrite and (args.out is None or args.resume is not None):
        raise UserError("--overwrite replaces the folder of --out; add --out, or leave it out.")
    if args.resume is not None and may_change is not None:
        hold = lock_run(args.resume) if args.resume.is_dir() else None
        _check_resume(recipe, args, may_change, in_parts)
        folder = RunFolder(args.resume, resumed=True)
        del hold  # the folder has it now
        standing.begins(folder.path, recipe, can_resume=True)
        return folder
    path = _new_path(recipe) if args.out is None else _make_path(args, may_change is not None)
    folder = RunFolder(path, resumed=False)
    standing.begins(path, recipe, can_resume=may_change is not None)
    if may_change is not None:
        (path / "samples").mkdir()
    return folder


def _new_path(recipe: str) -> Path:
    """A new folder below runs/; of several that begin in one second, each its own."""
    parent, stamp = Path("runs") / recipe, datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    for number in itertools.count(1):
        path = parent / (stamp if number == 1 else f"{stamp}-{number}")
        try:
            parent.mkdir(parents=True, exist_ok=True)
            path.mkdir()
        except FileExistsError:
            if not parent.is_dir():
                raise UserError(f"{parent} is no folder; choose one by --out.") from None
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}; add --out.") from error
        return path
    raise AssertionError("numbers do not end")


def _make_path(args: FolderArgs, can_resume: bool) -> Path:
    """The folder of `--out`, new or emptied."""
    path = args.out
    assert path is not None
    cure = "choose another folder, or add --overwrite to replace it"
    or_go_on = f", or go on with --resume {path}" if can_resume else ""
    exists = UserError(f"--out {path} exists already; {cure}{or_go_on}.")
    try:
        if path.exists() and args.overwrite:
            if not path.is_dir() or not ((path / "config.json").is_file() or _is_bare(path)):
                raise UserError(
                    f"--overwrite: {path} is no earlier run's folder; choose another --out."
                )
            hold = lock_run(path)
            shutil.rmtree(path)
            del hold
        elif path.exists() or path.is_symlink():
            raise exists
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir()
    except FileExistsError as error:
        # By another process since then; or a file stands where a folder above it should.
        if path.is_dir():
            raise exists from error
        raise UserError(
            f"--out {path} cannot be written: {error.strerror}; choose another folder."
        ) from error
    except OSError as error:
        raise UserError(
            f"--out {path} cannot be written: {error.strerror}; choose another folder."
        ) from error
    return path


def _is_bare(path: Path) -> bool:
    """True for an empty folder, and for that of a run that was killed before its config.json."""
    return all(
        entry.name.startswith(".config.json") or (entry.name == "samples" and _is_bare(entry))
        for entry in path.iterdir()
    )


def _check_resume(
    recipe: str, args: FolderArgs, may_change: tuple[str, ...], in_parts: bool
) -> None:
    """Raise a `UserError` unless the run can go on as these arguments say; changes nothing."""
    run = args.resume
    assert run is not None
    if not (run / "config.json").is_file():
        cure = f" Begin it with --overwrite --out {run}." if run.is_dir() and _is_bare(run) else ""
        raise UserError(f"--resume {run}: no config.json there, so no run to go on with.{cure}")
    saved = read_run_config(run)
    if saved["recipe"] != recipe:
        raise UserError(f"--resume {run} is a run of recipes.{saved['recipe']}.")
    ignored = {*OF_THE_CALL, *may_change}
    for name, value in finite(args_to_json(args)).items():
        # A flag that the run's version did not have yet is at its default, if it is not given.
        saved_value = saved["args"].get(name, value)
        if isinstance(value, dict) and isinstance(saved_value, dict):
            saved_value = {**value, **saved_value}
        if name not in ignored and value != saved_value:
            flag = flag_of(name)
            raise UserError(
                f"--resume goes on with the same run, where {flag} is {saved_value!r} and "
                f"not {value!r}; leave {flag} out, or start a new run."
            )
    if args.out is not None and args.out != run:
        raise UserError("--resume writes to the folder it resumes; leave --out out.")
    trained = [run]
    if "steps" in may_change:
        newest = checkpoint.newest_round(run / "checkpoints")
        if newest is None and not in_parts and _has_played(run):
            raise UserError(f"{run / 'checkpoints'} has no sound checkpoint. Start a new run.")
        check_not_trained_further(args, newest)
        trained += [folder.parent for folder in sorted(run.glob("*/checkpoints"))]
    for folder in trained:
        checkpoint.check_sound(folder / "checkpoints")
        MetricsFile(folder).read()


def _has_played(run: Path) -> bool:
    """True if there are records of rounds, of which there was a checkpoint once."""
    return any(line.get("round", 0) > 0 for line in MetricsFile(run).read())


def check_not_trained_further(args: Any, done: int | None) -> None:
    """Raise a `UserError` if a resumed run has `done` more than the `--steps` that it is given."""
    if done is not None and args.steps is not None and args.steps < done:
        raise UserError(
            f"--resume {args.resume} has come to {done} already: --steps must be at least that, "
            f"got {args.steps}."
        )


def write_summary(
    folder: RunFolder, recipe: str, head: dict[str, Any], rate: float, seconds: float
) -> dict[str, Any]:
    """Writes the summary of a training: what it was (`head`) and the last evaluation's numbers."""
    last = next(line for line in reversed(folder.read_metrics()) if line["kind"] == "eval")
    summary = {
        "recipe": recipe,
        **head,
        "rounds": last["round"],
        **{name: value for name, value in last.items() if isinstance(value, float)},
        "rounds_per_second": round(rate, 2),
        "seconds": round(seconds, 1),
        "folder": str(folder.path),
    }
    if (folder.path / GENERATED).is_file():
        summary["generated_sha256"] = digest(folder.path / GENERATED)
    write_json(folder.path / "summary.json", summary)
    return summary


def write_json(path: Path, value: Any) -> None:
    """Writes a JSON file whole or not at all; numbers that are not finite become null."""
    write_atomically(path, (json.dumps(finite(value), indent=1) + "\n").encode())
