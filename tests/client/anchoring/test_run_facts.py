"""From what is known of a run to its signed entry."""

import os
from dataclasses import replace

import pytest

from notarium.anchoring.outbox import Outbox, outbox_of
from notarium.anchoring.run_facts import RunFacts, RunStatus, sign_run
from notarium.errors import NotariumError

RECORD = RunFacts(
    name="fit",
    status=RunStatus.FAILED,
    started_ms=1_760_000_000_000,
    ended_ms=1_760_000_001_000,
    commit="ab" * 20,
    disclosure="consortium",
    artifacts=(),
    refs=(),
    facts={"gaps": []},
)


def test_a_sealed_run_shows_its_status_only():
    assert RECORD.fields().keys() == {"status", "started_ms", "ended_ms", "code"}
    assert replace(RECORD, commit="").fields().keys() == {"status", "started_ms", "ended_ms"}
    assert replace(RECORD, disclosure="sealed").fields() == {"status": "failed"}


def test_a_run_that_is_signed_waits_with_its_evidence(project):
    signed = sign_run(project, RECORD, project.root)
    assert outbox_of(project).list() == [signed.waiting]
    assert (project.root / "fit.run.record.json").exists()


@pytest.mark.parametrize("record", [replace(RECORD, commit="ab"), replace(RECORD, disclosure="secret")])
def test_what_cannot_be_signed_leaves_nothing_behind(project, record):
    before = sorted(os.listdir(project.root))
    with pytest.raises(NotariumError):
        sign_run(project, record, project.root)
    assert sorted(os.listdir(project.root)) == before


def test_an_outbox_that_cannot_be_written_leaves_no_evidence_without_an_entry(project, monkeypatch):
    def full(outbox, waiting):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Outbox, "put", full)
    with pytest.raises(NotariumError, match="No space left"):
        sign_run(project, RECORD, project.root)
    assert not (project.root / "fit.run.record.json").exists()
