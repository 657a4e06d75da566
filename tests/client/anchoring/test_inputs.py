"""An input is what it was when it was named."""

import hashlib
import os
import threading
import time

import pytest

from notarium.anchoring import inputs
from notarium.anchoring.inputs import Inputs
from notarium.errors import UnreadableArtifact
from notarium.evidence import digest_cache, hashing
from notarium.evidence.contents import Contents
from notarium.evidence.digest_cache import FileState
from notarium.evidence.inventory import Inventory, Selection
from notarium.files import open_regular


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def named():
    return Inputs()


def name(named, path, role="input", named_ms=None):
    now_ms = time.time_ns() // 1_000_000
    named.name(path, role, Selection(), cache=None, named_ms=now_ms if named_ms is None else named_ms)


def used(named):
    return list(named.used(None))


def test_what_happens_to_a_file_after_it_was_named_is_recorded_beside_what_it_was(tmp_path, named):
    path = tmp_path / "data.csv"
    path.write_text("before")
    name(named, path)
    path.write_text("after, and longer")
    [found] = used(named)
    assert isinstance(found.content, Contents)
    assert found.content.sha256 == sha256("before")
    assert found.after is not None
    assert found.after.sha256 == sha256("after, and longer")
    assert found.gaps == ("changed during the run: it is recorded as it was before and after",)


def test_a_second_write_within_one_tick_of_the_clock_is_seen(tmp_path, named, monkeypatch):
    tick_ns = time.time_ns()

    def coarse(status):
        return FileState(status.st_dev, status.st_ino, status.st_size, tick_ns, tick_ns)

    monkeypatch.setattr(FileState, "of", coarse)
    path = tmp_path / "data.csv"
    path.write_text("before")
    name(named, path)
    path.write_text("after!")
    [found] = used(named)
    assert found.after is not None
    assert found.after.sha256 == sha256("after!")


def test_a_change_is_seen_by_the_state_of_the_file_alone(tmp_path, named, monkeypatch):
    monkeypatch.setattr(digest_cache, "SETTLED_NS", -(10**18))
    for each in ("changed", "kept"):
        (tmp_path / each).write_text("before")
        name(named, tmp_path / each)
    status = (tmp_path / "changed").stat()
    (tmp_path / "changed").write_text("after!")
    os.utime(tmp_path / "changed", ns=(status.st_atime_ns, status.st_mtime_ns))
    read: list[str] = []

    def note(path):
        read.append(path.name)
        return open_regular(path)

    monkeypatch.setattr(hashing, "open_regular", note)
    changed, kept = used(named)
    assert changed.after is not None
    assert changed.after.sha256 == sha256("after!")
    assert (kept.after, read) == (None, ["changed"])


def test_an_untouched_input_and_one_that_was_written_again_with_the_same_bytes_have_no_gap(tmp_path, named):
    for each in ("a", "b"):
        (tmp_path / each).write_text("same")
        name(named, tmp_path / each)
    (tmp_path / "b").write_text("same")
    assert [(each.after, each.gaps) for each in used(named)] == [(None, ()), (None, ())]


def test_the_files_of_a_folder_that_changed_are_named(tmp_path, named):
    root = tmp_path / "data"
    root.mkdir()
    for number in range(20):
        (root / f"{number:02}").write_text("x")
    (root / "kept").write_text("x")
    name(named, root)
    for number in range(20):
        (root / f"{number:02}").write_text("changed")
    (root / "new").write_text("x")
    [found] = used(named)
    [gap] = found.gaps
    assert gap.startswith("changed during the run (00, 01, 02,")
    assert ", and 11 more): it is recorded" in gap


def test_an_input_that_is_gone_or_of_another_kind_at_the_end_is_a_gap(tmp_path, named):
    for each in ("gone", "other"):
        (tmp_path / each).write_text("x")
        name(named, tmp_path / each)
    (tmp_path / "gone").unlink()
    (tmp_path / "other").unlink()
    (tmp_path / "other").mkdir()
    gone, other = used(named)
    assert gone.gaps == ("was not there to be compared at the end of the run: does not exist",)
    assert other.gaps == ("was replaced by something of another kind during the run",)
    assert isinstance(gone.content, Contents)
    assert gone.content.sha256 == sha256("x")


def test_an_input_that_was_not_there_stays_one(tmp_path, named):
    with pytest.raises(UnreadableArtifact, match="does not exist"):
        name(named, tmp_path / "later")
    (tmp_path / "later").write_text("too late")
    [found] = used(named)
    assert isinstance(found.content, UnreadableArtifact)


def test_the_first_time_that_it_is_named_counts_and_each_role_is_one(tmp_path, named):
    path = tmp_path / "x"
    path.write_text("1")
    name(named, path)
    path.write_text("22")
    name(named, path)
    name(named, path, "labels")
    first, second = used(named)
    assert isinstance(first.content, Contents)
    assert isinstance(second.content, Contents)
    assert (first.content.sha256, second.role, second.content.sha256) == (sha256("1"), "labels", sha256("22"))


def test_what_is_large_is_read_beside_the_training_and_what_changes_before_that_is_no_later_digest(
    tmp_path, named, monkeypatch
):
    monkeypatch.setattr(inputs, "AT_ONCE_BYTES", 10)
    may_read, readers = threading.Event(), []
    real = Inventory.contents

    def wait(self, **options):
        readers.append(threading.current_thread().name)
        assert may_read.wait(10)
        return real(self, **options)

    monkeypatch.setattr(Inventory, "contents", wait)
    for each in ("changed", "kept"):
        (tmp_path / each).write_text(f"{each}: more than ten bytes")
        name(named, tmp_path / each)
    (tmp_path / "changed").write_text("something else of another size")
    may_read.set()
    changed, kept = used(named)
    assert isinstance(changed.content, UnreadableArtifact)
    assert "changed after it was named" in changed.content.reason
    assert isinstance(kept.content, Contents)
    assert all(each.startswith("notarium-input") for each in readers[:2])


def test_many_small_files_are_read_in_the_background_too(tmp_path, named, monkeypatch):
    monkeypatch.setattr(inputs, "AT_ONCE_FILES", 1)
    root = tmp_path / "data"
    root.mkdir()
    for each in "ab":
        (root / each).write_text(each)
    name(named, root)
    [found] = used(named)
    assert isinstance(found.content, Contents)
    assert (found.content.files, found.gaps) == (2, ())


def test_what_another_process_named_and_changed_before_it_was_read_here_is_a_gap(tmp_path, named):
    (tmp_path / "x").write_text("x")
    name(named, tmp_path / "x", named_ms=(time.time_ns() - 3_600_000_000_000) // 1_000_000)
    [found] = used(named)
    assert found.gaps == ("changed after another process of the run named it, and before it was read",)
