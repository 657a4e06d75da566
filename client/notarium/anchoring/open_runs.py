"""Runs that have begun and not ended: one small file each, which belongs to this working copy.

    .notarium/runs/ID.open.json      from the start of a run until its end is signed, or kept as a draft
    .notarium/runs/ID.said.jsonl     what other processes of the run log meanwhile (`other_processes`)

The process of a run holds a lock on its file. The system releases the lock however the process ends, so a file without
a lock is a run that ended without a word. On another machine a lock may not be visible: what began elsewhere is shown
with the name of that machine, and nobody closes it unless it is named.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from notarium.errors import ProjectError
from notarium.files import read_regular, write_atomically
from notarium.naming import RECEIPT_SUFFIX
from notarium.project import Project
from notarium_ledger.encoding.json_file import parse_json, read_time_ms

FORMAT: Final = "notarium-run-1"
OPEN_SUFFIX: Final = ".open.json"
SAID_SUFFIX: Final = ".said.jsonl"
START_SUFFIX: Final = f".start{RECEIPT_SUFFIX}"
MAX_OPEN_BYTES: Final = 64 * 1024
_NO_LOCKS: Final = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""File systems without locks are in use; a run there is recorded all the same."""


class RunState(StrEnum):
    """What is known of a run that has not ended."""

    RUNNING = "running"
    """Its process holds the lock."""
    SILENT = "silent"
    """Its process is gone, and said nothing at its end."""
    ELSEWHERE = "elsewhere"
    """It began on another machine, so its process cannot be seen from here."""
    DRAFT = "draft"
    """It ended, and its record waits unsigned."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has begun and not ended."""

    id: str
    name: str
    started_ms: int
    host: str
    directory: Path
    """Where its receipt was to go."""
    state: RunState
    folder: Path
    """`.notarium/runs`."""
    draft: Path | None = None

    @property
    def start_place(self) -> Path:
        """The receipt of its start."""
        return start_place(self.folder, self.id)

    def forget(self) -> None:
        """Remove its file, because something else speaks of its end now. Raises OSError."""
        _forget(self.folder, self.id)


def runs_folder(project: Project) -> Path:
    """Where starts and open runs are."""
    return project.folder / "runs"


def start_place(folder: Path, run_id: str) -> Path:
    """The receipt of a run's start."""
    return folder / f"{run_id}{START_SUFFIX}"


class OpenMark:
    """The file of a run of this process, and the lock on it."""

    def __init__(self, folder: Path, run_id: str, name: str, started_ms: int, directory: Path) -> None:
        """Write the file and lock it. Raises OSError."""
        self.folder = folder
        self.id = run_id
        self._document: dict[str, Any] = {
            "format": FORMAT,
            "name": name,
            "started_ms": started_ms,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            # Relative, so that a project that was moved still finds the place.
            "directory": os.path.relpath(directory.absolute(), folder.absolute()),
        }
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{run_id}{OPEN_SUFFIX}"
        self._write()
        try:
            self._descriptor: int | None = _locked(self._path, fcntl.LOCK_EX)
            _held.add(self._descriptor)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            self._descriptor = None

    @property
    def said(self) -> Path:
        """What other processes of the run log."""
        return self.folder / f"{self.id}{SAID_SUFFIX}"

    def drafted(self, draft: Path) -> None:
        """The run has ended, and its record waits as a draft. Raises OSError."""
        self._document["draft"] = os.path.relpath(draft.absolute(), self.folder.absolute())
        self._write()
        self._release()

    def ended(self) -> None:
        """The run has ended, and its end is signed. Raises OSError."""
        _forget(self.folder, self.id)
        self._release()

    def _write(self) -> None:
        write_atomically(self._path, json.dumps(self._document, indent=1).encode(errors="replace") + b"\n")

    def _release(self) -> None:
        if self._descriptor is not None:
            _held.discard(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = None


_held: set[int] = set()
"""The descriptors with the locks of this process."""


def _let_go() -> None:
    """In a forked child, which may outlive the run: the lock is that of the run's process alone."""
    for each in _held:
        os.close(each)
    _held.clear()


os.register_at_fork(after_in_child=_let_go)


def open_runs(project: Project) -> list[OpenRun]:
    """The runs of this working copy that have not ended, oldest first; what is damaged is left out."""
    folder = runs_folder(project)
    found = [_read(path) for path in folder.glob(f"*{OPEN_SUFFIX}")]
    return sorted((each for each in found if each is not None), key=lambda each: (each.started_ms, each.id))


def matching(runs: list[OpenRun], start: str) -> OpenRun:
    """The one run whose id begins with `start`, or that has this name. Raises ProjectError."""
    found = [each for each in runs if start and (each.id.startswith(start.lower()) or each.name == start)]
    if len(found) != 1:
        raise ProjectError(
            f"{len(found) or 'no'} open runs have the name {start!r} or an id that begins so; run 'notarium runs list' "
            "to see their ids"
        )
    return found[0]


def forget(project: Project, run_id: str) -> None:
    """The run of that id has ended; one that is not open is no error. Raises OSError."""
    # The id may come from a file that anybody could write.
    if run_id.isalnum():
        _forget(runs_folder(project), run_id)


def _forget(folder: Path, run_id: str) -> None:
    for suffix in (SAID_SUFFIX, OPEN_SUFFIX):
        (folder / f"{run_id}{suffix}").unlink(missing_ok=True)


def _read(path: Path) -> OpenRun | None:
    try:
        document = parse_json(read_regular(path, MAX_OPEN_BYTES))
        if document["format"] != FORMAT:
            return None
        place = _beside(path.parent)
        draft = document.get("draft")
        found = OpenRun(
            id=path.name.removesuffix(OPEN_SUFFIX),
            name=str(document["name"]),
            started_ms=read_time_ms(document["started_ms"]),
            host=str(document["host"]),
            directory=place(document["directory"]),
            state=RunState.DRAFT if draft else _state(path, str(document["host"])),
            folder=path.parent,
            draft=place(draft) if draft else None,
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        # As after a power cut; its start is on record all the same.
        return None
    return found


def _beside(folder: Path) -> Callable[[str], Path]:
    return lambda text: Path(os.path.normpath(folder.absolute() / text))


def _state(path: Path, host: str) -> RunState:
    try:
        # Shared: whoever else looks at the same moment is no run.
        os.close(_locked(path, fcntl.LOCK_SH))
    except OSError as error:
        # Where there are no locks nobody knows.
        return RunState.RUNNING if error.errno in (errno.EACCES, errno.EAGAIN) else RunState.ELSEWHERE
    return RunState.SILENT if host == socket.gethostname() else RunState.ELSEWHERE


def _locked(path: Path, lock: int) -> int:
    """A descriptor with a lock, which the system releases with the process. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, lock | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
