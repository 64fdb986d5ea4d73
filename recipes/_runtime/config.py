"""config.json: read with its faults told in one line, and guarded against changes on the disk."""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes._runtime.errors import UserError

CHECKSUMS = "crc32"
"""The key of config.json under which every flag has a checksum; older ones are without."""


def read_config(path: Path) -> dict[str, Any]:
    """The JSON object of a file in UTF-8, with or without a byte order mark.

    **Raises:** `UserError` if it is not there, not readable, or no object.
    """
    return _read(path, f"{path} is")


def _read(path: Path, begin: str) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist, so there is no configuration to take.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{begin} no JSON file that can be read: {error}") from error
    if not isinstance(config, dict):
        raise UserError(f"{path} must hold an object of flags, or one under the key 'args'.")
    return config


def read_run_config(run: Path) -> dict[str, Any]:
    """The config.json of a run: an object with a `recipe`, its `args`, and what its `data` were.

    **Raises:** `UserError` if there is none, or not as the run wrote it.
    """
    path = run / "config.json"
    if not run.is_dir():
        raise UserError(f"{run}: there is no such folder; give the folder of a run.")
    if not path.is_file():
        raise UserError(f"{run} has no config.json, so it is no run.")
    config = _read(path, f"{path} is no configuration of a run:")
    for key, kind in (("recipe", str), ("args", dict), ("data", dict)):
        if not isinstance(config.get(key), kind):
            raise UserError(
                f"{path} is no configuration of a run: its {key!r} must be "
                f"{'a text' if kind is str else 'an object'}."
            )
    check_checksums(config, path)
    return config


def flag_checksums(flags: Mapping[str, Any]) -> dict[str, str]:
    """A checksum of each flag's JSON value."""
    return {name: _crc32(value) for name, value in flags.items()}


def _crc32(value: Any) -> str:
    return f"{zlib.crc32(json.dumps(value, sort_keys=True).encode()):08x}"


def check_checksums(config: Mapping[str, Any], path: Path) -> None:
    """Raises a `UserError` for the first flag that is not as the run wrote it."""
    expected = config.get(CHECKSUMS, {})
    for name, value in config["args"].items():
        if not isinstance(expected, dict) or expected.get(name, _crc32(value)) != _crc32(value):
            raise UserError(
                f"{path}: {name} is not what the run wrote there; undo the change, or start a new "
                "run with this file as --config."
            )
