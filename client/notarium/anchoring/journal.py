"""The local log of what was anchored from here: one JSON line each in `.notarium/log.jsonl`."""

from __future__ import annotations

import errno
import json
import os
import stat
from dataclasses import asdict, dataclass
from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import NotRegularFile, read_regular
from notarium_ledger.encoding.json_file import read_time_ms

FILE = "log.jsonl"
MAX_LOG_BYTES = 256 * 1024 * 1024
"""More than a million lines."""


@dataclass(frozen=True, slots=True)
class JournalLine:
    """One commitment that was signed here."""

    time_ms: int
    """When it was signed, by this machine's clock."""
    id: str
    kind: str
    receipt: str
    """Path of the receipt file relative to the folder of the log."""


def append(folder: Path, line: JournalLine) -> None:
    """Add a line. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(line), ensure_ascii=False) + "\n"
    # One write to a file opened for appending: lines of several processes do not interleave.
    # The folder may come from somebody else: no pipe in the file's place hangs us, no link leads into another file.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(folder / FILE, flags, 0o644)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotRegularFile(errno.EINVAL, "not a regular file", str(folder / FILE))
        # The name of a file may be any bytes.
        os.write(descriptor, text.encode(errors="surrogateescape"))
    finally:
        os.close(descriptor)


def read(folder: Path) -> list[JournalLine]:
    """All lines, oldest first; a line that is damaged, as after a crash, is left out. Raises OSError, ProjectError."""
    try:
        content = read_regular(folder / FILE, MAX_LOG_BYTES)
    except FileNotFoundError:
        return []
    if len(content) > MAX_LOG_BYTES:
        raise ProjectError(f"{folder / FILE} has more than {MAX_LOG_BYTES} bytes: move it away, and a new one begins")
    records = []
    for line in content.decode(errors="surrogateescape").split("\n"):
        try:
            document = json.loads(line)
            records.append(
                JournalLine(
                    read_time_ms(document["time_ms"]),
                    str(document["id"]),
                    str(document["kind"]),
                    str(document["receipt"]),
                )
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return records
