"""Only what the record names is read, the listing has an end, and one odd file hides no other."""

import os
import shutil
import time

import pytest

from notarium.anchoring.anchor import anchor
from notarium.evidence import hashing
from notarium.evidence.digest_cache import DigestCache
from notarium.files import open_regular
from notarium.verifying import comparing
from notarium.verifying.result import VerificationStatus
from notarium.verifying.verification import Verifying, verify

HUGE = 8 << 40
"""Bytes of a sparse file: it takes no room on the disk, and hours to read."""


@pytest.fixture
def genesis(ledger):
    return ledger.consortium.genesis


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read. A huge one is not."""
    seen = []

    def note(path):
        seen.append(path.name)
        if path.stat().st_size == HUGE:
            raise AssertionError(f"{path} is read")
        return open_regular(path)

    monkeypatch.setattr(hashing, "open_regular", note)
    return seen


def findings(result):
    return [(each.what, os.path.basename(each.path)) for each in result.findings]


def make_huge(path):
    with path.open("wb") as file:
        file.truncate(HUGE)


def paths_to(data):
    return data, data.parent / "data.receipt.json", data.parent


def test_a_file_of_another_size_is_changed_without_being_read(data, genesis, reads):
    make_huge(data / "a.csv")
    for path in paths_to(data):
        assert findings(verify(path, genesis)) == [("changed", "a.csv")]
    assert findings(verify(data / "a.csv", genesis)) == [("changed", "a.csv")]
    assert set(reads) == {"b.csv", "c.csv"}


def test_an_anchored_file_of_another_size_is_not_read(project, genesis, reads):
    path = project.root / "protocol.md"
    path.write_text("the plan")
    anchor(path, project=project, strict=True)
    make_huge(path)
    reads.clear()
    result = verify(path, genesis)
    assert (result.status, result.findings[0].detail) == (VerificationStatus.MISMATCH, f"8 bytes then, {HUGE} now")
    assert reads == []


def test_a_file_that_the_evidence_does_not_name_is_extra_without_being_read(data, genesis, reads):
    make_huge(data / "new.bin")
    make_huge(data / "sub" / "new.bin")
    os.mkfifo(data / "pipe")
    expected = [("extra", "new.bin"), ("extra", "pipe"), ("extra", "new.bin")]
    for path in paths_to(data):
        assert findings(verify(path, genesis)) == expected
    assert "new.bin" not in reads


@pytest.mark.parametrize("replace", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("b.csv")])
def test_what_stands_in_the_place_of_a_file_is_not_read(data, genesis, reads, replace):
    (data / "a.csv").unlink()
    replace(data / "a.csv")
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    assert [name for _, name in findings(result)] == ["a.csv"]
    assert sorted(reads) == ["b.csv", "c.csv"]


def test_a_link_out_of_the_receipts_folder_is_followed_only_where_the_user_names_it(data, genesis, tmp_path, reads):
    shutil.move(data, tmp_path / "elsewhere")
    data.symlink_to(tmp_path / "elsewhere")
    for path in paths_to(data)[1:]:
        result = verify(path, genesis)
        assert (result.status, findings(result)) == (VerificationStatus.INCOMPLETE_EVIDENCE, [("outside", "data")])
        assert "verify it by its own name" in result.findings[0].detail
    assert reads == []
    assert verify(data, genesis).files == 3
    assert verify(data / "a.csv", genesis).files == 1


def test_a_link_on_the_way_is_one_out_of_the_folder_too(project, genesis, tmp_path):
    import notarium

    (project.root / "out").mkdir()
    (project.root / "out" / "y").write_text("y")
    with notarium.track("fit", directory=project.root) as run:
        run.output(project.root / "out" / "y")
    receipt = project.root / "fit.run.receipt.json"
    assert verify(receipt, genesis)
    shutil.move(project.root / "out", tmp_path / "out")
    (project.root / "out").symlink_to(tmp_path / "out")
    assert findings(verify(receipt, genesis)) == [("outside", "y")]


def test_a_link_inside_of_the_receipts_folder_is_followed(data, genesis):
    shutil.move(data, data.parent / "moved")
    data.symlink_to("moved")
    assert verify(data.parent / "data.receipt.json", genesis).files == 3


def test_the_listing_ends_where_too_much_is_not_named(data, genesis, monkeypatch):
    monkeypatch.setattr(comparing, "MAX_UNNAMED", 5)
    listed = []
    real = os.scandir

    class Counting:
        def __init__(self, path):
            self.entries = real(path)

        def __enter__(self):
            return map(self.note, self.entries.__enter__())

        def note(self, entry):
            listed.append(entry.name)
            return entry

        def __exit__(self, *error):
            return self.entries.__exit__(*error)

    for number in range(100):
        (data / f"extra-{number}").write_text("")
    monkeypatch.setattr(os, "scandir", Counting)
    result = verify(data, genesis)
    assert result.status is VerificationStatus.MISMATCH
    kinds = [str(each.what) for each in result.findings]
    assert (kinds.count("extra"), kinds.count("unreadable"), kinds.count("missing")) == (5, 1, 0)
    assert "and more: over 5 files or folders" in next(x for x in result.findings if x.what == "unreadable").detail
    assert len(listed) <= 4 + 5 + 1, "what the record names, the limit, and the one that is too many"


def test_a_maze_of_empty_folders_has_an_end_and_does_not_verify(data, genesis, monkeypatch):
    monkeypatch.setattr(comparing, "MAX_UNNAMED", 5)
    (data / "x" / "y" / "z").mkdir(parents=True)
    assert verify(data, genesis), "empty folders leave no trace"
    for number in range(5):
        (data / f"empty-{number}").mkdir()
    result = verify(data, genesis)
    assert (result.status, findings(result)) == (VerificationStatus.INCOMPLETE_EVIDENCE, [("unreadable", "data")])


def test_one_unreadable_file_hides_no_other(data, genesis, monkeypatch):
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("a.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    result = verify(data, genesis)
    assert (result.status, result.files) == (VerificationStatus.INCOMPLETE_EVIDENCE, 2)
    assert findings(result) == [("unreadable", "a.csv")]
    (data / "b.csv").write_text("Content of b.csv")
    result = verify(data, genesis)
    assert (result.status, result.files) == (VerificationStatus.MISMATCH, 2)
    assert findings(result) == [("unreadable", "a.csv"), ("changed", "b.csv")]


def test_one_unreadable_folder_hides_no_other_and_nothing_in_it_is_called_missing(data, genesis, monkeypatch):
    real = os.scandir

    def refuse(path):
        if str(path).endswith("sub"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = verify(data, genesis)
    assert (result.status, result.files, findings(result)) == (
        VerificationStatus.INCOMPLETE_EVIDENCE,
        2,
        [("unreadable", "sub")],
    )
    (data / "b.csv").write_text("longer than it was before")
    assert findings(verify(data, genesis)) == [("changed", "b.csv"), ("unreadable", "sub")]


def test_the_cache_and_the_progress_are_used(data, genesis, tmp_path, monkeypatch, reads):
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600_000_000_000)
    cache = DigestCache(tmp_path / "digests.sqlite")
    steps: list[hashing.HashingProgress] = []
    reads.clear()
    for deep, count in ((False, 3), (False, 3), (True, 6)):
        assert Verifying(genesis, cache=cache, deep=deep, on_progress=steps.append).verify(data)[0]
        assert len(reads) == count
    assert (steps[-1].files_done, steps[-1].files) == (3, 3)
