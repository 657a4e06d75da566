"""What an earlier anchoring left is moved away whole, or the error names the folder to fix."""

import errno
import os
import re
from dataclasses import replace

import pytest

from notarium.anchoring.anchor import anchor
from notarium.anchoring.earlier import Earlier
from notarium.errors import ProjectError, Unwritable
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify


@pytest.fixture
def changed(project):
    """An anchored file that has changed since."""
    path = project.root / "a"
    path.write_text("1")
    anchor(path, project=project, strict=True)
    path.write_text("2")
    return path


def test_nothing_is_there_before_the_first_time(project):
    found = Earlier.find(project, project.root / "a.receipt.json")
    assert (found.record, found.receipt, found.waiting, found.id, found.body) == (None, None, None, None, None)


def test_what_was_anchored_is_found_and_put_aside(project, changed):
    receipt = project.root / "a.receipt.json"
    found = Earlier.find(project, receipt)
    assert found.receipt is not None
    assert found.id == found.receipt.id
    found.put_aside(project, receipt)
    assert not receipt.exists()
    assert sorted(each.suffixes[-2:] for each in (project.folder / "superseded").iterdir()) == [
        [".receipt", ".json"],
        [".record", ".json"],
    ]


def test_nobody_supersedes_the_record_of_another_institution(project, changed):
    before = (project.root / "a.receipt.json").read_bytes()
    for text in ("1", "2"):
        changed.write_text(text)
        with pytest.raises(ProjectError, match=r"is anchored by m0 · .* writes for m1: nobody supersedes"):
            anchor(changed, project=replace(project, issuer="m1"), strict=True)
    assert (project.root / "a.receipt.json").read_bytes() == before


def test_a_superseding_record_verifies_by_its_own_author(project, changed):
    anchor(changed, project=project, strict=True)
    assert verify(changed, project.genesis)
    assert [each.status for each in Verifying(project.genesis).verify(project.folder / "superseded")] == [
        VerificationStatus.INCOMPLETE_EVIDENCE  # The earlier content is gone; the earlier record is its author's.
    ]


def test_evidence_that_is_not_the_committed_one_counts_for_nothing(project, changed):
    (project.root / "a.record.json").write_bytes(b"{}")
    assert Earlier.find(project, project.root / "a.receipt.json").record is None


def test_a_file_in_the_place_of_the_folder_is_named_with_the_remedy(project, changed):
    place = project.folder / "superseded"
    place.write_text("in the way")
    with pytest.raises(Unwritable, match=re.escape(f"{place} must be a folder: move away the file of that name")):
        anchor(changed, project=project, strict=True)
    assert (project.root / "a.receipt.json").exists()


def refuse(*folders):
    """os.mkdir, mkstemp's open and os.unlink as in folders that this user may not write."""

    def refuse_in(real):
        def call(path, *args, **kwargs):
            if os.path.dirname(os.fspath(path)) in folders:
                raise PermissionError(errno.EACCES, "Permission denied", os.fspath(path))
            return real(path, *args, **kwargs)

        return call

    return refuse_in


def test_a_folder_of_the_project_that_cannot_be_written_is_named(project, changed, monkeypatch):
    """Tests run as root, who may write anywhere: the system's answer is played."""
    monkeypatch.setattr(os, "mkdir", refuse(str(project.folder))(os.mkdir))
    with pytest.raises(Unwritable) as caught:
        anchor(changed, project=project, strict=True)
    text = str(caught.value)
    assert "a.receipt.json cannot be moved to" in text
    assert f"Permission denied; make the folder {project.folder} writable for this user" in text


def test_a_folder_of_the_file_that_cannot_be_written_is_named(project, changed, monkeypatch):
    monkeypatch.setattr(os, "unlink", refuse(str(project.root))(os.unlink))
    with pytest.raises(Unwritable) as caught:
        anchor(changed, project=project, strict=True)
    assert caught.value.folder == project.root
    assert f"make the folder {project.root} writable for this user" in str(caught.value)
