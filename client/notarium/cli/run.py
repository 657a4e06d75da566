"""The command `run`: run another command and anchor its inputs and outputs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring.commit import Disclosure
from notarium.anchoring.references import reference
from notarium.anchoring.run_facts import RunStatus
from notarium.anchoring.track import SEND_S, Run, track
from notarium.cli.options import (
    VALUES_HELP,
    DisclosureOption,
    Exclude,
    Follow,
    Json,
    Refs,
    Strict,
    Timeout,
    parse_refs,
    parse_values,
)
from notarium.cli.output import Printer, shown
from notarium.errors import ProjectError
from notarium.project import Project, find_project

COMMAND_NOT_FOUND = 127
NOT_EXECUTABLE = 126
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"""Schedulers announce the end of a job by one of the last two, and end this program where nothing handles them."""
_SIGNALLED = 128
"""A shell adds the number of the signal that ended a command."""


def run(
    *,
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    name: Annotated[str, typer.Option(help="Name of the run; default: the command's.")] = "",
    inputs: Annotated[
        list[Path] | None, typer.Option("--input", metavar="PATH", help="A file or folder that the run reads.")
    ] = None,
    outputs: Annotated[
        list[Path] | None, typer.Option("--output", metavar="PATH", help="A file or folder that the run writes.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help=f"A parameter. {VALUES_HELP}")
    ] = None,
    directory: Annotated[Path, typer.Option(metavar="DIR", help="The folder for the receipt and the record.")] = Path(
        "."
    ),
    disclosure: DisclosureOption = Disclosure.CONSORTIUM,
    ref: Refs = None,
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
        command=[Path(command[0]).name, *command[1:]],
    )
    ended: list[int] = []
    try:
        with tracked:
            for path in inputs or ():
                tracked.input(path, exclude=exclude or (), follow=follow)
            for path in outputs or ():
                tracked.output(path, exclude=exclude or (), follow=follow)
            tracked.params(params)
            for rel, target in refs:
                tracked.refs(rel, target)
            ended.append(_call(command))
            tracked.status(_status_by(ended[0]), ended[0])
    except KeyboardInterrupt:
        # Whoever does not want to wait for the record still gets the command's own exit code.
        if not ended:
            raise
    _print(printer, tracked, ended[0])
    return ended[0]


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


def _status_by(code: int) -> RunStatus:
    if code == 0:
        return RunStatus.COMPLETED
    return RunStatus.INTERRUPTED if code == _SIGNALLED + signal.SIGINT else RunStatus.FAILED


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
    status = _status_by(code)
    ended = "" if status is RunStatus.COMPLETED else f" ({status}, exit code {code})"
    place = shown(str(tracked.receipt_path))
    printer.note(f"[green]{tracked.outcome}[/] run {shown(tracked.name)}{ended}  → {place}")


def _call(command: Sequence[str]) -> int:
    """Exit code of a command that shares our terminal and streams; 128 + n where signal n ended it."""
    # Ctrl-C goes to the command (the terminal sends it to the whole group): the command decides, and we record it.
    # A handler, and not SIG_IGN, because the command would inherit the latter. What is ignored already, as under
    # nohup, stays so. A scheduler that ends a job signals this process only, so that is passed on.
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def forward(number: int, _: object) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    handlers = {**dict.fromkeys(_FORWARDED, forward), signal.SIGINT: lambda *_: None}
    heard = [each for each in handlers if signal.getsignal(each) is not signal.SIG_IGN]
    before = {each: signal.signal(each, handlers[each]) for each in heard}
    try:
        child = subprocess.Popen(command)
        started.append(child)
        for number in early:
            child.send_signal(number)
        code = child.wait()
    except FileNotFoundError as error:
        raise ProjectError(f"{command[0]}: command not found") from error
    except PermissionError as error:
        raise ProjectError(f"{command[0]}: is not executable") from error
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    return _SIGNALLED - code if code < 0 else code
