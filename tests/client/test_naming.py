"""Names of receipts and records beside what they are about."""

from pathlib import Path

import pytest

from notarium.errors import ProjectError
from notarium.naming import artifact_path, is_receipt, is_record, receipt_beside, receipt_of, record_of, run_stem


@pytest.mark.parametrize("name", ["data", "model.joblib", "fit.run"])
def test_receipt_and_record_lead_to_each_other(name):
    receipt = receipt_beside(Path("study") / name)
    assert receipt == Path("study") / f"{name}.receipt.json"
    assert receipt_of(record_of(receipt)) == receipt
    assert is_receipt(receipt)
    assert is_record(record_of(receipt))
    assert not is_receipt(record_of(receipt))


def test_a_run_is_named_by_a_file_name_that_fits():
    assert run_stem("fit") == "fit.run"
    for wrong in ("", ".fit", "a/b", "a\nb", "ü" * 101):
        with pytest.raises(ProjectError):
            run_stem(wrong)


def test_a_path_gets_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert artifact_path("data/") == Path("data")
    assert artifact_path(".").name == tmp_path.name
