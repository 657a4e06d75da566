"""The command `notarium`.

Exit codes: 0 verified or done, 1 mismatch, 2 usage, 3 not anchored, 4 incomplete evidence, 5 unreachable.
stdout is data, stderr is everything else; every command has --json.
"""

from __future__ import annotations

import importlib.metadata
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.anchoring import anchor as anchoring
from notarium.anchoring.track import SEND_S
from notarium.cli import commands
from notarium.cli import equivocation as equivocation_command
from notarium.cli import verify as checking
from notarium.cli.output import Printer
from notarium.errors import ExitCode, NotariumError
from notarium_ledger.errors import LedgerError

app = typer.Typer(
    name="notarium",
    help="Anchor experiments on the ledger of your consortium, and verify them offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to try all nodes.")]


class DisclosureChoice(StrEnum):
    """What of a commitment stands on the ledger."""

    PUBLIC = "public"
    CONSORTIUM = "consortium"
    SEALED = "sealed"


class KindChoice(StrEnum):
    """What is anchored; runs are tracked instead, and batches are for programs."""

    DATASET = "dataset"
    FEDERATED_ROUND = "federated-round"
    MODEL = "model"
    PREREGISTRATION = "preregistration"
    PUBLICATION = "publication"
    REPLICATION = "replication"
    RETRACTION = "retraction"
    REVIEW = "review"


_UsageProblem: type[Exception] = next(each for each in typer.BadParameter.__mro__ if each.__name__ == "ClickException")
"""Base of errors in a command line: click's, or that of the copy of click which newer versions of Typer bring."""

Disclosure = Annotated[
    DisclosureChoice,
    typer.Option(
        help="public: digests of artifacts on the ledger; consortium: only that of the evidence; sealed: nothing else.",
    ),
]
Deep = Annotated[bool, typer.Option("--deep", help="Read every byte, whatever the cache knows.")]
Strict = Annotated[bool, typer.Option("--strict", help="Fail instead of leaving work to the outbox.")]
Refs = Annotated[
    list[str] | None,
    typer.Option("--ref", metavar="REL=TARGET", help="derivedFrom=… with an entry id, a receipt or an artifact."),
]
GenesisFile = Annotated[
    Path | None, typer.Option("--genesis", metavar="FILE", help="Pin this genesis; no project is needed then.")
]


def _tell_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"notarium {importlib.metadata.version('notarium')}\n")
        raise typer.Exit


@app.callback()
def _all(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and exit.")
    ] = False,
) -> None:
    # The docstring would take the place of the application's help.
    del version


@app.command()
def init(
    genesis: Annotated[Path, typer.Option(metavar="FILE", help="The consortium's genesis document.")],
    issuer: Annotated[str, typer.Option(metavar="ID", help="Your institution: its ROR address or short id.")],
    genesis_hash: Annotated[str, typer.Option(metavar="HEX", help="Its hash, as your institution told you.")] = "",
    node: Annotated[list[str] | None, typer.Option(metavar="URL", help="A node's API; give several.")] = None,
    project: Annotated[str, typer.Option(metavar="NAME", help="Name on the ledger; default: the folder's.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Write the configuration anew.")] = False,
    as_json: Json = False,
) -> None:
    """Pin a ledger for this folder and make your key."""
    commands.init(Printer(as_json), genesis, genesis_hash, node or [], issuer, project, force)


@app.command()
def prereg(
    file: Annotated[Path, typer.Argument(help="The plan.")],
    disclosure: Disclosure = DisclosureChoice.CONSORTIUM,
    ref: Refs = None,
    strict: Strict = False,
    timeout: Timeout = anchoring.ANCHOR_S,
    as_json: Json = False,
) -> None:
    """Anchor a preregistration: the plan, before the data."""
    commands.anchor(
        Printer(as_json), [file], "preregistration", disclosure.value, ref or [], [], [], strict, False, timeout
    )


@app.command()
def anchor(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Files or folders.")],
    kind: Annotated[KindChoice, typer.Option(help="What it is.")] = KindChoice.DATASET,
    disclosure: Disclosure = DisclosureChoice.CONSORTIUM,
    ref: Refs = None,
    field: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A field of the commitment itself.")
    ] = None,
    fact: Annotated[
        list[str] | None, typer.Option("--fact", metavar="NAME=VALUE", help="Kept in the evidence, off the ledger.")
    ] = None,
    strict: Strict = False,
    deep: Deep = False,
    timeout: Timeout = anchoring.ANCHOR_S,
    as_json: Json = False,
) -> None:
    """Anchor files and folders; receipts and evidence are written beside them."""
    commands.anchor(
        Printer(as_json), paths, kind.value, disclosure.value, ref or [], field or [], fact or [], strict, deep, timeout
    )


@app.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
def run(
    command: Annotated[list[str], typer.Argument(metavar="-- CMD...", help="The command and its arguments.")],
    name: Annotated[str, typer.Option(help="Name of the run; default: the command's.")] = "",
    inputs: Annotated[list[Path] | None, typer.Option("--input", metavar="PATH")] = None,
    outputs: Annotated[list[Path] | None, typer.Option("--output", metavar="PATH")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE")] = None,
    directory: Annotated[Path, typer.Option(metavar="DIR", help="Where the receipt goes.")] = Path("."),
    disclosure: Disclosure = DisclosureChoice.CONSORTIUM,
    ref: Refs = None,
    strict: Strict = False,
    timeout: Timeout = SEND_S,
    as_json: Json = False,
) -> None:
    """Run a command and anchor what went in and out. Its exit code, stdout and stderr stay its own.

    With --json the result is the last line on stderr, because stdout belongs to the command.
    """
    code = commands.run(
        Printer(as_json),
        command,
        name,
        inputs or [],
        outputs or [],
        param or [],
        directory,
        disclosure.value,
        ref or [],
        strict,
        timeout,
    )
    raise typer.Exit(code)


@app.command()
def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH|RECEIPT...")],
    offline: Annotated[bool, typer.Option("--offline", help="Ask no node, whatever is missing.")] = False,
    genesis: GenesisFile = None,
    receipt_only: Annotated[bool, typer.Option("--receipt-only", help="Do not look at evidence and files.")] = False,
    deep: Deep = False,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Verify artifacts and receipts; names every file that changed."""
    code = checking.verify(Printer(as_json), paths, offline, genesis, receipt_only, deep, timeout)
    raise typer.Exit(code)


@app.command()
def equivocation(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="As nodes export them.")],
    genesis: GenesisFile = None,
    as_json: Json = False,
) -> None:
    """Check the proof that a validator signed two different things. Asks no node."""
    raise typer.Exit(equivocation_command.check(Printer(as_json), files, genesis))


@app.command()
def show(
    target: Annotated[str, typer.Argument(metavar="ID|RECEIPT|ARTIFACT")],
    genesis: GenesisFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Show a verified entry: from a receipt file, or from the ledger by its id."""
    commands.show(Printer(as_json), target, genesis, timeout)


@app.command()
def find(
    target: Annotated[str, typer.Argument(metavar="FILE|DIGEST")],
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """Find the ledger's entries that name a file, a folder or a digest."""
    raise typer.Exit(commands.find(Printer(as_json), target, timeout))


@app.command()
def log(as_json: Json = False) -> None:
    """What was anchored from this project."""
    commands.log(Printer(as_json))


@app.command()
def status(
    flush: Annotated[bool, typer.Option("--flush", help="Send what waits in the outbox.")] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option("--drop", metavar="ID", help="Give up what waits under this id (or its beginning), for ever."),
    ] = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> None:
    """How the nodes are, and what waits in the outbox."""
    raise typer.Exit(commands.status(Printer(as_json), flush, drop or [], timeout))


def main(arguments: list[str] | None = None) -> None:
    """The entry point: no error that a user can cause ends in a traceback."""
    sys.exit(run_command(sys.argv[1:] if arguments is None else arguments))


def run_command(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    printer = Printer("--json" in arguments)
    try:
        result: Any = app(args=arguments, standalone_mode=False)
        return result if isinstance(result, int) else ExitCode.OK
    except NotariumError as error:
        return _told(printer, str(error), error.exit_code)
    except LedgerError as error:
        return _told(printer, str(error), ExitCode.USAGE)
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return 130
    except KeyboardInterrupt:
        return 130
    except _UsageProblem as error:
        return _told(printer, str(getattr(error, "message", "") or error), ExitCode.USAGE)
    except BrokenPipeError:
        # The reader went away (`notarium log | head`): nothing to tell, and nobody to tell it to.
        sys.stderr.close()
        return 141
    except OSError as error:
        return _told(printer, f"{error.filename or ''}: {error.strerror or error}".removeprefix(": "), ExitCode.USAGE)


def _told(printer: Printer, text: str, code: ExitCode) -> int:
    printer.data({"error": text, "exit_code": int(code)})
    printer.error(text)
    return code
