"""Signed entries that no node has taken yet: one durable file each, until their receipt is written.

Sending again is always safe: the same bytes are the same entry and get the same receipt. So an entry goes into the
outbox before it is first sent, and a crash at any moment loses nothing.
"""

from __future__ import annotations

import base64
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import read_regular, sync_folder, write_atomically
from notarium.project import Project
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.genesis import Genesis

FORMAT = "notarium-outbox-1"
MAX_WAITING_BYTES = 1024 * 1024
"""Of one file; an entry has at most 64 KiB."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A signed entry that waits to be sent."""

    entry: bytes
    """Wire bytes."""
    receipt_path: Path
    """Where its receipt will be written."""
    kind: str
    created_ms: int
    reason: str = ""
    """Why the last attempt failed; "" before the first."""
    refused: bool = False
    """Whether the nodes refused it: sending it again helps only after the cause is fixed."""

    @property
    def id(self) -> str:
        """The entry's id, hex."""
        return leaf_hash(self.entry).hex()


class Outbox:
    """The waiting entries of one project and one ledger."""

    def __init__(self, folder: Path, genesis: Genesis) -> None:
        """`folder` need not exist yet."""
        self._folder = folder
        self._genesis = genesis.hash.hex()

    def put(self, waiting: Waiting) -> None:
        """Keep `waiting` until `remove`; it is on disk when this returns. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # Relative to the outbox, so that a project that was moved still finds the place.
        place = os.path.relpath(waiting.receipt_path.absolute(), self._folder.absolute())
        document = {
            "format": FORMAT,
            "genesis": self._genesis,
            "entry": base64.b64encode(waiting.entry).decode(),
            "receipt": place,
            "kind": waiting.kind,
            "created_ms": waiting.created_ms,
            "reason": waiting.reason,
            "refused": waiting.refused,
        }
        write_atomically(self._path(waiting.id), json.dumps(document, indent=1).encode() + b"\n")

    def remove(self, id_: str) -> None:
        """Remove an entry; one that is not there is not an error."""
        path = self._path(id_)
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(self._folder)

    def get(self, id_: str) -> Waiting | None:
        """The waiting entry of that id. Raises ProjectError where its file is damaged."""
        path = self._path(id_)
        return self._read(path) if path.exists() else None

    def list(self) -> list[Waiting]:
        """Waiting entries, oldest first. Raises ProjectError for a damaged file, naming it."""
        if not self._folder.is_dir():
            return []
        found = [self._read(path) for path in sorted(self._folder.glob("*.json"))]
        return sorted((each for each in found if each), key=lambda each: (each.created_ms, each.id))

    def find(self, receipt_path: Path) -> Waiting | None:
        """The latest waiting entry whose receipt will be written to `receipt_path`."""
        wanted = os.path.realpath(receipt_path)
        return next((each for each in reversed(self.list()) if os.path.realpath(each.receipt_path) == wanted), None)

    def matching(self, start: str) -> Waiting:
        """The one waiting entry whose id begins with `start`. Raises ProjectError."""
        found = [each for each in self.list() if start and each.id.startswith(start.lower())]
        if len(found) != 1:
            raise ProjectError(
                f"{len(found) or 'no'} ids in the outbox begin with {start!r}; run 'notarium status' to list them"
            )
        return found[0]

    def _path(self, id_: str) -> Path:
        return self._folder / f"{id_}.json"

    def _read(self, path: Path) -> Waiting | None:
        """None for an entry of another ledger, which stays where it is."""
        try:
            document = parse_json(read_regular(path, MAX_WAITING_BYTES))
            if document["format"] != FORMAT:
                raise ProjectError(f"{path} was written by another version of notarium; use that one, or move it away")
            if document["genesis"] != self._genesis:
                return None
            return Waiting(
                entry=base64.b64decode(document["entry"], validate=True),
                receipt_path=Path(os.path.normpath(self._folder.absolute() / document["receipt"])),
                kind=str(document["kind"]),
                created_ms=int(document["created_ms"]),
                reason=str(document["reason"]),
                # Files of version 0.1 do not have this field.
                refused=document.get("refused") is True,
            )
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ProjectError(f"{path} is damaged ({error}); move it away") from error


def outbox_of(project: Project) -> Outbox:
    """The project's outbox."""
    return Outbox(project.folder / "outbox", project.genesis)


def now_ms() -> int:
    """Milliseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1_000_000
