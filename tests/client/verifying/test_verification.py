"""Offline verification: what lies beside a receipt, and what each kind of damage is called."""

import base64
import json
import os
import shutil

import pytest
import rfc8785
from tests.client.helpers import present
from tests.support.consortium import Consortium

from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import Ref
from notarium.errors import ProjectError, Rejected, Unreachable, UnreadableArtifact
from notarium.key_files import create_key
from notarium.verifying.verification import VerificationStatus, Verifying, verify


@pytest.fixture
def genesis(ledger):
    return ledger.consortium.genesis


@pytest.fixture
def data(project):
    """An anchored folder, and no node any more."""
    folder = project.root / "data"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "sub/c.csv"):
        (folder / name).write_text(f"content of {name}")
    (folder / "link").symlink_to("a.csv")
    anchor(folder, project=project, strict=True)
    return folder


def findings(result):
    return [(each.what, os.path.basename(each.path)) for each in result.findings]


def test_an_untouched_folder_verifies_in_every_way_it_can_be_asked_for(data, genesis, nodes):
    for each in nodes:
        each.stop()
    for path in (data, f"{data}/", data.parent / "data.receipt.json", data.parent / "data.bundle.json"):
        result = verify(path, genesis)
        assert (result.status, result.checked) == (VerificationStatus.VERIFIED, "receipt + evidence + 4 files")
        assert result.about["kind"] == "dataset"
    assert verify(data / "sub" / "c.csv", genesis).checked == "receipt + evidence + 1 file"
    assert verify(data / "sub", genesis).files == 1
    assert verify(data / "link", genesis)


def test_it_needs_nothing_but_the_files_and_the_genesis(data, genesis, tmp_path, home, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("data.receipt.json", "data.bundle.json"):
        shutil.copy(data.parent / name, elsewhere)
    shutil.copytree(data, elsewhere / "data", symlinks=True)
    shutil.rmtree(data.parent)
    shutil.rmtree(home)
    monkeypatch.chdir(elsewhere)
    assert verify("data", genesis)


def replace_by_file(folder):
    shutil.rmtree(folder)
    folder.write_text("")


def replace_by_link(path):
    path.unlink()
    path.symlink_to("b.csv")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda d: (d / "a.csv").write_text("Content of a.csv"), ("changed", "a.csv")),
        (lambda d: (d / "a.csv").write_text("longer"), ("changed", "a.csv")),
        (lambda d: (d / "sub" / "c.csv").unlink(), ("missing", "c.csv")),
        (lambda d: (d / "new.csv").write_text(""), ("extra", "new.csv")),
        (lambda d: replace_by_link(d / "link"), ("changed", "link")),
        (lambda d: replace_by_link(d / "a.csv"), ("changed", "a.csv")),
        (replace_by_file, ("changed", "data")),
    ],
    ids=["byte", "length", "missing", "extra", "link", "file-to-link", "folder-to-file"],
)
def test_a_change_is_named(data, genesis, damage, expected):
    damage(data)
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert findings(result) == [expected]
    assert not result


@pytest.mark.parametrize(
    ("name", "damage", "expected"),
    [
        ("a.csv", lambda p: p.write_text("x"), "changed"),
        ("a.csv", lambda p: p.unlink(), "missing"),
        ("new.csv", lambda p: p.write_text("x"), "extra"),
    ],
)
def test_one_file_of_a_folder_can_be_asked_for(data, genesis, name, damage, expected):
    damage(data / name)
    result = verify(data / name, genesis)
    assert findings(result) == [(expected, name)]
    assert result.status is VerificationStatus.MISMATCH
    assert verify(data / "b.csv", genesis)


def test_a_folder_that_is_away_is_incomplete_evidence_and_not_a_success(data, genesis):
    shutil.rmtree(data)
    result = verify(data.parent / "data.receipt.json", genesis)
    assert result.status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert findings(result) == [("absent", "data")]
    assert result.checked == "receipt + evidence"
    assert Verifying(genesis, receipt_only=True).verify_receipt_file(data.parent / "data.receipt.json")


def test_a_receipt_whose_evidence_is_gone_is_incomplete_unless_it_alone_is_asked_for(data, genesis):
    (data.parent / "data.bundle.json").unlink()
    receipt = data.parent / "data.receipt.json"
    for path in (receipt, data.parent):
        result = verify(path, genesis)
        assert (result.status, result.checked) == (VerificationStatus.INCOMPLETE_EVIDENCE, "receipt only")
        assert findings(result) == [("missing", "data.bundle.json")]
    result = verify(receipt, genesis, receipt_only=True)
    assert (result.status, result.checked) == (VerificationStatus.VERIFIED, "receipt only")


def test_a_folder_is_searched_but_for_what_was_superseded(data, project, genesis):
    (data / "a.csv").write_text("corrected")
    anchor(data, project=project, strict=True)
    superseded = project.folder / "superseded"
    assert any(each.name.endswith(".receipt.json") for each in superseded.iterdir())
    assert [each.path for each in Verifying(genesis).verify(project.root)] == [str(project.root / "data.receipt.json")]
    assert len(Verifying(genesis).verify(superseded)) == 1


def test_a_folder_without_its_bundle_is_incomplete(data, genesis):
    (data.parent / "data.bundle.json").unlink()
    assert verify(data, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert findings(verify(data, genesis)) == [("missing", "data.bundle.json")]


def test_a_public_artifact_verifies_without_its_bundle(project, genesis):
    path = project.root / "model.bin"
    path.write_bytes(b"model")
    anchor(path, "model", project=project, disclosure="public", strict=True)
    (project.root / "model.bin.bundle.json").unlink()
    assert verify(path, genesis).checked == "receipt + 1 file by the digest on the ledger"
    path.write_bytes(b"Model")
    assert verify(path, genesis).status is VerificationStatus.MISMATCH


def test_other_evidence_than_was_committed_to_is_a_mismatch(data, genesis):
    bundle = data.parent / "data.bundle.json"
    statement = json.loads(bundle.read_bytes())
    statement["predicate"]["salt"] = "00" * 32
    bundle.write_bytes(rfc8785.dumps(statement))
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert "step 8" in result.findings[0].detail


def test_every_part_of_a_receipt_file_counts(data, genesis):
    path = data.parent / "data.receipt.json"
    document = json.loads(path.read_bytes())
    entry = bytearray(base64.b64decode(document["entry"]))
    entry[-1] ^= 1
    changes = {
        "about": {**document["about"], "height": 7},
        "index": 1,
        "path": ["00" * 32],
        "entry": base64.b64encode(entry).decode(),
        "genesis": "00" * 32,
    }
    for name, value in changes.items():
        path.write_text(json.dumps({**document, name: value}))
        result = verify(data, genesis)
        assert result.status is VerificationStatus.MISMATCH, name
        assert result.findings[0].what == "receipt"
        assert result.about == {}


def test_a_receipt_of_another_ledger(data):
    result = verify(data, Consortium(4, name="other").genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert "step 2" in result.findings[0].detail


def test_what_was_never_anchored(project, genesis):
    (project.root / "x").write_text("")
    assert verify("x", genesis).status is VerificationStatus.NOT_ANCHORED
    assert verify("nowhere", genesis).status is VerificationStatus.NOT_ANCHORED
    assert verify("nowhere.receipt.json", genesis).status is VerificationStatus.NOT_ANCHORED


def test_a_folder_of_receipts(data, project, genesis):
    (project.root / "plan.md").write_text("plan")
    anchor("plan.md", "preregistration", project=project)
    results = Verifying(genesis).verify(project.root)
    assert [os.path.basename(each.path) for each in results] == ["data.receipt.json", "plan.md.receipt.json"]
    (data / "a.csv").write_text("")
    assert verify(project.root, genesis).status is VerificationStatus.MISMATCH


def test_an_artifact_renamed_together_with_its_receipt_and_evidence_still_verifies(data, genesis):
    for suffix in ("", ".receipt.json", ".bundle.json"):
        (data.parent / f"data{suffix}").rename(data.parent / f"cohort{suffix}")
    assert verify(data.parent / "cohort", genesis).files == 4


def test_a_file_that_cannot_be_read_is_incomplete_evidence(data, genesis):
    os.mkfifo(data / "pipe")
    result = verify(data, genesis)
    assert result.status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert findings(result) == [("unreadable", "pipe")]


# Anchoring.


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
def test_saying_something_else_of_the_same_content_anchors_anew(data, project, nodes, ledger, said, waits):
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
    for each in ("receipt", "bundle"):
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
    assert sorted(kept) == [f"{first[:16]}.data.bundle.json", f"{first[:16]}.data.receipt.json"]


def test_evidence_whose_receipt_was_lost_is_kept_each_time(project):
    path = project.root / "x"
    path.write_text("x")
    bundle, written = project.root / "x.bundle.json", []
    for _ in range(3):
        anchor(path, project=project, strict=True)
        written.append(bundle.read_bytes())
        (project.root / "x.receipt.json").unlink()
    bundle.write_bytes(b"damaged")
    anchor(path, project=project, strict=True)
    kept = [each.read_bytes() for each in (project.folder / "superseded").iterdir()]
    assert sorted(kept) == sorted([*written[:2], b"damaged"])


def test_what_was_put_aside_is_not_overwritten_by_something_else_of_the_same_entry(data, project):
    (data / "a.csv").write_text("corrected")
    receipt, bundle = (data.parent / f"data.{each}.json" for each in ("receipt", "bundle"))
    first = receipt.read_bytes(), bundle.read_bytes()
    anchor(data, project=project, strict=True)
    receipt.write_bytes(first[0])
    bundle.write_bytes(b"damaged")
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
    from notarium.anchoring.commit import deliver, outbox_of

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
    with pytest.raises(ProjectError, match="is a receipt"):
        anchor("x.receipt.json", project=project)
    (project.root / "paper").write_text("x")
    with pytest.raises(ProjectError, match=r"body\.identifier"):
        anchor("paper", "publication", project=project)


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
    assert b"a journal" in done.bundle_path.read_bytes()
    assert b"a journal" not in done.receipt_path.read_bytes()
