"""What `show` does and prints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from notarium import terminal
from notarium.anchoring import journal
from notarium.cli.ids import wanted_id
from notarium.cli.output import Printer, ledger_of, shown
from notarium.cli.record_view import as_document, sections_of
from notarium.errors import ExitCode, InvalidRecordFile, ProjectError
from notarium.evidence.author import Author
from notarium.evidence.record import Record, read_record
from notarium.explaining.opening import open_record, place_of
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.describing import describe_receipt
from notarium.ledger_access.priority import earlier_by_others
from notarium.naming import artifact_path, check_no_draft, is_receipt, is_record, record_of, stem_of
from notarium.project import Project, find_project, trusted_genesis
from notarium.verifying.verification import Verifying
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.state.genesis import Genesis


def show_target(target: str, genesis: Path | None, timeout: float, *, as_json: bool) -> int:
    """Show an entry and what it committed to; the exit code."""
    printer = Printer(as_json)
    path = artifact_path(target)
    place = place_of(path)
    if path.exists() or is_receipt(path) or is_record(path) or place.exists() or record_of(place).exists():
        return _show_file(printer, path, place, genesis)
    here = find_project(genesis_file=genesis)
    wanted = wanted_id(here, target)
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        receipt = client.receipt(wanted)
        earlier = earlier_by_others(client, receipt)
    said = {**ledger_of(here.genesis), **describe_receipt(receipt)}
    record = _record_in_log(here, receipt)
    if printer.as_json:
        said["contents"] = None if record is None else as_document(record)
        said["earlier"] = [{"digest": digest, **describe_receipt(each)} for digest, each in earlier.items()]
    _print(printer, said, record, receipt)
    for digest, each in earlier.items():
        who = f"{Author.of(each.entry)} at {iso_time(each.time_ms)} (#{each.index})"
        printer.line(f"{digest} was first named by {shown(who)}; this came later")
    return ExitCode.OK


def _show_file(printer: Printer, path: Path, place: Path, genesis: Path | None) -> int:
    """What the receipt at `place` and the record beside it say; no node is asked."""
    pinned = trusted_genesis(genesis)
    if not place.exists():
        check_no_draft(path)
        if record_of(place).exists():
            opened = open_record(path, pinned)
            return _show_unanchored(printer, path, opened.side.record, pinned)
    result = Verifying(pinned, receipt_only=True).verify_receipt_file(place)
    if result.receipt is None:
        printer.verification(result)
        printer.data(result.to_json())
        return result.status.exit_code
    said = {**ledger_of(pinned), **describe_receipt(result.receipt)}
    record, problem = _record_beside(place, result.receipt)
    if printer.as_json:
        said["contents"] = None if record is None else as_document(record)
    _print(printer, said, record, result.receipt)
    if problem:
        printer.note(f"what was committed to is not shown: {shown(problem)}")
    printer.line("Whether another named its digests first is not in a receipt: 'notarium find DIGEST' asks the nodes.")
    return ExitCode.OK


def _show_unanchored(printer: Printer, path: Path, record: Record, genesis: Genesis) -> int:
    """A record without a receipt: nobody has proven when it was there."""
    document = {"status": "not-anchored", **ledger_of(genesis), "contents": as_document(record)}
    printer.data(document)
    printer.line(f"[yellow]not-anchored[/] {shown(str(path))}  {record.kind} · {shown(str(record.author))}")
    _sections(printer, record, None)
    return ExitCode.NOT_ANCHORED


def _record_beside(place: Path, receipt: VerifiedReceipt) -> tuple[Record | None, str]:
    """The record that `receipt` commits to, or why it is not shown."""
    try:
        return read_record(record_of(place), receipt.entry), ""
    except FileNotFoundError:
        return None, f"there is no {record_of(place)}"
    except (OSError, InvalidRecordFile) as error:
        return None, f"{record_of(place)}: {error}"


def _record_in_log(here: Project, receipt: VerifiedReceipt) -> Record | None:
    """The record of an entry that was signed in this project."""
    for line in journal.read(here.folder):
        if line.id == receipt.id.hex():
            return _record_beside(here.folder.absolute().parent / line.receipt, receipt)[0]
    return None


def _sections(printer: Printer, record: Record, receipt: VerifiedReceipt | None) -> None:
    for title, lines in sections_of(record, receipt, _names_in_log() if receipt else {}):
        printer.line(f"[bold]{title}[/]")
        for line in lines:
            printer.line(f"  {shown(line)}")


def _names_in_log() -> dict[bytes, str]:
    """What this project calls the entries that it signed."""
    try:
        return {bytes.fromhex(line.id): stem_of(Path(line.receipt)) for line in journal.read(find_project().folder)}
    except (ProjectError, OSError, ValueError):
        # Names are for the eye: without them, the ids are shown.
        return {}


def _print(printer: Printer, document: dict[str, Any], record: Record | None, receipt: VerifiedReceipt) -> None:
    printer.data(document)
    if record is not None:
        _sections(printer, record, receipt)
        printer.line("[bold]on the ledger[/]")
    for name, value in document.items():
        if isinstance(value, dict | list):
            # JSON has lines of its own.
            first, *more = terminal.json_text(value, indent=1).splitlines()
            printer.line(f"[bold]{name}[/] {shown(first)}")
            for line in more:
                printer.line(shown(line))
        else:
            printer.line(f"[bold]{name}[/] {shown(str(value))}")
