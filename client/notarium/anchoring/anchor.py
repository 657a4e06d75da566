"""Anchor a file or folder: hash it, write the evidence beside it, have the commitment decided, write the receipt."""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from notarium.anchoring.commit import Ref, commit, outbox_of, send
from notarium.anchoring.outbox import Waiting
from notarium.errors import InvalidBundle, NotariumError, ProjectError, UnreadableArtifact
from notarium.evidence.contents import FileDigest, Manifest, OnProgress, hash_path
from notarium.evidence.environment import describe_code
from notarium.evidence.statement import Artifact, Bundle
from notarium.files import write_atomically
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import artifact_path, bundle_of, is_bundle, is_receipt, receipt_beside, stem_of
from notarium.project import Project, find_project
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier

ANCHOR_S = 30.0
_NOT_ASKED_FOR = frozenset({"v", "kind", "issuer", "project", "disclosure", "bundle", "subjects", "refs"})
"""Parts of a commitment that `fields` do not stand for."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """What became of an artifact."""

    path: Path
    status: str
    """"anchored", "unchanged" (an earlier receipt still holds), "pending" (in the outbox, sent later) or "refused" (in
    the outbox until its cause is mended or it is dropped)."""
    id: str
    """The entry's id, hex."""
    kind: str
    receipt_path: Path
    bundle_path: Path
    receipt: VerifiedReceipt | None = None
    error: NotariumError | None = None
    """Why it is pending or refused."""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        result: dict[str, Any] = {
            "path": str(self.path),
            "status": self.status,
            "id": self.id,
            "kind": self.kind,
            "receipt": str(self.receipt_path),
            "bundle": str(self.bundle_path),
        }
        if self.receipt is not None:
            result |= {
                "index": self.receipt.index,
                "height": self.receipt.height,
                "time": iso_time(self.receipt.time_ms),
            }
        if self.error is not None:
            result["reason"] = str(self.error)
        return result


def anchor(
    path: Path | str,
    kind: str = "dataset",
    *,
    project: Project | None = None,
    facts: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    refs: Sequence[Ref] = (),
    disclosure: str = "consortium",
    timeout: float = ANCHOR_S,
    strict: bool = False,
    deep: bool = False,
    on_progress: OnProgress | None = None,
) -> Anchored:
    """Anchor the file or folder at `path`.

    `facts` go into the evidence bundle (off the ledger), `fields` into the commitment (on it). Anchoring an unchanged
    artifact again in the same way does nothing; where the content or what is said of it changed, it is committed to
    anew, with a reference to what it supersedes. Only an entry of the same kind is superseded.
    Where no node answers within `timeout` seconds the signed entry waits in the outbox; `strict` raises instead.
    Raises ProjectError, UnreadableArtifact, and with `strict` Rejected, Unreachable or LyingNode.
    """
    project = project or find_project(artifact_path(path).absolute().parent)
    chosen = artifact_path(path)
    if is_receipt(chosen) or is_bundle(chosen):
        raise ProjectError(f"{chosen} is a receipt or bundle itself; name the file or folder it is about")
    content = hash_path(chosen, cache=project.homes.digest_cache(), deep=deep, on_progress=on_progress)
    receipt_path = receipt_beside(chosen)
    earlier = _Earlier.find(project, receipt_path)
    waiting = earlier.waiting
    bundle = Bundle.new(
        kind, [Artifact(chosen.name, "subject", content)], {"gaps": [], **(facts or {}), "code": _code(chosen)}
    )
    prepared = {**_described(kind, content, disclosure), **(fields or {})}
    if not earlier.matches(bundle, prepared, refs, disclosure):
        earlier.check_kind(chosen, kind)
        superseded = [Ref("supersedes", earlier.id)] if earlier.id else []
        waiting = commit(
            project,
            bundle,
            receipt_path,
            fields=prepared,
            refs=[*refs, *superseded],
            disclosure=disclosure,
            make_room=functools.partial(_put_aside, project, receipt_path, earlier),
        )
    elif earlier.receipt is not None:
        return Anchored(
            chosen, "unchanged", earlier.receipt.id.hex(), kind, receipt_path, bundle_of(receipt_path), earlier.receipt
        )
    if waiting is None:
        raise ProjectError(
            f"{bundle_of(receipt_path)} has neither receipt nor outbox entry; move it away and anchor again"
        )
    delivery = send(project, waiting, timeout)
    if delivery.error is not None and strict:
        raise delivery.error
    # Not the one that was there before: a refused entry may have been signed anew.
    waiting = delivery.waiting
    return Anchored(
        chosen,
        "anchored" if delivery.receipt is not None else "refused" if waiting.refused else "pending",
        waiting.id,
        waiting.kind,
        waiting.receipt_path,
        bundle_of(waiting.receipt_path),
        delivery.receipt,
        delivery.error,
    )


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What an earlier anchoring left beside the artifact."""

    bundle: Bundle | None
    receipt: VerifiedReceipt | None
    waiting: Waiting | None

    @classmethod
    def find(cls, project: Project, receipt_path: Path) -> _Earlier:
        receipt = read_receipt(project, receipt_path)
        waiting = None if receipt else outbox_of(project).find(receipt_path)
        try:
            bundle = Bundle.decode(bundle_of(receipt_path).read_bytes())
        except (FileNotFoundError, InvalidBundle):
            bundle = None
        return cls(bundle, receipt, waiting)

    @property
    def id(self) -> bytes | None:
        """Id of the earlier entry."""
        if self.receipt is not None:
            return self.receipt.id
        return bytes.fromhex(self.waiting.id) if self.waiting else None

    @property
    def body(self) -> Body | None:
        """What the earlier entry commits to."""
        if self.receipt is not None:
            return self.receipt.body
        return decode_entry(self.waiting.entry).body if self.waiting else None

    def matches(self, bundle: Bundle, fields: Mapping[str, Any], refs: Sequence[Ref], disclosure: str) -> bool:
        """Whether it already commits to all that is asked for now: content, kind, facts, fields, refs, disclosure."""
        body = self.body
        if body is None or self.bundle is None or self.bundle.kind != bundle.kind:
            return False
        asked = [each.to_value() for each in refs]
        known = list(body.get("refs", ()))
        return (
            self.bundle.artifacts == bundle.artifacts
            and _facts(self.bundle) == _facts(bundle)
            and body["disclosure"] == disclosure
            and {name: value for name, value in body.items() if name not in _NOT_ASKED_FOR} == dict(fields)
            and all(each in known for each in asked)
            # What it supersedes was added without being asked for.
            and all(each in asked or each["rel"] == "supersedes" for each in known)
        )

    def check_kind(self, path: Path, kind: str) -> None:
        """Raise ProjectError where `kind` is another one: a publication does not supersede the review of a file."""
        known = None if self.body is None else self.body["kind"]
        if known in (None, kind):
            return
        if self.receipt is None:
            raise ProjectError(
                f"{path} is signed as a {known} and waits in the outbox; as a {kind} it would take the same place. "
                f"Anchor a copy by another name, or see 'notarium status --help' on how to send or drop what waits"
            )
        stem = path.name
        raise ProjectError(
            f"{path} is anchored as a {known}, which a {kind} does not supersede. To have both, first rename "
            f"{stem}.receipt.json and {stem}.bundle.json to {stem}.{known}.receipt.json and {stem}.{known}.bundle.json "
            "(they still verify), or anchor a copy by another name"
        )


def _facts(bundle: Bundle) -> dict[str, Any]:
    """What a bundle says, without what is new each time."""
    return {name: value for name, value in bundle.predicate.items() if name not in ("salt", "code")}


def read_receipt(project: Project, path: Path) -> VerifiedReceipt | None:
    """The receipt at `path` if it is one of this project's ledger and verifies, else None."""
    try:
        receipt = Receipt.decode_json(path.read_bytes())
        verified = ReceiptVerifier(project.genesis).verify(receipt)
    except (FileNotFoundError, LedgerError):
        return None
    return VerifiedReceipt(receipt, verified.entry.id)


def _put_aside(project: Project, receipt_path: Path, earlier: _Earlier) -> None:
    """Keep an earlier receipt and bundle under `.notarium/superseded` before they are written anew.

    Nothing that is kept there is ever overwritten.
    """
    folder = project.folder / "superseded"
    try:
        kept = {path: path.read_bytes() for path in (bundle_of(receipt_path), receipt_path) if path.exists()}
        folder.mkdir(parents=True, exist_ok=True)
        label = _label(folder, earlier.id, kept)
        if earlier.waiting is not None:
            # Its receipt, when it comes, must not take the place of the newer one.
            moved = replace(earlier.waiting, receipt_path=folder / f"{label}.{receipt_path.name}")
            outbox_of(project).put(moved)
        for path, data in kept.items():
            write_atomically(folder / f"{label}.{path.name}", data)
            path.unlink()
    except OSError as error:
        raise UnreadableArtifact(str(receipt_path), f"cannot be put aside: {error.strerror}") from error


def _label(folder: Path, id_: bytes | None, kept: Mapping[Path, bytes]) -> str:
    """What the files put aside are named by: their entry's id or, where that is lost, their own digest."""
    digest = hashlib.sha256(next(iter(kept.values()), b"")).hexdigest()
    labels = [id_.hex()[:16]] if id_ else []
    for label in (*labels, digest[:16], digest):
        places = {folder / f"{label}.{path.name}": data for path, data in kept.items()}
        if all(not place.exists() or place.read_bytes() == data for place, data in places.items()):
            return label
    # The same evidence with another receipt is kept there already.
    return f"{digest}.{secrets.token_hex(8)}"


def _described(kind: str, content: FileDigest | Manifest, disclosure: str) -> dict[str, Any]:
    """What the commitment itself says of the artifact: nothing where it is sealed."""
    if kind == "dataset" and disclosure != "sealed":
        files = len(content.items) if isinstance(content, Manifest) else 1
        described: dict[str, Any] = {"partitions": files} if files else {}
        if disclosure == "public" and isinstance(content, Manifest):
            described["manifest"] = bytes.fromhex(content.sha256)
        return described
    if kind == "preregistration" and disclosure == "public" and isinstance(content, FileDigest):
        return {"plan": bytes.fromhex(content.sha256)}
    return {}


def _code(path: Path) -> dict[str, Any]:
    code = describe_code(path.absolute().parent)
    return {**code.to_json(), "gaps": list(code.gaps)}


def reference(project: Project, rel: str, target: bytes | str | Path) -> Ref:
    """A reference to an entry by its id, by its receipt file, or by an artifact that has a receipt beside it.

    Raises ProjectError where there is no valid receipt.
    """
    if isinstance(target, bytes):
        return Ref(rel, target)
    if isinstance(target, str) and len(target) == 64:
        try:
            return Ref(rel, bytes.fromhex(target))
        except ValueError:
            pass
    path = artifact_path(target)
    place = path if is_receipt(path) else receipt_beside(path)
    found = read_receipt(project, place)
    if found is not None:
        return Ref(rel, found.id)
    pending = outbox_of(project).find(place)
    if pending is not None:
        return Ref(rel, bytes.fromhex(pending.id))
    raise ProjectError(
        f"{target} is neither an entry id nor something with a valid receipt ({stem_of(place)}.receipt.json)"
    )
