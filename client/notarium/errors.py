"""What can go wrong for a researcher, each with the exit code of the command line.

A message says what was wrong and what to do about it. Text that came from a node is cleaned of control
characters before it gets here, so that it cannot play with a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What the command `notarium` tells the shell."""

    OK = 0
    MISMATCH = 1
    USAGE = 2
    NOT_ANCHORED = 3
    INCOMPLETE_EVIDENCE = 4
    UNREACHABLE = 5


class NotariumError(Exception):
    """Base of everything this package raises on purpose."""

    exit_code = ExitCode.USAGE


class ProjectError(NotariumError):
    """Configuration, genesis or key that cannot be used; the message names the file and the remedy."""


class UnreadableArtifact(NotariumError):
    """A file or folder that cannot be hashed."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class InvalidBundle(NotariumError):
    """An evidence bundle that is none."""

    exit_code = ExitCode.INCOMPLETE_EVIDENCE


class NotAnchored(NotariumError):
    """No node that answered knows the entry, or no receipt is there."""

    exit_code = ExitCode.NOT_ANCHORED


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """RFC 9457 problem details as a node sent them, cleaned."""

    name: str
    """The last part of the type, such as "unknown-key"; "" where the node did not say."""
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
        text = self.detail or self.title or f"HTTP {self.status}"
        if self.field and not text.startswith(self.field):
            text = f"{self.field}: {text}"
        if self.errors:
            first = self.errors[0]
            text += f" (entry {first.get('position')}: {first.get('field', '')} {first.get('detail', '')})"
        if self.limit and self.limit not in text:
            text += f" (limit: {self.limit})"
        return f"{text}. {self.remedy}" if self.remedy else text


class Rejected(NotariumError):
    """Nodes refused the entry, and asking again will not help."""

    exit_code = ExitCode.NOT_ANCHORED

    def __init__(self, url: str, problem: ProblemDetails) -> None:
        super().__init__(f"{url} refused: {problem}")
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
    """What one node said, or what became of the attempt to ask it."""

    url: str
    said: str


class Unreachable(NotariumError):
    """No node gave a usable answer in time; lists what each of them said."""

    exit_code = ExitCode.UNREACHABLE

    def __init__(self, reports: Sequence[NodeReport]) -> None:
        told = "; ".join(f"{each.url}: {each.said}" for each in reports) or "no node address is known"
        super().__init__(f"no node gave a usable answer ({told})")
        self.reports = tuple(reports)
