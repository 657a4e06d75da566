"""The command `run`: run another command and anchor its inputs and outputs."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring.commit import Disclosure
from notarium.anchoring.references import reference
from notarium.anchoring.run_facts import RunStatus, status_by_code
from notarium.anchoring.track import SEND_S, Run, track
from notarium.cli.kept_output import kept_output
from notarium.cli.options import (
    VALUES_HELP,
    DisclosureOption,
    Exclude,
    Figures,
    Follow,
    Json,
    KeepStdout,
    Logs,
    Refs,
    Strict,
    Timeout,
    parse_refs,
    parse_values,
)
from notarium.cli.output import Printer, shown
from notarium.cli.running import Ended, call
from notarium.project import Project, find_project

COMMAND_NOT_FOUND = 127
NOT_EXECUTABLE = 126

Inputs = Annotated[
    list[Path] | None, typer.Option("--input", metavar="PATH", help="A file or folder that the run reads.")
]
Outputs = Annotated[
    list[Path] | None, typer.Option("--output", metavar="PATH", help="A file or folder that the run writes.")
]
Params = Annotated[list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help=f"A parameter. {VALUES_HELP}")]
Folder = Annotated[Path, typer.Option(metavar="DIR", help="The folder for the receipt and the record.")]
KeepDiff = Annotated[
    bool,
    typer.Option("--keep-diff", help="Keep what separates the code from its commit, as a patch beside the record."),
]


def run(
    *,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    name: Annotated[str, typer.Option(help="Name of the run; default: the command's.")] = "",
    inputs: Inputs = None,
    outputs: Outputs = None,
    logs: Logs = None,
    figures: Figures = None,
    keep_stdout: KeepStdout = False,
    param: Params = None,
    directory: Folder = Path("."),
    disclosure: DisclosureOption = Disclosure.CONSORTIUM,
    ref: Refs = None,
    keep_diff: KeepDiff = False,
    exclude: Exclude = None,
    follow: Follow = False,
    strict: Strict = False,
    timeout: Timeout = SEND_S,
    as_json: Json = False,
) -> int:
    """Run a command and anchor its inputs and outputs. The command keeps its own exit code, stdout and stderr.

    With --json the result is the last line on stderr, because stdout belongs to the command.
    """
    printer = Printer(as_json)
    if (missing := _why_not_runnable(command[0])) is not None:
        # As a shell reports it, and before anything is recorded about a run that never started.
        return _report_missing(printer, command[0], *missing)
    params, refs = parse_values(param, "--param"), parse_refs(ref)
    tracked = track(
        name or Path(command[0]).name,
        directory=directory,
        project=_checked(refs) if strict else None,
        disclosure=disclosure,
        strict=strict,
        wait=timeout,
        command=command,
        keep_diff=keep_diff,
    )
    ended: list[Ended] = []
    try:
        with tracked:
            for path in inputs or ():
                tracked.input(path, exclude=exclude or (), follow=follow)
            for path in outputs or ():
                tracked.output(path, exclude=exclude or (), follow=follow)
            _name({tracked.log: logs, tracked.figure: figures})
            tracked.params(params)
            for rel, target in refs:
                tracked.refs(rel, target)
            with kept_output(tracked, directory, keep_stdout) as stdout:
                ended.append(call(command, stdout))
            tracked.status(status_by_code(ended[0].code), ended[0].code, ended[0].signals)
    except KeyboardInterrupt:
        # Whoever does not want to wait for the record still gets the command's own exit code.
        if not ended:
            raise
    _print(printer, tracked, ended[0].code)
    return ended[0].code


def _name(files: Mapping[Callable[[Path], None], Sequence[Path] | None]) -> None:
    for name_it, paths in files.items():
        for path in paths or ():
            name_it(path)


def _checked(refs: Sequence[tuple[str, str]]) -> Project:
    """The project. Raises ProjectError, also for a reference that leads nowhere."""
    here = find_project()
    for rel, target in refs:
        reference(here, rel, target)
    return here


def _why_not_runnable(program: str) -> tuple[int, str] | None:
    """Exit code and message for a program that cannot be run, or None."""
    if shutil.which(program) is not None:
        return None
    if Path(program).exists():
        return NOT_EXECUTABLE, "is not executable"
    return COMMAND_NOT_FOUND, "command not found"


def _report_missing(printer: Printer, program: str, code: int, text: str) -> int:
    printer.data_on_stderr({"error": f"{program}: {text}", "exit_code": code})
    if not printer.as_json:
        printer.error(f"{program}: {text}")
    return code


def _to_json(tracked: Run, code: int) -> dict[str, Any]:
    return {
        "name": tracked.name,
        "exit_code": code,
        "id": tracked.id or None,
        "status": tracked.outcome.value,
        "receipt": str(tracked.receipt_path) if tracked.receipt_path else None,
        "record": str(tracked.record_path) if tracked.record_path else None,
        "draft": str(tracked.draft_path) if tracked.draft_path else None,
    }


def _print(printer: Printer, tracked: Run, code: int) -> None:
    printer.data_on_stderr(_to_json(tracked, code))
    if printer.as_json or tracked.receipt is None:
        return
    status = status_by_code(code)
    ended = "" if status is RunStatus.COMPLETED else f" ({status}, exit code {code})"
    place = shown(str(tracked.receipt_path))
    printer.note(f"[green]{tracked.outcome}[/] run {shown(tracked.name)}{ended}  → {place}")
