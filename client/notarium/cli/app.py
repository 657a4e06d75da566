"""The command `notarium`.

Exit codes: 0 verified or done, 1 mismatch, 2 usage, 3 not anchored, 4 incomplete evidence, 5 unreachable.
stdout is data, stderr is everything else; every command has --json.
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Annotated, Any

import typer

from notarium.cli.anchor import anchor, prereg
from notarium.cli.equivocation import equivocation
from notarium.cli.init import init
from notarium.cli.output import Printer
from notarium.cli.pin import pin
from notarium.cli.run import run
from notarium.cli.show import find, log, show
from notarium.cli.status import status
from notarium.cli.verify import verify
from notarium.errors import ExitCode, NotariumError
from notarium_ledger.errors import LedgerError

PROGRAM = "notarium"
INTERRUPTED = 130
BROKEN_PIPE = 141
"""128 + the number of the signal, as a shell returns it."""

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
app.command()(verify)
app.command()(equivocation)
app.command()(show)
app.command()(find)
app.command()(log)
app.command()(status)

_UsageProblem: type[Exception] = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""Base of errors in a command line: click's, or that of the copy of click which newer versions of Typer contain."""


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
    try:
        result: Any = app(args=arguments, prog_name=PROGRAM, standalone_mode=False)
        return result if isinstance(result, int) else ExitCode.OK
    except NotariumError as error:
        return _report(printer, str(error), error.exit_code)
    except LedgerError as error:
        return _report(printer, str(error), ExitCode.USAGE)
    except typer.Exit as error:
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except _UsageProblem as error:
        return _report(printer, _usage_text(error), ExitCode.USAGE)
    except BrokenPipeError:
        # The reader went away (`notarium log | head`), so there is nothing to report and no one to report it to.
        sys.stderr.close()
        return BROKEN_PIPE
    except OSError as error:
        return _report(printer, f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), ExitCode.USAGE)


def _usage_text(error: Any) -> str:
    """What is wrong with the command line, with the name of the option; `error` is a _UsageProblem."""
    return str(error.format_message()).replace(": Value error, ", ": ")


def _report(printer: Printer, text: str, code: ExitCode) -> int:
    printer.data({"error": text, "exit_code": int(code)})
    printer.error(text)
    return code
