"""A folder without a receipt: the receipts in it, and what no receipt names."""

import os
import shutil

import pytest
from tests.support.consortium import Consortium

import notarium
from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import commit
from notarium.anchoring.delivery import send
from notarium.evidence.artifact import Artifact
from notarium.evidence.inventory import hash_path
from notarium.evidence.record import Record
from notarium.ledger_access.blocking import BlockingClient
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify


@pytest.fixture
def genesis(ledger):
    return ledger.consortium.genesis


@pytest.fixture
def sub(project):
    """A submission with an anchored plan and an anchored folder."""
    folder = project.root / "sub"
    (folder / "data" / "deep").mkdir(parents=True)
    for name in ("protocol.md", "data/a.csv", "data/deep/b.csv"):
        (folder / name).write_text(name)
    anchor(folder / "protocol.md", "preregistration", project=project, strict=True)
    anchor(folder / "data", project=project, strict=True)
    return folder


def folder_result(sub, genesis):
    """The result of the folder itself, which is the last."""
    *receipts, last = Verifying(genesis).verify(sub)
    assert all(receipts)
    assert last.path == str(sub)
    assert (last.status, last.status.exit_code) == (VerificationStatus.INCOMPLETE_EVIDENCE, 4)
    return last


def test_a_folder_whose_files_all_have_receipts_verifies(sub, genesis):
    assert [(each.status, each.without_receipt) for each in Verifying(genesis).verify(sub)] == [
        (VerificationStatus.VERIFIED, 0)
    ] * 2


def test_what_git_keeps_in_the_folder_is_no_file_of_it(sub, genesis):
    (sub / ".git").mkdir()
    (sub / ".git" / "HEAD").write_text("ref: refs/heads/main")
    assert all(Verifying(genesis).verify(sub))


def test_what_tools_keep_is_no_file_of_it(sub, genesis):
    (sub / "__pycache__").mkdir()
    for name in (".DS_Store", "__pycache__/x.pyc", ".gitattributes", ".notariumignore"):
        (sub / name).write_text("*")
    assert {each.status for each in Verifying(genesis).verify(sub)} == {VerificationStatus.VERIFIED}
    (sub / "changed.csv").write_text("x")
    assert Verifying(genesis).verify(sub)[-1].without_receipt == 1, "an ignore file hides no file without a receipt"


def test_files_that_no_receipt_names_are_a_finding(sub, genesis):
    (sub / "results.csv").write_text("forged")
    (sub / "more").mkdir()
    (sub / "more" / "x").symlink_to("nowhere")
    result = folder_result(sub, genesis)
    assert [(each.what, each.detail) for each in result.findings] == [
        ("receipt", "2 files here have no receipt: more/x, results.csv")
    ]
    assert result.to_json()["without_receipt"] == 2
    assert verify(sub, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE
    shutil.rmtree(sub / "more")
    assert folder_result(sub, genesis).findings[0].detail == "1 file here has no receipt: results.csv"


@pytest.mark.parametrize("also", [[], ["protocol.md.record.json"]])
def test_a_changed_file_cannot_be_hidden_by_removing_its_receipt(sub, genesis, also):
    (sub / "protocol.md").write_text("another plan")
    for name in ("protocol.md.receipt.json", *also):
        (sub / name).unlink()
    result = folder_result(sub, genesis)
    assert "protocol.md" in result.findings[0].detail
    assert result.without_receipt == 2 - len(also), "record without its receipt is a file like any other"


def test_the_list_has_an_end_and_the_count_is_whole(sub, genesis):
    for number in range(50):
        (sub / f"x{number:02}").write_text("")
    result = folder_result(sub, genesis)
    assert result.without_receipt == 50
    assert result.findings[0].detail.endswith("x08, x09, …")


def test_what_notarium_keeps_does_not_count_and_receipts_alone_are_another_question(sub, genesis):
    (sub / ".notarium").mkdir()
    (sub / ".notarium" / "config.toml").write_text("")
    assert all(Verifying(genesis).verify(sub))
    (sub / "results.csv").write_text("forged")
    assert all(Verifying(genesis, receipt_only=True).verify(sub))


def test_an_anchored_folder_has_no_second_finding_for_the_same_file(sub, genesis):
    (sub / "data" / "new.csv").write_text("new")
    results = Verifying(genesis).verify(sub)
    assert [each.status for each in results] == [VerificationStatus.MISMATCH, VerificationStatus.VERIFIED]


def test_a_receipt_that_is_not_valid_has_no_second_finding_for_its_file(sub):
    results = Verifying(Consortium(4, name="other").genesis).verify(sub)
    assert [each.status for each in results] == [VerificationStatus.MISMATCH] * 2


def test_inputs_and_outputs_of_a_run_are_named_by_its_receipt(project, genesis):
    folder = project.root / "study"
    folder.mkdir()
    for name in ("in", "out"):
        (folder / name).write_text(name)
    with notarium.track("fit", directory=folder) as run:
        run.input(folder / "in")
        run.output(folder / "out")
    assert all(Verifying(genesis).verify(folder))
    (folder / "fit.run").write_text("named like the run, and no part of it")
    assert folder_result(folder, genesis).findings[0].detail == "1 file here has no receipt: fit.run"


@pytest.mark.parametrize("how", ["of other files", "without record"])
def test_a_valid_receipt_beside_a_file_does_not_vouch_for_it(project, genesis, how):
    """It would be enough to rename any receipt."""
    folder = project.root / "sub"
    folder.mkdir()
    place = folder / "results.csv.receipt.json"
    if how == "of other files":
        for name in ("a", "b"):
            (folder / name).write_text(name)
        artifacts = [Artifact(name, "subject", hash_path(folder / name)) for name in ("a", "b")]
        assert send(project, commit(project, Record.new("dataset", artifacts, {}), place), 5).receipt
    else:
        batch = {"kind": "batch", "root": bytes(32), "size": 1}
        body = {**batch, "issuer": "m0", "project": "study-12", "disclosure": "sealed"}
        with BlockingClient(project.genesis, project.nodes, project.key()) as client:
            place.write_bytes(client.submit(body).file_bytes())
    (folder / "results.csv").write_text("forged")
    assert "results.csv" in folder_result(folder, genesis).findings[0].detail


def test_a_path_that_is_too_long_is_a_finding_and_hides_nothing(sub, genesis, monkeypatch):
    deep = sub / "deep"
    deep.mkdir()
    monkeypatch.chdir(deep)
    for _ in range(25):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    monkeypatch.chdir(sub.parent)
    *_, last = Verifying(genesis).verify(sub)
    assert [(each.what, each.detail) for each in last.findings] == [("unreadable", "File name too long")]
    assert [each.status for each in Verifying(genesis).verify(deep)] == [VerificationStatus.INCOMPLETE_EVIDENCE]
    (sub / "protocol.md").write_text("changed")
    assert verify(sub, genesis).status is VerificationStatus.MISMATCH


def test_a_name_that_means_a_home_elsewhere_is_a_name(sub, genesis, monkeypatch):
    (sub / "~nobody.receipt.json").write_text("{}")
    monkeypatch.chdir(sub)
    assert [each.status for each in Verifying(genesis).verify(".")].count(VerificationStatus.VERIFIED) == 2
