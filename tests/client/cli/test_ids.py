"""Ids in full, or as `notarium log` prints them."""

import pytest

from notarium.anchoring.journal import JournalLine, append
from notarium.cli.ids import id_digits, logged, receipt_logged, wanted_id
from notarium.errors import ProjectError

FIRST, SECOND = "ab" * 32, "ac" * 32


@pytest.fixture
def here(project):
    for id_ in (FIRST, SECOND):
        append(project.folder, JournalLine(1, id_, "run", f"{id_[:4]}.receipt.json"))
    return project


def test_an_id_or_its_beginning(here):
    for target in (FIRST, FIRST.upper(), "aba", "ABAB…"):
        assert wanted_id(here, target).hex() == FIRST
    assert wanted_id(here, "00" * 32) == bytes(32), "in full it need not be in the log"
    line = logged(here, "acac")
    assert line is not None
    assert receipt_logged(here, line) == here.root / "acac.receipt.json"


@pytest.mark.parametrize(
    ("target", "said"), [("a", "2 ids in this project's log"), ("ff", "'notarium log' lists"), ("fit.run", "not an id")]
)
def test_what_names_no_entry_is_refused(here, target, said):
    with pytest.raises(ProjectError, match=said):
        wanted_id(here, target)


def test_digits_only():
    assert [id_digits(each) for each in ("Ab…", "ab.csv", "", "g", "a" * 65)] == ["ab", "", "", "", ""]
