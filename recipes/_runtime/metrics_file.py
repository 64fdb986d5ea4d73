"""metrics.jsonl: a line of JSON per record, appended, with a checksum of all of them beside it."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipes._runtime.cli import finite
from recipes._runtime.errors import UserError
from recipes._runtime.files import write_atomically

Line = dict[str, Any]


class MetricsFile:
    """The records of a run, or of one training of several.

    metrics.sha256 says how many bytes were written and what they were, so that a record that was
    cut off is left out, and one that was changed is not taken for a measurement. A file without it
    is of an older version: there, whatever can be read is taken.
    """

    def __init__(self, folder: Path):
        self.path, self._seal = folder / "metrics.jsonl", folder / "metrics.sha256"
        self._digest, self._length = hashlib.sha256(), 0
        self._is_ours = False

    def append(self, lines: list[Line]) -> None:
        """Appends lines; numbers that are not finite become null."""
        if not self._is_ours:
            self._begin(self._sound())
        text = "".join(json.dumps(finite(line)) + "\n" for line in lines).encode()
        with self.path.open("ab") as file:
            file.write(text)
        self._add(text)

    def read(self) -> list[Line]:
        """The lines so far.

        **Raises:** `UserError` if they are not what was written.
        """
        lines = []
        for text in self._sound().decode(errors="replace").splitlines():
            try:
                line = json.loads(text)
            except (json.JSONDecodeError, RecursionError):
                continue
            if isinstance(line, dict) and isinstance(line.get("kind"), str):
                lines.append(line)
        return lines

    def cut(self, round: int) -> None:
        """Forgets the lines after `round`, which a resumed run is about to write again."""
        kept = [line for line in self.read() if line.get("round", 0) <= round]
        self._begin("".join(json.dumps(line) + "\n" for line in kept).encode())

    def _sound(self) -> bytes:
        raw = self.path.read_bytes() if self.path.is_file() else b""
        if not self._seal.is_file():
            return raw
        try:
            seal: Mapping[str, Any] = json.loads(self._seal.read_text(encoding="utf-8"))
            length, digest = seal["bytes"], seal["sha256"]
            raw = raw[:length]
            is_sound = len(raw) == length and hashlib.sha256(raw).hexdigest() == digest
        except (ValueError, KeyError, TypeError, RecursionError):
            is_sound = False
        if not is_sound:
            raise UserError(
                f"{self.path} is not what the run wrote, by the checksum in {self._seal.name}; "
                "restore it, or start a new run."
            )
        return raw

    def _begin(self, text: bytes) -> None:
        # The seal last: until it is there, the file counts as one without.
        self._seal.unlink(missing_ok=True)
        write_atomically(self.path, text)
        self._digest, self._length, self._is_ours = hashlib.sha256(), 0, True
        self._add(text)

    def _add(self, text: bytes) -> None:
        self._digest.update(text)
        self._length += len(text)
        seal = {"bytes": self._length, "sha256": self._digest.hexdigest()}
        write_atomically(self._seal, (json.dumps(seal) + "\n").encode())
