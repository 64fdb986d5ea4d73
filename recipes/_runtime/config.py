"""config.json: read with its faults told in one line, and guarded against changes on the disk."""

import datetime
import importlib.metadata
import json
import platform
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes._runtime.errors import UserError

CHECKSUMS = "crc32"
"""The key of config.json under which every flag has a checksum; older ones are without."""
PACKAGES = ("gameopt", "jax", "jaxlib", "equinox", "optax", "numpy", "orbax-checkpoint")
SESSIONS = "sessions"
"""The key under which every process that wrote to the run says what it was."""


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
    """Raise a `UserError` for the first flag that is not as the run wrote it."""
    expected = config.get(CHECKSUMS, {})
    for name, value in config["args"].items():
        if not isinstance(expected, dict) or expected.get(name, _crc32(value)) != _crc32(value):
            raise UserError(
                f"{path}: {name} is not what the run wrote there; undo the change, or start a new "
                "run with this file as --config."
            )


def _version(package: str) -> str:
    """A package's version; a checkout on Python's path that is not installed has none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def surroundings() -> dict[str, Any]:
    """The versions and the device that the bits of a run depend on."""
    import jax

    return {
        "versions": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
    }


def with_session(
    config: dict[str, Any], before: Mapping[str, Any] | None, round: int | None
) -> dict[str, Any]:
    """The configuration with what this process is, beside those that wrote to the run before it.

    Differences to the one that began the run are said on standard error.

    **Arguments:**

    - `before`: the config.json of a run that goes on; `None` of a new one.
    - `round`: where it goes on, if it is counted in rounds.
    """
    now = surroundings()
    when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    session = {"when": when, "from_round": round, **now}
    if before is None:
        return {**config, **now, SESSIONS: [session]}
    first = {key: before.get(key, value) for key, value in now.items()}
    differences = _differences(first, now)
    if differences:
        print(
            f"began with {'; '.join(differences)}: the same numbers up to rounding, and not the "
            "same bits",
            file=sys.stderr,
        )
    # Runs of older versions have no list, but what they began with.
    earlier = before.get(SESSIONS)
    earlier = earlier if isinstance(earlier, list) else [{"when": None, "from_round": 0, **first}]
    return {**config, **first, SESSIONS: [*earlier, session]}


def _differences(first: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    flat = lambda of: {**dict(of["versions"]), "Python": of["python"], "device": of["device"]}
    try:
        old, new = flat(first), flat(now)
    except (TypeError, ValueError):  # no object: the file was changed
        return ["versions that cannot be read"]
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return [f"{name} {old.get(name)} and goes on with {new.get(name)}" for name in names]
