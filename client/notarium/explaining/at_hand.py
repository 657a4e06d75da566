"""The content of a file as it was recorded, where it is at hand: on the disk, or in the user's own Git repository.

Whatever is found counts only by its digest. Git is asked of the repository that the working directory is in, and of no
other: the settings of a repository choose programs to run, so a submission must not bring its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Item
from notarium.evidence.record import Record
from notarium.files import read_regular
from notarium.verifying.locating import leads_out, locate

MAX_BYTES: Final = 16 * 1024 * 1024
"""A larger file is not compared by its content."""
_GIT_S: Final = 5.0
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Side:
    """A record, and the receipt that it lies beside."""

    record: Record
    place: Path
    """Of the receipt, also where there is no file of that name."""

    def location(self, artifact: Artifact) -> Path | None:
        """Where the artifact should be; None where that is outside of the receipt's folder."""
        location = locate(artifact, self.record, self.place)
        return None if location is None or leads_out(location, self.place) else location

    def recorded(self, artifact: Artifact, item: Item) -> bytes | None:
        """The content that was recorded, or None where it is not at hand."""
        location = self.location(artifact)
        if location is None or not item.sha256 or item.size > MAX_BYTES:
            return None
        path = location / item.path if item.path else location
        data = read_now(path)
        if data is not None and is_content(data, item):
            return data
        data = _in_git(path, self.record.facts.get("code"))
        return data if data is not None and is_content(data, item) else None


def is_content(data: bytes, item: Item) -> bool:
    """Whether `data` is the content of `item`."""
    return len(data) == item.size and hashlib.sha256(data).hexdigest() == item.sha256


def read_now(path: Path) -> bytes | None:
    """What the file at `path` holds now; None where it cannot be read or is too large."""
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError:
        return None
    return data if len(data) <= MAX_BYTES else None


def _in_git(path: Path, code: Any) -> bytes | None:
    """The file in the recorded commit, of the repository that the working directory is in."""
    commit = code.get("commit") if isinstance(code, dict) else None
    git = shutil.which("git")
    if git is None or not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        return None
    root = _git(git, "rev-parse", "--show-toplevel")
    if root is None:
        return None
    place, top = Path(os.path.realpath(path)), Path(os.path.realpath(os.fsdecode(root.rstrip(b"\n"))))
    if not place.is_relative_to(top):
        return None
    name = f"{commit}:{place.relative_to(top).as_posix()}"
    size = _git(git, "cat-file", "-s", name)
    if size is None or not size.strip().isdigit() or int(size) > MAX_BYTES:
        return None
    return _git(git, "cat-file", "blob", name)


def _git(git: str, *arguments: str) -> bytes | None:
    """Output of a git command in the working directory, None where it fails."""
    try:
        done = subprocess.run(
            [git, *arguments],
            capture_output=True,
            timeout=_GIT_S,
            check=False,
            # Without locks it disturbs nobody, and by no protocol it fetches what is missing.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_ALLOW_PROTOCOL": "", "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
