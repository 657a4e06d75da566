"""The commands `runs list` and `runs close`: runs that began and never ended."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring.anchor import ANCHOR_S
from notarium.anchoring.closing import close as close_run
from notarium.anchoring.delivery import Delivery, deliver, waits
from notarium.anchoring.open_runs import OpenRun, RunState, matching, open_runs
from notarium.anchoring.outbox import Waiting
from notarium.cli.options import Json, Timeout, given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, ProjectError
from notarium.project import Project, find_project
from notarium.verdicts import gravest
from notarium_ledger.encoding.json_file import iso_time

app = typer.Typer(
    help="Runs that began and never ended.",
    invoke_without_command=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_STATES = {
    RunState.RUNNING: "running",
    RunState.SILENT: "[red]never ended[/]",
    RunState.ELSEWHERE: "[yellow]not ended[/]",
    RunState.DRAFT: "[yellow]draft[/]",
}


@app.callback()
def _all(context: typer.Context) -> int:
    return ExitCode.OK if context.invoked_subcommand else list_runs()


@app.command("list")
def list_runs(*, as_json: Json = False) -> int:
    """List the runs of this working copy that have begun and not ended."""
    printer = Printer(as_json)
    found = open_runs(find_project())
    printer.data({"runs": [to_json(each) for each in found]})
    print_open(printer, found)
    if not found:
        printer.line("every run that began here has ended")
    return ExitCode.OK


@app.command("close")
def close_runs(
    *,
    runs: Annotated[list[str] | None, typer.Argument(metavar="ID|NAME...", show_default=False)] = None,
    every: Annotated[
        bool, typer.Option("--all", help="All runs of this machine whose process is gone without a word.")
    ] = False,
    directory: Annotated[
        Path | None,
        typer.Option(
            parser=given_path, metavar="DIR", help="The folder for receipt and record; default: that of the run."
        ),
    ] = None,
    timeout: Timeout = ANCHOR_S,
    as_json: Json = False,
) -> int:
    """End runs that never ended: their end says that nobody knows how (status unknown)."""
    printer = Printer(as_json)
    here = find_project()
    known = open_runs(here)
    chosen = [matching(known, each) for each in runs or ()]
    if every:
        chosen += [each for each in known if each.state is RunState.SILENT and each not in chosen]
    elif not chosen:
        raise typer.BadParameter("name the runs to close by id or name, or give --all; 'notarium runs list' lists them")
    waiting = list[Waiting]()
    for each in dict.fromkeys(chosen):
        signed = close_run(here, each, directory or _folder(here, each))
        if signed is None:
            printer.note(f"{shown(each.name)} {each.id} had ended already; only its mark was left")
            continue
        for problem in signed.problems:
            printer.note(f"[yellow]left out:[/] {shown(str(problem))}")
        waiting.append(signed.waiting)
    # With what they refer to, so the last ones are the ends.
    sent = deliver(here, waiting, timeout)
    ends = [each for each in sent if each.waiting.receipt_path in {mine.receipt_path for mine in waiting}]
    printer.data({"closed": [_closed_json(each) for each in ends]})
    for delivery in ends:
        _print_closed(printer, delivery)
    return gravest([ExitCode.OK, *(each.error.exit_code for each in ends if each.error is not None)])


def to_json(run: OpenRun) -> dict[str, Any]:
    """For --json."""
    return {
        "id": run.id,
        "name": run.name,
        "status": run.state.value,
        "started": iso_time(run.started_ms),
        "host": run.host,
        "start": str(run.start_place),
        "draft": str(run.draft) if run.draft is not None else None,
    }


def print_open(printer: Printer, runs: Sequence[OpenRun]) -> None:
    """A line for each of them, and what to do about those that can be closed."""
    for each in runs:
        place = f"  on {shown(each.host)}" if each.state is RunState.ELSEWHERE else ""
        line = f"{_STATES[each.state]} {each.id}  run {shown(each.name)}  began {iso_time(each.started_ms)}{place}"
        printer.line(f"{line}  → {shown(str(each.draft))}" if each.draft is not None else line)
    if any(each.state in (RunState.SILENT, RunState.ELSEWHERE) for each in runs):
        printer.line(
            "Run 'notarium runs close ID' for a run that is over: its end is recorded with the status unknown."
        )


def _folder(here: Project, run: OpenRun) -> Path:
    """Where the run was to leave its receipt, unless that is gone or outside the project."""
    root = here.root if here.root is not None else Path.cwd()
    inside = Path(os.path.realpath(run.directory)).is_relative_to(os.path.realpath(root))
    if not inside or not run.directory.is_dir():
        raise ProjectError(f"the run {run.name!r} began in {run.directory}, which is not here: give --directory DIR")
    return Path(os.path.relpath(run.directory))


def _closed_json(delivery: Delivery) -> dict[str, Any]:
    said = {
        "id": delivery.waiting.id,
        "status": "anchored" if delivery.error is None else delivery.waiting.state.value,
        "receipt": str(delivery.waiting.receipt_path),
    }
    return said if delivery.error is None else {**said, "reason": str(delivery.error)}


def _print_closed(printer: Printer, delivery: Delivery) -> None:
    place = shown(str(delivery.waiting.receipt_path))
    if delivery.error is None:
        printer.line(f"[green]closed[/] status unknown  → {place}")
        return
    printer.line(f"[yellow]closed[/] status unknown, in the outbox as {delivery.waiting.id[:16]}…  → {place}")
    printer.note(shown(waits(delivery.error)))
