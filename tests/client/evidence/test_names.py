"""Names that look alike are two names, and what distinguishes them is said."""

import os

import pytest

from notarium.errors import UnreadableArtifact
from notarium.evidence.names import check_name, difference, look_alikes, printable

NFC, NFD = "caf\u00e9.csv", "cafe\u0301.csv"


def test_names_that_look_alike_are_found():
    assert look_alikes(["x", NFC, "y", NFD]) == [(NFD, NFC)]
    assert look_alikes(["Data.csv", "data.csv", "data2.csv"]) == [("Data.csv", "data.csv")]
    assert look_alikes(["a/x", "A/x", "b/x"]) == [("A/x", "a/x")]
    assert look_alikes(["a", "b"]) == []


def test_what_distinguishes_them():
    assert difference(NFC, NFD) == "in Unicode's normal form: U+00E9 and U+0065 U+0301"
    assert difference("Data.csv", "data.csv") == "in case"


def test_a_name_that_is_not_utf8_is_refused_and_can_be_shown(tmp_path):
    name = os.fsdecode(b"\xff.csv")
    with pytest.raises(UnreadableArtifact, match="not UTF-8; rename it") as caught:
        check_name(tmp_path, name)
    str(caught.value).encode()
    printable(name).encode()
    check_name(tmp_path, "tab\tand\nline")
