"""An artifact verifies only where the record beside it names it, and no name leads out of the receipt's folder."""

import shutil

import pytest
from tests.client.helpers import present

from notarium.anchoring.anchor import anchor
from notarium.anchoring.commit import commit
from notarium.anchoring.delivery import send
from notarium.cli.app import run_command
from notarium.evidence.artifact import Artifact
from notarium.evidence.inventory import hash_path
from notarium.evidence.record import Record
from notarium.verifying import comparing
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify


@pytest.fixture
def data(project):
    """An anchored folder."""
    folder = project.root / "data"
    for name in ("a.csv", "sub/c.csv"):
        written(folder / name)
    anchor(folder, project=project, strict=True)
    return folder


def findings(result):
    return [(each.what, each.path.rpartition("/")[2]) for each in result.findings]


def recorded(path, name=None, role="subject"):
    """The file or folder at `path` as it is now, named `name` in a record."""
    return Artifact(name or path.name, role, hash_path(path))


def written(path, text="content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def commit_to(project, stem, *artifacts, **options):
    """Commit to a record with `artifacts`, which need not be about `stem`; the receipt's path."""
    receipt = project.root / f"{stem}.receipt.json"
    record = Record.new("dataset", artifacts, {"gaps": []})
    assert send(project, commit(project, record, receipt, **options), 5).receipt
    return receipt


def assert_not_named(result, path):
    assert result.status is VerificationStatus.MISMATCH
    assert result.status.exit_code == 1
    assert result.files == 0
    assert [each.detail for each in result.findings] == [f"the record beside it does not name {path.name}"]


@pytest.mark.parametrize("roles", [[], ["input"], ["output"], ["subject", "subject"], ["subject", "input"]])
def test_an_artifact_that_the_evidence_beside_it_does_not_name_is_a_mismatch(project, genesis, roles):
    others = [recorded(written(project.root / f"other{number}"), role=role) for number, role in enumerate(roles)]
    path = written(project.root / "model.bin", "never committed to")
    receipt = commit_to(project, "model.bin", *others)
    assert_not_named(verify(path, genesis), path)
    assert_not_named(Verifying(genesis, receipt_only=True).verify_artifact(path), path)
    assert verify(receipt, genesis).files == len(roles)
    assert Verifying(genesis, receipt_only=True).verify_receipt_file(receipt).checked == "receipt only"


def test_the_only_subject_of_a_record_is_compared_with_what_stands_beside_it(project, genesis):
    path = written(project.root / "model.bin", "never committed to")
    commit_to(project, "model.bin", recorded(written(project.root / "other")))
    assert findings(verify(path, genesis)) == [("changed", "model.bin")]


@pytest.mark.parametrize("count", [0, 2])
def test_a_file_in_a_folder_that_the_evidence_does_not_name_is_a_mismatch(project, genesis, count):
    path = written(project.root / "data" / "x.csv")
    commit_to(project, "data", *(recorded(written(project.root / f"other{number}")) for number in range(count)))
    assert_not_named(verify(path, genesis), path)
    assert_not_named(verify(path.parent, genesis), path.parent)


def test_an_artifact_among_several_is_verified_by_its_own_record(project, genesis):
    path = written(project.root / "model.bin")
    other = written(project.root / "other")
    commit_to(project, "model.bin", recorded(other, role="input"), recorded(path, role="output"))
    assert verify(path, genesis).checked == "receipt + record + 1 file"
    path.write_text("changed")
    assert findings(verify(path, genesis)) == [("changed", "model.bin")]


def test_a_folder_among_several_artifacts_vouches_for_its_items_only(project, genesis):
    path = written(project.root / "data" / "sub" / "x.csv")
    other = written(project.root / "other")
    commit_to(project, "data", recorded(other), recorded(project.root / "data"))
    for inside in (path, path.parent, project.root / "data", project.root / "data" / "sub" / ".." / "sub" / "x.csv"):
        assert verify(inside, genesis).files == 1
    new = written(project.root / "data" / "new.csv")
    assert_not_named(verify(new, genesis), new)


def test_what_the_evidence_does_not_name_and_what_is_not_there_is_no_success(data, genesis):
    (data / "hollow").mkdir()
    for name in ("nowhere.csv", "hollow"):
        assert_not_named(verify(data / name, genesis), data / name)


def test_a_path_over_a_linked_folder_is_the_place_that_it_leads_to(data, genesis, tmp_path):
    elsewhere = written(tmp_path / "elsewhere" / "inner" / "x").parent
    written(tmp_path / "elsewhere" / "data" / "a.csv", "not the study's")
    (data.parent / "way").symlink_to(elsewhere)
    assert verify(data.parent / "way" / ".." / "data" / "a.csv", genesis).status is VerificationStatus.NOT_ANCHORED


def test_a_folder_that_became_a_link_does_not_vouch_for_what_is_behind_it(data, genesis, tmp_path):
    shutil.move(data / "sub", tmp_path / "moved")
    (data / "sub").symlink_to(tmp_path / "moved")
    assert findings(verify(data / "sub" / "c.csv", genesis)) == [("missing", "c.csv")]


@pytest.mark.parametrize("disclosure", ["consortium", "public"])
def test_an_empty_folder_is_never_verified_because_nothing_was_compared(project, genesis, disclosure):
    folder = project.root / "hollow"
    folder.mkdir()
    anchor(folder, project=project, disclosure=disclosure, strict=True)
    assert findings(verify(folder, genesis)) == [("empty", "hollow")]
    assert verify(folder, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE
    (project.root / "hollow.record.json").unlink()
    assert verify(folder, genesis).status is VerificationStatus.INCOMPLETE_EVIDENCE


def test_an_empty_folder_is_not_found_on_the_ledger_because_somebody_anchored_another(project):
    for name in ("theirs", "mine"):
        (project.root / name).mkdir()
    anchor(project.root / "theirs", project=project, disclosure="public", strict=True)
    assert run_command(["verify", "mine"]) == 3
    for name in ("theirs", "mine"):
        written(project.root / name / "x")
    anchor(project.root / "theirs", project=project, disclosure="public", strict=True)
    assert run_command(["verify", "mine", "--issuer", "m0"]) == 0


@pytest.mark.parametrize("name", ["../secret", "sub/../../secret", "../study/../secret", ".."])
def test_a_record_does_not_choose_which_files_outside_its_folder_are_read(project, genesis, monkeypatch, name):
    secret = written(project.root.parent / "secret", "equal, so reading it would verify")
    receipt = commit_to(project, "theirs", recorded(secret, name, "input"))
    (project.root / "sub").mkdir()

    def refuse(path, *_, **__):
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(comparing, "hash_files", refuse)
    result = verify(receipt, genesis)
    assert (result.status, result.status.exit_code, result.files) == (VerificationStatus.INCOMPLETE_EVIDENCE, 4, 0)
    assert [(each.what, each.path) for each in result.findings] == [("outside", name)]


def test_an_absolute_name_makes_the_evidence_invalid(project, genesis):
    secret = written(project.root.parent / "secret")
    result = verify(commit_to(project, "theirs", recorded(secret, str(secret), "input")), genesis)
    assert (result.status, result.files) == (VerificationStatus.MISMATCH, 0)
    assert "is not a relative path" in result.findings[0].detail


def test_a_name_that_leads_out_and_back_does_not_name_the_artifact(project, genesis):
    path = written(project.root / "model.bin")
    other = recorded(written(project.root / "other"))
    commit_to(project, "model.bin", recorded(path, f"../{project.root.name}/model.bin"), other)
    assert_not_named(verify(path, genesis), path)


def test_a_run_that_names_files_outside_its_folder_is_incomplete_and_says_which(project, genesis):
    import notarium

    (project.root / "in").mkdir()
    (project.root / "in" / "x").write_text("x")
    (project.root / "runs").mkdir()
    (project.root / "runs" / "y").write_text("y")
    with notarium.track("fit", directory=project.root / "runs") as run:
        run.input(project.root / "in")
        run.output(project.root / "runs" / "y")
    result = verify(present(run.receipt_path), genesis)
    assert (result.status, result.files) == (VerificationStatus.INCOMPLETE_EVIDENCE, 1)
    assert [(each.what, each.path) for each in result.findings] == [("outside", "../in")]
    assert "was not checked" in result.findings[0].detail
    (project.root / "runs" / "y").write_text("z")
    assert verify(present(run.receipt_path), genesis).status is VerificationStatus.MISMATCH
