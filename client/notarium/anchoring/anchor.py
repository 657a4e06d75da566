"""Anchor a file or folder: hash it, write the record beside it, have the commitment decided, write the receipt."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from notarium.anchoring.commit import Disclosure, Ref, check_commitment, commit
from notarium.anchoring.delivery import send
from notarium.anchoring.described import described_artifacts
from notarium.anchoring.earlier import Earlier
from notarium.anchoring.outbox import Waiting
from notarium.errors import ExitCode, NotariumError, ProjectError
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents, gaps_of
from notarium.evidence.hashing import OnProgress
from notarium.evidence.inventory import Selection, hash_path
from notarium.evidence.names import check_name
from notarium.evidence.predicate import OBSERVED
from notarium.evidence.record import Record, check_facts
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.naming import artifact_path, check_no_draft, is_receipt, is_record, receipt_beside, record_of
from notarium.observing.code import observe_code
from notarium.project import Project, find_project, other_project
from notarium.values.as_json import to_json
from notarium.values.secrets import Secrets
from notarium_ledger.encoding.json_file import iso_time

ANCHOR_S = 30.0


class AnchorStatus(StrEnum):
    """The outcome of anchoring an artifact or a run."""

    ANCHORED = "anchored"
    UNCHANGED = "unchanged"
    """An earlier receipt still holds."""
    PENDING = "pending"
    """In the outbox; it is sent later."""
    QUOTA = "quota"
    """In the outbox; it is sent as soon as the quota of its author has room again."""
    REFUSED = "refused"
    """In the outbox until its cause is fixed or it is dropped."""
    NOT_ANCHORED = "not-anchored"
    """Of a run: nothing could be signed."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """The outcome of anchoring one artifact."""

    path: Path
    status: AnchorStatus
    id: str
    """The entry's id, hex."""
    kind: str
    receipt_path: Path
    record_path: Path
    receipt: VerifiedReceipt | None = None
    error: NotariumError | None = None
    """Why it is pending or refused."""
    other_project: Path | None = None
    """The root of another project that the path lies in; that of the current folder was used."""

    @property
    def exit_code(self) -> ExitCode:
        """For the command line."""
        return ExitCode.OK if self.error is None else self.error.exit_code

    def __repr__(self) -> str:
        at = f" · block {self.receipt.height} · #{self.receipt.index}" if self.receipt else ""
        return f"<Anchored {self.status} {str(self.path)!r} · {self.kind} · {self.id[:16]}…{at}>"

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        result: dict[str, Any] = {
            "path": str(self.path),
            "status": self.status.value,
            "id": self.id,
            "kind": self.kind,
            "receipt": str(self.receipt_path),
            "record": str(self.record_path),
        }
        if self.receipt is not None:
            result |= {
                "index": self.receipt.index,
                "height": self.receipt.height,
                "time": iso_time(self.receipt.time_ms),
            }
        if self.error is not None:
            result["reason"] = str(self.error)
        if self.other_project is not None:
            result["other_project"] = str(self.other_project)
        return result


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be committed to, prepared but not signed."""

    project: Project
    path: Path
    record: Record
    fields: Mapping[str, Any]
    refs: Sequence[Ref]
    disclosure: str

    @property
    def receipt_path(self) -> Path:
        return receipt_beside(self.path)


def anchor(
    path: Path | str,
    kind: str = "dataset",
    *,
    project: Project | None = None,
    facts: Mapping[str, Any] | None = None,
    fields: Mapping[str, Any] | None = None,
    refs: Sequence[Ref] = (),
    disclosure: str = Disclosure.CONSORTIUM,
    timeout: float = ANCHOR_S,
    strict: bool = False,
    deep: bool = False,
    exclude: Sequence[str] = (),
    follow: bool = False,
    on_progress: OnProgress | None = None,
) -> Anchored:
    """Anchor the file or folder at `path`.

    `facts` go into the record (off the ledger), `fields` into the commitment (on it). Anchoring an unchanged
    artifact again in the same way does nothing. Where the content or what is said about it has changed, it is committed
    to again, with a reference to the entry that this supersedes. Only an entry of the same kind is superseded.
    Where no node answers within `timeout` seconds the signed entry waits in the outbox; `strict` raises instead.
    The project is that of the current folder, wherever `path` lies.
    `exclude`: patterns, as in `.notariumignore`, of what is left out of a folder. `follow`: follow also links that lead
    out of the artifact and its project.
    Raises ProjectError, UnreadableArtifact, Unwritable, and with `strict` Rejected, QuotaUsedUp, Unreachable or
    LyingNode.
    """
    project = project or find_project()
    chosen = artifact_path(path)
    if is_receipt(chosen) or is_record(chosen):
        raise ProjectError(f"{chosen} is itself a receipt or a record; name the file or folder that it is about")
    check_no_draft(chosen)
    check_name(chosen.parent, chosen.name)
    earlier = Earlier.find(project, receipt_beside(chosen))
    earlier.check_issuer(chosen, project)
    earlier.check_kind(chosen, kind)
    # All that can be said now is said before the first byte is hashed.
    project.author(project.key())
    asked = [*refs, *earlier.superseded]
    check_commitment(project, kind, fields=fields or {}, refs=asked, disclosure=disclosure)
    check_facts(facts or {}, taken_too=OBSERVED)
    selection = Selection.of(exclude, follow)
    content = hash_path(chosen, selection, cache=project.homes.digest_cache(), deep=deep, on_progress=on_progress)
    record = _record(chosen, kind, content, _without_secrets(facts or {}, earlier))
    prepared = {**_described(kind, content, disclosure), **(fields or {})}
    request = _Request(project, chosen, record, prepared, refs, disclosure)
    if not earlier.matches(record, prepared, refs, disclosure):
        return _send(request, _commit(request, earlier), timeout, strict)
    if earlier.receipt is not None:
        return _unchanged(request, earlier.receipt)
    if earlier.waiting is None:
        raise ProjectError(
            f"{record_of(request.receipt_path)} has neither a receipt nor an entry in the outbox; "
            "move it away and anchor again"
        )
    return _send(request, earlier.waiting, timeout, strict)


def _record(path: Path, kind: str, content: Contents, said: Mapping[str, Any]) -> Record:
    """`said`: the researcher's facts, with gaps."""
    artifacts = [Artifact.of(path.name, "subject", content)]
    described, gaps = described_artifacts(kind, artifacts, path.parent)
    gaps = [*gaps_of(content), *gaps, *said["gaps"]]
    return Record.new(kind, artifacts, {**described, **said, "gaps": gaps, "code": _code(path)})


def _commit(request: _Request, earlier: Earlier) -> Waiting:
    """Sign the new commitment, and move the files that it supersedes away."""
    return commit(
        request.project,
        request.record,
        request.receipt_path,
        fields=request.fields,
        refs=[*request.refs, *earlier.superseded],
        disclosure=request.disclosure,
        make_room=functools.partial(earlier.put_aside, request.project, request.receipt_path),
    )


def _unchanged(request: _Request, receipt: VerifiedReceipt) -> Anchored:
    place = request.receipt_path
    return Anchored(
        path=request.path,
        status=AnchorStatus.UNCHANGED,
        id=receipt.id.hex(),
        kind=request.record.kind,
        receipt_path=place,
        record_path=record_of(place),
        receipt=receipt,
        other_project=other_project(request.path, request.project.root),
    )


def _send(request: _Request, waiting: Waiting, timeout: float, strict: bool) -> Anchored:
    delivery = send(request.project, waiting, timeout)
    if delivery.error is not None and strict:
        raise delivery.error
    # Not the entry from before: a refused one may have been signed again.
    waiting = delivery.waiting
    status = AnchorStatus.ANCHORED if delivery.receipt is not None else AnchorStatus(waiting.state)
    return Anchored(
        path=request.path,
        status=status,
        id=waiting.id,
        kind=waiting.kind,
        receipt_path=waiting.receipt_path,
        record_path=record_of(waiting.receipt_path),
        receipt=delivery.receipt,
        error=delivery.error,
        other_project=other_project(request.path, request.project.root),
    )


def _described(kind: str, content: Contents, disclosure: str) -> dict[str, Any]:
    """What the commitment itself says about the artifact: nothing where it is sealed."""
    digest = bytes.fromhex(content.sha256)
    is_public = disclosure == Disclosure.PUBLIC
    if kind == "dataset" and disclosure != Disclosure.SEALED:
        described: dict[str, Any] = {"partitions": content.files} if content.files else {}
        return {**described, "manifest": digest} if is_public and content.is_folder else described
    if kind == "preregistration" and is_public and not content.is_folder:
        return {"plan": digest}
    return {}


def _without_secrets(facts: Mapping[str, Any], earlier: Earlier) -> dict[str, Any]:
    # With the salt of the record that it may be equal to, because the same secret is no change.
    known = earlier.record.facts.get("secrets_salt", "") if earlier.record is not None else ""
    secrets = Secrets(str(known))
    unknown: dict[str, None] = {}
    plain = to_json(facts, on_unknown=unknown.setdefault)
    said: dict[str, Any] = {"gaps": [], **secrets.nested(plain, "the facts")}
    classes = [f"the facts hold objects of the class {each}: only the class is recorded" for each in unknown]
    named = said["gaps"] if isinstance(said["gaps"], list) else [said["gaps"]]
    said["gaps"] = [*map(str, named), *classes, *secrets.notices]
    return {**said, **secrets.salted()}


def _code(path: Path) -> dict[str, Any]:
    code = observe_code(path.absolute().parent)
    return {**code.to_json(), "gaps": list(code.gaps)}
