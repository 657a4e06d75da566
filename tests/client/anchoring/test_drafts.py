"""A run that cannot be signed is kept whole, and completed later."""

import json
import os

import pytest
from tests.client.helpers import present
from tests.support.records import recorded

import notarium
from notarium.anchoring.drafts import complete, keep_draft, read_draft
from notarium.anchoring.outbox import outbox_of
from notarium.errors import ProjectError, Unwritable


@pytest.fixture
def draft(study, project, home):
    """The draft of a run whose key was missing, with an anchored input, two references and a commit of none."""
    key = home / "keys" / "test.key"
    key.rename(home / "key")
    (study / "model").write_text("weights")
    with notarium.track("fit") as run:
        run.input("data")
        run.refs("preRegisteredBy", "data")
        run.refs("informedBy", "ab" * 32)
        run.params({"rate": 0.5, "layers": 3, "big": 2**60, "odd": float("nan"), "name": "é\u202e"})
        run.metric("auc", 0.93)
        run.output("model")
        run.output("missing")
    (home / "key").rename(key)
    assert (run.receipt, run.id) == (None, "")
    return present(run.draft_path)


def predicate(place):
    return recorded(place)


def test_a_draft_becomes_the_evidence_that_the_run_would_have_had(draft, project, study, monkeypatch):
    facts = read_draft(draft).facts
    monkeypatch.chdir(study.parent)
    signed = complete(project, study / draft)
    assert not (study / draft).exists()
    [waiting] = outbox_of(project).list()
    assert waiting == signed.waiting
    body = predicate(study / "fit.run.record.json")
    assert {name: body[name] for name in facts if name != "gaps"} == {k: v for k, v in facts.items() if k != "gaps"}
    assert body["params"]["rate"] == 0.5
    assert [each["name"] for each in body["artifacts"]] == ["data", "model"]
    *others, last = body["gaps"]
    assert "output missing is not recorded: does not exist" in others
    assert last.startswith("this was an unsigned draft until ")
    assert signed.problems == ()


def test_references_and_inputs_are_looked_up_when_it_is_completed(draft, project, study, ledger):
    (study / "data.receipt.json").rename(study / "gone")
    signed = complete(project, draft)
    assert [str(each) for each in signed.problems] != []
    gaps = predicate(study / "fit.run.record.json")["gaps"]
    assert any(each.startswith("reference preRegisteredBy is not recorded") for each in gaps)
    assert not any(str(study) in each for each in gaps), "no absolute path is recorded"


def test_drafts_of_one_name_take_different_places_and_overwrite_nothing(draft, study, tmp_path):
    record = read_draft(draft)
    whole = draft.read_bytes()
    assert keep_draft(record, study, tmp_path / "reserve").name == "fit.2.run.draft.json"
    assert draft.read_bytes() == whole
    with pytest.raises(Unwritable, match="cannot be kept as a draft"):
        keep_draft(record, draft, draft)


def test_what_still_cannot_be_signed_stays_a_draft(draft, project, study, home):
    before = sorted(os.listdir(study))
    key = home / "keys" / "test.key"
    key.rename(home / "key")
    with pytest.raises(ProjectError):
        complete(project, draft)
    (home / "key").rename(key)
    with pytest.raises(ProjectError, match="disclosure"):
        complete(project, draft, disclosure="secret")
    assert sorted(os.listdir(study)) == before


def changed(name, value):
    def change(document):
        document[name] = value
        return json.dumps(document)

    return change


@pytest.mark.parametrize(
    "damage",
    [
        lambda document: "{",
        lambda document: "[]",
        lambda document: "[" * 100_000,
        changed("format", "notarium-draft-2"),
        changed("status", "done"),
        changed("name", 7),
        changed("started_ms", -1),
        changed("started_ms", True),
        changed("started_ms", 10**20),
        changed("commit", "xyz"),
        changed("artifacts", [{"name": "/etc/passwd", "role": "x", "type": "file", "size": 1, "sha256": "0" * 64}]),
        changed("artifacts", [{"name": "\ud800", "role": "x", "type": "file", "size": 1, "sha256": "0" * 64}]),
        changed("refs", [["derivedFrom"]]),
        changed("refs", [["derivedFrom", "a\0b"]]),
        changed("refs", [["derivedFrom", "\ud800"]]),
        changed("facts", []),
        changed("facts", {"gaps": "none"}),
    ],
)
def test_what_is_not_a_draft_is_named(draft, project, damage):
    draft.write_text(damage(json.loads(draft.read_text())))
    with pytest.raises(ProjectError, match=r"fit\.run\.draft\.json is not the draft of a run"):
        read_draft(draft)


def test_a_pipe_is_no_draft(draft):
    draft.unlink()
    os.mkfifo(draft)
    with pytest.raises(ProjectError, match="not a regular file"):
        read_draft(draft)
