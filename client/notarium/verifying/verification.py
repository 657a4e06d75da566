"""Offline verification: a receipt, the evidence bundle beside it, and every file that the bundle names.

No network, no node and no clock: the pinned genesis and what lies on the disk. The receipt's own steps 1 to 7 are
those of `notarium_ledger.trust.receipt`; after them come

 8  evidence    the bundle beside the receipt is the one that was committed to
 9  artifacts   each file and folder that the bundle names has the content it had then
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from notarium.errors import ExitCode, InvalidBundle, UnreadableArtifact
from notarium.evidence.contents import Item, Manifest, OnProgress, Symlink, hash_path
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.statement import MAX_BUNDLE_BYTES, Artifact, Bundle, bundle_digest
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import (
    FOLDER,
    RECEIPT_SUFFIX,
    artifact_path,
    bundle_of,
    is_bundle,
    is_receipt,
    receipt_beside,
    receipt_of,
)
from notarium.verifying.locating import asked_inside, is_behind_link, is_within, locate, receipt_for, without_dots
from notarium_ledger.errors import InvalidReceipt
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import MAX_RECEIPT_BYTES, Receipt, ReceiptVerifier, Verified, about


class VerificationStatus(StrEnum):
    """The outcome."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    NOT_ANCHORED = "not-anchored"
    INCOMPLETE_EVIDENCE = "incomplete-evidence"

    @property
    def exit_code(self) -> ExitCode:
        """What the command line returns."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    VerificationStatus.VERIFIED: ExitCode.OK,
    VerificationStatus.MISMATCH: ExitCode.MISMATCH,
    VerificationStatus.NOT_ANCHORED: ExitCode.NOT_ANCHORED,
    VerificationStatus.INCOMPLETE_EVIDENCE: ExitCode.INCOMPLETE_EVIDENCE,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was, or could not be checked."""

    what: str
    """"changed", "missing", "extra", "receipt", "bundle", "absent", "outside", "empty", "unreadable"."""
    path: str
    """As somebody in the working directory would name it."""
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.path}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Verification:
    """What was checked, and how it came out."""

    path: str
    """What was asked about."""
    status: VerificationStatus
    receipt_path: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    """Id, kind, issuer, height, time ... of a verified receipt."""
    checked: str = "nothing"
    """"receipt only", "receipt + evidence + 5 files"."""
    findings: tuple[Finding, ...] = ()
    files: int = 0
    """How many files were compared."""

    def __bool__(self) -> bool:
        """Whether everything that was asked for holds."""
        return self.status is VerificationStatus.VERIFIED

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "path": self.path,
            "status": str(self.status),
            "receipt": self.receipt_path or None,
            "about": self.about or None,
            "checked": self.checked,
            "files": self.files,
            "findings": [{"what": each.what, "path": each.path, "detail": each.detail} for each in self.findings],
        }


@dataclass(slots=True)
class Verifying:
    """Verifies against one pinned genesis; certificates of one block are checked once for all its receipts."""

    genesis: Genesis
    cache: DigestCache | None = None
    deep: bool = False
    """Read every byte, whatever the cache knows."""
    receipt_only: bool = False
    """Do not look at what lies beside the receipt."""
    on_progress: OnProgress | None = None
    _verifier: ReceiptVerifier = field(init=False)

    def __post_init__(self) -> None:
        self._verifier = ReceiptVerifier(self.genesis)

    def verify(self, path: Path | str) -> list[Verification]:
        """Whatever `path` is: a receipt, a bundle, an artifact, a file inside one, or a folder full of receipts."""
        chosen = artifact_path(path)
        if is_receipt(chosen):
            return [self.verify_receipt_file(chosen)]
        if is_bundle(chosen):
            return [self.verify_receipt_file(receipt_of(chosen))]
        result = self.verify_artifact(chosen)
        if result.status is VerificationStatus.NOT_ANCHORED and chosen.is_dir():
            # What was superseded is kept in there without the artifacts it was about.
            found = sorted(chosen.rglob(f"*{RECEIPT_SUFFIX}"))
            inside = [each for each in found if FOLDER not in each.relative_to(chosen).parts]
            if inside:
                return [self.verify_receipt_file(each) for each in inside]
        return [result]

    def verify_receipt_file(self, path: Path) -> Verification:
        """A receipt file, its bundle and the artifacts. Evidence that was committed to and is not there is missing."""
        verified = self._read_receipt(path, path)
        if isinstance(verified, Verification):
            return verified
        is_missing = not bundle_of(path).exists()
        if self.receipt_only or (is_missing and "bundle" not in verified.entry.body):
            return Verification(str(path), VerificationStatus.VERIFIED, str(path), _said(verified), "receipt only")
        if is_missing:
            # Else whoever changes an artifact would only have to remove the evidence against it.
            finding = Finding("missing", str(bundle_of(path)), "the evidence; --receipt-only does without")
            status = VerificationStatus.INCOMPLETE_EVIDENCE
            return Verification(str(path), status, str(path), _said(verified), "receipt only", (finding,))
        return self._verify_evidence(path, path, verified, asked=None)

    def load(self, path: Path) -> VerifiedReceipt:
        """The verified receipt in `path`. Raises InvalidReceipt, OSError."""
        receipt = Receipt.decode_json(path.read_bytes())
        verified = self._verifier.verify(receipt)
        return VerifiedReceipt(receipt, verified.entry.id)

    def verify_artifact(self, path: Path) -> Verification:
        """A file or folder: by the receipt beside it, or by that of a folder it lies in.

        It verifies only where the evidence names it and at least one file of it was compared.
        """
        asked = without_dots(path)
        receipt = receipt_for(asked)
        if receipt is None:
            finding = Finding("receipt", str(receipt_beside(path)), "there is no receipt beside it")
            if not os.path.lexists(path):
                finding = Finding("missing", str(path), "no such file or folder")
            return Verification(str(path), VerificationStatus.NOT_ANCHORED, findings=(finding,))
        verified = self._read_receipt(path, receipt)
        if isinstance(verified, Verification):
            return verified
        if bundle_of(receipt).exists():
            result = self._verify_evidence(path, receipt, verified, asked=asked)
        else:
            result = self._verify_by_subjects(path, receipt, verified, is_inside=receipt != receipt_beside(asked))
        if result and not result.files:
            finding = Finding("empty", str(path), "there is no file in it, so nothing was compared")
            return replace(result, status=VerificationStatus.INCOMPLETE_EVIDENCE, findings=(finding,))
        return result

    def _read_receipt(self, path: Path, receipt: Path) -> Verified | Verification:
        """Steps 1 to 7 for the file `receipt`, or else how verifying `path` ends because of it."""
        try:
            with receipt.open("rb") as file:
                data = file.read(MAX_RECEIPT_BYTES + 1)
            return self._verifier.verify(Receipt.decode_json(data))
        except FileNotFoundError:
            status, finding = VerificationStatus.NOT_ANCHORED, Finding("missing", str(receipt))
            return Verification(str(path), status, findings=(finding,))
        except OSError as error:
            finding = Finding("unreadable", str(receipt), error.strerror or str(error))
            return Verification(str(path), VerificationStatus.INCOMPLETE_EVIDENCE, str(receipt), findings=(finding,))
        except InvalidReceipt as error:
            finding = Finding("receipt", str(receipt), f"step {error.step}: {error}")
            return Verification(str(path), VerificationStatus.MISMATCH, str(receipt), findings=(finding,))

    def _verify_by_subjects(self, path: Path, receipt: Path, verified: Verified, *, is_inside: bool) -> Verification:
        """Without a bundle, an artifact can be checked only where its plain digest is on the ledger.

        `is_inside`: the receipt is that of a folder above it, whose digest says nothing about one file.
        """
        said = _said(verified)
        missing = Finding("missing", str(bundle_of(receipt)), "the evidence bundle is needed to check the content")
        digests = [bytes(each["digest"]) for each in verified.entry.body.get("subjects", ())]
        if not digests or is_inside:
            return Verification(
                str(path),
                VerificationStatus.INCOMPLETE_EVIDENCE,
                str(receipt),
                said,
                "receipt only",
                findings=(missing,),
            )
        try:
            content = hash_path(path, cache=self.cache, deep=self.deep, on_progress=self.on_progress)
        except UnreadableArtifact as error:
            findings = (Finding("unreadable", error.path, error.reason),)
            return Verification(
                str(path), VerificationStatus.INCOMPLETE_EVIDENCE, str(receipt), said, "receipt only", findings
            )
        count = len(content.items) if isinstance(content, Manifest) else 1
        checked = f"receipt + {_files(count)} by the digest on the ledger"
        if bytes.fromhex(content.sha256) in digests:
            return Verification(str(path), VerificationStatus.VERIFIED, str(receipt), said, checked, files=count)
        findings = (Finding("changed", str(path), "its digest is not the one on the ledger"),)
        return Verification(str(path), VerificationStatus.MISMATCH, str(receipt), said, checked, findings, count)

    def _verify_evidence(self, path: Path, receipt: Path, verified: Verified, *, asked: Path | None) -> Verification:
        """Steps 8 and 9. `asked`: check just this file or folder, which the bundle must name."""
        place, said = bundle_of(receipt), _said(verified)
        try:
            bundle = _read_bundle(place, verified)
        except OSError as error:
            finding = Finding("unreadable", str(place), error.strerror or str(error))
            return Verification(
                str(path),
                VerificationStatus.INCOMPLETE_EVIDENCE,
                str(receipt),
                said,
                "receipt only",
                findings=(finding,),
            )
        except InvalidBundle as error:
            finding = Finding("bundle", str(place), f"step 8: {error}")
            return Verification(str(path), VerificationStatus.MISMATCH, str(receipt), said, "receipt", (finding,))
        findings: list[Finding] = []
        compared, is_named = 0, asked is None
        for artifact in bundle.artifacts:
            location = locate(artifact, bundle, receipt)
            only = asked_inside(asked, artifact, location) if asked else ""
            if only is None:
                continue
            is_named = True
            more, count = self._compare(artifact, location, only or None)
            findings += more
            compared += count
        if not is_named:
            what = "extra" if os.path.lexists(path) else "missing"
            findings = [Finding(what, str(path), f"the evidence beside it does not name {path.name}")]
        checked = "receipt + evidence" + (f" + {_files(compared)}" if compared else "")
        return Verification(str(path), _status(findings), str(receipt), said, checked, tuple(findings), compared)

    def _compare(self, artifact: Artifact, location: Path | None, only: str | None) -> tuple[list[Finding], int]:
        """What is different about one artifact, and how many of its files were compared. `only`: a path inside it."""
        if location is None:
            reason = f"{artifact.role}; outside the receipt's folder, so it was not checked"
            return [Finding("outside", artifact.name, reason)], 0
        try:
            status = location.stat()
        except OSError:
            return [Finding("absent", str(location), f"{artifact.role}; not here, so it was not checked")], 0
        if stat.S_ISDIR(status.st_mode) != artifact.is_folder:
            kind = "folder" if artifact.is_folder else "file"
            return [Finding("changed", str(location), f"was a {kind}, is none any more")], 1
        expected = {item.path: item for item in artifact.items if is_within(item.path, only)}
        try:
            found = {item.path: item for item in self._items_now(location, only)}
        except UnreadableArtifact as error:
            return [Finding("unreadable", error.path, error.reason)], 0
        findings = [
            Finding("changed" if name in found else "missing", str(location / name) if name else str(location), detail)
            for name, item in expected.items()
            if (detail := _difference(item, found.get(name))) is not None
        ]
        findings += [
            Finding("extra", str(location / name), "not there then") for name in found.keys() - expected.keys()
        ]
        return sorted(findings, key=lambda finding: finding.path), len(expected.keys() | found.keys())

    def _items_now(self, location: Path, only: str | None) -> list[Item]:
        """The files of an artifact as they are, or just what lies at `only` inside it."""
        place = location / only if only else location
        if only and (not os.path.lexists(place) or is_behind_link(location, only)):
            return []
        if only and place.is_symlink():
            return [Symlink(only, os.readlink(place))]
        content = hash_path(place, cache=self.cache, deep=self.deep, on_progress=self.on_progress)
        items = content.items if isinstance(content, Manifest) else (content,)
        if not only:
            return list(items)
        return [replace(item, path=f"{only}/{item.path}" if item.path else only) for item in items]


def verify(
    path: Path | str,
    genesis: Genesis | None = None,
    *,
    deep: bool = False,
    cache: DigestCache | None = None,
    receipt_only: bool = False,
) -> Verification:
    """Verify an artifact, receipt or bundle offline. Without `genesis`, the project's pinned one.

    Truthy where everything holds. A folder full of receipts gives the worst of their results; see Verifying.verify.
    """
    if genesis is None:
        from notarium.project import find_genesis, find_root

        genesis = find_genesis(find_root(artifact_path(path).absolute().parent) or find_root(Path.cwd()))
    results = Verifying(genesis, cache, deep, receipt_only).verify(path)
    return max(results, key=lambda result: _GRAVITY[result.status])


_GRAVITY = {
    VerificationStatus.VERIFIED: 0,
    VerificationStatus.INCOMPLETE_EVIDENCE: 1,
    VerificationStatus.NOT_ANCHORED: 2,
    VerificationStatus.MISMATCH: 3,
}


def _said(verified: Verified) -> dict[str, Any]:
    return about(verified.entry, verified.index, verified.header)


def _read_bundle(place: Path, verified: Verified) -> Bundle:
    """The bundle at `place`. Raises InvalidBundle where it is not the committed one, OSError."""
    with place.open("rb") as file:
        data = file.read(MAX_BUNDLE_BYTES + 1)
    committed = verified.entry.body.get("bundle")
    if committed is None:
        raise InvalidBundle("the receipt commits to no bundle")
    if bundle_digest(data) != committed:
        raise InvalidBundle("is not the evidence that was committed to: its digest differs from the ledger's")
    return Bundle.decode(data)


def _difference(expected: Item, found: Item | None) -> str | None:
    """What is different, or None."""
    if expected == found:
        return None
    if found is None:
        return "is gone"
    if isinstance(expected, Symlink) or isinstance(found, Symlink):
        return "a link that points elsewhere, or no link any more"
    if expected.size != found.size:
        return f"{expected.size} bytes then, {found.size} now"
    if expected.sha256 != found.sha256:
        return "same size, other content"
    return None


def _status(findings: Sequence[Finding]) -> VerificationStatus:
    kinds = {finding.what for finding in findings}
    if kinds & {"changed", "missing", "extra"}:
        return VerificationStatus.MISMATCH
    return VerificationStatus.INCOMPLETE_EVIDENCE if kinds else VerificationStatus.VERIFIED


def _files(count: int) -> str:
    return f"{count} file" if count == 1 else f"{count} files"
