"""Flags, configurations, and how a recipe ends: one line of JSON or one line of error."""

import dataclasses
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from recipes._runtime import cli
from recipes._runtime.ending import print_summary
from recipes._runtime.errors import UserError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Inner:
    """Something nested."""

    rate: float = 0.5
    """A number."""
    name: Literal["adam", "sgd"] = "adam"
    """A choice."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Args:
    """Arguments of every kind."""

    n_critic: int = 5
    """Steps."""
    flag: bool = False
    """A switch."""
    sizes: tuple[int, ...] = (1, 2)
    """Several numbers."""
    maybe: float | None = None
    """A number or nothing."""
    inner: Inner = Inner()
    """Nested."""
    other: Inner = Inner(rate=9.0)
    """Nested, with a default of its own."""
    out: Path | None = None
    """Where to."""
    config: Path | None = None
    """Where from."""
    resume: Path | None = None
    """What to go on with."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What a run returns."""

    summary: dict[str, Any]


EVERYTHING = Args(
    n_critic=7,
    flag=True,
    sizes=(3,),
    maybe=0.25,
    inner=Inner(rate=2.0, name="sgd"),
    out=Path("a/b"),
)


@pytest.mark.parametrize("args", [Args(), EVERYTHING])
def test_a_dumped_configuration_is_read_back(args, tmp_path):
    """Every kind of field; what belongs to the call alone is not taken over."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"recipe": "toy", "args": cli.args_to_json(args)}), encoding="utf-8")
    again = cli.parse(Args, ["--config", str(path)])
    assert again == dataclasses.replace(args, out=None, config=path)


def test_arguments_as_json_and_back():
    """`args_from_json` is the inverse of `args_to_json`, through text as well."""
    for args in (Args(), EVERYTHING):
        values = json.loads(json.dumps(cli.args_to_json(args)))
        assert cli.args_from_json(Args, values, "here") == args


def test_what_a_configuration_leaves_out_keeps_the_default_of_its_field():
    """`other.name` alone leaves `other.rate` at 9, not at Inner's 0.5; 3 is also a float."""
    args = cli.args_from_json(Args, {"other": {"name": "sgd"}, "maybe": 3}, "here")
    assert args == Args(other=Inner(rate=9.0, name="sgd"), maybe=3.0)
    assert isinstance(args.maybe, float)


def test_a_key_that_must_be_there():
    """Is named: a field without a default."""
    needy = dataclasses.make_dataclass("Needy", [("needed", int)])
    with pytest.raises(UserError, match=r"here lacks a key: .*'needed'"):
        cli.args_from_json(needy, {}, "here")


def test_flags_override_the_configuration_and_it_overrides_defaults(tmp_path):
    """In that order, nested fields too."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"n_critic": 7, "inner": {"rate": 2, "name": "sgd"}}))
    args = cli.parse(Args, ["--inner.rate", "3", f"--config={path}"])
    assert args.n_critic == 7
    assert args.inner == Inner(rate=3.0, name="sgd")
    assert args.sizes == (1, 2)


WRONG_FLAGS = {
    "unknown": (["--n-critics", "3"], ["--n-critics", "perhaps you meant --n-critic"]),
    "choice": (["--inner.name", "lion"], ["'lion'", "adam", "sgd"]),
    "type": (["--n-critic", "abc"], ["--n-critic", "'abc'"]),
    "missing": (["--n-critic"], ["--n-critic", "Expected 1"]),
    "stray": (["stray"], ["stray"]),
    "long": (["--n-critic", "/folder" * 20], [f"'{'/folder' * 20}'"]),
}


@pytest.mark.parametrize("name", sorted(WRONG_FLAGS))
@pytest.mark.parametrize("columns", ["40", "200"])
def test_a_wrong_flag_is_one_line(name, columns, monkeypatch, capsys):
    """On a narrow and on a wide terminal: status 2, what is wrong, and where the help is."""
    argv, words = WRONG_FLAGS[name]
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys, "argv", ["toy", *argv])
    with pytest.raises(SystemExit) as stop:
        cli.main(Args, lambda args: Result({}))
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert "--help" in captured.err
    for word in words:
        assert word in captured.err
    assert not any(mark in captured.err for mark in "│╭─╰\x1b")


WRONG_CONFIGS = {
    "unknown_key": (
        '{"args": {"n_critics": 3}}',
        "the key n_critics: there is no --n-critics; perhaps you meant n_cr",
    ),
    "unknown_nested": (
        '{"args": {"inner": {"rat": 3}}}',
        "--inner.rat; perhaps you meant inner.rat",
    ),
    "a_flag_of_the_parser": ('{"help": true}', "the key help: there is no --help; take it out"),
    "text_for_int": ('{"args": {"n_critic": "5"}}', 'n_critic must be int, not "5"'),
    "bool_for_int": ('{"n_critic": true}', "n_critic must be int, not true"),
    "float_for_int": ('{"n_critic": 3.0}', "n_critic must be int, not 3.0"),
    "null_for_int": ('{"n_critic": null}', "n_critic must be int, not null"),
    "int_for_bool": ('{"flag": 1}', "flag must be bool, not 1"),
    "text_in_union": ('{"maybe": "1"}', 'maybe must be float | None, not "1"'),
    "beyond_float": (f'{{"inner": {{"rate": 1{"0" * 400}}}}}', "inner.rate must be float"),
    "choice": ('{"inner": {"name": "lion"}}', "inner.name must be one of adam, sgd"),
    "no_list": ('{"sizes": 3}', "sizes must be tuple[int, ...], not 3"),
    "in_list": ('{"sizes": [3, "4"]}', "sizes must be tuple[int, ...]"),
    "no_nest": ('{"inner": 3}', "inner must be Inner, not 3"),
    "no_json": ("{", "no JSON file"),
    "no_text": ("\udcff", "no JSON file"),
    "deep": ("[" * 100_000, "no JSON file"),
    "no_object": ("[1, 2]", "must hold an object"),
}


@pytest.mark.parametrize("name", sorted(WRONG_CONFIGS))
def test_a_wrong_configuration_names_its_file(name, tmp_path, capsys):
    """And what is wrong in it."""
    text, word = WRONG_CONFIGS[name]
    path = tmp_path / "config.json"
    path.write_text(text, errors="surrogateescape")
    with pytest.raises(UserError) as error:
        cli.parse(Args, ["--config", str(path)])
    assert str(path) in str(error.value)
    assert word in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(SystemExit) as stop:
        cli.main(Args, lambda args: Result({}), ["--config", str(path)])
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"error: {error.value}\n"


def test_a_configuration_that_is_not_there(tmp_path):
    """Said by its path; and a run has one configuration only."""
    with pytest.raises(UserError, match=r"gone\.json does not exist"):
        cli.parse(Args, ["--config", str(tmp_path / "gone.json")])
    with pytest.raises(UserError, match="no JSON file that can be read"):
        cli.parse(Args, ["--config", str(tmp_path)])
    with pytest.raises(UserError, match="Missing value for argument '--config'"):
        cli.parse(Args, ["--config", "--flag"])
    with pytest.raises(UserError, match="one configuration"):
        cli.parse(Args, ["--config", "a", "--resume", "b"])


def test_the_last_line_is_json_with_null_for_what_is_not_finite(monkeypatch, capsys):
    """Strict parsers read it."""
    monkeypatch.setattr(sys, "argv", ["toy"])
    cli.main(Args, lambda args: Result({"loss": float("nan"), "list": [1.0, float("inf")]}))
    last = capsys.readouterr().out.splitlines()[-1]
    assert json.loads(last, parse_constant=pytest.fail) == {"loss": None, "list": [1.0, None]}


def test_the_last_line_takes_arrays_and_paths(capsys):
    """NumPy's scalars among them, which Python's own json refuses."""
    summary = {"a": np.float32(0.5), "b": np.int64(2), "c": np.array([1.0, np.nan]), "d": Path("e")}
    cli.main(Args, lambda args: Result(summary), [])
    assert json.loads(capsys.readouterr().out) == {"a": 0.5, "b": 2, "c": [1.0, None], "d": "e"}


def test_an_error_of_the_run_is_one_line_and_status_2(monkeypatch, capsys):
    """No traceback, even if its text has line ends."""

    def run(args):
        raise UserError("first\n  second")

    monkeypatch.setattr(sys, "argv", ["toy"])
    with pytest.raises(SystemExit) as stop:
        cli.main(Args, run)
    assert stop.value.code == 2
    assert capsys.readouterr().err == "error: first second\n"
    assert str(UserError("a\r\nb\u2028  c")) == "a b c"


def test_an_interrupt_is_one_line(capsys):
    """Status 130, as shells expect."""

    def run(args):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as stop:
        cli.main(Args, run, [])
    assert stop.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_on_a_terminal_a_run_ends_with_a_table():
    """Four digits that count, words for names, and where everything is."""
    summary = {
        "recipe": "toy", "rounds": 12000, "w1_exact": 3.14159265, "rate": 12345.678,
        "small": 1.5e-7, "none": None, "agrees": True, "names": ["a", "b"],
        "best": {"bilinear": "cgd"},
        "curve": [0.0] * 50, "deep": {"a": {"b": 1}}, "folder": "runs/toy/1",
        "generated_sha256": "0" * 64,
    }  # fmt: skip
    stream = Terminal()
    print_summary(summary, stream)
    rows = dict(line.split("  ", 1) for line in stream.getvalue().splitlines())
    assert {name.strip(): text.strip() for name, text in rows.items()} == {
        "recipe": "toy", "rounds": "12000", "w1 exact": "3.142", "rate": "12346",
        "small": "1.5e-07", "none": "-", "agrees": "yes", "names": "a, b", "best bilinear": "cgd",
        "folder": "runs/toy/1", "in full": "runs/toy/1/summary.json",
    }  # fmt: skip
    other = io.StringIO()
    print_summary(summary, other)
    assert json.loads(other.getvalue()) == summary


def test_output_that_nobody_reads_ends_quietly():
    """As of `--help | head`: no traceback, and the status that shells give a closed pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "recipes.wgan", "--help"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_help_lists_every_flag_with_its_docstring(capsys):
    """Status 0."""
    with pytest.raises(SystemExit) as stop:
        cli.parse(Args, ["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for word in ("--n-critic", "Steps.", "--inner.rate", "A number."):
        assert word in text
