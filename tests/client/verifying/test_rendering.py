"""Markdown and HTML say what the text says, and nothing that is quoted adds to the page."""

import html
import re

import pytest

from notarium.verifying.account import Account
from notarium.verifying.parts import Trusted, VerdictParts
from notarium.verifying.rendering import SHOWN, as_html, limited, markdown

EVIL = '<script>alert(1)</script> **x** [y](http://z) # \x1b[31m "q"'


def account(path="data", text="plain", **over):
    parts = VerdictParts((f"proven {text}",), (Trusted(f"m0 {text}", "said"),), (f"gap {text}",), (f"hidden {text}",))
    said = {"marks": (f"failed {text}",), "about": f"run {text}", "notes": (f"note {text}",), "findings": (text,)}
    return Account(**{"status": "verified", "path": path, "parts": parts, **said, **over})


def test_both_forms_have_all_that_an_account_says():
    pages = markdown([account()], ["against the ledger"]), as_html(account())
    for page in pages:
        plain = html.unescape(page.replace("\\", ""))
        for part in ("verified (failed plain)", "data", "run plain", "note plain", "proven plain", "m0 plain: said"):
            assert part in plain
        titles = [plain.index(each) for each in ("proven here", "taken on trust from", "gaps", "not shown by this")]
        assert titles == sorted(titles)
        assert "gap plain" in plain
        assert "hidden plain" in plain
    assert "against the ledger" in pages[0]


@pytest.mark.parametrize("field", ["path", "text"])
def test_what_is_quoted_adds_nothing_to_the_page(field):
    said = account(**{field: EVIL})
    page, shown = markdown([said], []), as_html(said)
    assert "<script" not in page.replace("\\<", "")
    assert "\x1b" not in page + shown
    assert not re.search(r"(?<!\\)\*\*x", page)
    assert not re.search(r"(?<!\\)\[y", page)
    assert set(re.findall(r"<(\w+)", shown)) <= {"div", "p", "strong", "code", "ul", "li"}


def test_a_line_break_in_a_name_begins_no_heading():
    page = markdown([account(path="a\n# b")], [])
    assert [line for line in page.splitlines() if line.startswith("# ")] == []


def test_a_page_of_several_says_once_what_they_share():
    page = markdown([account("x"), account("y")], [])
    assert page.count("proven plain") == 1
    assert "## Of all of them" in page
    alone = markdown([account("x")], [])
    assert "Of all of them" not in alone


def test_an_empty_part_of_a_single_verdict_says_nothing():
    page = markdown([account(parts=VerdictParts())], [])
    assert page.count("- nothing") == 4


def test_green_is_for_what_has_nothing_against_it():
    assert "#1a7f37" in as_html(account(marks=()))
    assert "#1a7f37" not in as_html(account())
    assert "#cf222e" in as_html(account(status="mismatch"))


def test_a_long_list_ends():
    lines = [str(number) for number in range(SHOWN + 5)]
    assert limited(lines)[-1] == "… and 5 more (--json lists all)"
    assert len(limited(lines)) == SHOWN + 1
    assert limited(lines[:SHOWN]) == lines[:SHOWN]


def test_a_quoted_name_closes_no_issue_where_a_page_is_pasted():
    assert "fixes \\#12" in markdown([account(path="fixes #12")], [])
