"""Pages for reviewers: complete, and no name in them is mark-up."""

import re
from html.parser import HTMLParser

import pytest

from notarium.submissions.layout import as_html, markdown
from notarium.submissions.page import page_of
from notarium.verifying.verification import Verifying

HOSTILE = '<img src=x onerror=alert(1)> [a](https://x.example) `b` *c* | @team\x1b[31m\u202e"'

TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "span", "p", "ul", "li"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture
def page(study):
    study.run("fit", status="failed")
    study.add(f"{HOSTILE.replace('/', '_')}.csv", "preregistration")
    (study.folder / "unnamed.csv").write_text("x")
    return page_of(study.folder, Verifying(study.project.genesis), offline=True, timeout=1)


class Tags(HTMLParser):
    """All tags, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_html_has_all_and_no_tag_of_a_stranger(page):
    parsed = Tags()
    parsed.feed(as_html(page))
    text = " ".join(parsed.text)
    assert {tag for tag, _ in parsed.tags} <= TAGS
    assert all(attrs.keys() <= {"lang", "charset", "class"} for _, attrs in parsed.tags)
    for said in (page.status, "fit.run", "run failed", "no GPU seen", "1 file here has no receipt", "--offline"):
        assert said in text
    assert "onerror" in text
    assert not re.search("[\x1b\u202e]", text)


def test_markdown_has_one_row_for_each_entry_and_no_mark_up_of_a_stranger(page):
    text = markdown(page)
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(page.rows)
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert set(columns) == {8}
    for said in ("fit.run", "run failed", "no GPU seen"):
        assert said in text
    assert not re.search(r"(?<!\\)[<`@\[]", text.replace("<>", ""))
    assert not re.search("[\x1b\u202e]", text)
