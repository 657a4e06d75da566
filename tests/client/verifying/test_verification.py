"""Offline verification: what lies beside a receipt, and what each kind of damage is called."""

import base64
import hashlib
import json
import os
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.client.fake_node import FakeLedger
from tests.support.consortium import Consortium

from notarium.anchoring.anchor import anchor
from notarium.errors import InvalidRecordFile
from notarium.evidence.artifact import Artifact
from notarium.evidence.author import Author
from notarium.evidence.contents import Contents
from notarium.evidence.envelope import Envelope
from notarium.evidence.json_text import canonical_json, readable_json
from notarium.evidence.record import Record, committed_record
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry
from notarium_ledger.trust.receipt import Receipt


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
    for path in (data, f"{data}/", data.parent / "data.receipt.json", data.parent / "data.record.json"):
        result = verify(path, genesis)
        assert (result.status, result.checked) == (VerificationStatus.VERIFIED, "receipt + record + 4 files")
        assert result.about["kind"] == "dataset"
    assert verify(data / "sub" / "c.csv", genesis).checked == "receipt + record + 1 file"
    assert verify(data / "sub", genesis).files == 1
    assert verify(data / "link", genesis)


def test_it_needs_nothing_but_the_files_and_the_genesis(data, genesis, tmp_path, home, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("data.receipt.json", "data.record.json"):
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


def test_a_result_is_one_short_line_in_a_notebook(data, genesis):
    assert repr(verify(data, genesis)) == f"<Verification verified {str(data)!r}: receipt + record + 4 files>"
    (data / "a.csv").unlink()
    assert f"· missing: {data / 'a.csv'} (is gone)>" in repr(verify(data, genesis))
    assert repr(verify(data.parent / "x", genesis)).startswith("<Verification not-anchored")


def test_a_folder_that_is_away_is_incomplete_evidence_and_not_a_success(data, genesis):
    shutil.rmtree(data)
    result = verify(data.parent / "data.receipt.json", genesis)
    assert result.status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert findings(result) == [("absent", "data")]
    assert result.checked == "receipt + record"
    assert Verifying(genesis, receipt_only=True).verify_receipt_file(data.parent / "data.receipt.json")


def test_a_receipt_whose_evidence_is_gone_is_incomplete_unless_it_alone_is_asked_for(data, genesis):
    (data.parent / "data.record.json").unlink()
    receipt = data.parent / "data.receipt.json"
    for path in (receipt, data.parent):
        result = verify(path, genesis)
        assert (result.status, result.checked) == (VerificationStatus.INCOMPLETE_EVIDENCE, "receipt only")
        assert findings(result) == [("missing", "data.record.json")]
    result = verify(receipt, genesis, receipt_only=True)
    assert (result.status, result.checked) == (VerificationStatus.VERIFIED, "receipt only")


def test_a_folder_is_searched_but_for_what_was_superseded(data, project, genesis):
    (data / "a.csv").write_text("corrected")
    anchor(data, project=project, strict=True)
    superseded = project.folder / "superseded"
    assert any(each.name.endswith(".receipt.json") for each in superseded.iterdir())
    assert [each.path for each in Verifying(genesis).verify(project.root)] == [str(project.root / "data.receipt.json")]
    assert len(Verifying(genesis).verify(superseded)) == 1


def test_a_folder_without_its_record_is_incomplete(data, genesis):
    (data.parent / "data.record.json").unlink()
    assert verify(data, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert findings(verify(data, genesis)) == [("missing", "data.record.json")]


def test_a_public_artifact_verifies_without_its_record(project, genesis):
    path = project.root / "model.bin"
    path.write_bytes(b"model")
    anchor(path, "model", project=project, disclosure="public", strict=True)
    (project.root / "model.bin.record.json").unlink()
    assert verify(path, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE, "anyone can anchor a public digest"
    named = verify(path, genesis, issuer=project.issuer)
    assert (bool(named), named.checked) == (True, "receipt + 1 file by the digest on the ledger")
    path.write_bytes(b"Model")
    assert verify(path, genesis).status is VerificationStatus.MISMATCH


def signed(statement, key):
    return readable_json(Envelope.sign(statement, key).to_json())


def test_another_record_than_was_committed_to_is_a_mismatch(data, project, genesis):
    record = data.parent / "data.record.json"
    statement = json.loads(record.read_bytes())["statement"]
    statement["predicate"]["salt"] = "00" * 32
    record.write_bytes(signed(statement, project.key()))
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert "step 8" in result.findings[0].detail


def test_a_record_that_was_changed_after_it_was_signed_is_a_mismatch(data, genesis):
    record = data.parent / "data.record.json"
    document = json.loads(record.read_bytes())
    document["statement"]["predicate"]["salt"] = "00" * 32
    record.write_text(json.dumps(document))
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert "signature does not hold" in result.findings[0].detail


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
    for suffix in ("", ".receipt.json", ".record.json"):
        (data.parent / f"data{suffix}").rename(data.parent / f"cohort{suffix}")
    assert verify(data.parent / "cohort", genesis).files == 4


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + ".receipt.json", "loop.receipt.json", "x" * 300 + "/y"])
def test_a_path_that_cannot_be_looked_at_is_incomplete_evidence(project, genesis, name):
    (project.root / "loop.receipt.json").symlink_to("loop.receipt.json")
    [result] = Verifying(genesis).verify(project.root / name)
    assert result.status is VerificationStatus.INCOMPLETE_EVIDENCE
    assert [each.what for each in result.findings] == ["unreadable"]


@pytest.fixture
def ledger():
    """Its researchers 0 and 4 belong to m0, 1 to m1."""
    return FakeLedger(Consortium(4, observers=1, researchers=5))


def receipt_of_a_copy(ledger, data, researcher, how, **changed):
    """The receipt of an entry by that researcher with the digest of the honest record, in the place of the honest."""
    place = data.parent / "data.receipt.json"
    honest = decode_entry(Receipt.decode_json(place.read_bytes()).entry)
    consortium = ledger.consortium
    key, genesis = consortium.researcher_keys[researcher], consortium.genesis.hash
    body = {**honest.body, **changed}
    raws = [sign_entry(key, genesis, body)] if how == "single" else sign_batch(key, genesis, [body, body])
    place.write_bytes(ledger.submit(raws)[0].encode_json())
    return honest, decode_entry(raws[0])


@pytest.mark.parametrize("how", ["single", "batch"])
@pytest.mark.parametrize(
    ("researcher", "changed"),
    [(1, {"issuer": "m1"}), (4, {}), (0, {"project": "another"})],
    ids=["another issuer", "another key of the same issuer", "another project"],
)
def test_a_receipt_by_another_author_never_verifies_with_the_record(data, ledger, genesis, researcher, changed, how):
    """Whoever came first: the time of the two entries plays no part."""
    honest, copy = receipt_of_a_copy(ledger, data, researcher, how, **changed)
    for path in (data, data / "a.csv", data.parent / "data.receipt.json", data.parent / "data.record.json"):
        result = verify(path, genesis)
        assert (result.status, result.checked) == (VerificationStatus.MISMATCH, "receipt")
        assert str(Author.of(honest)) in result.findings[0].detail
        assert str(Author.of(copy)) in result.findings[0].detail


def test_a_record_without_author_never_verifies(data, project, ledger, genesis):
    place = data.parent / "data.record.json"
    statement = json.loads(place.read_bytes())["statement"]
    del statement["predicate"]["author"]
    place.write_bytes(signed(statement, project.key()))
    digest = hashlib.sha256(canonical_json(statement)).digest()
    receipt_of_a_copy(ledger, data, 0, "single", record=digest)
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert "no record without an author is valid" in result.findings[0].detail


@given(st.integers(0, 4), st.integers(0, 4), st.sampled_from(["p", "q"]), st.sampled_from(["p", "q"]))
def test_a_record_belongs_to_exactly_the_author_that_it_names(named, signs, project, other):
    consortium = Consortium(4, researchers=5)
    issuers = ["m0", "m1", "m2", "m3", "m0"]
    artifact = Artifact("x", "subject", Contents.of_file(1, "ab" * 32))
    key = consortium.researcher_keys[named]
    author = Author(key.public, issuers[named], project)
    record = Record.new("dataset", [artifact], {}).by(author)
    data = record.encode(key)
    body = consortium.body("dataset", issuer=issuers[signs], project=other, record=record.digest)
    entry = decode_entry(sign_entry(consortium.researcher_keys[signs], consortium.genesis.hash, body))
    if (named, project) == (signs, other):
        assert committed_record(data, entry).author == author
    else:
        with pytest.raises(InvalidRecordFile, match="signed the entry of this receipt"):
            committed_record(data, entry)
