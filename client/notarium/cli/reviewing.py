"""What `verify` does with its paths, and how the pages look: lines for people, Markdown or HTML for reviewers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from notarium.cli.output import Printer, shown
from notarium.naming import artifact_path
from notarium.project import Project
from notarium.submissions.enclosed import Enclosed, enclosed_in, is_submission
from notarium.submissions.layout import as_html as to_html
from notarium.submissions.layout import markdown
from notarium.submissions.page import Inside, Page, pages_of
from notarium.verdicts import asking, judge, judge_entry
from notarium.verifying.people import for_the_eye
from notarium.verifying.verification import Verifying

_SHOWN_LINES = 50


def review(
    targets: Sequence[Path | bytes],
    verifying: Verifying,
    here: Project | None,
    printer: Printer,
    *,
    offline: bool,
    timeout: float,
) -> list[Page]:
    """A page for each target, with what other entries say: those at hand, and unless offline those of the ledger."""
    found: list[Inside] = []
    judged = functools.partial(judge, verifying=verifying, offline=offline, timeout=timeout, asked=here)
    for target in targets:
        if isinstance(target, bytes):
            verdict = judge_entry(target, verifying, here, offline=offline, timeout=timeout)
            found.append(Inside(target.hex(), False, [Enclosed(verdict, target.hex())]))
            continue
        path = artifact_path(target)
        with printer.hashing() as on_progress:
            verifying.on_progress = on_progress
            found.append(Inside(str(target), is_submission(path), enclosed_in(path, verifying, judged)))
    with asking(here, offline=offline, timeout=timeout) as asker:
        return pages_of(found, asker)


def print_pages(
    printer: Printer, pages: Sequence[Page], last: Sequence[str], *, as_markdown: bool, as_html: bool
) -> None:
    """Each verdict; of a submission, what is left out, and all in one line. `last`: lines at the end."""
    if printer.as_json:
        # One document on stdout, which is written already.
        return
    if as_markdown or as_html:
        printer.text(to_html(pages, last) if as_html else markdown(pages, last))
        return
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
