"""The command `verify`: a verdict and an exit code for each path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.cli.options import Deep, GenesisFile, Json, Timeout, given_path
from notarium.cli.output import Printer, ledger_of, shown
from notarium.cli.reviewing import print_page, write_pages
from notarium.errors import ProjectError
from notarium.ledger_access.receipt_file import receipt_named
from notarium.naming import artifact_path, is_record, receipt_beside
from notarium.project import Homes, trusted_genesis
from notarium.submissions.page import Page, page_of
from notarium.verdicts import gravest, waiting_inside
from notarium.verifying.verification import Verifying


def verify(
    *,
    paths: Annotated[list[Path], typer.Argument(parser=given_path, metavar="PATH|RECEIPT...")],
    offline: Annotated[bool, typer.Option("--offline", help="Ask no node, even if something is missing.")] = False,
    genesis: GenesisFile = None,
    receipt_only: Annotated[
        bool, typer.Option("--receipt-only", help="Check the receipts only, without record and files.")
    ] = False,
    issuer: Annotated[
        str, typer.Option("--issuer", metavar="ID", help="Only what this institution anchored verifies.")
    ] = "",
    project: Annotated[
        str, typer.Option("--project", metavar="NAME", help="Only what was anchored in this project verifies.")
    ] = "",
    deep: Deep = False,
    as_md: Annotated[bool, typer.Option("--md", help="Print a page for reviewers in Markdown.")] = False,
    as_html: Annotated[bool, typer.Option("--html", help="Print a page for reviewers in HTML.")] = False,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Verify artifacts and receipts, and name every file that changed; a folder or zip full of receipts as a whole."""
    if as_json + as_md + as_html > 1:
        raise ProjectError("--json, --md and --html: choose one form for stdout")
    printer = Printer(as_json or as_md or as_html)
    if receipt_only:
        _check_are_receipts(paths)
    # First of all, so that an error in the configuration is reported before the results and not instead of one.
    pinned = trusted_genesis(genesis)
    cache = Homes.of(os.environ).digest_cache()
    pages: list[Page] = []
    verifying = Verifying(pinned, cache=cache, deep=deep, receipt_only=receipt_only, issuer=issuer, project=project)
    for path in paths:
        with printer.hashing() as on_progress:
            verifying.on_progress = on_progress
            pages.append(page_of(path, verifying, offline=offline, timeout=timeout))
        print_page(printer, pages[-1])
    code = gravest(each.exit_code for each in pages)
    if as_md or as_html:
        write_pages(printer, pages, as_html=as_html)
        return code
    status = next(each.status for each in pages if each.exit_code is code)
    printer.line(f"against the ledger {shown(pinned.name)} · genesis {pinned.hash.hex()}")
    folders = [each for each in map(artifact_path, paths) if os.path.isdir(each)]
    waiting = waiting_inside(folders, pinned)
    said: dict[str, Any] = {"status": status, **ledger_of(pinned), "waiting": waiting}
    said["submissions"] = [each.to_json() for each in pages if each.is_submission]
    printer.data({**said, "results": [row.to_json() for each in pages for row in each.rows]})
    if waiting:
        which = "this folder" if len(folders) == 1 else "these folders"
        count = f"1 entry of {which} waits" if waiting == 1 else f"{waiting} entries of {which} wait"
        printer.line(f"{count} in the outbox")
    return code


def _check_are_receipts(paths: Sequence[Path]) -> None:
    """Raise ProjectError for an artifact: a receipt alone says nothing about what a file holds today."""
    for path in map(artifact_path, paths):
        is_folder = path.is_dir() and not receipt_beside(path).exists()
        if receipt_named(path) != path and not is_record(path) and not is_folder:
            raise ProjectError(f"--receipt-only needs a receipt, and {path} is not one: give {receipt_beside(path)}")
