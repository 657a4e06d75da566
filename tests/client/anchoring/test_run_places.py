"""Runs of one name take different places, and give back what they did not use."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from notarium.anchoring.run_places import claim_place
from notarium.errors import ProjectError, Unwritable


def test_places_are_numbered(tmp_path):
    names = [claim_place(tmp_path, "fit.run").name for _ in range(3)]
    assert names == ["fit.run.receipt.json", "fit.2.run.receipt.json", "fit.3.run.receipt.json"]


def test_no_two_runs_get_one_place(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(lambda _: claim_place(tmp_path, "fit.run"), range(64)))
    assert len(set(places)) == 64


def test_too_many_runs_and_a_folder_that_is_not_one_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("notarium.anchoring.run_places.MAX_RUNS_OF_ONE_NAME", 1)
    claim_place(tmp_path, "fit.run")
    with pytest.raises(ProjectError, match=r"'fit'.*choose another name"):
        claim_place(tmp_path, "fit.run")
    (tmp_path / "file").write_text("")
    with pytest.raises(Unwritable, match="must be a folder"):
        claim_place(tmp_path / "file", "fit.run")
