"""What was anchored from a project, and the state of each commitment today."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from notarium.anchoring import journal
from notarium.anchoring.journal import JournalLine
from notarium.anchoring.outbox import outbox_of
from notarium.ledger_access.receipt_file import find_receipt
from notarium.project import Project


class CommitmentState(StrEnum):
    """The state of a commitment that was signed here."""

    ANCHORED = "anchored"
    PENDING = "pending"
    QUOTA = "quota"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    """Another entry's receipt has taken its place."""
    NO_RECEIPT = "no receipt"


@dataclass(frozen=True, slots=True)
class PastCommitment:
    """One line of the log, with its state."""

    line: JournalLine
    state: CommitmentState


def history(project: Project) -> Iterator[PastCommitment]:
    """All that was signed from this project, oldest first."""
    waiting = {each.id: each for each in outbox_of(project).list()}
    for line in journal.read(project.folder):
        if (found := waiting.get(line.id)) is not None:
            state = CommitmentState(found.state)
        else:
            state = _state_by_receipt(project, line)
        yield PastCommitment(line, state)


def _state_by_receipt(project: Project, line: JournalLine) -> CommitmentState:
    receipt = find_receipt(project.folder.absolute().parent / line.receipt, project.genesis)
    if receipt is None:
        return CommitmentState.NO_RECEIPT
    return CommitmentState.ANCHORED if receipt.id.hex() == line.id else CommitmentState.SUPERSEDED
