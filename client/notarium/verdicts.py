"""The verdict on a path: from the files on the disk first, then the outbox, then (unless offline) the ledger.

Every path gets its own verdict, and an error about one hides no other: a node that cannot be reached must not hide a
mismatch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from notarium.anchoring.outbox import WaitingState, outbox_of
from notarium.errors import ExitCode, NotariumError, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.inventory import hash_path
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.describing import describe_receipt
from notarium.ledger_access.finding import Found
from notarium.naming import artifact_path, is_receipt, receipt_beside, record_of, stem_of
from notarium.project import Project, find_project, find_root
from notarium.verifying.result import Finding, FindingKind, Verification, VerificationStatus
from notarium.verifying.verification import NAME_ISSUER, Verifying
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.state.genesis import Genesis

_GRAVITY = (
    ExitCode.OK,
    ExitCode.INCOMPLETE_EVIDENCE,
    ExitCode.NOT_ANCHORED,
    ExitCode.USAGE,
    ExitCode.UNREACHABLE,
    ExitCode.MISMATCH,
)
"""The last is the gravest: a proven contradiction outweighs a question that could not be asked."""


_NAMED = 3
"""Authors that a verdict names of each kind."""


class VerdictStatus(StrEnum):
    """The outcome for one path: that of the verification, or what the outbox and the nodes add to it."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    NOT_ANCHORED = "not-anchored"
    INCOMPLETE_EVIDENCE = "incomplete-evidence"
    PENDING = "pending"
    QUOTA = "quota"
    REFUSED = "refused"
    NO_SUCH_PATH = "no-such-path"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one path."""

    result: Verification
    status: VerdictStatus
    exit_code: ExitCode
    reason: str = ""
    """Where the outcome is not that of `result`: why."""

    @classmethod
    def of(cls, result: Verification) -> Verdict:
        """The verdict where nothing is added to the verification."""
        return cls(result, VerdictStatus(result.status), result.status.exit_code)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said = {**self.result.to_json(), "status": self.status.value}
        return {**said, "reason": self.reason} if self.reason else said


def gravest(exit_codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code that counts for several outcomes together."""
    return max(exit_codes, key=_GRAVITY.index)


def judge(path: Path, verifying: Verifying, *, offline: bool, timeout: float) -> list[Verdict]:
    """Verify `path`, one verdict for each receipt in it. `timeout`: seconds for the nodes, where they are asked."""
    return [_look_further(each, verifying, offline, timeout) for each in verifying.verify(path)]


def _look_further(result: Verification, verifying: Verifying, offline: bool, timeout: float) -> Verdict:
    """Where the disk has no receipt: does its entry wait, does the ledger have one, or is it no path at all?"""
    if result.status is not VerificationStatus.NOT_ANCHORED:
        return Verdict.of(result)
    path = artifact_path(result.path)
    known = _known_here(result, path, verifying, offline, timeout)
    is_mistyped = known.status is VerdictStatus.NOT_ANCHORED and not known.reason and not _is_anything(path)
    return Verdict(result, VerdictStatus.NO_SUCH_PATH, ExitCode.USAGE) if is_mistyped else known


def _is_anything(path: Path) -> bool:
    """Whether there is an artifact, a receipt or record by that name."""
    place = path if is_receipt(path) else receipt_beside(path)
    return any(map(os.path.lexists, (path, place, record_of(place), place.with_name(stem_of(place)))))


def _known_here(result: Verification, path: Path, verifying: Verifying, offline: bool, timeout: float) -> Verdict:
    """What the outbox and the ledger of whoever verifies know of `path`, which has no receipt."""
    try:
        # Of whoever verifies: a file that is verified must choose neither outbox nor the nodes that are asked.
        here = find_project()
    except ProjectError as error:
        if find_root(Path.cwd()) is None:
            return Verdict.of(result)
        reason = f"neither outbox nor ledger was asked: {error}"
        return Verdict(result, VerdictStatus.NOT_ANCHORED, error.exit_code, reason)
    if here.genesis.hash != verifying.genesis.hash:
        return Verdict.of(result)
    try:
        waiting = outbox_of(here).find(path if is_receipt(path) else receipt_beside(path))
        if waiting is not None:
            if waiting.state is not WaitingState.PENDING:
                return Verdict(result, VerdictStatus(waiting.state), ExitCode.NOT_ANCHORED, waiting.reason)
            reason = f"{waiting.id[:16]}… is signed and waits in the outbox; run 'notarium status --flush' to send it"
            return Verdict(result, VerdictStatus.PENDING, ExitCode.NOT_ANCHORED, reason)
        return Verdict.of(result if offline else _ask_ledger(result, path, here, verifying, timeout))
    except NotariumError as error:
        is_unreachable = error.exit_code is ExitCode.UNREACHABLE
        status = VerdictStatus.UNREACHABLE if is_unreachable else VerdictStatus.NOT_ANCHORED
        return Verdict(result, status, error.exit_code, str(error))


def waiting_inside(folders: Iterable[Path], genesis: Genesis) -> int:
    """How many entries of whoever verifies wait in the outbox for receipts inside `folders`."""
    roots = [os.path.realpath(each) for each in folders]
    try:
        here = find_project()
    except ProjectError:
        # Without a project there is no outbox.
        return 0
    if not roots or here.genesis.hash != genesis.hash:
        return 0
    places = [Path(os.path.realpath(each.receipt_path)) for each in outbox_of(here).list()]
    return sum(any(place.is_relative_to(root) for root in roots) for place in places)


def _ask_ledger(result: Verification, path: Path, here: Project, verifying: Verifying, timeout: float) -> Verification:
    """For an artifact without a receipt: does an entry name its plain digest? Raises NotariumError."""
    if is_receipt(path) or not path.exists() or not here.nodes:
        return result
    content = hash_path(path, cache=verifying.cache, deep=verifying.deep)
    if not content.files:
        # All empty folders have one digest: that another one was anchored says nothing about this one.
        return result
    is_named = verifying.issuer or verifying.project
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        # The filters find the one that was named, however many others name the same digest.
        first = partial(client.find, content.sha256, limit=2 * _NAMED)
        named = first(issuer=verifying.issuer, project=verifying.project)
        anyone = first() if is_named else Found((), None)
    return _by_entries(result, named, anyone, verifying, content.files)


def _by_entries(result: Verification, named: Found, anyone: Found, verifying: Verifying, files: int) -> Verification:
    """Anyone can anchor a digest that is public: it verifies only by the institution that was named."""
    others = [each for each in anyone.receipts if not verifying.is_by_named(each.entry)]
    said = _said_of(named.receipts[1:], others, is_all=not (named.more or anyone.more))
    notes = tuple(Finding(FindingKind.AUTHOR, result.path, each) for each in said)
    if not named.receipts:
        return replace(result, findings=(*result.findings, *notes))
    first = named.receipts[0]
    status = VerificationStatus.VERIFIED
    if not verifying.issuer:
        status = VerificationStatus.INCOMPLETE_EVIDENCE
        detail = f"anchored first by {_who(first)}; {NAME_ISSUER}"
        notes = (Finding(FindingKind.AUTHOR, result.path, detail), *notes)
    return replace(
        result,
        status=status,
        findings=notes,
        about=describe_receipt(first),
        checked="the entry on the ledger that names its digest",
        files=files,
        receipt=first,
    )


def _said_of(later: Sequence[VerifiedReceipt], others: Sequence[VerifiedReceipt], *, is_all: bool) -> list[str]:
    """Who else anchored the digest, oldest first, at most `_NAMED` of each kind."""
    said = [f"later also by {_who(each)}" for each in later[:_NAMED]]
    said += [f"by another: {_who(each)}" for each in others[:_NAMED]]
    is_all = is_all and max(len(later), len(others)) <= _NAMED
    return said if is_all else [*said, "and more; 'notarium find' lists all of them"]


def _who(receipt: VerifiedReceipt) -> str:
    return f"{Author.of(receipt.entry)} · {iso_time(receipt.time_ms)} · #{receipt.index}"
