"""A page in Markdown, for a pull request or an editor's form, and in HTML, for a browser, complete in one file.

All names come from whoever sent the submission. In Markdown nothing of them is mark-up, in HTML nothing is a tag, and
what steers a terminal or turns text around is shown as its escape in both.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Final

from notarium import terminal
from notarium.errors import ExitCode
from notarium.submissions.page import Page, Row
from notarium.submissions.remarks import when

SHOWN_FINDINGS: Final = 20
"""Of one entry; --json has all of them."""
_MARKDOWN: Final = re.compile(r"([\\`*_{}\[\]<>#!|~&@]|(?<=:)/|(?<=www)\.)")
"""What begins mark-up, a mention or a link."""
_HEADS: Final = ("#", "entry", "what", "by", "decided", "verdict", "to know")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1b1b}"
    "table{border-collapse:collapse;width:100%}th,td{border-bottom:1px solid #ccc;padding:.4rem .6rem;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}.ok{color:#186a1b}.bad{color:#a11;font-weight:600}.ask{color:#8a5a00;"
    "font-weight:600}code{font-size:90%}"
)
_NOT_SHOWN: Final = (
    "That a file is unchanged since its entry was decided does not show that its content is right, who wrote it within "
    "the institution, or that nothing else was done and left out."
)


def markdown(page: Page) -> str:
    """The page as Markdown."""
    return "\n".join(_markdown(page)) + "\n"


def as_html(page: Page) -> str:
    """The page as one HTML document without scripts and without addresses."""
    return "\n".join(_html(page)) + "\n"


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {_md(page.name)}: {page.status}"
    yield ""
    yield f"{_md(page.summary())}."
    yield ""
    yield f"| {' | '.join(_HEADS)} |"
    yield f"|{' --- |' * len(_HEADS)}"
    for row in page.rows:
        yield f"| {' | '.join(map(_md, _cells(row)))} |"
    for title, lines in _sections(page):
        yield ""
        yield f"## {title}"
        yield ""
        yield from (f"- {_md(each)}" for each in lines)


def _html(page: Page) -> Iterator[str]:
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield f"<title>{_escaped(page.name)}: {page.status}</title><style>{_STYLE}</style></head><body>"
    yield f'<h1>{_escaped(page.name)}: <span class="{_colour(page.exit_code)}">{page.status}</span></h1>'
    yield f"<p>{_escaped(page.summary())}.</p>"
    yield f"<table><thead><tr>{''.join(f'<th>{each}</th>' for each in _HEADS)}</tr></thead><tbody>"
    for row in page.rows:
        *cells, verdict, known = map(_escaped, _cells(row))
        colour = _colour(row.enclosed.verdict.exit_code)
        heavy = "ask" if any(each.is_weighty for each in row.remarks) else ""
        yield "<tr>" + "".join(f"<td>{each}</td>" for each in cells)
        yield f'<td class="{colour}">{verdict}</td><td class="{heavy}">{known}</td></tr>'
    yield "</tbody></table>"
    for title, lines in _sections(page):
        yield f"<h2>{title}</h2><ul>{''.join(f'<li>{_escaped(each)}</li>' for each in lines)}</ul>"
    yield "</body></html>"


def _cells(row: Row) -> tuple[str, ...]:
    each = row.enclosed
    number, what, by, decided = "", "", "", ""
    if each.receipt is not None:
        what = " ".join(filter(None, (each.body["kind"], each.outcome)))
        number, by = str(each.receipt.index), f"{each.body.get('issuer', each.body.get('member'))}"
        decided = when(each.receipt.time_ms)
    known = "; ".join(dict.fromkeys(str(remark.kind) for remark in row.remarks))
    return number, each.label, what, by, decided, str(each.verdict.status), known


def _sections(page: Page) -> Iterator[tuple[str, list[str]]]:
    """What stands below the table; no empty section."""
    to_know = [f"{row.enclosed.label}: {remark.kind}: {remark.text}" for row in page.rows for remark in row.remarks]
    findings = [line for row in page.rows for line in _findings(row)]
    why = [line for row in page.rows for each in row.enclosed.why for line in each.lines()]
    gaps = [f"{row.enclosed.label}: {gap}" for row in page.rows for gap in row.enclosed.gaps]
    ledger = [f"{page.ledger.name}, genesis {page.ledger.genesis_hash}", *filter(None, [page.silence])]
    sections = (
        ("To know", to_know),
        ("What does not hold, or could not be checked", findings),
        ("Why", why),
        ("On the ledger and left out", list(page.left_out)),
        ("Gaps that the records name", gaps),
        ("Proven against the ledger", ledger),
        ("Not shown by this", [_NOT_SHOWN]),
    )
    yield from ((title, lines) for title, lines in sections if lines)


def _findings(row: Row) -> Iterator[str]:
    verdict = row.enclosed.verdict
    if verdict.reason:
        yield f"{row.enclosed.label}: {verdict.reason}"
    yield from map(str, verdict.result.findings[:SHOWN_FINDINGS])
    if (more := len(verdict.result.findings) - SHOWN_FINDINGS) > 0:
        yield f"{row.enclosed.label}: and {more} more (--json lists all)"


def _colour(code: ExitCode) -> str:
    return {ExitCode.OK: "ok", ExitCode.MISMATCH: "bad"}.get(code, "ask")


def _md(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", terminal.printable(text))


def _escaped(text: str) -> str:
    return html.escape(terminal.printable(text))
