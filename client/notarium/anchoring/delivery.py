"""From the outbox to the receipt: send signed entries, write their receipts, sign again what was refused.

No reference is left dangling: an entry is sent only when nothing that it refers to is still waiting. So it is still
here, and can be signed again, when the entry it refers to gets another id.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from pathlib import Path

from notarium.anchoring.commit import keep, sign, write_record
from notarium.anchoring.outbox import Outbox, Waiting, WaitingState, now_ms, outbox_of
from notarium.errors import (
    ExitCode,
    InvalidRecordFile,
    NodeReport,
    NotAnchored,
    NotariumError,
    NotDecided,
    ProjectError,
    QuotaUsedUp,
    Rejected,
    Unreachable,
    Unwritable,
)
from notarium.evidence.author import Author
from notarium.evidence.record import MAX_RECORD_BYTES, Record
from notarium.files import read_regular, write_atomically
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.receipt_file import find_receipt
from notarium.naming import record_of
from notarium.project import Project
from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import Entry, decode_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.genesis import Genesis

START = "run-start"
BACKLOG = 32
"""At most this many older entries are sent after one that was anchored."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome for one waiting entry."""

    waiting: Waiting
    receipt: VerifiedReceipt | None
    error: NotariumError | None = None


def send(project: Project, waiting: Waiting, timeout: float) -> Delivery:
    """Send one entry and, where that works, what else is waiting in the outbox, within `timeout` seconds."""
    started = time.monotonic()
    with _client(project, timeout) as client:
        *before, delivery = _deliver(client, project, [waiting], timeout)
        left = timeout - (time.monotonic() - started)
        if delivery.receipt is not None and left > 0:
            _deliver(client, project, outbox_of(project).list()[:BACKLOG], left)
    start = next((each for each in before if each.error is not None and each.waiting.kind == START), None)
    if start is None or delivery.receipt is not None:
        return delivery
    # Nobody has asked for the start of a run: why that cannot be anchored is why the run cannot.
    return Delivery(replace(delivery.waiting, state=start.waiting.state), None, start.error)


def deliver(project: Project, waiting: Sequence[Waiting], timeout: float) -> list[Delivery]:
    """Send entries from the outbox and write their receipts. `timeout`: seconds for all of them but the last call.

    What an entry refers to goes first, where that is waiting too, whether it is in `waiting` or not.
    An entry that fails stays in the outbox with the reason; the error is in the result and is not raised.
    """
    if not waiting:
        return []
    with _client(project, timeout) as client:
        return _deliver(client, project, waiting, timeout)


def waits(error: NotariumError) -> str:
    """For people: why the entry waits in the outbox."""
    # These two begin with what has become of the entry.
    text = str(error) if isinstance(error, NotDecided | Rejected) else f"not anchored yet: {error}"
    return f"{text} It waits in the outbox." if text.endswith(".") else f"{text}; it waits in the outbox"


def _client(project: Project, timeout: float) -> BlockingClient:
    return BlockingClient(project.genesis, project.nodes, timeout=timeout)


def _deliver(client: BlockingClient, project: Project, waiting: Sequence[Waiting], timeout: float) -> list[Delivery]:
    outbox = outbox_of(project)
    queue = _targets_first(waiting, outbox)
    unsigned: NotariumError | None = None
    if any(each.refused for each in queue):
        try:
            renewed = _sign_again(project, outbox)
            queue = [renewed.get(each.id, each) for each in queue]
        except NotariumError as error:
            unsigned = error
    results: list[Delivery] = []
    deadline = time.monotonic() + timeout
    obstacle: NotariumError | None = None
    for each in queue:
        if obstacle is None and time.monotonic() > deadline:
            obstacle = Unreachable(
                [NodeReport("all nodes", f"not asked: the time limit of {timeout:.0f} s has passed")]
            )
        done = _deliver_one(client, project, each, timeout, obstacle or (unsigned if each.refused else None))
        # What holds for all nodes and entries: the rest of a hundred entries does not wait for the same again.
        if obstacle is None and _is_general(done.error):
            obstacle = done.error
        results.append(done)
    return results


def _deliver_one(
    client: BlockingClient, project: Project, waiting: Waiting, timeout: float, obstacle: NotariumError | None
) -> Delivery:
    """Send one entry, unless there is an `obstacle` already; remove it from the outbox once its receipt is written."""
    outbox = outbox_of(project)
    try:
        if obstacle is not None:
            raise obstacle
        _check_targets(waiting, outbox)
        receipt = client.submit_entry(waiting.entry, timeout)
        _write_receipt(waiting.receipt_path, receipt, project.genesis)
    except NotariumError as error:
        return _failed(project, waiting, error)
    except LedgerError as error:
        return _failed(project, waiting, ProjectError(f"not a valid entry: {error}"))
    outbox.remove(waiting.id)
    return Delivery(waiting, receipt)


def _is_general(error: NotariumError | None) -> bool:
    """Whether the entries after this one would fail like it: no node can be reached, or the quota is used up."""
    return error is not None and (error.exit_code is ExitCode.UNREACHABLE or isinstance(error, QuotaUsedUp))


def targets(waiting: Waiting) -> set[str]:
    """The ids that an entry refers to, hex."""
    entry = _entry(waiting)
    return {each["entry"].hex() for each in entry.body.get("refs", ())} if entry else set()


def _entry(waiting: Waiting) -> Entry | None:
    """None for bytes that are not a valid entry; sending them reports the error."""
    try:
        return decode_entry(waiting.entry)
    except LedgerError:
        return None


def _targets_first(waiting: Sequence[Waiting], outbox: Outbox) -> list[Waiting]:
    """`waiting` and what these refer to in the outbox, each after everything that it refers to."""
    known = {each.id: each for each in waiting}
    graph: dict[str, set[str]] = {}
    ahead = list(waiting)
    for each in ahead:
        graph[each.id] = targets(each)
        for id_ in graph[each.id] - known.keys():
            # A damaged file is reported when the entry that refers to it is sent.
            with suppress(ProjectError):
                if found := outbox.get(id_):
                    known[id_] = found
                    ahead.append(found)
    return [known[id_] for id_ in TopologicalSorter(graph).static_order() if id_ in known]


def _check_targets(waiting: Waiting, outbox: Outbox) -> None:
    """Raise NotAnchored where the entry refers to one that is still waiting, and may get another id."""
    for id_ in sorted(targets(waiting)):
        if outbox.get(id_):
            raise NotAnchored(
                f"refers to {id_[:16]}…, which must be anchored first; run 'notarium status' to see why it waits"
            )


def _sign_again(project: Project, outbox: Outbox) -> dict[str, Waiting]:
    """Refused entries signed again where issuer or key has changed since, and all that refer to them, by the old id.

    A typical refusal is that of a key which is not enrolled, or enrolled by another institution. The record names the
    new author before the new entry is kept. All new entries are kept before the first old one is removed, and no old
    one is removed before those that refer to it. Raises NotariumError, also for a damaged file, which may refer to one.
    """
    outbox.check()
    key = project.key()
    author = project.author(key)
    renewed: dict[str, Waiting] = {}
    records: dict[Path, Record] = {}
    for each in _targets_first(outbox.list(), outbox):
        entry = _entry(each)
        if entry is None:
            continue
        outdated = each.refused and (entry.key != author.key or entry.body.get("issuer") != author.issuer)
        if not outdated and targets(each).isdisjoint(renewed):
            continue
        place = record_of(each.receipt_path)
        records[place] = _record_by(author, place, entry)
        raw = sign(project, _renewed_body(entry, author, records[place], renewed), key)
        renewed[each.id] = replace(each, entry=raw, created_ms=now_ms(), reason="", state=WaitingState.PENDING)
    for place, record in records.items():
        write_record(place, record.encode(key))
    for each in renewed.values():
        keep(project, each)
    for id_ in reversed(renewed):
        outbox.remove(id_)
    return renewed


def _record_by(author: Author, place: Path, entry: Entry) -> Record:
    """The record that `entry` commits to, as one by `author`. Raises NotariumError.

    After a crash the record on the disk may name the new author already: all but the author must be what it was.
    """
    try:
        record = Record.decode(read_regular(place, MAX_RECORD_BYTES))
    except (OSError, InvalidRecordFile) as error:
        raise _not_renewable(entry, f"its record {place} cannot be read ({error})") from error
    if record.by(Author.of(entry)).digest != entry.body.get("record"):
        raise _not_renewable(entry, f"{place} is not the record that it commits to")
    return record.by(author)


def _not_renewable(entry: Entry, why: str) -> ProjectError:
    id_ = entry.id.hex()[:16]
    return ProjectError(
        f"{id_}… cannot be signed again: {why}; restore that file, or run "
        f"'notarium status --drop {id_}' and anchor again"
    )


def _renewed_body(entry: Entry, author: Author, record: Record, renewed: Mapping[str, Waiting]) -> Body:
    """The entry's body by this author, and with the new ids of the entries that were signed again."""
    body = {**entry.body, "issuer": author.issuer, "project": author.project, "record": record.digest}
    if "refs" in body:
        ids = {old: leaf_hash(new.entry) for old, new in renewed.items()}
        body["refs"] = [{**ref, "entry": ids.get(ref["entry"].hex(), ref["entry"])} for ref in body["refs"]]
    return body


def _failed(project: Project, waiting: Waiting, error: NotariumError) -> Delivery:
    state = _state_after(error)
    if waiting.refused and state is not WaitingState.REFUSED:
        # The reason for a refusal is worth more than that no node could be asked today.
        return Delivery(waiting, None, error)
    noted = replace(waiting, reason=str(error), state=state)
    outbox = outbox_of(project)
    try:
        # Not there any more: another thread or process has sent it meanwhile.
        if outbox.has(waiting.id):
            outbox.put(noted)
    except OSError:
        # The entry itself is in the outbox already; only the newer reason is not.
        return Delivery(waiting, None, error)
    return Delivery(noted, None, error)


def _state_after(error: NotariumError) -> WaitingState:
    if isinstance(error, Rejected | ProjectError):
        return WaitingState.REFUSED
    return WaitingState.QUOTA if isinstance(error, QuotaUsedUp) else WaitingState.PENDING


def _write_receipt(path: Path, receipt: VerifiedReceipt, genesis: Genesis) -> None:
    """Never over anything but a receipt of the same entry: the outbox may come from somebody else."""
    try:
        known = find_receipt(path, genesis) if os.path.lexists(path) else receipt
        if known is None or known.id != receipt.id:
            raise NotAnchored(
                f"anchored, but {path.name} is already there and not its receipt: move {path} away, then run "
                "'notarium status --flush'"
            )
        write_atomically(path, receipt.file_bytes())
    except OSError as error:
        raise Unwritable(f"the receipt {path} cannot be written", path.parent, error) from error
