"""What can go wrong for a researcher. Each error has the exit code of the command line.

    NotariumError
    ├── ProjectError             configuration, genesis, key or command line cannot be used
    │   └── KeyFileError         (in key_files) a key file cannot be used
    ├── InvalidMetric            (also a ValueError) a value cannot be recorded as a metric
    ├── UnreadableArtifact       a file or folder cannot be hashed
    ├── Unwritable               a file cannot be written
    ├── InvalidRecordFile            not a valid record
    ├── NotAnchored              no node that answered knows the entry
    │   └── QuotaUsedUp          the entry is valid and may come later
    ├── Rejected                 nodes refused the entry
    ├── LyingNode                an answer does not verify
    └── Unreachable              no node gave a usable answer
        └── NotDecided           nodes have the entry, and no decision arrived in time

A message says what is wrong and what to do about it. Text that came from a node is one bounded line without control
characters when it gets here. Whatever else a message quotes is escaped when it is printed (`terminal`).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any


class ExitCode(IntEnum):
    """What the command `notarium` returns to the shell."""

    OK = 0
    MISMATCH = 1
    USAGE = 2
    NOT_ANCHORED = 3
    INCOMPLETE_EVIDENCE = 4
    UNREACHABLE = 5
    ASKED_TO_FAIL = 6
    """All that was checked holds, and it is what `--fail-on` names."""


class NotariumError(Exception):
    """Base of everything that this package raises on purpose."""

    exit_code = ExitCode.USAGE


class ProjectError(NotariumError):
    """A configuration, genesis, key or argument that cannot be used; the message names it and the remedy."""


class InvalidMetric(NotariumError, ValueError):
    """A value that cannot be recorded as a metric; the message names the metric."""


class UnreadableArtifact(NotariumError):
    """A file or folder that cannot be hashed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


_WRITE_REMEDIES = {
    errno.EACCES: "make the folder {folder} writable for this user, then try again",
    errno.EPERM: "make the folder {folder} writable for this user, then try again",
    errno.EROFS: "make the file system of {folder} writable, then try again",
    errno.ENOSPC: "free space on the file system of {folder}, then try again",
    errno.EDQUOT: "free space within your quota on the file system of {folder}, then try again",
    errno.ENOTDIR: "{folder} must be a folder: move away the file of that name, then try again",
    errno.EEXIST: "{folder} must be a folder: move away the file of that name, then try again",
}


class Unwritable(NotariumError):
    """A file that cannot be written, created or moved; the message names the folder and the remedy."""

    def __init__(self, what: str, folder: Path, error: OSError) -> None:
        """`what`: the failed action as a clause; `folder`: where it was tried."""
        reason = error.strerror or str(error)
        # A folder that could not be made is not there yet: the one above it is to be fixed.
        folder = next((each for each in (folder, *folder.parents) if os.path.exists(each)), folder)
        remedy = _WRITE_REMEDIES.get(error.errno or 0, "check the folder {folder}, then try again")
        super().__init__(f"{what}: {reason}; {remedy.format(folder=folder)}")
        self.folder = folder
        self.reason = reason


class InvalidRecordFile(NotariumError):
    """Bytes that are not a valid record, or not the one that was committed to."""

    exit_code = ExitCode.INCOMPLETE_EVIDENCE


class NotAnchored(NotariumError):
    """No node that answered knows the entry, or there is no receipt."""

    exit_code = ExitCode.NOT_ANCHORED


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """RFC 9457 problem details as a node sent them, cleaned."""

    name: str
    """The last part of the type, such as "unknown-key"; "" where the node did not give one."""
    status: int
    """HTTP status."""
    title: str
    detail: str
    field: str = ""
    limit: str = ""
    remedy: str = ""
    errors: tuple[Mapping[str, Any], ...] = ()
    """For a batch: {"position", "field", "detail"} of each entry that was refused."""

    def __str__(self) -> str:
        text = in_words(self.field, self.detail or self.title or f"HTTP {self.status}")
        if self.errors:
            first = self.errors[0]
            said = in_words(str(first.get("field", "")), str(first.get("detail", "")))
            text += f" (entry {first.get('position')}: {said})"
        if self.limit and self.limit not in text:
            text += f" (limit: {self.limit})"
        if not self.remedy or _plain(self.remedy) in _plain(text):
            return text
        return f"{_sentence(text)} {_sentence(self.remedy[:1].upper() + self.remedy[1:])}"


_FIELDS = {
    "entry": "the entry",
    "body": "the entry",
    "sig": "the signature",
    "key": "your key",
    "body.issuer": "your institution",
    "body.project": "your project",
}
"""What a researcher calls the parts of an entry."""
_PREDICATES = ("is ", "was ", "has ", "may ", "must ", "does ", "names ")


def in_words(field: str, reason: str) -> str:
    """`reason` about the field of an entry, for a researcher, who knows no names of fields but those of `--set`."""
    reason = reason.removeprefix(f"{field}: ")
    if not field or reason.startswith(field):
        return reason
    named = _FIELDS.get(field) or f"the field {field.removeprefix('body.')}"
    return f"{named} {reason}" if reason.startswith(_PREDICATES) else f"{named}: {reason}"


def _plain(text: str) -> str:
    """`text` for a comparison: without the capital and the full stop of a sentence."""
    return text.strip().rstrip(".").lower()


def _sentence(text: str) -> str:
    stripped = text.strip()
    return stripped if stripped.endswith((".", "!", "?", "…")) else f"{stripped}."


class Rejected(NotariumError):
    """Nodes refused the entry, and sending it again does not help."""

    exit_code = ExitCode.NOT_ANCHORED

    def __init__(self, url: str, problem: ProblemDetails) -> None:
        super().__init__(f"refused by {url}: {problem}")
        self.url = url
        self.problem = problem


class LyingNode(NotariumError):
    """A node whose answer does not verify against the pinned genesis."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} gave an answer that does not verify: {reason}")
        self.url = url
        self.reason = reason


@dataclass(frozen=True, slots=True)
class NodeReport:
    """What one node answered, or why it could not be asked."""

    url: str
    said: str


class Unreachable(NotariumError):
    """No node gave a usable answer in time; lists what each of them answered."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, reports: Sequence[NodeReport]) -> None:
        super().__init__(self._summary(reports))
        self.reports = tuple(reports)

    def _summary(self, reports: Sequence[NodeReport]) -> str:
        return f"no node gave a usable answer ({_listed(reports) or 'no node address is configured'})"


class NotDecided(Unreachable):
    """Nodes have what was sent, and no decision arrived in time; lists what each of them answered."""

    def __init__(self, reports: Sequence[NodeReport], having: int, nodes: int) -> None:
        """`having`: so many of `nodes` have it."""
        self.having = having
        self.nodes = nodes
        super().__init__(reports)

    def _summary(self, reports: Sequence[NodeReport]) -> str:
        have = "has" if self.having == 1 else "have"
        return f"not decided yet: {self.having} of {self.nodes} nodes {have} the entry ({_listed(reports)})"


class QuotaUsedUp(NotAnchored):
    """The key or its institution has submitted as much as it may for now. The entry is valid and may be sent later."""

    def __init__(self, reports: Sequence[NodeReport]) -> None:
        """`reports`: what each node that refused said; the first is that of the node which may be asked first.

        The text says it once: nodes count on their own, so their sentences differ in a number at most.
        """
        super().__init__(f"the quota is used up: {reports[0].said}")
        self.reports = tuple(reports)


def _listed(reports: Sequence[NodeReport]) -> str:
    """What the nodes said, each sentence once."""
    urls: dict[str, list[str]] = {}
    for each in reports:
        urls.setdefault(each.said, []).append(each.url)
    return "; ".join(f"{', '.join(of)}: {said}" for said, of in urls.items())
