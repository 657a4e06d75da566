"""The verdict on a path: from the files on the disk first, then the outbox, then (unless offline) the ledger.

What is verified gets a further question, unless offline: what other entries say about it (`verifying.asking`).

Every path gets its own verdict, and an error about one hides no other: a node that cannot be reached must not hide a
mismatch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from notarium.anchoring.outbox import Waiting, WaitingState, outbox_of
from notarium.errors import ExitCode, NotAnchored, NotariumError, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.hashing import hash_path
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.describing import describe_receipt
from notarium.ledger_access.finding import Found
from notarium.ledger_access.pool import normal_url
from notarium.naming import artifact_path, is_receipt, receipt_beside, record_of, stem_of
from notarium.project import Project, find_project, find_root
from notarium.verifying.asking import MOST_ASKING_S, Asking
from notarium.verifying.marks import FailOn, fails
from notarium.verifying.people import time_text
from notarium.verifying.result import Finding, FindingKind, Verification, VerificationStatus
from notarium.verifying.verification import NAME_ISSUER, Verifying
from notarium_ledger.state.genesis import Genesis

_GRAVITY = (
    ExitCode.OK,
    ExitCode.ASKED_TO_FAIL,
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

    def fails_on(self, fail_on: Iterable[FailOn]) -> bool:
        """Whether one of these is said of it."""
        return fails(self.result.marks, bool(self.result.parts.gaps), fail_on)

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        said = {**self.result.to_json(), "status": self.status.value}
        return {**said, "reason": self.reason} if self.reason else said


def gravest(exit_codes: Iterable[ExitCode]) -> ExitCode:
    """The exit code that counts for several outcomes together."""
    return max(exit_codes, key=_GRAVITY.index)


def judge(
    path: Path, verifying: Verifying, *, offline: bool, timeout: float, asked: Project | None = None
) -> list[Verdict]:
    """Verify `path`, one verdict for each receipt in it. `timeout`: seconds for the nodes, where they are asked.

    `asked`: whose nodes, where the current folder has no project of this ledger.
    """
    further = _Further(verifying, offline, timeout, asked)
    return [further.look(each) for each in verifying.verify(path)]


def project_to_ask(genesis: Genesis, genesis_file: Path | None, nodes: Sequence[str]) -> Project | None:
    """Whose nodes are asked about what is verified: of whoever verifies, or else those that `genesis_file` names.

    `nodes`: instead of them. None where there is no node of this ledger. Raises ProjectError for a wrong address.
    """
    chosen = tuple(normal_url(each) for each in nodes)
    try:
        here = find_project(genesis_file=genesis_file)
    except ProjectError:
        # Whoever looks for the receipt says so; what is verified on the disk needs no node.
        return None
    here = replace(here, nodes=chosen or here.nodes)
    return here if here.nodes and here.genesis.hash == genesis.hash else None


@contextmanager
def asking(here: Project | None, *, offline: bool, timeout: float) -> Iterator[Asking]:
    """What asks about the entries around those that are verified; offline, or without a node, those at hand only."""
    if offline or here is None:
        yield Asking(why_not="" if offline else "no node of this ledger is known here")
        return
    with BlockingClient(here.genesis, here.nodes, timeout=min(timeout, MOST_ASKING_S)) as client:
        yield Asking(client, here.nodes)


def judge_entry(id_: bytes, verifying: Verifying, here: Project | None, *, offline: bool, timeout: float) -> Verdict:
    """The verdict on an entry that has no file here: by the receipt that a node gives."""
    if offline or here is None:
        return Verdict.of(verifying.not_at_hand(id_, "its receipt is not here, and no node was asked"))
    try:
        with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
            return Verdict.of(verifying.verify_given(client.receipt(id_)))
    except NotAnchored as error:
        return Verdict.of(verifying.not_at_hand(id_, str(error)))
    except NotariumError as error:
        result = verifying.not_at_hand(id_, "its receipt is not here")
        return Verdict(result, VerdictStatus.UNREACHABLE, error.exit_code, str(error))


def _is_anything(path: Path) -> bool:
    """Whether there is an artifact, a receipt or record by that name."""
    place = path if is_receipt(path) else receipt_beside(path)
    return any(map(os.path.lexists, (path, place, record_of(place), place.with_name(stem_of(place)))))


@dataclass(frozen=True, slots=True)
class _Further:
    """Looks further where the disk has no receipt: does its entry wait, does the ledger have one?"""

    verifying: Verifying
    offline: bool
    timeout: float
    asked: Project | None

    def look(self, result: Verification) -> Verdict:
        """The verdict on `result`; it is also no path at all where nothing is there by that name."""
        if result.status is not VerificationStatus.NOT_ANCHORED:
            return Verdict.of(result)
        path = artifact_path(result.path)
        known = self._known_here(result, path)
        is_mistyped = known.status is VerdictStatus.NOT_ANCHORED and not known.reason and not _is_anything(path)
        return Verdict(result, VerdictStatus.NO_SUCH_PATH, ExitCode.USAGE) if is_mistyped else known

    def _known_here(self, result: Verification, path: Path) -> Verdict:
        """What the outbox and the ledger of whoever verifies know of `path`, which has no receipt."""
        try:
            # Of whoever verifies: a file that is verified must choose neither outbox nor the nodes that are asked.
            here = find_project()
        except ProjectError as error:
            if find_root(Path.cwd()) is None:
                return self._ask(result, path, self.asked)
            reason = f"neither outbox nor ledger was asked: {error}"
            return Verdict(result, VerdictStatus.NOT_ANCHORED, error.exit_code, reason)
        if here.genesis.hash != self.verifying.genesis.hash:
            return self._ask(result, path, self.asked)
        try:
            waiting = outbox_of(here).find(path if is_receipt(path) else receipt_beside(path))
        except NotariumError as error:
            return Verdict(result, VerdictStatus.NOT_ANCHORED, error.exit_code, str(error))
        return self._ask(result, path, self.asked or here) if waiting is None else _waits(result, waiting)

    def _ask(self, result: Verification, path: Path, here: Project | None) -> Verdict:
        if self.offline or here is None:
            return Verdict.of(result)
        try:
            return Verdict.of(_ask_ledger(result, path, here, self.verifying, self.timeout))
        except NotariumError as error:
            is_unreachable = error.exit_code is ExitCode.UNREACHABLE
            status = VerdictStatus.UNREACHABLE if is_unreachable else VerdictStatus.NOT_ANCHORED
            return Verdict(result, status, error.exit_code, str(error))


def _waits(result: Verification, waiting: Waiting) -> Verdict:
    """The verdict where the entry is in the outbox."""
    if waiting.state is not WaitingState.PENDING:
        return Verdict(result, VerdictStatus(waiting.state), ExitCode.NOT_ANCHORED, waiting.reason)
    reason = f"{waiting.id[:16]}… is signed and waits in the outbox; run 'notarium status --flush' to send it"
    return Verdict(result, VerdictStatus.PENDING, ExitCode.NOT_ANCHORED, reason)


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
    if not content.items:
        # All empty folders have one digest: that another one was anchored says nothing about this one.
        return result
    is_named = verifying.issuer or verifying.project
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        # The filters find the one that was named, however many others name the same digest.
        first = partial(client.find, content.sha256, limit=2 * _NAMED)
        named = first(issuer=verifying.issuer, project=verifying.project)
        anyone = first() if is_named else Found((), None)
    return _by_entries(result, named, anyone, verifying, len(content.items))


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
    return f"{Author.of(receipt.entry)} · {time_text(receipt.time_ms)} · #{receipt.index}"
