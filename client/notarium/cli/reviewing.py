"""How verdicts and pages look: lines for people, and a page in Markdown or HTML for reviewers."""

from __future__ import annotations

from collections.abc import Sequence

from notarium.cli.output import Printer, shown
from notarium.submissions.layout import as_html as to_html
from notarium.submissions.layout import markdown
from notarium.submissions.page import Page

_SHOWN_LINES = 50


def print_page(printer: Printer, page: Page) -> None:
    """Each verdict with what there is to know of it and, of a submission, what is left out, and all in one line."""
    for row in page.rows:
        verdict = row.enclosed.verdict
        printer.verification(verdict.result, verdict.status, verdict.reason)
        for line in (line for each in row.enclosed.why for line in each.lines()):
            printer.line(f"  [bold]why[/] {shown(line)}")
        for remark in row.remarks:
            colour = "bold yellow" if remark.is_weighty else "cyan"
            printer.line(f"  [{colour}]{remark.kind}[/] {shown(remark.text)}")
    if not page.is_submission:
        return
    for each in page.left_out[:_SHOWN_LINES]:
        printer.line(f"[bold yellow]on the ledger and left out[/] {shown(each)}")
    if len(page.left_out) > _SHOWN_LINES:
        printer.line(f"… and {len(page.left_out) - _SHOWN_LINES} more (--json lists all)")
    if page.silence:
        printer.line(f"What later entries say of these is not known: {shown(page.silence)}.")
    printer.line(f"[bold]{page.status}[/] {shown(page.name)}  {shown(page.summary())}")


def write_pages(printer: Printer, pages: Sequence[Page], *, as_html: bool) -> None:
    """The pages on stdout, one after another."""
    for page in pages:
        printer.text(to_html(page) if as_html else markdown(page))
