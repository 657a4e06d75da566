"""Closes runs that began and never ended: their end says that nobody knows how they ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from notarium.anchoring import journal
from notarium.anchoring.commit import Disclosure
from notarium.anchoring.earlier import Earlier
from notarium.anchoring.open_runs import OpenRun, RunState
from notarium.anchoring.outbox import now_ms, outbox_of
from notarium.anchoring.run_facts import KIND, RunFacts, RunStatus, SignedRun, sign_run
from notarium.errors import NotariumError, ProjectError
from notarium.ledger_access.receipt_file import find_receipt
from notarium.project import Project
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.commitment import Body
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import LedgerError

_KNOWN_AT_START = ("command", "code", "secrets_salt")


def close(project: Project, run: OpenRun, directory: Path) -> SignedRun | None:
    """Sign the end of `run`, with the status "unknown", into `directory`; nothing is sent yet.

    None where its end is signed already, and only its file was left, as after a power cut. Raises ProjectError for a
    run that is running or has a draft, and NotariumError.
    """
    if run.state is RunState.RUNNING:
        raise ProjectError(f"the run {run.name!r} ({run.id}) is running: its process records its end")
    if run.state is RunState.DRAFT:
        raise ProjectError(f"the run {run.name!r} ({run.id}) has ended: run 'notarium complete {run.draft}' to sign it")
    start = Earlier.find(project, run.start_place)
    if start.id is not None and _has_end(project, start.id):
        run.forget()
        return None
    closed = iso_time(now_ms())
    facts: dict[str, Any] = dict(start.record.facts) if start.record is not None else {}
    ended = RunFacts(
        name=run.name,
        status=RunStatus.UNKNOWN,
        started_ms=run.started_ms,
        ended_ms=None,
        commit="",
        disclosure=str(start.body["disclosure"]) if start.body is not None else Disclosure.CONSORTIUM,
        artifacts=(),
        refs=(("ends", run.start_place),),
        facts={
            "name": run.name,
            "status": RunStatus.UNKNOWN.value,
            "run_id": run.id,
            "started": facts.get("started", iso_time(run.started_ms)),
            "closed": closed,
            **{name: facts[name] for name in _KNOWN_AT_START if name in facts},
            "gaps": [
                *(facts["gaps"] if isinstance(facts.get("gaps"), list) else ()),
                "how and when this run ended is not known: its process left without a word, and it was closed by hand "
                f"at {closed}. Its parameters, metrics, inputs and outputs are not recorded",
            ],
        },
    )
    signed = sign_run(project, ended, directory)
    run.forget()
    return signed


def _has_end(project: Project, start: bytes) -> bool:
    """Whether a run that was signed here refers to this start as its end."""
    ends = {"rel": "ends", "entry": start}
    return any(ends in body.get("refs", ()) for body in _signed_runs(project))


def _signed_runs(project: Project) -> Iterator[Body]:
    outbox = outbox_of(project)
    for line in journal.read(project.folder):
        if line.kind != KIND:
            continue
        with suppress(NotariumError, LedgerError, OSError):
            # What cannot be read does not prove that the run has ended.
            waiting = outbox.get(line.id)
            if waiting is not None:
                yield decode_entry(waiting.entry).body
            elif found := find_receipt(project.folder.absolute().parent / line.receipt, project.genesis):
                yield found.body
