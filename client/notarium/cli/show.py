"""The commands that show what was anchored: `show` one entry, `find` entries by a digest, `log` those of a project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from notarium import terminal
from notarium.anchoring import journal
from notarium.anchoring.history import history
from notarium.cli.options import GenesisFile, Json, Timeout
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, ProjectError
from notarium.evidence.hashing import hash_path
from notarium.genesis_file import read_genesis
from notarium.ledger_access.answers import VerifiedReceipt
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.client import entry_id
from notarium.ledger_access.describing import describe_receipt
from notarium.naming import artifact_path, is_receipt, receipt_beside
from notarium.project import Project, find_project, trusted_genesis
from notarium.verifying.verification import Verifying
from notarium_ledger.encoding.json_file import iso_time

_DIGITS = re.compile(r"[0-9A-Fa-f]{1,64}")
_ID_DIGITS = 64


def show(
    *,
    target: Annotated[str, typer.Argument(metavar="ID|RECEIPT|ARTIFACT")],
    genesis: GenesisFile = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Show a verified entry: from a receipt file, or from the ledger by its id.

    The beginning of an id is enough where `notarium log` lists it.
    """
    printer = Printer(as_json)
    path = artifact_path(target)
    if path.exists() or is_receipt(path):
        place = path if is_receipt(path) else receipt_beside(path)
        result = Verifying(trusted_genesis(genesis), receipt_only=True).verify_receipt_file(place)
        if result.receipt is None:
            printer.verification(result)
            printer.data(result.to_json())
            return result.status.exit_code
        receipt = result.receipt
    else:
        receipt = _fetch(target, genesis, timeout)
    _print(printer, receipt)
    return ExitCode.OK


def find(
    *,
    target: Annotated[str, typer.Argument(metavar="FILE|DIGEST")],
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Find the ledger's entries that name a file, a folder or a digest."""
    printer = Printer(as_json)
    here = find_project()
    path = artifact_path(target)
    digest = hash_path(path, cache=here.homes.digest_cache()).sha256 if path.exists() else _digest(target)
    with BlockingClient(here.genesis, here.nodes, timeout=timeout) as client:
        found = client.find(digest)
    printer.data({"digest": digest, "entries": [describe_receipt(each) for each in found]})
    for each in found:
        issuer = shown(str(each.body.get("issuer", "")))
        printer.line(f"{each.id.hex()}  {each.body['kind']} · {issuer} · {iso_time(each.time_ms)}")
    if not found:
        printer.error(f"no entry names {digest}; plain digests are on the ledger only where disclosure is public")
        return ExitCode.NOT_ANCHORED
    return ExitCode.OK


def log(*, as_json: Json = False) -> int:
    """List what was anchored from this project."""
    printer = Printer(as_json)
    rows = [
        {
            "time": iso_time(each.line.time_ms),
            "status": each.state.value,
            "kind": each.line.kind,
            "id": each.line.id,
            "receipt": each.line.receipt,
        }
        for each in history(find_project())
    ]
    printer.data({"entries": rows})
    for row in rows:
        printer.line(f"{row['time']}  {row['status']:<10} {row['kind']:<16} {row['id'][:16]}…  {shown(row['receipt'])}")
    return ExitCode.OK


def _fetch(target: str, genesis_file: Path | None, timeout: float) -> VerifiedReceipt:
    """The entry of this id, from the ledger. Raises NotariumError."""
    # What `log` prints of an id ends so.
    digits = target.removesuffix("…")
    if not _DIGITS.fullmatch(digits):
        raise _no_such(target, f"an id: {_ID_DIGITS} hexadecimal digits")
    here = find_project()
    wanted = entry_id(digits if len(digits) == _ID_DIGITS else _id_from_log(here, digits))
    genesis = read_genesis(genesis_file) if genesis_file else here.genesis
    with BlockingClient(genesis, here.nodes, timeout=timeout) as client:
        return client.receipt(wanted)


def _id_from_log(here: Project, start: str) -> str:
    """The one id in the project's log that begins with `start`. Raises ProjectError."""
    found = {each.id for each in journal.read(here.folder) if each.id.startswith(start.lower())}
    if len(found) > 1:
        raise ProjectError(
            f"{len(found)} ids in this project's log begin with {start!r}: give more digits; "
            "run 'notarium log --json' to list them in full"
        )
    if not found:
        raise _no_such(
            start,
            f"an id: {_ID_DIGITS} hexadecimal digits, or the beginning of an id that 'notarium log' lists",
        )
    return found.pop()


def _digest(target: str) -> str:
    if not _DIGITS.fullmatch(target) or len(target) != _ID_DIGITS:
        raise _no_such(target, f"an id or digest: {_ID_DIGITS} hexadecimal digits")
    return target.lower()


def _no_such(target: str, expected: str) -> ProjectError:
    return ProjectError(f"no such file or folder: {target}, and not {expected}")


def _print(printer: Printer, receipt: VerifiedReceipt) -> None:
    document = describe_receipt(receipt)
    printer.data(document)
    for name, value in document.items():
        if isinstance(value, dict | list):
            # JSON has lines of its own.
            first, *more = terminal.json_text(value, indent=1).splitlines()
            printer.line(f"[bold]{name}[/] {shown(first)}")
            for line in more:
                printer.line(shown(line))
        else:
            printer.line(f"[bold]{name}[/] {shown(str(value))}")
