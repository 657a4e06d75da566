"""How verdicts and pages look: lines for people, and a page in Markdown or HTML for reviewers."""

from __future__ import annotations

from collections.abc import Sequence

from notarium.cli.output import Printer, shown
from notarium.submissions.page import Page
from notarium.verifying.people import for_the_eye

_SHOWN_LINES = 50


def print_pages(printer: Printer, pages: Sequence[Page], last: Sequence[str]) -> None:
    """Each verdict; of a submission, what is left out, and all in one line. `last`: lines at the end."""
    printer.accounts([row.account() for page in pages for row in page.rows])
    for page in pages:
        if page.is_submission:
            _print_submission(printer, page)
    for line in last:
        printer.line(shown(line))


def _print_submission(printer: Printer, page: Page) -> None:
    for each in page.left_out[:_SHOWN_LINES]:
        printer.line(f"[bold yellow]on the ledger and left out[/] {shown(for_the_eye(each))}")
    if len(page.left_out) > _SHOWN_LINES:
        printer.line(f"… and {len(page.left_out) - _SHOWN_LINES} more (--json lists all)")
    printer.line(f"[bold]{page.status}[/] {shown(page.name)}  {shown(page.summary())}")
