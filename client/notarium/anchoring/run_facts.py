"""What is known of a run when it ends, and how it becomes a signed entry: at once, or later from a draft."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from notarium.anchoring.commit import Disclosure, Ref, commit
from notarium.anchoring.described import described_artifacts
from notarium.anchoring.outbox import Waiting, outbox_of
from notarium.anchoring.references import reference
from notarium.anchoring.run_places import claim_place
from notarium.errors import InvalidRecordFile, NotariumError
from notarium.evidence.artifact import MADE, Artifact
from notarium.evidence.predicate import RUN
from notarium.evidence.record import Record, read_record
from notarium.ledger_access.receipt_file import find_receipt
from notarium.naming import receipt_beside, record_of, run_stem
from notarium.project import Project

KIND = RUN


class RunStatus(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    UNKNOWN = "unknown"
    """Its process left without a word, and somebody closed the run later."""


_INTERRUPTING = frozenset(
    {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGKILL, signal.SIGTERM, signal.SIGXCPU, signal.SIGPIPE}
)
"""Signals by which somebody else ends a process; by the others it ends because of its own fault."""
_SIGNALLED = 128
"""A shell adds the number of the signal that ended a command."""


def status_by_code(code: int) -> RunStatus:
    """How a process ended that left with this code, as a shell returns it."""
    if code == 0:
        return RunStatus.COMPLETED
    return RunStatus.INTERRUPTED if code - _SIGNALLED in _INTERRUPTING else RunStatus.FAILED


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run that nobody has signed yet."""

    name: str
    status: RunStatus
    started_ms: int
    ended_ms: int | None
    """None where nobody knows."""
    commit: str
    """The Git commit, hex; "" where the code was not exactly that."""
    disclosure: str
    artifacts: tuple[Artifact, ...]
    """Named by their paths relative to the folder of the receipt."""
    refs: tuple[tuple[str, bytes | str | Path], ...]
    """The references that were named: relation, and what `reference` takes."""
    facts: Mapping[str, Any]
    """Everything else that the record holds."""

    def fields(self) -> dict[str, Any]:
        """What the commitment itself says."""
        fields: dict[str, Any] = {"status": self.status.value}
        if self.disclosure != Disclosure.SEALED:
            fields["started_ms"] = self.started_ms
            if self.ended_ms is not None:
                fields["ended_ms"] = self.ended_ms
            if self.commit:
                fields["code"] = bytes.fromhex(self.commit)
        return fields


@dataclass(frozen=True, slots=True)
class SignedRun:
    """A run whose entry is in the outbox."""

    waiting: Waiting
    problems: tuple[NotariumError, ...]
    """Why references were left out; the record lists them as gaps."""


def sign_run(project: Project, run: RunFacts, directory: Path) -> SignedRun:
    """Write the record into `directory` and put the signed entry into the outbox; nothing is sent yet.

    Raises NotariumError where it cannot be signed, and has written nothing then.
    """
    refs, gaps, problems = _references(project, run, directory)
    described, more = described_artifacts(KIND, run.artifacts, directory)
    facts = {**described, **run.facts, "name": run.name, "gaps": [*run.facts["gaps"], *gaps, *more]}
    record = Record.new(KIND, run.artifacts, facts)
    place = claim_place(directory, run_stem(run.name))
    try:
        waiting = commit(project, record, place, fields=run.fields(), refs=refs, disclosure=run.disclosure)
    except BaseException:
        # An entry that is kept needs its record, whatever failed after that.
        if outbox_of(project).find(place) is None:
            record_of(place).unlink(missing_ok=True)
        raise
    return SignedRun(waiting, tuple(problems))


def _references(project: Project, run: RunFacts, directory: Path) -> tuple[list[Ref], list[str], list[NotariumError]]:
    """The references that were named, and derivedFrom for each input whose receipt beside it still holds."""
    refs: list[Ref] = []
    gaps: list[str] = []
    problems: list[NotariumError] = []
    for rel, target in run.refs:
        try:
            refs.append(reference(project, rel, target))
        except NotariumError as error:
            gaps.append(f"reference {rel} is not recorded: {error}")
            problems.append(error)
    for artifact in run.artifacts:
        place = receipt_beside(Path(os.path.normpath(directory.absolute() / artifact.name)))
        if artifact.role not in MADE and place.exists():
            found = _derived_from(project, artifact, place)
            if isinstance(found, str):
                gaps.append(found)
            else:
                refs.append(found)
    return list(dict.fromkeys(refs)), gaps, problems


def _derived_from(project: Project, artifact: Artifact, place: Path) -> Ref | str:
    """The reference, or the gap where the receipt at `place` does not hold for the artifact."""
    try:
        receipt = find_receipt(place, project.genesis)
    except OSError:
        receipt = None
    if receipt is None:
        return f"{artifact.name} has a receipt beside it that does not verify"
    known: Sequence[Artifact] = ()
    with suppress(OSError, InvalidRecordFile):
        known = read_record(record_of(place), receipt.entry).artifacts
    if not any(each.content.has_same_bytes(artifact.content) for each in known):
        return f"{artifact.name} does not match the receipt beside it: it has changed since"
    return Ref("derivedFrom", receipt.id)
