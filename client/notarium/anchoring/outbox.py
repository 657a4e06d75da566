"""Signed entries that no node has taken yet: one durable file each, until their receipt is written.

Sending again is always safe: the same bytes are the same entry and get the same receipt. So an entry goes into the
outbox before it is first sent, and a crash at any moment loses nothing.

A project's folder may come from somebody else, and its outbox with it. So the files there name only receipts inside
the project, whatever links lead out of it. An entry whose receipt belongs elsewhere waits in the user's own folder.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import read_regular, sync_folder, write_atomically
from notarium.naming import is_receipt
from notarium.project import Project
from notarium_ledger.encoding.json_file import parse_json, read_time_ms
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.genesis import Genesis

FORMAT = "notarium-outbox-1"
MAX_WAITING_BYTES = 1024 * 1024
"""Of one file; an entry has at most 64 KiB."""
MAX_PLACE_BYTES = 4096
"""Of the path of a receipt, as in the operating system."""


class WaitingState(StrEnum):
    """Why an entry waits, by its last attempt."""

    PENDING = "pending"
    """It is sent later."""
    QUOTA = "quota"
    """The same, as soon as the quota of its author has room again."""
    REFUSED = "refused"
    """Sending it again helps only after the cause is fixed."""


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
    state: WaitingState = WaitingState.PENDING

    @property
    def id(self) -> str:
        """The entry's id, hex."""
        return leaf_hash(self.entry).hex()

    @property
    def refused(self) -> bool:
        """Whether the nodes refused it."""
        return self.state is WaitingState.REFUSED


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file in the outbox that cannot be used; it stays where it is."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} is damaged ({self.reason}); move it away, and anchor again what it was about"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Where entries wait whose receipts belong outside the project."""

    root: Path
    """The project."""
    folder: Path
    """In the user's own state."""


class Outbox:
    """The waiting entries of one project and one ledger."""

    def __init__(self, folder: Path, genesis: Genesis, elsewhere: Elsewhere | None = None) -> None:
        """`folder` need not exist yet. `elsewhere`: None where `folder` is the user's own and may name any place."""
        self._folder = folder
        self._genesis = genesis.hash.hex()
        self._elsewhere = elsewhere

    def put(self, waiting: Waiting) -> None:
        """Keep `waiting` until `remove`; it is on disk when this returns. Raises OSError."""
        folder = self._folder
        if self._elsewhere is not None and not _is_inside(waiting.receipt_path, self._elsewhere.root):
            folder = self._elsewhere.folder
        folder.mkdir(parents=True, exist_ok=True)
        # Relative to the outbox, so that a project that was moved still finds the place.
        place = os.path.relpath(waiting.receipt_path.absolute(), folder.absolute())
        document = {
            "format": FORMAT,
            "genesis": self._genesis,
            "entry": base64.b64encode(waiting.entry).decode(),
            "receipt": place,
            "kind": waiting.kind,
            "created_ms": waiting.created_ms,
            "reason": waiting.reason,
            "state": waiting.state.value,
        }
        write_atomically(folder / f"{waiting.id}.json", json.dumps(document, indent=1).encode() + b"\n")
        for other in self._folders():
            # A superseded entry waits for a receipt in another place than before.
            if other != folder:
                _remove(other / f"{waiting.id}.json")

    def remove(self, id_: str) -> None:
        """Remove an entry; one that is not there is not an error."""
        for folder in self._folders():
            _remove(folder / f"{id_}.json")

    def get(self, id_: str) -> Waiting | None:
        """The waiting entry of that id. Raises ProjectError where its file is damaged."""
        for path in (folder / f"{id_}.json" for folder in self._folders()):
            if path.exists():
                found = self._read(path)
                if isinstance(found, Damaged):
                    raise ProjectError(str(found))
                return found
        return None

    def has(self, id_: str) -> bool:
        """Whether there is a file for the entry of that id, damaged or not."""
        return any((folder / f"{id_}.json").exists() for folder in self._folders())

    def list(self) -> list[Waiting]:
        """Waiting entries, oldest first. A damaged file hides no other; `damaged` has it."""
        found = [each for each in self._scan() if isinstance(each, Waiting)]
        return sorted(found, key=lambda each: (each.created_ms, each.id))

    def damaged(self) -> Sequence[Damaged]:
        """The files that cannot be used."""
        return [each for each in self._scan() if isinstance(each, Damaged)]

    def check(self) -> None:
        """Raise ProjectError for a damaged file: it may refer to any other entry."""
        for each in self.damaged():
            raise ProjectError(str(each))

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

    def _folders(self) -> Iterator[Path]:
        yield self._folder
        if self._elsewhere is not None:
            yield self._elsewhere.folder

    def _scan(self) -> Iterator[Waiting | Damaged]:
        for folder in self._folders():
            for path in sorted(folder.glob("*.json")):
                found = self._read(path)
                if found is not None:
                    yield found

    def _read(self, path: Path) -> Waiting | Damaged | None:
        """None for an entry of another ledger, which stays where it is."""
        try:
            document = parse_json(read_regular(path, MAX_WAITING_BYTES))
            if document["format"] != FORMAT:
                return Damaged(path, "written by another version of notarium, which can use it")
            if document["genesis"] != self._genesis:
                return None
            waiting = Waiting(
                entry=base64.b64decode(document["entry"], validate=True),
                receipt_path=self._place(path.parent, document["receipt"]),
                kind=str(document["kind"]),
                created_ms=read_time_ms(document["created_ms"]),
                reason=str(document["reason"]),
                state=WaitingState(document["state"]),
            )
        except OSError as error:
            return Damaged(path, error.strerror or str(error))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            return Damaged(path, f"{type(error).__name__}: {error}")
        return waiting if waiting.id == path.stem else Damaged(path, f"it holds the entry {waiting.id}")

    def _place(self, folder: Path, receipt: str) -> Path:
        """Where the receipt of a file in `folder` goes. Raises ValueError for a place that it must not name."""
        if len(os.fsencode(receipt)) > MAX_PLACE_BYTES or "\0" in receipt:
            raise ValueError(f"the path of its receipt has more than {MAX_PLACE_BYTES} bytes, or a NUL")
        place = Path(os.path.normpath(folder.absolute() / receipt))
        if not is_receipt(place):
            raise ValueError("what it names is no receipt")
        if self._elsewhere is not None and folder == self._folder and not _is_inside(place, self._elsewhere.root):
            raise ValueError(f"its receipt would lie outside the project {self._elsewhere.root}")
        return place


def outbox_of(project: Project) -> Outbox:
    """The project's outbox."""
    elsewhere = None
    if project.root is not None:
        known_by = hashlib.sha256(os.fsencode(os.path.realpath(project.root))).hexdigest()[:16]
        elsewhere = Elsewhere(project.root, project.homes.state / project.genesis.hash.hex()[:16] / known_by)
    return Outbox(project.folder / "outbox", project.genesis, elsewhere)


def _is_inside(place: Path, root: Path) -> bool:
    """Whether a file at `place` lies in `root`, wherever links lead."""
    return Path(os.path.realpath(place.parent)).is_relative_to(os.path.realpath(root))


def _remove(path: Path) -> None:
    if path.exists():
        path.unlink(missing_ok=True)
        sync_folder(path.parent)


def now_ms() -> int:
    """Milliseconds since 1970 UTC, by this machine's clock."""
    return time.time_ns() // 1_000_000
