"""The command `notarium`.

Exit codes: 0 verified or done, 1 mismatch, 2 usage, 3 not anchored, 4 incomplete evidence, 5 unreachable, 6 what
`verify --fail-on` names, 70 a defect of this program, which says nothing about what was asked.
stdout is data, stderr is everything else; every command has --json.
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated, Any

import typer

from notarium.cli.anchor import anchor, prereg
from notarium.cli.complete import complete
from notarium.cli.diff import diff
from notarium.cli.equivocation import equivocation
from notarium.cli.find import find
from notarium.cli.init import init
from notarium.cli.output import Printer
from notarium.cli.pin import pin
from notarium.cli.run import run
from notarium.cli.show import log, show
from notarium.cli.status import status
from notarium.cli.verify import verify
from notarium.endings import run_program
from notarium.errors import ExitCode, NotariumError
from notarium_ledger.errors import LedgerError

PROGRAM = "notarium"

app = typer.Typer(
    name=PROGRAM,
    help="Anchor experiments on the ledger of your consortium, and verify them offline.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# In the order in which help lists them.
app.command()(init)
app.command()(pin)
app.command()(prereg)
app.command()(anchor)
# What follows the name of the command to run belongs to it, also where it looks like an option.
app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(run)
app.command()(complete)
app.command()(verify)
app.command()(equivocation)
app.command()(show)
app.command()(diff)
app.command()(find)
app.command()(log)
app.command()(status)


def _print_version(asked: bool) -> None:
    if asked:
        Printer().text(f"{PROGRAM} {importlib.metadata.version('notarium')}")
        raise typer.Exit


@app.callback()
def _all(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    # A docstring would replace the application's help.
    del version
    if context.invoked_subcommand is None:
        Printer().text(context.get_help(), is_error=True)
        raise typer.Exit(ExitCode.USAGE)


def main(arguments: list[str] | None = None) -> None:
    """The entry point: no error that a user can cause ends in a traceback."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    printer = Printer("--json" in arguments)

    def work() -> Any:
        return app(args=arguments, prog_name=PROGRAM, standalone_mode=False)

    def report(text: str, code: int) -> None:
        printer.data({"error": text, "exit_code": code})
        printer.error(text)

    return run_program(PROGRAM, work, _explain, report)


def _explain(error: Exception) -> tuple[str, int] | None:
    if isinstance(error, NotariumError):
        return str(error), error.exit_code
    return (str(error), ExitCode.USAGE) if isinstance(error, LedgerError) else None
