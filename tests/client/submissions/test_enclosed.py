"""What a record says of when and how, and how a zip's entries are named."""

import zipfile

import pytest

from notarium.submissions.enclosed import enclosed_in, is_submission
from notarium.verifying.verification import Verifying


def enclosed(study, place):
    return enclosed_in(place, Verifying(study.project.genesis), offline=True, timeout=1)


def test_times_gaps_and_outcome_come_from_the_record(study):
    study.run("fit", started_ms=study.now_ms - 2000, ended_ms=study.now_ms - 1000, status="failed")
    study.add("data.csv")
    data, run = enclosed(study, study.folder)
    assert (run.label, run.outcome, run.gaps) == ("fit.run", "failed", ("no GPU seen",))
    assert (run.ended_ms - run.started_ms, data.started_ms, data.outcome) == (1000, None, "")


def test_without_its_record_the_entry_says_when(study):
    started = study.now_ms - 2000
    study.run("fit", started_ms=started)
    (study.folder / "fit.run.record.json").unlink()
    [run, *_] = enclosed(study, study.folder)
    assert (run.started_ms, run.gaps) == (started, ())


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
