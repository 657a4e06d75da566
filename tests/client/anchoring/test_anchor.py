"""Anchoring an artifact: when it does nothing, when it commits again, and what happens to what it supersedes."""

import json
import os

import pytest
from tests.client.helpers import present
from tests.support.records import recorded

from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import Ref
from notarium.anchoring.delivery import deliver
from notarium.anchoring.outbox import outbox_of
from notarium.errors import ProjectError, Rejected, Unreachable, UnreadableArtifact
from notarium.evidence.predicate import OBSERVED, RESERVED
from notarium.key_files import create_key
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify


def test_anchoring_the_same_again_changes_nothing(data, project, ledger):
    again = anchor(data, project=project)
    assert again.status == "unchanged"
    assert len(ledger.entries) == 1


@pytest.mark.parametrize(
    "said",
    [
        {"disclosure": "public"},
        {"facts": {"venue": "a journal"}},
        {"fields": {"partitions": 7}},
        {"refs": [Ref("derivedFrom", b"\1" * 32)]},
        {"refs": [Ref("supersedes", b"\1" * 32)]},
    ],
    ids=["disclosure", "facts", "fields", "refs", "supersedes"],
)
@pytest.mark.parametrize("waits", [False, True])
def test_saying_something_else_about_the_same_content_anchors_again(data, project, nodes, ledger, said, waits):
    if waits:
        nodes[0].stop()
        (data / "a.csv").write_text("corrected")
        assert anchor(data, project=project, timeout=0.3).status == "pending"
        nodes[0].start_again()
    before = anchor(data, project=project, strict=True)
    assert before.status == ("anchored" if waits else "unchanged")
    after = anchor(data, project=project, strict=True, **said)
    assert after.status == "anchored"
    assert after.id != before.id
    assert {"rel": "supersedes", "entry": bytes.fromhex(before.id)} in present(after.receipt).body["refs"]
    assert anchor(data, project=project, strict=True, **said).status == "unchanged"
    # What was said is taken back by not saying it again, but for what is superseded.
    again = anchor(data, project=project, strict=True)
    assert again.status == ("unchanged" if "supersedes" in str(said) else "anchored")


def test_a_disclosure_that_is_asked_for_later_is_not_passed_over(project):
    path = project.root / "model.bin"
    path.write_bytes(b"model")
    for disclosure in ("consortium", "public", "sealed"):
        done = anchor(path, "model", project=project, disclosure=disclosure, strict=True)
        assert (done.status, present(done.receipt).body["disclosure"]) == ("anchored", disclosure)
        assert ("subjects" in present(done.receipt).body) == (disclosure == "public")


def test_one_kind_does_not_supersede_another(data, project, nodes, genesis):
    before = sorted(os.listdir(data.parent))
    with pytest.raises(ProjectError, match=r"rename data\.receipt\.json"):
        anchor(data, "model", project=project)
    assert sorted(os.listdir(data.parent)) == before
    for each in ("receipt", "record"):
        (data.parent / f"data.{each}.json").rename(data.parent / f"data.dataset.{each}.json")
    model = anchor(data, "model", project=project, strict=True)
    assert "refs" not in present(model.receipt).body
    assert [each.status for each in Verifying(genesis).verify(project.root)] == [VerificationStatus.VERIFIED] * 2
    nodes[0].stop()
    (project.root / "x").write_text("x")
    anchor("x", project=project, timeout=0.3)
    with pytest.raises(ProjectError, match="waits in the outbox"):
        anchor("x", "model", project=project, timeout=0.3)


def test_what_cannot_be_committed_to_leaves_the_earlier_receipt_in_its_place(data, project):
    before = sorted(os.listdir(data.parent))
    with pytest.raises(ProjectError, match="color"):
        anchor(data, project=project, fields={"color": "red"})
    assert sorted(os.listdir(data.parent)) == before


def test_anchoring_a_change_supersedes(data, project, genesis):
    first = json.loads((data.parent / "data.receipt.json").read_bytes())["about"]["id"]
    (data / "a.csv").write_text("corrected")
    second = anchor(data, project=project, strict=True)
    refs = [(each["rel"], each["entry"].hex()) for each in present(second.receipt).body["refs"]]
    assert refs == [("supersedes", first)]
    assert verify(data, genesis)
    kept = [each.name for each in (project.folder / "superseded").iterdir()]
    assert sorted(kept) == [f"{first[:16]}.data.receipt.json", f"{first[:16]}.data.record.json"]


def test_evidence_whose_receipt_was_lost_is_kept_each_time(project):
    path = project.root / "x"
    path.write_text("x")
    record, written = project.root / "x.record.json", []
    for _ in range(3):
        anchor(path, project=project, strict=True)
        written.append(record.read_bytes())
        (project.root / "x.receipt.json").unlink()
    record.write_bytes(b"damaged")
    anchor(path, project=project, strict=True)
    kept = [each.read_bytes() for each in (project.folder / "superseded").iterdir()]
    assert sorted(kept) == sorted([*written[:2], b"damaged"])


def test_what_was_put_aside_is_not_overwritten_by_something_else_of_the_same_entry(data, project):
    (data / "a.csv").write_text("corrected")
    receipt, record = (data.parent / f"data.{each}.json" for each in ("receipt", "record"))
    first = receipt.read_bytes(), record.read_bytes()
    anchor(data, project=project, strict=True)
    receipt.write_bytes(first[0])
    record.write_bytes(b"damaged")
    anchor(data, project=project, strict=True)
    kept = [each.read_bytes() for each in (project.folder / "superseded").iterdir()]
    assert sorted(kept) == sorted([*first, first[0], b"damaged"])


def test_a_pending_anchor_is_sent_by_anchoring_again(project, nodes, ledger):
    (project.root / "x").write_text("x")
    nodes[0].stop()
    first = anchor("x", project=project, timeout=0.3)
    assert first.status == "pending"
    assert isinstance(first.error, Unreachable)
    nodes[0].start_again()
    second = anchor("x", project=project)
    assert (second.status, second.id) == ("anchored", first.id)
    assert len(ledger.entries) == 1


def test_a_superseded_pending_entry_does_not_take_the_place_of_the_newer_receipt(project, nodes, genesis):
    (project.root / "x").write_text("old")
    nodes[0].stop()
    old = anchor("x", project=project, timeout=0.3)
    (project.root / "x").write_text("new")
    new = anchor("x", project=project, timeout=0.3)
    nodes[0].start_again()
    assert len(deliver(project, outbox_of(project).list(), 5)) == 2
    result = verify("x", genesis)
    assert result
    assert result.about["id"] == new.id
    assert (project.folder / "superseded" / f"{old.id[:16]}.x.receipt.json").exists()


def test_strict_anchoring_raises_and_keeps_the_entry(project, nodes, home):
    (project.root / "x").write_text("x")
    (home / "keys" / "test.key").unlink()
    create_key(home / "keys" / "test.key")
    with pytest.raises(Rejected, match="not enrolled"):
        anchor("x", project=project, strict=True)
    with pytest.raises(UnreadableArtifact):
        anchor("nowhere", project=project)
    with pytest.raises(ProjectError, match="is itself a receipt"):
        anchor("x.receipt.json", project=project)
    (project.root / "paper").write_text("x")
    with pytest.raises(ProjectError, match=r"body\.identifier"):
        anchor("paper", "publication", project=project)


def test_the_result_is_one_short_line_in_a_notebook(project):
    (project.root / "x").write_text("x")
    done = anchor("x", project=project, strict=True)
    assert repr(done) == f"<Anchored anchored 'x' · dataset · {done.id[:16]}… · block 1 · #0>"


def test_facts_stay_off_the_ledger_and_fields_go_on_it(project):
    (project.root / "paper.pdf").write_text("x")
    done = anchor(
        "paper.pdf",
        "publication",
        project=project,
        facts={"venue": "a journal"},
        fields={"identifier": "doi:10.1000/1"},
    )
    assert present(done.receipt).body["identifier"] == "doi:10.1000/1"
    assert b"a journal" in done.record_path.read_bytes()
    assert b"a journal" not in done.receipt_path.read_bytes()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "data"}, "kind"),
        ({"kind": "run", "fields": {"status": "done"}}, "status"),
        ({"kind": "run"}, "status"),
        ({"fields": {"partitions": 0}}, "partitions"),
        ({"fields": {"colour": 1}}, "colour"),
        ({"fields": {"issuer": "m1"}}, "'issuer' is not yours to set"),
        ({"fields": {"policy": 0.5}}, "policy"),
        ({"refs": [Ref("inventedBy", bytes(32))]}, "rel"),
        ({"refs": [Ref("derivedFrom", b"short")]}, "entry"),
        ({"kind": "review", "fields": {"verdict": "accept"}}, "reviews"),
        ({"disclosure": "secret"}, "disclosure"),
        ({"facts": {"salt": 1}}, "salt"),
    ],
)
def test_what_the_schema_would_refuse_is_said_before_a_byte_is_hashed(project, monkeypatch, options, said):
    def hashed(*_, **__):
        raise AssertionError("hashed")

    monkeypatch.setattr("notarium.anchoring.anchor.hash_path", hashed)
    (project.root / "x").write_text("x")
    with pytest.raises(ProjectError, match=said):
        anchor("x", project=project, **options)


def test_who_cannot_sign_is_not_kept_waiting_by_the_hashing(project, home, monkeypatch):
    monkeypatch.setattr("notarium.anchoring.anchor.hash_path", lambda *_, **__: pytest.fail("hashed"))
    (home / "keys" / "test.key").unlink()
    (project.root / "x").write_text("x")
    with pytest.raises(ProjectError):
        anchor("x", project=project)


def test_secrets_among_the_facts_are_left_out_and_are_no_change(data, project, ledger):
    facts = {"source": "postgres://jane:correct-horse-battery@db.example.org/x", "login": {"password": "hunter2"}}
    first = anchor(data, project=project, facts=facts)
    text = first.record_path.read_text()
    assert "horse" not in text
    assert "hunter2" not in text
    said = recorded(first.record_path)
    assert said["source"].startswith("postgres://jane:[secret scrypt:")
    assert any("left out of the facts.login.password" in each for each in said["gaps"])
    count = len(ledger.entries)
    assert anchor(data, project=project, facts=facts).status == "unchanged"
    assert len(ledger.entries) == count
    changed = {**facts, "source": "postgres://jane:another-horse-battery@db.example.org/x"}
    assert anchor(data, project=project, facts=changed).status == "anchored", "another secret is a change"


@pytest.mark.parametrize("fields", [{"api_key": "abc123def456"}, {"note": "https://jane:pw@example.org"}])
def test_a_secret_never_reaches_the_ledger(data, project, ledger, fields):
    count = len(ledger.entries)
    with pytest.raises(ProjectError, match="looks like a secret"):
        anchor(data, project=project, fields=fields)
    assert len(ledger.entries) == count


def test_an_object_among_the_facts_is_a_gap(data, project):
    first = anchor(data, project=project, facts={"model": {"loss": object()}})
    said = recorded(first.record_path)
    assert said["model"] == {"loss": "object"}
    assert "the facts hold objects of the class object: only the class is recorded" in said["gaps"]


@pytest.mark.parametrize("name", [*RESERVED, *OBSERVED])
def test_no_fact_takes_the_place_of_what_the_client_finds_out(data, project, ledger, name):
    count = len(ledger.entries)
    with pytest.raises(ProjectError, match=f"cannot be named '{name}'"):
        anchor(data, project=project, facts={name: "mine"})
    assert len(ledger.entries) == count


def test_a_gap_is_text_whatever_was_given(data, project):
    said = recorded(anchor(data, project=project, facts={"gaps": [3, "labels"]}).record_path)
    assert said["gaps"][:2] == ["3", "labels"]
