"""A run that never ended gets an end that says what nobody knows."""

import pytest
from tests.client.helpers import present
from tests.support.records import recorded

from notarium.anchoring.closing import close
from notarium.anchoring.commit import Disclosure
from notarium.anchoring.open_runs import OpenMark, open_runs
from notarium.anchoring.outbox import outbox_of
from notarium.anchoring.start import begin
from notarium.errors import ProjectError
from notarium.naming import record_of
from notarium_ledger.entries.entry import decode_entry


def gone(project, disclosure="consortium", **facts):
    """A run whose process is gone."""
    said = {"name": "fit", "started": "2025-10-09T08:53:20.000Z", "gaps": ["dirty"], **facts}
    start = begin(project, said, started_ms=1_760_000_000_000, directory=project.root, disclosure=disclosure)
    start.wait(60)
    start._mark._release()
    [left] = open_runs(project)
    return left


@pytest.mark.parametrize("disclosure", Disclosure)
def test_the_end_shows_no_more_than_the_start_did(project, disclosure):
    signed = present(close(project, gone(project, disclosure), project.root))
    body = decode_entry(signed.waiting.entry).body
    assert (body["status"], body["disclosure"], [each["rel"] for each in body["refs"]]) == (
        "unknown",
        disclosure,
        ["ends"],
    )
    assert ("started_ms" in body, "ended_ms" in body) == (disclosure != "sealed", False)
    assert open_runs(project) == []


def test_what_the_start_knew_is_kept_with_its_gaps(project):
    signed = present(
        close(project, gone(project, code={"commit": "ab"}, command=["fit"], secrets_salt="cd"), project.root)
    )
    facts = recorded(record_of(signed.waiting.receipt_path))
    assert (facts["code"], facts["command"], facts["secrets_salt"], facts["started"]) == (
        {"commit": "ab"},
        ["fit"],
        "cd",
        "2025-10-09T08:53:20.000Z",
    )
    assert facts["gaps"][0] == "dirty"
    assert "are not recorded" in facts["gaps"][1]


def test_a_run_without_its_start_is_closed_with_a_gap(project):
    run = gone(project)
    run.start_place.unlink()
    record_of(run.start_place).unlink()
    signed = present(close(project, run, project.root))
    assert "refs" not in decode_entry(signed.waiting.entry).body
    assert any("reference ends is not recorded" in each for each in recorded("fit.run.record.json")["gaps"])


def test_a_run_of_this_process_is_not_closed(project):
    mark = OpenMark(project.folder / "runs", "ab", "fit", 0, project.root)
    [running] = open_runs(project)
    with pytest.raises(ProjectError, match="is running"):
        close(project, running, project.root)
    assert outbox_of(project).list() == []
    mark.ended()
