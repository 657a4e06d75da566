"""A record by what is at hand."""

import pytest
from tests.client.helpers import change_a_byte

from notarium.anchoring.track import track
from notarium.errors import InvalidRecordFile, NotAnchored, ProjectError
from notarium.explaining.opening import open_record


@pytest.fixture
def fit(project):
    with track("fit", strict=True) as run:
        run.param("lr", 0.1)
    return project


@pytest.mark.parametrize("name", ["fit", "fit.run", "fit.run.receipt.json", "fit.run.record.json"])
def test_by_each_of_its_names(fit, name):
    opened = open_record(fit.root / name, fit.genesis)
    assert opened.side.record.facts["params"] == {"lr": 0.1}
    assert opened.receipt is not None


def test_without_a_receipt_it_is_its_authors_word(fit):
    (fit.root / "fit.run.receipt.json").unlink()
    assert open_record(fit.root / "fit", fit.genesis).receipt is None


def test_a_forged_one_is_refused(fit):
    record = fit.root / "fit.run.record.json"
    record.write_text(record.read_text().replace("0.1", "0.2"))
    with pytest.raises(InvalidRecordFile, match="signature does not hold"):
        open_record(record, fit.genesis)
    change_a_byte(fit.root / "fit.run.receipt.json")
    with pytest.raises(InvalidRecordFile, match="is not valid: step"):
        open_record(record, fit.genesis)


def test_what_has_no_record_is_said(fit):
    with pytest.raises(NotAnchored, match=r"there is no .*nothing\.record\.json"):
        open_record(fit.root / "nothing", fit.genesis)
    (fit.root / "x.run.draft.json").write_text("{}")
    with pytest.raises(ProjectError, match="notarium complete"):
        open_record(fit.root / "x.run.draft.json", fit.genesis)
