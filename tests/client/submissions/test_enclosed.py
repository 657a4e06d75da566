"""What a record says of when and how, and how a zip's entries are named."""

import os
import zipfile
from functools import partial

import pytest

from notarium.submissions.enclosed import enclosed_in, is_submission
from notarium.verdicts import judge
from notarium.verifying.verification import Verifying


def enclosed(study, place):
    verifying = Verifying(study.project.genesis)
    return enclosed_in(place, verifying, partial(judge, verifying=verifying, offline=True, timeout=1))


def test_label_outcome_and_start(study):
    started = study.now_ms - 2000
    study.run("fit", started_ms=started, status="failed")
    study.add("data.csv")
    data, run = enclosed(study, study.folder)
    assert (run.label, run.outcome, run.started_ms) == ("fit.run", "failed", started)
    assert (data.label, data.outcome, data.started_ms) == ("data.csv", "", None)


def test_what_was_not_unpacked_is_a_result_of_its_own(study):
    study.run("fit")
    place = study.zip()
    with zipfile.ZipFile(place, "a") as made:
        made.writestr("../out", b"x")
    *_, last = enclosed(study, place)
    [finding] = last.verdict.result.findings
    assert (finding.what, finding.path) == ("unreadable", f"{place}/../out")
    assert last.verdict.exit_code == 4


def test_a_folder_in_an_anchored_folder_is_part_of_that(data):
    assert is_submission(data.parent)
    assert not is_submission(data)
    assert not is_submission(data / "sub")


@pytest.mark.parametrize("name", ["x" * 300, "nowhere"])
def test_what_cannot_be_looked_at_is_no_submission(study, name):
    assert not is_submission(study.folder / name)


@pytest.mark.parametrize("content", [b"", b"PK", b"text"])
def test_what_is_no_zip_is_no_submission(study, content):
    (study.folder / "a.zip").write_bytes(content)
    assert not is_submission(study.folder / "a.zip")


def test_neither_is_a_pipe(study):
    os.mkfifo(study.folder / "pipe")
    assert not is_submission(study.folder / "pipe")
