"""`notarium-node`: the operator's commands, with an error message in place of a traceback where one fails.

Exit codes: 0 ok, 1 check failed, 2 usage or configuration, 5 unreachable.
"""

from __future__ import annotations

import sys

import typer

from notarium.key_files import KeyFileError
from notarium_ledger.errors import LedgerError
from notarium_node.config.reading import ConfigError
from notarium_node.identity.card import CardError
from notarium_node.identity.tls import CertificateError
from notarium_node.operator.backup import BackupError
from notarium_node.operator.ceremony import CeremonyError
from notarium_node.operator.cli import backups, equivocations, founding, researchers, running
from notarium_node.operator.cli.output import Failure, NodeExitCode, end_with_error
from notarium_node.operator.enrolment import EnrolmentError
from notarium_node.operator.ledger_copy import CopyError
from notarium_node.operator.node_api import NodeUnreachable
from notarium_node.operator.sealed_file import SealError
from notarium_node.operator.setup import SetupError
from notarium_node.startup import StartupError

app = typer.Typer(
    name="notarium-node",
    help="Run one institution's node of a Notarium ledger.",
    no_args_is_help=True,
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


def main(arguments: list[str] | None = None) -> None:
    """Run the command and end the process."""
    given = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in given
    try:
        app(args=given, prog_name="notarium-node")
    except Failure as failure:
        end_with_error(str(failure), failure.code, as_json=as_json)
    except NodeUnreachable as error:
        end_with_error(str(error), NodeExitCode.UNREACHABLE, as_json=as_json)
    except CONFIGURATION_ERRORS as error:
        end_with_error(str(error), NodeExitCode.USAGE, as_json=as_json)
    except OSError as error:
        # A file or folder that this user may not use, or of the wrong kind.
        named = f"{error.filename}: " if error.filename else ""
        end_with_error(f"{named}{error.strerror or error}", NodeExitCode.USAGE, as_json=as_json)
