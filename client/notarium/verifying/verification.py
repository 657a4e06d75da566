"""Offline verification: a receipt, the record beside it, and every file that the record names.

It needs no network, no node and no clock, only the pinned genesis and the files on the disk. The steps 1 to 7 of the
receipt itself are in `notarium_ledger.trust.receipt`; two more follow:

 8  record    the record beside the receipt is the one that was committed to, and its author signed the entry
 9  artifacts   each file and folder that the record names has the content it had then
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from notarium.errors import InvalidRecordFile, ProjectError, UnreadableArtifact
from notarium.evidence.author import Author
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.hashing import OnProgress, reason_of
from notarium.evidence.inventory import hash_path
from notarium.evidence.record import read_record
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.receipt_file import is_receipt_by_content, load_receipt
from notarium.naming import (
    artifact_path,
    is_draft,
    is_receipt,
    is_record,
    not_signed,
    receipt_beside,
    receipt_of,
    record_of,
    stem_of,
)
from notarium.project import find_project, trusted_genesis
from notarium.verifying.asking import MOST_ASKING_S, Asking
from notarium.verifying.comparing import Comparing
from notarium.verifying.file_form import form_notices
from notarium.verifying.locating import asked_inside, leads_out, locate, receipt_for, without_dots
from notarium.verifying.recorded import Recorded
from notarium.verifying.result import Finding, FindingKind, Ledger, Verification, VerificationStatus, status_by
from notarium.verifying.searching import receipts_in, unnamed_in
from notarium.verifying.seeds import check_seeds_of
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidReceipt
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import ReceiptVerifier, about

NAME_ISSUER = "nobody was named: give --issuer ID to say whose word counts"
"""What to do where anybody may have anchored a digest."""


@dataclass(slots=True)
class Verifying:
    """Verifies against one pinned genesis. Certificates of one block are checked once for all its receipts."""

    genesis: Genesis
    cache: DigestCache | None = None
    deep: bool = False
    """Read every byte, whatever the cache knows."""
    receipt_only: bool = False
    """Do not check what lies beside the receipt."""
    issuer: str = ""
    """Only what this institution anchored verifies; "" for any."""
    project: str = ""
    """Only what was anchored in this project verifies; "" for any."""
    partial: bool = False
    """Only a part of what was anchored is at hand: a file that is not here was not checked, and is not missing."""
    on_progress: OnProgress | None = None
    follow: bool = False
    """Follow also links that lead out of an artifact and its project."""
    _verifier: ReceiptVerifier = field(init=False)

    def __post_init__(self) -> None:
        self._verifier = ReceiptVerifier(self.genesis)

    def verify(self, path: Path | str) -> list[Verification]:
        """Verify `path`: a receipt, a record, an artifact, a file inside one, or a folder full of receipts."""
        return self._verify(artifact_path(path))

    def _verify(self, chosen: Path) -> list[Verification]:
        try:
            if is_receipt(chosen):
                return [self.verify_receipt_file(chosen)]
            if is_record(chosen):
                return [self.verify_receipt_file(receipt_of(chosen))]
            result = self.verify_artifact(chosen)
            if result.status is VerificationStatus.NOT_ANCHORED and is_receipt_by_content(chosen):
                return [self.verify_receipt_file(chosen)]
            if result.status is VerificationStatus.NOT_ANCHORED and chosen.is_dir():
                return self._verify_folder(chosen) or [result]
        except OSError as error:
            # An error about one path must hide no verdict on another.
            finding = Finding(FindingKind.UNREADABLE, str(chosen), reason_of(error))
            return [self._result(chosen, VerificationStatus.INCOMPLETE_EVIDENCE, findings=(finding,))]
        return [result]

    def _verify_folder(self, folder: Path) -> list[Verification]:
        """A folder that has no receipt itself: each receipt in it, and one result more for what is not proven there."""
        findings: list[Finding] = []

        def on_error(place: Path, error: OSError) -> None:
            findings.append(Finding(FindingKind.UNREADABLE, str(place), reason_of(error)))

        receipts = receipts_in(folder, on_error)
        results = [result for each in receipts for result in self._verify(each)]
        unnamed = 0
        if receipts and not self.receipt_only:
            pairs = zip(receipts, results, strict=True)
            found = unnamed_in(folder, receipts, [place for pair in pairs for place in _named(*pair)])
            unnamed = found.count
            findings += [Finding(FindingKind.RECEIPT, str(folder), str(found))] if unnamed else []
        if not findings:
            return results
        incomplete = self._result(folder, VerificationStatus.INCOMPLETE_EVIDENCE, findings=tuple(findings))
        return [*results, replace(incomplete, without_receipt=unnamed)]

    def verify_receipt_file(self, path: Path) -> Verification:
        """A receipt file, its record and the artifacts. A record that was committed to and is not there is missing."""
        receipt = self._read_receipt(path, path)
        if isinstance(receipt, Verification):
            return receipt
        verified = self._begin(path, path, receipt)
        if not verified:
            return verified
        is_missing = not record_of(path).exists()
        if self.receipt_only or (is_missing and "record" not in receipt.body):
            return verified
        if is_missing:
            # Otherwise, to hide a changed artifact, it would be enough to remove the record against it.
            artifact = path.with_name(stem_of(path)) if is_receipt(path) else None
            return self._verify_by_subjects(verified, receipt, artifact)
        return self._verify_record(verified, receipt, path, asked=None)

    def verify_artifact(self, path: Path) -> Verification:
        """A file or folder: by the receipt beside it, or by that of a folder it lies in.

        It verifies only where the record names it and at least one file of it was compared.
        """
        asked = without_dots(path)
        place = receipt_for(asked)
        # A folder around it does not contain it: what Notarium writes is no part of an artifact.
        if place is None or (is_draft(asked) and place != receipt_beside(asked)):
            finding = Finding(FindingKind.RECEIPT, str(receipt_beside(path)), "there is no receipt beside it")
            if not os.path.lexists(path):
                finding = Finding(FindingKind.MISSING, str(path), "no such file or folder")
            elif is_draft(asked):
                finding = Finding(FindingKind.RECEIPT, str(path), not_signed(path))
            return self._result(path, VerificationStatus.NOT_ANCHORED, findings=(finding,))
        receipt = self._read_receipt(path, place)
        if isinstance(receipt, Verification):
            return receipt
        verified = self._begin(path, place, receipt)
        if not verified:
            return verified
        if record_of(place).exists():
            result = self._verify_record(verified, receipt, place, asked=asked)
        else:
            # The digest of a folder says nothing about one file in it.
            is_own = place == receipt_beside(asked)
            result = self._verify_by_subjects(verified, receipt, path if is_own else None)
        if result and not result.files:
            return replace(result, status=VerificationStatus.INCOMPLETE_EVIDENCE, findings=(_nothing_compared(path),))
        return result

    def _result(
        self, path: Path, status: VerificationStatus, place: Path | None = None, findings: tuple[Finding, ...] = ()
    ) -> Verification:
        """A result that names the ledger which it holds for."""
        ledger = Ledger(self.genesis.name, self.genesis.hash.hex())
        return Verification(str(path), status, str(place or ""), findings=findings, ledger=ledger, genesis=self.genesis)

    def verify_given(self, receipt: VerifiedReceipt) -> Verification:
        """An entry whose receipt a node gave, and which was verified then."""
        return self._begin(Path(receipt.id.hex()), None, receipt)

    def not_at_hand(self, id_: bytes, reason: str) -> Verification:
        """The result for an entry without a receipt, which is not anchored as far as is known."""
        finding = Finding(FindingKind.RECEIPT, id_.hex(), reason)
        return self._result(Path(id_.hex()), VerificationStatus.NOT_ANCHORED, findings=(finding,))

    def _begin(self, path: Path, place: Path | None, receipt: VerifiedReceipt) -> Verification:
        """The result so far for `path`, whose receipt, at `place` or from a node, has passed its steps 1 to 7."""
        said = about(receipt.entry, receipt.index, receipt.header)
        passed = self._result(path, VerificationStatus.VERIFIED, place)
        notices = form_notices(place) if place is not None else ()
        passed = replace(passed, about=said, checked="receipt only", receipt=receipt, notices=notices)
        return self._check_author(passed, receipt.entry)

    def is_by_named(self, entry: Entry) -> bool:
        """Whether the institution and the project that were named, where any were, signed `entry`."""
        author = Author.of(entry)
        return self.issuer in ("", author.issuer) and self.project in ("", author.project)

    def _check_author(self, verified: Verification, entry: Entry) -> Verification:
        """A mismatch where another institution or project was named."""
        if self.is_by_named(entry):
            return verified
        named = " · ".join(each for each in (self.issuer, self.project) if each)
        detail = f"anchored by {Author.of(entry)}, and not by {named}"
        finding = Finding(FindingKind.AUTHOR, verified.receipt_path, detail)
        return replace(verified, status=VerificationStatus.MISMATCH, findings=(finding,))

    def _read_receipt(self, path: Path, place: Path) -> VerifiedReceipt | Verification:
        """Steps 1 to 7 for the receipt at `place`, or the result of verifying `path` where they fail."""
        try:
            return load_receipt(place, self._verifier)
        except FileNotFoundError:
            finding = Finding(FindingKind.MISSING, str(place), "no such file or folder")
            return self._result(path, VerificationStatus.NOT_ANCHORED, findings=(finding,))
        except OSError as error:
            finding = Finding(FindingKind.UNREADABLE, str(place), error.strerror or str(error))
            return self._result(path, VerificationStatus.INCOMPLETE_EVIDENCE, place, findings=(finding,))
        except InvalidReceipt as error:
            finding = Finding(FindingKind.RECEIPT, str(place), f"step {error.step}: {error}")
            return self._result(path, VerificationStatus.MISMATCH, place, findings=(finding,))

    def _verify_by_subjects(self, verified: Verification, receipt: VerifiedReceipt, path: Path | None) -> Verification:
        """Without a record, an artifact can be checked only where its plain digest is on the ledger.

        Anyone can anchor a digest that is public, so even then it verifies only by the institution that was named.
        `path`: of the artifact; None where it is not known which file the receipt is about.
        """
        incomplete = replace(verified, status=VerificationStatus.INCOMPLETE_EVIDENCE)
        digests = [bytes(each["digest"]) for each in receipt.body.get("subjects", ())]
        if not digests or path is None or not os.path.lexists(path):
            detail = "this is the record, which is needed to check the content; --receipt-only verifies without it"
            finding = Finding(FindingKind.MISSING, str(record_of(Path(verified.receipt_path))), detail)
            return replace(incomplete, findings=(finding,))
        try:
            content = hash_path(path, cache=self.cache, deep=self.deep, on_progress=self.on_progress)
        except UnreadableArtifact as error:
            return replace(incomplete, findings=(Finding(FindingKind.UNREADABLE, error.path, error.reason),))
        count = content.files
        compared = replace(verified, checked=f"receipt + {_files(count)} by the digest on the ledger", files=count)
        if bytes.fromhex(content.sha256) not in digests:
            finding = Finding(FindingKind.CHANGED, str(path), "its digest is not the one on the ledger")
            return replace(compared, status=VerificationStatus.MISMATCH, findings=(finding,))
        if self.issuer and count:
            return compared
        finding = _nothing_compared(path)
        if count:
            finding = Finding(FindingKind.AUTHOR, str(path), f"anchored by {Author.of(receipt.entry)}; {NAME_ISSUER}")
        return replace(compared, status=VerificationStatus.INCOMPLETE_EVIDENCE, findings=(finding,))

    def _verify_record(
        self, verified: Verification, receipt: VerifiedReceipt, place: Path, *, asked: Path | None
    ) -> Verification:
        """Steps 8 and 9. `place`: of the receipt. `asked`: check only this file or folder, which must be named."""
        beside = record_of(place)
        try:
            record = read_record(beside, receipt.entry)  # Step 8.
        except OSError as error:
            finding = Finding(FindingKind.UNREADABLE, str(beside), error.strerror or str(error))
            return replace(verified, status=VerificationStatus.INCOMPLETE_EVIDENCE, findings=(finding,))
        except InvalidRecordFile as error:
            finding = Finding(FindingKind.RECORD, str(beside), f"step 8: {error}")
            return replace(verified, status=VerificationStatus.MISMATCH, checked="receipt", findings=(finding,))
        seeds = check_seeds_of(record, receipt, place, self._verifier)
        notices = (*verified.notices, *form_notices(beside))
        verified = replace(verified, recorded=Recorded.of(record, seeds), notices=notices)
        findings = [Finding(FindingKind.SEED, str(beside), each) for each in seeds.wrong]
        places: list[Path] = []
        compared, is_named = 0, asked is None
        comparing = Comparing(self.cache, self.deep, self.on_progress, self.follow)
        for artifact in record.artifacts:  # Step 9.
            location = locate(artifact, record, place)
            only = asked_inside(asked, artifact, location) if asked else ""
            if only is None:
                continue
            is_named = True
            if location is None:
                reason = f"{artifact.role}; outside the receipt's folder, so it was not checked"
                findings.append(Finding(FindingKind.OUTSIDE, artifact.name, reason))
                continue
            places.append(location)
            if asked is None and leads_out(location, place):
                reason = "a link leads out of the receipt's folder, so it was not checked; verify it by its own name"
                findings.append(Finding(FindingKind.OUTSIDE, str(location), f"{artifact.role}; {reason}"))
                continue
            more, count = comparing.compare(artifact, location, only or None)
            findings += more
            compared += count
        if self.partial:
            compared -= sum(each.what is FindingKind.MISSING for each in findings)
            findings = [_absent(each) if each.what is FindingKind.MISSING else each for each in findings]
        if not is_named:
            findings = [_not_named(verified.path)]
        checked = "receipt + record" + (f" + {_files(compared)}" if compared else "")
        verified = replace(verified, checked=checked, files=compared, places=tuple(places))
        return replace(verified, status=status_by(findings), findings=tuple(findings))


def verify(
    path: Path | str,
    genesis: Genesis | None = None,
    *,
    deep: bool = False,
    cache: DigestCache | None = None,
    receipt_only: bool = False,
    issuer: str = "",
    project: str = "",
    online: bool = False,
) -> Verification:
    """Verify an artifact, receipt or record offline, against `genesis` or the one that is pinned here.

    `issuer`, `project`: what anyone else anchored is a mismatch. The result is true where everything holds. A folder
    full of receipts gives the worst of their results. `online`: also ask the nodes of the project around here what
    later entries say, such as a retraction. Raises ProjectError where no genesis is pinned.
    """
    verifying = Verifying(
        genesis or trusted_genesis(),
        cache=cache,
        deep=deep,
        receipt_only=receipt_only,
        issuer=issuer,
        project=project,
    )
    found = verifying.verify(path)
    if not online:
        return _gravest(Asking().ask(found))
    here = find_project()
    if here.genesis.hash != verifying.genesis.hash:
        raise ProjectError("the project around here is on another ledger, so its nodes know nothing of this one")
    with BlockingClient(here.genesis, here.nodes, timeout=MOST_ASKING_S) as client:
        return _gravest(Asking(client, here.nodes).ask(found))


def _gravest(results: Sequence[Verification]) -> Verification:
    return max(results, key=lambda result: result.status.gravity)


def _nothing_compared(path: Path) -> Finding:
    return Finding(FindingKind.EMPTY, str(path), "there is no file in it, so nothing was compared")


def _named(receipt: Path, result: Verification) -> tuple[Path, ...]:
    """The places that a receipt vouches for, or for which its result says why it does not."""
    if result.places or (result and not result.files):
        return result.places
    return (receipt.with_name(stem_of(receipt)),)


def _absent(missing: Finding) -> Finding:
    return replace(missing, what=FindingKind.ABSENT, detail="not here, so it was not checked")


def _not_named(path: str) -> Finding:
    kind = FindingKind.EXTRA if os.path.lexists(path) else FindingKind.MISSING
    return Finding(kind, path, f"the record beside it does not name {Path(path).name}")


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
