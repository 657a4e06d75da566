"""Verdicts as a Markdown page and as HTML. Whatever they quote is escaped, so that no file name can add to the page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from notarium.terminal import printable
from notarium.verifying.account import Account, without_shared
from notarium.verifying.parts import VerdictParts

SHOWN = 20
"""Findings of one path that a page lists; --json lists all."""
NOTHING = "nothing"
_SPECIAL = re.compile(r"([\\`*_\[\]#!|~<>&@]|^[+\-]|(?<=:)/|(?<=www)\.)")
"""What begins mark-up, a mention, a link or the number of an issue; some of it only at the beginning."""
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""As `html.escape`, whose module takes 5 ms of every command's start."""
_COLOURS = {"verified": "#1a7f37", "mismatch": "#cf222e"}
_UNDECIDED = "#9a6700"


def markdown(accounts: Sequence[Account], last: Sequence[str]) -> str:
    """A page about all of them. `last`: lines at its end, such as the one that names the ledger."""
    rows, common = without_shared(accounts)
    blocks = [_block(each, is_alone=len(rows) == 1) for each in rows]
    if common != VerdictParts():
        blocks.append("\n".join(["## Of all of them", *_lists(common, is_alone=False)]))
    return "\n\n".join([*blocks, *map(markdown_text, last)]) + "\n"


def _block(account: Account, *, is_alone: bool) -> str:
    lines = [f"## {markdown_text(account.outcome)}: {markdown_text(account.path)}"]
    lines += [f"\n{markdown_text(each)}" for each in (account.about, *account.notes) if each]
    if account.findings:
        lines += ["", *(f"- {markdown_text(each)}" for each in limited(account.findings))]
    return "\n".join([*lines, *_lists(account.parts, is_alone=is_alone)])


def _lists(parts: VerdictParts, *, is_alone: bool) -> list[str]:
    lines: list[str] = []
    for title, said in shown_parts(parts, is_alone=is_alone):
        lines += ["", f"**{title}**", "", *(f"- {markdown_text(each)}" for each in said)]
    return lines


def as_html(account: Account) -> str:
    """For a notebook: one block without any script."""
    is_plain = not account.marks
    colour = _COLOURS.get(account.status, _UNDECIDED) if is_plain or account.status == "mismatch" else _UNDECIDED
    head = (
        f'<strong style="color:{colour}">{html_text(account.outcome)}</strong> <code>{html_text(account.path)}</code>'
    )
    body = [f"<p>{head}</p>"]
    body += [f"<p>{html_text(each)}</p>" for each in (account.about, *account.notes) if each]
    if account.findings:
        body.append(_list(limited(account.findings)))
    for title, said in shown_parts(account.parts, is_alone=True):
        body.append(f"<p><strong>{html_text(title)}</strong></p>{_list(said)}")
    return f"<div>{''.join(body)}</div>"


def shown_parts(parts: VerdictParts, *, is_alone: bool) -> list[tuple[str, list[str]]]:
    """Title and lines of the parts: all four of a single verdict, of one among many those that have a line."""
    return [(title, limited(said) or [NOTHING]) for title, said in parts.titled() if said or is_alone]


def limited(lines: Sequence[str]) -> list[str]:
    """The first of them, and how many more there are."""
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], f"… and {more} more (--json lists all)"] if more > 0 else list(lines)


def _list(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{html_text(each)}</li>' for each in lines)}</ul>"


def markdown_text(text: str) -> str:
    """For Markdown: what begins mark-up is escaped, and there is one line."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def html_text(text: str) -> str:
    return printable(text).translate(_ENTITIES)
