"""`notarium-node`: the operator's commands, with an error message in place of a traceback where one fails.

Exit codes: 0 ok, 1 check failed, 2 usage or configuration, 5 unreachable, 70 a defect of this program.
"""

from __future__ import annotations

import sys
from typing import Any

import typer

from notarium import terminal
from notarium.endings import run_program
from notarium.key_files import KeyFileError
from notarium_ledger.errors import LedgerError
from notarium_node.config.reading import ConfigError
from notarium_node.identity.card import CardError
from notarium_node.identity.tls import CertificateError
from notarium_node.operator.backup import BackupError
from notarium_node.operator.ceremony import CeremonyError
from notarium_node.operator.cli import backups, equivocations, founding, researchers, running
from notarium_node.operator.cli.output import Failure, NodeExitCode, print_error
from notarium_node.operator.enrolment import EnrolmentError
from notarium_node.operator.ledger_copy import CopyError
from notarium_node.operator.node_api import NodeUnreachable
from notarium_node.operator.sealed_file import SealError
from notarium_node.operator.setup import SetupError
from notarium_node.startup import StartupError

PROGRAM = "notarium-node"

app = typer.Typer(
    name=PROGRAM,
    help="Run one institution's node of a Notarium ledger.",
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    founding.keygen,
    founding.genesis,
    founding.init,
    running.run,
    running.status,
    equivocations.equivocations,
    running.check,
    researchers.enrol,
    researchers.revoke,
    backups.backup,
    backups.restore,
    backups.rebuild,
    running.version,
):
    app.command()(command)

CONFIGURATION_ERRORS = (
    BackupError,
    CardError,
    CertificateError,
    CeremonyError,
    ConfigError,
    CopyError,
    EnrolmentError,
    KeyFileError,
    LedgerError,
    SealError,
    SetupError,
    StartupError,
)


@app.callback()
def _all(context: typer.Context) -> None:
    # A docstring would replace the application's help.
    if context.invoked_subcommand is None:
        terminal.write(context.get_help(), sys.stderr)
        raise typer.Exit(NodeExitCode.USAGE)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and end the process."""
    given = sys.argv[1:] if arguments is None else arguments

    def work() -> Any:
        return app(args=given, prog_name=PROGRAM, standalone_mode=False)

    def report(text: str, code: int) -> None:
        print_error(text, code, as_json="--json" in given)

    sys.exit(run_program(PROGRAM, work, _explain, report))


def _explain(error: Exception) -> tuple[str, int] | None:
    if isinstance(error, Failure):
        return str(error), error.code
    if isinstance(error, NodeUnreachable):
        return str(error), NodeExitCode.UNREACHABLE
    return (str(error), NodeExitCode.USAGE) if isinstance(error, CONFIGURATION_ERRORS) else None
