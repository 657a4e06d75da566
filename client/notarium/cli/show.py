"""The commands that show what was anchored: `show` one entry, `log` those of a project."""

from __future__ import annotations

from typing import Annotated

import typer

from notarium.anchoring.history import history
from notarium.cli.options import GenesisFile, Json, Timeout
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode
from notarium.project import find_project
from notarium_ledger.encoding.json_file import iso_time


def show(
    *,
    target: Annotated[str, typer.Argument(metavar="ID|RECEIPT|ARTIFACT")],
    genesis: GenesisFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Show a verified entry and what it committed to: from its receipt and record, or from the ledger by its id.

    The beginning of an id is enough where `notarium log` lists it.
    """
    # Here and not above: no other command pays for it at its start.
    from notarium.cli.showing import show_target

    return show_target(target, genesis, timeout, as_json=as_json)


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
