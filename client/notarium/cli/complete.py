"""The command `complete`: sign and anchor runs that could not be signed when they ended."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from notarium.anchoring.anchor import ANCHOR_S
from notarium.anchoring.commit import Disclosure
from notarium.anchoring.delivery import send, waits
from notarium.anchoring.drafts import complete as sign_draft
from notarium.cli.options import Json, Timeout, given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode
from notarium.naming import record_of
from notarium.project import find_project


def complete(
    *,
    draft: Annotated[Path, typer.Argument(parser=given_path, metavar="DRAFT", help="The file NAME.run.draft.json.")],
    name: Annotated[str, typer.Option(help="Name of the run, instead of that in the draft.")] = "",
    disclosure: Annotated[
        Disclosure | None, typer.Option(help="What the ledger shows, instead of what the draft says.")
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(parser=given_path, metavar="DIR", help="The folder for receipt and record; default: the draft's."),
    ] = None,
    timeout: Timeout = ANCHOR_S,
    as_json: Json = False,
) -> int:
    """Sign and anchor a run that could not be signed when it ended. The draft is removed once that is done."""
    printer = Printer(as_json)
    here = find_project()
    signed = sign_draft(here, draft, name=name, disclosure=disclosure or "", directory=directory)
    for problem in signed.problems:
        printer.note(f"[yellow]left out:[/] {shown(str(problem))}")
    delivery = send(here, signed.waiting, timeout)
    waiting, error = delivery.waiting, delivery.error
    place = waiting.receipt_path
    status = "anchored" if error is None else waiting.state.value
    said = {"status": status, "id": waiting.id, "receipt": str(place), "record": str(record_of(place))}
    printer.data(said if error is None else {**said, "error": str(error)})
    if error is None:
        printer.line(f"[green]anchored[/] {shown(str(draft))}  → {shown(str(place))}")
        return ExitCode.OK
    printer.line(f"[yellow]{status}[/] {shown(str(draft))}  in the outbox as {waiting.id[:16]}…")
    printer.note(shown(waits(error)))
    if waiting.refused:
        printer.refused_remedy(waiting.id[:16], on_stderr=True)
    return error.exit_code
