"""From flags to `run(args)` and back: one line of JSON at the end, or one line of error.

args = parse(Args, ["--steps", "100"])     # flags over --config over defaults
main(Args, run)                            # what every recipe's main is
"""

import contextlib
import dataclasses
import io
import json
import math
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from recipes._errors import UserError

A = TypeVar("A")

OF_THE_CALL = ("out", "overwrite", "resume", "config")
"""Flags that belong to one call, and are not taken over from a config.json."""


class HasSummary(Protocol):
    """What `run` returns: at least the numbers of the last line."""

    @property
    def summary(self) -> dict[str, Any]: ...


def main(args_type: type[A], run: Callable[[A], HasSummary]) -> None:
    """Parses the flags, runs, and prints the summary as the last line of standard output.

    A `UserError` becomes one line on standard error and exit status 2.
    """
    try:
        summary = run(parse(args_type, sys.argv[1:])).summary
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted: go on with --resume and the folder of the run", file=sys.stderr)
        sys.exit(130)
    print(json.dumps(finite(summary)), flush=True)


def program_of(args_type: type) -> str:
    """`python -m recipes.NAME`."""
    module = sys.modules[args_type.__module__]
    spec = getattr(module, "__spec__", None)
    name = spec.name if spec is not None else args_type.__module__
    return f"python -m {name}"


def parse(args_type: type[A], argv: Sequence[str]) -> A:
    """The arguments: flags override the file of `--config` or `--resume`, which overrides defaults.

    **Raises:** `UserError` for a wrong flag or file; `SystemExit(0)` after `--help`.
    """
    import tyro

    program, doc = program_of(args_type), sys.modules[args_type.__module__].__doc__
    default: Any = tyro.MISSING
    path = _config_path(argv)
    if path is not None:
        default = _from_config(args_type, path)
    keywords = {} if default is tyro.MISSING else {"default": default}
    return _quiet_cli(args_type, argv, program, description=doc, **keywords)


def _quiet_cli(args_type: type[A], argv: Sequence[str], program: str, **keywords: Any) -> A:
    """`tyro.cli`, with its box of an error made into one line."""
    import tyro

    caught = io.StringIO()
    try:
        with contextlib.redirect_stderr(caught):
            return tyro.cli(args_type, args=list(argv), prog=program, **keywords)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    raise UserError(_one_line(caught.getvalue(), program))


def _one_line(box: str, program: str) -> str:
    """The message of tyro's box, the flags it suggests, and where the help is."""
    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line).strip() for line in box.splitlines()]
    if any(line.startswith("╭") for line in lines):
        rows = [line.strip("│ ") for line in lines if line.startswith("│")]
    else:  # a terminal without box characters: the title, a rule, and then the rows
        rules = [index for index, line in enumerate(lines) if line and set(line) == {"-"}]
        rows = lines[rules[0] + 1 :] if rules else lines
    sections, current = [], []
    for row in [*rows, "-"]:
        if row and set(row) <= {"─", "-"}:
            sections.append(" ".join(current))
            current = []
        elif row:
            current.append(row)
    message = sections[0] if sections and sections[0] else " ".join(" ".join(lines).split())
    hints = [section for section in sections if section.startswith("Perhaps you meant")]
    flags = re.findall(r"(?<!\S)--[\w.-]+", " ".join(hints))
    hint = f"; perhaps you meant {' or '.join(dict.fromkeys(flags))}" if flags else ""
    return f"{message.rstrip('.')}{hint}. See {program} --help"


def _config_path(argv: Sequence[str]) -> Path | None:
    """The file of `--config`, or of the run of `--resume`."""
    found: Path | None = None
    for flag, tail in (("--config", ""), ("--resume", "config.json")):
        for index, word in enumerate(argv):
            value = None
            if word == flag and index + 1 < len(argv):
                value = argv[index + 1]
            elif word.startswith(flag + "="):
                value = word.removeprefix(flag + "=")
            if value is None:
                continue
            if found is not None:
                raise UserError("give --config or --resume once: a run has one configuration.")
            found = Path(value) / tail
    return found


def _from_config(args_type: type[A], path: Path) -> A:
    """The arguments of a config.json, checked by the same parser as the flags."""
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path} does not exist, so there is no configuration to take.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is no JSON file that can be read: {error}") from error
    saved = config.get("args", config) if isinstance(config, dict) else None
    if not isinstance(saved, dict):
        raise UserError(f"{path} must hold an object of flags, or one under the key 'args'.")
    saved = {key: value for key, value in saved.items() if key not in OF_THE_CALL}
    try:
        return _quiet_cli(args_type, flags_of(saved), program_of(args_type))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def flags_of(values: dict[str, Any], prefix: str = "") -> list[str]:
    """The command line that gives these values: the inverse of parsing, for JSON values."""
    flags: list[str] = []
    for key, value in values.items():
        name = prefix + str(key).replace("_", "-")
        if isinstance(value, dict):
            flags += flags_of(value, name + ".")
        elif isinstance(value, bool):
            head, dot, tail = name.rpartition(".")
            flags.append(f"--{name}" if value else f"--{head}{dot}no-{tail}")
        elif isinstance(value, list):
            flags += [f"--{name}", *map(str, value)]
        else:
            flags += [f"--{name}", str(value)]
    return flags


def args_to_json(args: Any) -> dict[str, Any]:
    """A dataclass of arguments as JSON values: paths become strings, tuples lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return [plain(entry) for entry in value]
        return str(value) if isinstance(value, Path) else value

    return plain(dataclasses.asdict(args))


def finite(value: Any) -> Any:
    """The same JSON value, with `null` for numbers that are not finite."""
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
