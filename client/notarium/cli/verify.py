"""The command `verify`: a verdict and an exit code for each path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.cli.ids import ID_DIGITS, id_digits, logged, receipt_logged
from notarium.cli.options import Deep, Follow, GenesisFile, Json, Nodes, Timeout, given_path
from notarium.cli.output import Printer, ledger_of
from notarium.errors import ExitCode, ProjectError
from notarium.ledger_access.receipt_file import receipt_named
from notarium.naming import artifact_path, is_record, receipt_beside
from notarium.project import Homes, Project, trusted_genesis
from notarium.verdicts import gravest, project_to_ask, waiting_inside
from notarium.verifying.marks import FailOn
from notarium.verifying.verification import Verifying
from notarium_ledger.state.genesis import Genesis

Partial = Annotated[
    bool, typer.Option("--partial", help="Only a part is at hand: a file that is not here is not a mismatch.")
]
FailOns = Annotated[
    list[FailOn] | None,
    typer.Option("--fail-on", help="Exit with 6 where all holds, but this is said of it. Repeatable."),
]


def verify(
    *,
    paths: Annotated[list[Path], typer.Argument(parser=given_path, metavar="PATH|RECEIPT|ID...")],
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask no node: neither for what is missing nor for later entries.")
    ] = False,
    genesis: GenesisFile = None,
    node: Nodes = None,
    receipt_only: Annotated[
        bool, typer.Option("--receipt-only", help="Check the receipts only, without record and files.")
    ] = False,
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="ID", help="Only what this institution anchored verifies.")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", metavar="NAME", help="Only what was anchored in this project verifies.")
    ] = "",
    partial: Partial = False,
    fail_on: FailOns = None,
    follow: Follow = False,
    deep: Deep = False,
    timeout: Timeout = 10.0,
    as_markdown: Annotated[bool, typer.Option("--md", help="Print one Markdown page on stdout.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="Print one HTML page on stdout.")] = False,
    as_json: Json = False,
) -> int:
    """Verify artifacts and receipts: what is proven, what is taken on trust, the gaps, and what is not shown.

    A folder or a zip full of receipts is seen as a whole: what is retracted, rests on that, or is left out.
    """
    if as_json + as_markdown + as_html > 1:
        raise ProjectError("--json, --md and --html are forms of one page: give one of them")
    printer = Printer(as_json)
    # First of all, so that an error in the configuration is reported before the results and not instead of one.
    pinned = trusted_genesis(genesis)
    here = project_to_ask(pinned, genesis, node or ())
    targets = [_target(path, here) for path in paths]
    if receipt_only:
        _check_are_receipts([each for each in targets if isinstance(each, Path)])
    cache = Homes.of(os.environ).digest_cache()
    verifying = Verifying(pinned, cache=cache, deep=deep, receipt_only=receipt_only, issuer=issuer, project=project)
    verifying.partial = partial
    verifying.follow = follow
    # Here and not above: no other command pays for it at its start.
    from notarium.cli.reviewing import print_pages, review

    pages = review(targets, verifying, here, printer, offline=offline, timeout=timeout)
    code = gravest(each.exit_code for each in pages)
    status = next(each.status for each in pages if each.exit_code is code)
    if code is ExitCode.OK and any(each.fails_on(fail_on or ()) for each in pages):
        code = ExitCode.ASKED_TO_FAIL
    waiting, last = _last_lines(paths, pinned)
    said: dict[str, Any] = {"status": status, "exit_code": code, **ledger_of(pinned), "waiting": waiting}
    said["submissions"] = [each.to_json() for each in pages if each.is_submission]
    printer.data({**said, "results": [row.to_json() for each in pages for row in each.rows]})
    print_pages(printer, pages, last, as_markdown=as_markdown, as_html=as_html)
    return code


def _target(path: Path, here: Project | None) -> Path | bytes:
    """The path that is meant, or the id of an entry that has no file here. A file goes before an id of that name."""
    digits = id_digits(str(path))
    if not digits or os.path.lexists(path) or receipt_beside(artifact_path(path)).exists():
        return path
    line = logged(here, digits) if here is not None else None
    if line is not None and here is not None:
        place = receipt_logged(here, line)
        return place if place.exists() else bytes.fromhex(line.id)
    return bytes.fromhex(digits) if len(digits) == ID_DIGITS else path


def _last_lines(paths: Sequence[Path], pinned: Genesis) -> tuple[int, list[str]]:
    """How many entries of the folders among `paths` wait in the outbox, and the lines at the end of a page."""
    folders = [each for each in map(artifact_path, paths) if os.path.isdir(each)]
    count = waiting_inside(folders, pinned)
    lines = [f"against the ledger {pinned.name} · genesis {pinned.hash.hex()}"]
    if count:
        which = "this folder" if len(folders) == 1 else "these folders"
        entries = f"1 entry of {which} waits" if count == 1 else f"{count} entries of {which} wait"
        lines.append(f"{entries} in the outbox")
    return count, lines


def _check_are_receipts(paths: Sequence[Path]) -> None:
    """Raise ProjectError for an artifact: a receipt alone says nothing about what a file holds today."""
    for path in map(artifact_path, paths):
        is_folder = path.is_dir() and not receipt_beside(path).exists()
        if receipt_named(path) != path and not is_record(path) and not is_folder:
            raise ProjectError(f"--receipt-only needs a receipt, and {path} is not one: give {receipt_beside(path)}")
