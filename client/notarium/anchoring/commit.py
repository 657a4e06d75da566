"""From evidence to receipt: write the bundle, sign the commitment, keep it in the outbox, send it, write the receipt.

The order makes every crash harmless: evidence first, then the signed entry in the outbox, then the network. An entry
leaves the outbox only when its receipt is on disk.

No reference leads to nothing: an entry is sent only when nothing that it refers to waits any more, and so it is still
here to be signed anew where its target gets another id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from notarium.anchoring import journal
from notarium.anchoring.outbox import Outbox, Waiting, now_ms
from notarium.errors import (
    ExitCode,
    NodeReport,
    NotAnchored,
    NotariumError,
    ProjectError,
    Rejected,
    Unreachable,
    UnreadableArtifact,
)
from notarium.evidence.statement import Bundle, bundle_digest
from notarium.files import write_atomically
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.naming import bundle_of
from notarium.project import Project
from notarium_ledger.entries.commitment import BODY_VERSION, Body
from notarium_ledger.entries.entry import Entry, decode_entry, sign_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.log.hashes import leaf_hash

DISCLOSURES = ("public", "consortium", "sealed")
MAX_SUBJECTS = 64
BACKLOG = 32
"""So many older entries are sent along after one that went through."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference to another entry: the relation and the entry's id."""

    rel: str
    entry: bytes

    def to_value(self) -> dict[str, Any]:
        """{rel, entry}."""
        return {"rel": self.rel, "entry": self.entry}


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a waiting entry."""

    waiting: Waiting
    receipt: VerifiedReceipt | None
    error: NotariumError | None = None


def outbox_of(project: Project) -> Outbox:
    """The project's outbox."""
    return Outbox(project.folder / "outbox", project.genesis)


def make_body(
    project: Project,
    bundle: Bundle,
    digest: bytes,
    *,
    fields: Mapping[str, Any],
    refs: Sequence[Ref],
    disclosure: str,
) -> Body:
    """The commitment to `bundle`, whose file has `digest`. Digests of artifacts go in only where all is public."""
    if disclosure not in DISCLOSURES:
        raise ProjectError(f"disclosure {disclosure!r} is none of {', '.join(DISCLOSURES)}")
    body: Body = {
        "v": BODY_VERSION,
        "kind": bundle.kind,
        "issuer": project.issuer_or_fail(),
        "project": project.name,
        "disclosure": disclosure,
        "bundle": digest,
        **fields,
    }
    if refs:
        body["refs"] = [each.to_value() for each in dict.fromkeys(refs)]
    if disclosure == "public" and bundle.artifacts:
        body["subjects"] = [
            {"digest": bytes.fromhex(each.sha256), "role": each.role, "name": each.name[-255:]}
            for each in bundle.artifacts[:MAX_SUBJECTS]
        ]
    return body


def commit(
    project: Project,
    bundle: Bundle,
    receipt_path: Path,
    *,
    fields: Mapping[str, Any] | None = None,
    refs: Sequence[Ref] = (),
    disclosure: str = "consortium",
    make_room: Callable[[], None] = lambda: None,
) -> Waiting:
    """Write the bundle beside `receipt_path` and put the signed entry into the outbox; nothing is sent yet.

    `make_room` is called when all is signed and nothing is written yet, to put away what stands in the place.
    Raises ProjectError (no key, no issuer, a field that the schema refuses) before anything is written.
    """
    data = bundle.encode()
    body = make_body(project, bundle, bundle_digest(data), fields=fields or {}, refs=refs, disclosure=disclosure)
    waiting = Waiting(_sign(project, body), receipt_path, bundle.kind, now_ms())
    make_room()
    try:
        write_atomically(bundle_of(receipt_path), data)
    except OSError as error:
        raise UnreadableArtifact(str(error.filename or receipt_path), f"cannot be written: {error.strerror}") from error
    _keep(project, waiting)
    return waiting


def _sign(project: Project, body: Body) -> bytes:
    """The wire bytes of the entry. Raises ProjectError."""
    try:
        entry = sign_entry(project.key(), project.genesis.hash, body)
    except LedgerError as error:
        raise ProjectError(f"this {body['kind']} cannot be committed to: {error}") from error
    limit = project.genesis.registry.parameters.max_entry_bytes
    if len(entry) > limit:
        raise ProjectError(
            f"the commitment has {len(entry)} bytes, {limit} are allowed: use fewer subjects and references"
        )
    return entry


def _keep(project: Project, waiting: Waiting) -> None:
    """Put a newly signed entry into the outbox and the log."""
    place = _relative(waiting.receipt_path, project.folder)
    try:
        outbox_of(project).put(waiting)
        journal.append(project.folder, journal.JournalLine(waiting.created_ms, waiting.id, waiting.kind, place))
    except OSError as error:
        raise UnreadableArtifact(str(error.filename or place), f"cannot be written: {error.strerror}") from error


def send(project: Project, waiting: Waiting, timeout: float) -> Delivery:
    """Send one entry and, where that works, what else has been waiting in the outbox, within `timeout` seconds."""
    started = time.monotonic()
    *_, delivery = deliver(project, [waiting], timeout)
    left = timeout - (time.monotonic() - started)
    if delivery.receipt is not None and left > 0:
        try:
            backlog = outbox_of(project).list()
        except ProjectError:
            # A damaged file is told by `notarium status`; it is not about this entry.
            return delivery
        deliver(project, backlog[:BACKLOG], left)
    return delivery


def deliver(project: Project, waiting: Sequence[Waiting], timeout: float) -> list[Delivery]:
    """Send entries from the outbox and write their receipts. `timeout`: seconds for all of them, give or take the last.

    Before an entry goes what it refers to, where that waits too, whether it is in `waiting` or not.
    An entry that fails stays in the outbox with the reason; nothing is raised for it, the result says so.
    """
    if not waiting:
        return []
    outbox = outbox_of(project)
    queue = _targets_first(waiting, outbox)
    unsigned: NotariumError | None = None
    if any(each.refused for each in queue):
        try:
            anew = _signed_anew(project, outbox)
            queue = [anew.get(each.id, each) for each in queue]
        except NotariumError as error:
            unsigned = error
    results: list[Delivery] = []
    deadline = time.monotonic() + timeout
    with BlockingClient(project.genesis, project.nodes, timeout=timeout) as client:
        unreachable: NotariumError | None = None
        for each in queue:
            if unreachable is None and time.monotonic() > deadline:
                unreachable = Unreachable([NodeReport("all nodes", f"not asked any more after {timeout:.0f} s")])
            if unreachable is not None:
                # The nodes did not answer a moment ago; each of a hundred entries need not wait for that again.
                results.append(_failed(project, each, unreachable))
                continue
            try:
                if unsigned is not None and each.refused:
                    raise unsigned
                _check_targets(each, outbox)
                receipt = client.submit_entry(each.entry)
                _write_receipt(each.receipt_path, receipt)
            except NotariumError as error:
                unreachable = error if error.exit_code is ExitCode.UNREACHABLE else None
                results.append(_failed(project, each, error))
            except LedgerError as error:
                results.append(_failed(project, each, ProjectError(f"not a valid entry: {error}")))
            else:
                outbox.remove(each.id)
                results.append(Delivery(each, receipt))
    return results


def targets(waiting: Waiting) -> set[str]:
    """The ids that an entry refers to, hex."""
    entry = _entry(waiting)
    return {each["entry"].hex() for each in entry.body.get("refs", ())} if entry else set()


def _entry(waiting: Waiting) -> Entry | None:
    """None for what is no entry, as `deliver` says when it is to be sent."""
    try:
        return decode_entry(waiting.entry)
    except LedgerError:
        return None


def _targets_first(waiting: Sequence[Waiting], outbox: Outbox) -> list[Waiting]:
    """`waiting` and what these refer to in the outbox, each behind all that it refers to."""
    known = {each.id: each for each in waiting}
    graph: dict[str, set[str]] = {}
    ahead = list(waiting)
    for each in ahead:
        graph[each.id] = targets(each)
        for id_ in graph[each.id] - known.keys():
            # A damaged file is told where the entry that refers to it is to be sent.
            with suppress(ProjectError):
                if found := outbox.get(id_):
                    known[id_] = found
                    ahead.append(found)
    return [known[id_] for id_ in TopologicalSorter(graph).static_order() if id_ in known]


def _check_targets(waiting: Waiting, outbox: Outbox) -> None:
    """Raise NotAnchored where the entry refers to one that still waits, and might get another id."""
    for id_ in sorted(targets(waiting)):
        if outbox.get(id_):
            raise NotAnchored(
                f"refers to {id_[:16]}…, which must be anchored first; 'notarium status' says what it lacks"
            )


def _signed_anew(project: Project, outbox: Outbox) -> dict[str, Waiting]:
    """Refused entries signed again where issuer or key has changed since, and all that refers to them, by the old id.

    A typical refusal is that of a key which is not enrolled, or enrolled by another institution. All new entries are
    kept before the first old one goes, and no old one goes before those that refer to it. Raises NotariumError.
    """
    issuer, key = project.issuer_or_fail(), project.key().public
    anew: dict[str, Waiting] = {}
    for each in _targets_first(outbox.list(), outbox):
        entry = _entry(each)
        if entry is None:
            continue
        outdated = each.refused and (entry.key != key or entry.body.get("issuer") != issuer)
        if not outdated and targets(each).isdisjoint(anew):
            continue
        raw = _sign(project, _moved(entry, issuer, anew))
        anew[each.id] = replace(each, entry=raw, created_ms=now_ms(), reason="", refused=False)
    for each in anew.values():
        _keep(project, each)
    for id_ in reversed(anew):
        outbox.remove(id_)
    return anew


def _moved(entry: Entry, issuer: str, anew: Mapping[str, Waiting]) -> Body:
    """The entry's body with this issuer, and with the new ids of what was signed anew."""
    body = {**entry.body, "issuer": issuer}
    if "refs" in body:
        ids = {old: leaf_hash(new.entry) for old, new in anew.items()}
        body["refs"] = [{**ref, "entry": ids.get(ref["entry"].hex(), ref["entry"])} for ref in body["refs"]]
    return body


def _failed(project: Project, waiting: Waiting, error: NotariumError) -> Delivery:
    refused = isinstance(error, Rejected | ProjectError)
    if waiting.refused and not refused:
        # Why it was refused says more than that today nobody could be asked.
        return Delivery(waiting, None, error)
    noted = replace(waiting, reason=str(error), refused=refused)
    try:
        outbox_of(project).put(noted)
    except OSError:
        # The entry itself is in the outbox already; only the newer reason is not.
        return Delivery(waiting, None, error)
    return Delivery(noted, None, error)


def _write_receipt(path: Path, receipt: VerifiedReceipt) -> None:
    try:
        write_atomically(path, receipt.file_bytes())
    except OSError as error:
        raise UnreadableArtifact(str(path), f"the receipt cannot be written: {error.strerror}") from error


def _relative(path: Path, folder: Path) -> str:
    absolute, base = path.absolute(), folder.absolute().parent
    return absolute.relative_to(base).as_posix() if absolute.is_relative_to(base) else str(absolute)
