"""A verdict as plain lines of text. Each form (terminal, Markdown, HTML) adds its own colours and escapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from notarium.verifying.parts import VerdictParts, shared


@dataclass(frozen=True, slots=True)
class Account:
    """What is said about one path. Every text may quote what comes from outside."""

    status: str
    marks: tuple[str, ...]
    path: str
    about: str
    """Kind, institution, time, index and what was checked; "" where no receipt holds."""
    notes: tuple[str, ...]
    """Why the status is what it is, and notices."""
    findings: tuple[str, ...]
    parts: VerdictParts

    @property
    def outcome(self) -> str:
        """Status and marks: what the first line begins with."""
        return f"{self.status} ({'; '.join(self.marks)})" if self.marks else self.status


def without_shared(accounts: Sequence[Account]) -> tuple[list[Account], VerdictParts]:
    """Each account without the lines that all of them share, and those lines; of a single one nothing is shared."""
    if len(accounts) < 2:
        return list(accounts), VerdictParts()
    common = shared([each.parts for each in accounts])
    return [replace(each, parts=each.parts.without(common)) for each in accounts], common
