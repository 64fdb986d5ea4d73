"""From flags to `run(args)` and back: one line of JSON at the end, or one line of error.

args = parse(Args, ["--steps", "100"])     # flags over --config over defaults
main(Args, run)                            # what every recipe's main is
"""

import contextlib
import dataclasses
import difflib
import io
import json
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

from recipes._runtime.compile_cache import compiled_programs_kept
from recipes._runtime.config import read_config
from recipes._runtime.ending import error_line, print_summary
from recipes._runtime.errors import UserError
from recipes._runtime.fields import Flags, of_type, type_hints, type_name
from recipes._runtime.renamed import present_names, replacement, with_present_names
from recipes._runtime.signals import Stopped, line_of, signals_end
from recipes._runtime.standing import nothing_begun

A = TypeVar("A")

OF_THE_CALL = ("out", "overwrite", "resume", "config", "compile_cache")
"""Flags that belong to one call, and are not taken over from a config.json."""


class HasSummary(Protocol):
    """The result of `run`: at least the numbers of the last line."""

    @property
    def summary(self) -> dict[str, Any]: ...


def main(
    args_type: type[A], run: Callable[[A], HasSummary], argv: Sequence[str] | None = None
) -> None:
    """Parses the flags, runs, and prints the summary, last on standard output.

    It is a table on a terminal, and elsewhere a line of JSON. A `UserError`, a fault of the
    operating system and a lack of memory become one line on standard error and exit status 2;
    SIGINT, SIGTERM and SIGHUP one line and status 130, 143 and 129. `argv` is the process's own by
    default.
    """
    _print_everywhere()
    with nothing_begun():
        try:
            with signals_end():
                args = parse(args_type, sys.argv[1:] if argv is None else argv)
                with compiled_programs_kept(getattr(args, "compile_cache", False)):
                    summary = run(args).summary
                print_summary(finite(summary), sys.stdout)
        except BrokenPipeError:
            # Its reader has had enough, as in `--help | head`. Python would write at its exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(141)
        except KeyboardInterrupt as error:
            number = error.number if isinstance(error, Stopped) else signal.SIGINT
            print(line_of(number), file=sys.stderr)
            sys.exit(128 + number)
        except Exception as error:
            line = error_line(error)
            if line is None:
                raise
            print(f"error: {line}", file=sys.stderr)
            sys.exit(2)


def _print_everywhere() -> None:
    """A terminal or pipe without a character gets its escape, and no error after a training."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def program_of(args_type: type) -> str:
    """`python -m recipes.NAME`."""
    module = sys.modules[args_type.__module__]
    spec = getattr(module, "__spec__", None)
    name = spec.name if spec is not None else args_type.__module__
    return f"python -m {name}"


def parse(args_type: type[A], argv: Sequence[str]) -> A:
    """The arguments: flags override the file of `--config` or `--resume`, which overrides defaults.

    Defaults that depend on other flags, such as `--preset`, are the parser's own defaults, so that
    `--help` shows them.

    **Raises:** `UserError` for a wrong flag or file; `SystemExit(0)` after `--help`.
    """
    import tyro

    program, doc = program_of(args_type), sys.modules[args_type.__module__].__doc__
    fields = [field.name for field in dataclasses.fields(cast(Any, args_type))]
    argv = present_names(argv, args_type)
    path, resumed = _config_path(argv)
    given = _given(argv, fields)
    if path is None:
        default = cast(Any, args_type)(**_defaults(args_type, given))
    else:
        default = _from_config(args_type, path, resumed, given)
    caught = io.StringIO()
    try:
        with contextlib.redirect_stderr(caught), _wide_unless_help(argv):
            return tyro.cli(args_type, args=argv, prog=program, description=doc, default=default)
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
    raise UserError(_one_line(caught.getvalue(), program))


def _given(argv: Sequence[str], fields: Sequence[str]) -> dict[str, str]:
    """The fields that the command line sets, each with the word that follows its flag."""
    found = {}
    for index, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        name = flag.removeprefix("--").replace("-", "_")
        if flag.startswith("--") and name in fields:
            found[name] = value if equals else "".join(argv[index + 1 : index + 2])
    return found


def _defaults(args_type: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """Defaults that depend on what is given; none for a dataclass that is not of `Flags`."""
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    flags = {name: texts.get(name) for name in given}
    return args_type.defaults(flags) if isinstance(args_type, Flags) else {}


@contextlib.contextmanager
def _wide_unless_help(argv: Sequence[str]) -> Iterator[None]:
    """An error's box is so wide that no word is broken: a path must come out as it was given."""
    before = os.environ.get("COLUMNS")
    if not {"-h", "--help"} & set(argv):
        os.environ["COLUMNS"] = "10000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS", None)
        if before is not None:
            os.environ["COLUMNS"] = before


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
    unknown = re.findall(r"(?<!\S)--([\w-]+)", message)
    instead = [r for r in (replacement(name.replace("-", "_")) for name in unknown) if r]
    hint = f"; give {instead[0]}" if instead and "nrecognized" in message else hint
    return f"{message.rstrip('.')}{hint}. See {program} --help"


def _config_path(argv: Sequence[str]) -> tuple[Path | None, bool]:
    """The file of `--config`, or of the run of `--resume`, and whether it is the run's."""
    found, resumed = None, False
    for flag, tail in (("--config", ""), ("--resume", "config.json")):
        for index, word in enumerate(argv):
            value = None
            following = argv[index + 1] if index + 1 < len(argv) else "--"
            if word == flag and not following.startswith("--"):  # else the parser says what lacks
                value = following
            elif word.startswith(flag + "="):
                value = word.removeprefix(flag + "=")
            if value is None:
                continue
            if found is not None:
                raise UserError("give --config or --resume once: a run has one configuration.")
            found, resumed = Path(value) / tail, flag == "--resume"
    return found, resumed


def _from_config(args_type: type[A], path: Path, resumed: bool, given: Mapping[str, str]) -> A:
    """The arguments of a config.json, without those of the call that wrote it.

    - `given`: on the command line, on which defaults of what the file leaves out depend.
    """
    config = read_config(path)
    saved = config.get("args", config)
    if not isinstance(saved, dict):
        raise UserError(f"{path} must hold an object of flags, or one under the key 'args'.")
    saved = {key: value for key, value in saved.items() if key not in OF_THE_CALL}
    fields = [field.name for field in dataclasses.fields(cast(Any, args_type))]
    saved = with_present_names(saved, fields)
    program, recipe = program_of(args_type), config.get("recipe")
    of_another = isinstance(recipe, str) and program != f"python -m recipes.{recipe}"
    if resumed and of_another and " recipes." in program:
        raise UserError(
            f"--resume {path.parent} is a run of recipes.{recipe}; go on with it by "
            f"python -m recipes.{recipe}."
        )
    try:
        kept = saved if resumed else _still_meant(args_type, saved, given)
        defaults = _defaults(args_type, {**kept, **given})
        return args_from_json(args_type, kept, str(path), defaults)
    except UserError as error:
        text = str(error) if str(path) in str(error) else f"{path}: {error}"
        hint = f" It is a configuration of recipes.{recipe}." if of_another else ""
        raise UserError(text + hint) from error


def _still_meant(
    args_type: type, saved: Mapping[str, Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """The values of a config.json but for those that depend on flags given otherwise beside it.

    A run saves every flag, also those that it filled in. With `--penalties gp` the weight that is
    saved is another penalty's, and with other data so is the size of the latent.
    """
    if not isinstance(args_type, Flags):
        return dict(saved)
    texts = {name: value for name, value in saved.items() if isinstance(value, str)}
    before, now = args_type.defaults(texts), args_type.defaults({**texts, **given})
    dropped = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    for flag, names in args_type.filled_in().items():
        if flag in given and given[flag] != saved.get(flag):
            dropped |= set(names)
    return {name: value for name, value in saved.items() if name not in dropped or name in given}


def args_from_json(
    args_type: type[A],
    values: Mapping[str, Any],
    where: str,
    defaults: Mapping[str, Any] | None = None,
) -> A:
    """The inverse of `args_to_json`; a field that is not there keeps its default.

    **Arguments:**

    - `where`: what the values were read from, for the errors.
    - `defaults`: in place of the class's own.

    **Raises:** `UserError` that names an unknown key, or the key of a value of another type.
    """
    return _fields_from_json(args_type, None, values, where, "", defaults or {})


def _fields_from_json(
    kind: Any,
    default: Any,
    values: Mapping[str, Any],
    where: str,
    prefix: str,
    defaults: Mapping[str, Any] | None = None,
) -> Any:
    hints = type_hints(kind)
    fields = [field.name for field in dataclasses.fields(kind) if field.init]
    found = dict(defaults or {})
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"perhaps you meant {prefix}{near[0]}" if near else "take it out"
            instead = replacement(key)
            hint = hint if instead is None else f"give {instead}"
            flag = "--" + (prefix + key).replace("_", "-")
            raise UserError(f"{where} has the key {prefix}{key}: there is no {flag}; {hint}.")
        inner = found.get(key, getattr(default if default is not None else kind, key, None))
        try:
            found[key] = _from_json(hints[key], inner, value, where, prefix + key)
        except (TypeError, OverflowError):  # a whole number may be beyond all floats
            wanted = type_name(hints[key])
            text = f"{where}: {prefix}{key} must be {wanted}, not {json.dumps(value)}."
            raise UserError(text) from None
    try:
        return kind(**found) if default is None else dataclasses.replace(default, **found)
    except TypeError as error:  # a field without a default
        raise UserError(f"{where} lacks a key: {error}") from error


def _from_json(hint: Any, default: Any, value: Any, where: str, key: str) -> Any:
    """A JSON value as the type `hint`; a `TypeError` if it is none."""
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        default = default if isinstance(default, hint) else None  # pyright: ignore
        return _fields_from_json(hint, default, value, where, key + ".")
    return of_type(hint, value)


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
    """The same JSON value, with `null` for numbers that are not finite, and arrays as lists."""
    if hasattr(value, "tolist"):  # scalars and arrays of NumPy and JAX, without importing either
        return finite(value.tolist())
    if isinstance(value, dict):
        return {key: finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
