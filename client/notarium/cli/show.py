"""The commands that show what was anchored: `show` one entry, `log` those of a project."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from notarium import terminal
from notarium.anchoring.history import history
from notarium.cli.ids import wanted_id
from notarium.cli.options import GenesisFile, Json, Timeout
from notarium.cli.output import Printer, ledger_of, shown
from notarium.errors import ExitCode
from notarium.evidence.author import Author
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.describing import describe_receipt
from notarium.ledger_access.priority import earlier_by_others
from notarium.ledger_access.receipt_file import receipt_named
from notarium.naming import artifact_path, check_no_draft, is_receipt
from notarium.project import find_project, trusted_genesis
from notarium.verifying.verification import Verifying
from notarium_ledger.encoding.json_file import iso_time


def show(
    *,
    target: Annotated[str, typer.Argument(metavar="ID|RECEIPT|ARTIFACT")],
    genesis: GenesisFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Show a verified entry: from a receipt file, or from the ledger by its id.

    The beginning of an id is enough where `notarium log` lists it.
    """
    printer = Printer(as_json)
    path = artifact_path(target)
    if path.exists() or is_receipt(path):
        place = receipt_named(path)
        if not place.exists():
            check_no_draft(path)
        pinned = trusted_genesis(genesis)
        result = Verifying(pinned, receipt_only=True).verify_receipt_file(place)
        if result.receipt is None:
            printer.verification(result)
            printer.data(result.to_json())
            return result.status.exit_code
        _print(printer, {**ledger_of(pinned), **describe_receipt(result.receipt)})
        printer.line(
            "Whether another named its digests first is not in a receipt: 'notarium find DIGEST' asks the nodes."
        )
        return ExitCode.OK
    here = find_project(genesis_file=genesis)
    wanted = wanted_id(here, target)
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        receipt = client.receipt(wanted)
        earlier = earlier_by_others(client, receipt)
    said = {**ledger_of(here.genesis), **describe_receipt(receipt)}
    if printer.as_json:
        said["earlier"] = [{"digest": digest, **describe_receipt(each)} for digest, each in earlier.items()]
    _print(printer, said)
    for digest, each in earlier.items():
        who = f"{Author.of(each.entry)} at {iso_time(each.time_ms)} (#{each.index})"
        printer.line(f"{digest} was first named by {shown(who)}; this came later")
    return ExitCode.OK


def log(*, as_json: Json = False) -> int:
    """List what was anchored from this project."""
    printer = Printer(as_json)
    rows = [
        {
            "time": iso_time(each.line.time_ms),
            "status": each.state.value,
            "kind": each.line.kind,
            "id": each.line.id,
            "receipt": each.line.receipt,
        }
        for each in history(find_project())
    ]
    printer.data({"entries": rows})
    for row in rows:
        printer.line(f"{row['time']}  {row['status']:<10} {row['kind']:<16} {row['id'][:16]}…  {shown(row['receipt'])}")
    return ExitCode.OK


def _print(printer: Printer, document: dict[str, Any]) -> None:
    printer.data(document)
    for name, value in document.items():
        if isinstance(value, dict | list):
            # JSON has lines of its own.
            first, *more = terminal.json_text(value, indent=1).splitlines()
            printer.line(f"[bold]{name}[/] {shown(first)}")
            for line in more:
                printer.line(shown(line))
        else:
            printer.line(f"[bold]{name}[/] {shown(str(value))}")
