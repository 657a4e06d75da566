"""Pages for reviewers: complete, and no name in them is mark-up."""

import re
from functools import partial
from html.parser import HTMLParser

import pytest

from notarium.submissions.enclosed import enclosed_in
from notarium.submissions.layout import as_html, markdown
from notarium.submissions.page import Inside, pages_of
from notarium.verdicts import judge
from notarium.verifying.asking import Asking
from notarium.verifying.verification import Verifying

HOSTILE = '<img src=x onerror=alert(1)> [a](https://x.example) `b` *c* | @team\x1b[31m\u202e"'

TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "span", "p", "ul", "li", "div", "strong", "code"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}


@pytest.fixture
def pages(study):
    study.run("fit", status="failed")
    study.add(f"{HOSTILE.replace('/', '_')}.csv", "preregistration")
    (study.folder / "unnamed.csv").write_text("x")
    verifying = Verifying(study.project.genesis)
    judged = partial(judge, verifying=verifying, offline=True, timeout=1)
    return pages_of([Inside(str(study.folder), True, enclosed_in(study.folder, verifying, judged))], Asking())


class Tags(HTMLParser):
    """All tags, and the text."""

    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_html_has_all_and_no_tag_of_a_stranger(pages):
    parsed = Tags()
    parsed.feed(as_html(pages, ["last"]))
    text = " ".join(parsed.text)
    assert {tag for tag, _ in parsed.tags} <= TAGS
    assert all(attrs.keys() <= {"lang", "charset", "class", "style"} for _, attrs in parsed.tags)
    for said in (pages[0].status, "fit.run", "run failed", "no GPU seen", "1 file here has no receipt", "--offline"):
        assert said in text
    assert "onerror" in text
    assert not re.search("[\x1b\u202e]", text)


def test_markdown_has_one_row_for_each_entry_and_no_mark_up_of_a_stranger(pages):
    text = markdown(pages, ["last"])
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(pages[0].rows)
    columns = [len(re.findall(r"(?<!\\)\|", line)) for line in rows]
    assert set(columns) == {8}
    for said in ("fit.run", "run failed", "no GPU seen"):
        assert said in text
    assert not re.search(r"(?<!\\)[<`@\[]", text.replace("<>", ""))
    assert not re.search("[\x1b\u202e]", text)
