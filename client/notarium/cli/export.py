"""The command that gives a record to other tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from notarium.cli.options import given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, InvalidRecordFile, ProjectError
from notarium.evidence.envelope import Envelope
from notarium.evidence.record import MAX_RECORD_BYTES, Record
from notarium.files import read_regular, write_atomically
from notarium.ledger_access.receipt_file import receipt_named
from notarium.naming import artifact_path, is_record, record_of
from notarium_ledger.encoding.json_file import parse_json


def export(
    *,
    target: Annotated[str, typer.Argument(metavar="RECORD|RECEIPT|ARTIFACT")],
    dsse: Annotated[
        bool, typer.Option("--dsse", help="As a DSSE envelope with the in-toto statement, signed by the author.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", parser=given_path, metavar="FILE", help="Write it into this file.")
    ] = None,
) -> int:
    """Give a record in the form that other tools read: cosign, in-toto and SLSA verifiers read --dsse.

    The signature is checked; whether the record is on the ledger is not: 'notarium verify' checks that.
    """
    if not dsse:
        raise ProjectError("name the form: --dsse")
    path = artifact_path(target)
    place = path if is_record(path) else record_of(receipt_named(path))
    try:
        data = read_regular(place, MAX_RECORD_BYTES)
    except OSError as error:
        raise ProjectError(f"the record {place} cannot be read: {error}") from error
    try:
        Record.decode(data)  # An envelope that holds, about a statement that is no record, would be nobody's record.
        document = Envelope.from_json(parse_json(data)).export()
    except InvalidRecordFile as error:
        raise InvalidRecordFile(f"{place}: {error}") from error
    text = json.dumps(document, indent=1) + "\n"
    printer = Printer()
    if output is None:
        printer.text(text)
        return ExitCode.OK
    try:
        write_atomically(output, text.encode())
    except OSError as error:
        raise ProjectError(f"{output} cannot be written: {error.strerror or error}") from error
    printer.line(f"wrote {shown(str(output))}")
    return ExitCode.OK
