"""The author in a record: one form, and nothing that is not an author."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium

from notarium.errors import InvalidRecordFile
from notarium.evidence.author import Author


@given(st.binary(min_size=32, max_size=32), st.text(), st.text())
def test_it_reads_back_the_same(key, issuer, project):
    author = Author(key, issuer, project)
    assert Author.from_json(author.to_json()) == author


def test_it_is_whoever_signed_the_entry():
    consortium = Consortium(4)
    entry = consortium.entry(consortium.body("dataset", project="p"))
    assert Author.of(entry) == Author(consortium.researcher.public, "m0", "p")
    assert str(Author.of(entry)) == f"m0 · p · key {consortium.researcher.public.hex()[:16]}…"


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {},
        {"key": "ab" * 32, "issuer": "m0"},
        {"key": "ab" * 32, "issuer": "m0", "project": "p", "more": ""},
        {"key": "AB" * 32, "issuer": "m0", "project": "p"},
        {"key": "ab" * 31, "issuer": "m0", "project": "p"},
        {"key": 1, "issuer": "m0", "project": "p"},
        {"key": "ab" * 32, "issuer": None, "project": "p"},
    ],
)
def test_what_is_not_an_author_is_refused(value):
    with pytest.raises(InvalidRecordFile, match=r"predicate\.author"):
        Author.from_json(value)
