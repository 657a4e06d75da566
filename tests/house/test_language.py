"""Documents are in plain technical English, in lines that a terminal and a diff can show."""

import re

import pytest
from tests.house.language import INSTEAD, find
from tests.house.sources import ROOT, modules

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"]
PAGES += [str(each.relative_to(ROOT)) for each in sorted((ROOT / "docs").rglob("*.md"))]

MAX_COLUMNS = 110


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The node was told.", [(1, "told")]),
        ("one\ntwo Told", [(2, "Told")]),
        ("it waits for\n  ever", [(1, "for ever")]),
        ("# it waits for\n# ever", [(1, "for ever")]),
        ("an accusation against the accused", [(1, "accusation"), (1, "accused")]),
        ("There is none. Its value is None.", [(1, "is none")]),
        ("told_by, retold, forever, recommend, where, lesten, accumulate", []),
        ("", []),
    ],
)
def test_words_are_found_as_whole_words_over_line_breaks(text, found):
    assert find(text) == found


@pytest.mark.parametrize("words", INSTEAD)
def test_every_word_of_the_list_is_found(words):
    assert find(f"Here {words.replace('*', 'ed')} stands.") != []


@pytest.mark.parametrize("page", PAGES)
def test_documents_have_no_banned_word(page):
    # `Words in code` quote the product, which is checked itself.
    text = re.sub(r"`[^`\n]+`", "`quoted`", (ROOT / page).read_text(encoding="utf-8"))
    found = find(text)
    assert [f"{page}:{line}: {word}" for line, word in found] == []


def test_the_product_has_no_banned_word():
    """In docstrings, comments, messages, log lines and names."""
    texts = {str(path): (ROOT / path).read_text(encoding="utf-8") for path, _ in modules()}
    assert [f"{path}:{line}: {word}" for path, text in texts.items() for line, word in find(text)] == []


@pytest.mark.parametrize("page", PAGES)
def test_prose_of_documents_is_wrapped(page):
    long = [
        f"{page}:{number}: {len(line)} columns"
        for number, line in prose((ROOT / page).read_text(encoding="utf-8"))
        if len(line) > MAX_COLUMNS
    ]
    assert long == []


def test_prose_is_what_is_neither_a_table_nor_code_nor_a_link():
    text = "a\n```sh\ncode\n```\n| a table |\n[link](a/very/long/path.py) b\n    indented code\n  - a list\n"
    assert [line for _, line in prose(text)] == ["a", "[link] b", "  - a list"]


def prose(text: str) -> list[tuple[int, str]]:
    """Lines that are prose, with their numbers; of a link only what a reader sees."""
    lines, in_code = [], False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        elif not in_code and not line.startswith(("|", "    ")):
            lines.append((number, re.sub(r"\]\([^)]*\)", "]", line)))
    return lines
