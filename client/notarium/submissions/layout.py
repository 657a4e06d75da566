"""A page in Markdown, for a pull request or an editor's form, and in HTML, for a browser, complete in one file.

All names come from whoever sent the submission. In Markdown nothing of them is mark-up, in HTML nothing is a tag, and
what steers a terminal or turns text around is shown as its escape in both. Below the overview stand the verdicts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from notarium.errors import ExitCode
from notarium.submissions.page import Page, Row
from notarium.verifying import rendering
from notarium.verifying.people import for_the_eye, time_text
from notarium.verifying.rendering import html_text, markdown_text

_HEADS: Final = ("#", "entry", "what", "by", "decided", "verdict", "to know")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #ccc;padding:.4rem .6rem;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}.ok{color:#186a1b}.bad{color:#a11;font-weight:600}.ask{color:#8a5a00;"
    "font-weight:600}"
)


def markdown(pages: Sequence[Page], last: Sequence[str]) -> str:
    """All pages as Markdown. `last`: lines at its end, such as the one that names the ledger."""
    overviews = ["\n".join(_markdown(page)) for page in pages if page.is_submission]
    accounts = [row.account() for page in pages for row in page.rows]
    return "\n\n".join([*overviews, rendering.markdown(accounts, last)])


def as_html(pages: Sequence[Page], last: Sequence[str]) -> str:
    """All pages as one HTML document without scripts and without addresses."""
    title = html_text(", ".join(f"{page.name}: {page.status}" for page in pages))
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">',
            f"<title>{title}</title><style>{_STYLE}</style></head><body>",
            *(line for page in pages if page.is_submission for line in _html(page)),
            *(rendering.as_html(row.account()) for page in pages for row in page.rows),
            *(f"<p>{html_text(line)}</p>" for line in last),
            "</body></html>\n",
        ]
    )


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {markdown_text(page.name)}: {page.status}"
    yield ""
    yield f"{markdown_text(page.summary())}."
    yield ""
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|{' --- |' * len(_HEADS)}"
    for row in page.rows:
        yield f"| {' | '.join(map(markdown_text, _cells(row)))} |"
    for title, lines in _sections(page):
        yield f"\n**{title}**\n"
        yield from (f"- {markdown_text(each)}" for each in lines)


def _html(page: Page) -> Iterator[str]:
    yield f'<h1>{html_text(page.name)}: <span class="{_colour(page.exit_code)}">{page.status}</span></h1>'
    yield f"<p>{html_text(page.summary())}.</p>"
    yield f"<table><thead><tr>{''.join(f'<th>{each}</th>' for each in _HEADS)}</tr></thead><tbody>"
    for row in page.rows:
        *cells, verdict, known = map(html_text, _cells(row))
        colour = _colour(row.enclosed.verdict.exit_code)
        yield "<tr>" + "".join(f"<td>{each}</td>" for each in cells)
        yield f'<td class="{colour}">{verdict}</td><td class="{"" if row.is_clean else "ask"}">{known}</td></tr>'
    yield "</tbody></table>"
    for title, lines in _sections(page):
        yield f"<h2>{title}</h2><ul>{''.join(f'<li>{html_text(each)}</li>' for each in lines)}</ul>"


def _cells(row: Row) -> tuple[str, ...]:
    each = row.enclosed
    number, what, by, decided = "", "", "", ""
    if each.receipt is not None:
        what = " ".join(filter(None, (each.body["kind"], each.outcome)))
        number, by = str(each.receipt.index), f"{each.body.get('issuer', each.body.get('member'))}"
        decided = time_text(each.receipt.time_ms)
    known = (*(mark.text for mark in each.verdict.result.marks), *(str(remark.kind) for remark in row.remarks))
    return number, each.label, what, by, decided, str(each.verdict.status), "; ".join(dict.fromkeys(known))


def _sections(page: Page) -> Iterator[tuple[str, Sequence[str]]]:
    """What stands below the table; no empty section."""
    to_know = [f"{row.enclosed.label}: {each.kind}: {each.text}" for row in page.rows for each in row.remarks]
    sections = (
        ("To know", to_know),
        ("On the ledger and left out", page.left_out),
        ("Not asked", [page.silence] if page.silence else []),
    )
    yield from ((title, list(map(for_the_eye, lines))) for title, lines in sections if lines)


def _colour(code: ExitCode) -> str:
    return {ExitCode.OK: "ok", ExitCode.MISMATCH: "bad"}.get(code, "ask")
