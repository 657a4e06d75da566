"""Committing signs, writes the record and fills the outbox, in this order, and sends nothing."""

import json

import pytest

from notarium.anchoring import journal
from notarium.anchoring.commit import Disclosure, Ref, commit, make_body
from notarium.anchoring.outbox import outbox_of
from notarium.errors import ProjectError, Unwritable
from notarium.evidence.artifact import Artifact
from notarium.evidence.contents import Contents
from notarium.evidence.record import Record
from notarium_ledger.entries.entry import decode_entry


@pytest.fixture
def record():
    return Record.new("dataset", [Artifact("x", "subject", Contents.of_file(1, "ab" * 32))], {"gaps": []})


def body_of(project, record, **options):
    options = {"fields": {}, "refs": [], "disclosure": "consortium", **options}
    return make_body(project, record, bytes(32), **options)


def test_digests_of_artifacts_are_disclosed_only_where_all_is_public(project, record):
    assert "subjects" not in body_of(project, record)
    [subject] = body_of(project, record, disclosure=Disclosure.PUBLIC)["subjects"]
    assert subject == {"digest": bytes.fromhex("ab" * 32), "role": "subject", "name": "x"}
    with pytest.raises(ProjectError, match="'secret' is not one of public, consortium, sealed"):
        body_of(project, record, disclosure="secret")


def test_a_reference_named_twice_is_one(project, record):
    ref = Ref("derivedFrom", bytes(32))
    assert body_of(project, record, refs=[ref, ref])["refs"] == [{"rel": "derivedFrom", "entry": bytes(32)}]


def test_the_evidence_is_written_and_the_entry_waits(project, nodes, record):
    receipt = project.root / "x.receipt.json"
    waiting = commit(project, record, receipt)
    data = (project.root / "x.record.json").read_bytes()
    assert json.loads(data)["statement"]["predicateType"] == "urn:notarium:predicate:dataset:v1"
    assert decode_entry(waiting.entry).body["record"] == Record.decode(data).digest
    assert outbox_of(project).list() == [waiting]
    assert [each.receipt for each in journal.read(project.folder)] == ["x.receipt.json"]
    assert nodes[0].requests == []


def test_nothing_is_moved_or_written_where_it_cannot_be_signed(project, record):
    moved = []
    with pytest.raises(ProjectError, match="color"):
        commit(project, record, project.root / "x.receipt.json", fields={"color": 1}, make_room=lambda: moved.append(1))
    assert moved == []
    assert not (project.root / "x.record.json").exists()
    assert outbox_of(project).list() == []


def test_a_folder_that_cannot_be_written_is_named(project, record):
    (project.root / "file").write_text("")
    with pytest.raises(Unwritable, match=r"cannot be written: Not a directory; .*/file must be a folder"):
        commit(project, record, project.root / "file" / "x.receipt.json")
