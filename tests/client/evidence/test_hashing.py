"""Hashing files and folders, with and without the cache of digests."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from notarium.errors import UnreadableArtifact
from notarium.evidence.contents import Contents, Item
from notarium.evidence.digest_cache import DigestCache
from notarium.evidence.hashing import HashingProgress
from notarium.evidence.inventory import hash_path
from notarium.evidence.links import SymbolicLink


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "b.csv").write_bytes(b"b")
    (root / "a.csv").write_bytes(b"")
    (root / "sub" / "c.bin").write_bytes(bytes(3 * 1024 * 1024 + 1))
    (root / "link").symlink_to("sub/c.bin")
    (root / "loop").symlink_to(".")
    return root


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_a_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    assert hash_path(path) == Contents.of_file(3, sha256(b"abc"))


def test_a_folder_is_the_sorted_list_of_its_files_and_links(folder):
    content = hash_path(folder)
    assert content.items == (
        Item("a.csv", 0, sha256(b"")),
        Item("b.csv", 1, sha256(b"b")),
        Item("link", link=SymbolicLink("sub/c.bin", "sub/c.bin")),
        Item("loop", link=SymbolicLink(".", ".")),
        Item("sub/c.bin", 3145729, sha256(bytes(3145729))),
    )
    assert (content.size, content.files) == (3145730, 3)


def test_a_manifest_digest_depends_on_every_name_and_target(folder):
    seen = {hash_path(folder).sha256}
    (folder / "b.csv").rename(folder / "B.csv")
    seen.add(hash_path(folder).sha256)
    (folder / "link").unlink()
    (folder / "link").symlink_to("./sub/c.bin")
    seen.add(hash_path(folder).sha256)
    assert len(seen) == 3


def test_an_artifact_may_itself_be_reached_over_a_link(folder, tmp_path):
    (tmp_path / "alias").symlink_to(folder)
    assert hash_path(tmp_path / "alias") == hash_path(folder)


def test_an_empty_folder(tmp_path):
    assert hash_path(tmp_path).items == ()


def test_progress_ends_with_everything(folder):
    steps: list[HashingProgress] = []
    hash_path(folder, on_progress=steps.append)
    assert steps[0].bytes_done == 0
    assert (steps[-1].files_done, steps[-1].files) == (3, 3)
    assert steps[-1].bytes_done == steps[-1].bytes == 3145730


def test_a_long_file_shows_its_bytes_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("notarium.evidence.hashing.REPORT_BYTES", 1024 * 1024)
    path = tmp_path / "long"
    path.write_bytes(bytes(3 * 1024 * 1024 + 1))
    steps: list[HashingProgress] = []
    hash_path(path, on_progress=steps.append)
    assert [each.bytes_done >> 20 for each in steps] == [0, 1, 2, 3, 3]
    assert [each.files_done for each in steps] == [0, 0, 0, 0, 1]


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(UnreadableArtifact, match="nowhere: does not exist"):
        hash_path(tmp_path / "nowhere")


def test_a_pipe_is_refused_and_does_not_hang(folder):
    os.mkfifo(folder / "pipe")
    with pytest.raises(UnreadableArtifact, match="pipe: neither a regular file nor a folder"):
        hash_path(folder)


def test_a_file_without_an_end_is_not_read_to_its_end():
    """Files in /proc claim to be empty, and some never end."""
    with pytest.raises(UnreadableArtifact, match="changed"):
        hash_path(Path("/proc/self/status"))


def test_a_name_that_is_not_utf8_is_refused_with_a_remedy(folder):
    (folder / os.fsdecode(b"\xff.csv")).write_bytes(b"")
    with pytest.raises(UnreadableArtifact, match="not UTF-8; rename"):
        hash_path(folder)


def test_a_read_error_names_the_file(folder, monkeypatch):
    real = os.open

    def refuse(path, *args, **kwargs):
        if str(path).endswith("b.csv"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr("notarium.evidence.hashing.os.open", refuse)
    with pytest.raises(UnreadableArtifact, match=r"b\.csv: is not readable by this user"):
        hash_path(folder)


def test_a_file_that_changes_while_it_is_hashed_is_not_believed(tmp_path, monkeypatch):
    path = tmp_path / "growing"
    path.write_bytes(b"one")
    real = os.open

    def grow(name, *args, **kwargs):
        with real_open(path, "ab") as file:
            file.write(b"more")
        return real(name, *args, **kwargs)

    real_open = open
    monkeypatch.setattr("notarium.evidence.hashing.os.open", grow)
    with pytest.raises(UnreadableArtifact, match="changed after it was named and before it was hashed"):
        hash_path(path)


# The cache.


@pytest.fixture
def cache(tmp_path):
    return DigestCache(tmp_path / "cache" / "digests.sqlite")


@pytest.fixture
def later(monkeypatch):
    """Look at the files as if an hour had passed."""
    real = time.time_ns
    monkeypatch.setattr("notarium.evidence.hashing.time.time_ns", lambda: real() + 3_600_000_000_000)


@pytest.fixture
def reads(monkeypatch):
    """The paths whose content was read."""
    seen: list[str] = []
    real = os.open

    def note(path, *args, **kwargs):
        seen.extend({os.path.basename(path)} - {".notariumignore"})
        return real(path, *args, **kwargs)

    monkeypatch.setattr("notarium.evidence.hashing.os.open", note)
    return seen


def test_what_has_not_changed_is_not_read_again(folder, cache, later, reads):
    first = hash_path(folder, cache=cache)
    assert sorted(reads) == ["a.csv", "b.csv", "c.bin"]
    reads.clear()
    assert hash_path(folder, cache=cache) == first
    assert reads == []


def test_deep_reads_everything(folder, cache, later, reads):
    hash_path(folder, cache=cache)
    reads.clear()
    hash_path(folder, cache=cache, deep=True)
    assert len(reads) == 3


def test_a_fresh_file_is_not_believed(folder, cache, reads):
    hash_path(folder, cache=cache)
    reads.clear()
    hash_path(folder, cache=cache)
    assert len(reads) == 3


def test_a_change_is_seen_also_when_size_and_modification_time_are_put_back(folder, cache, later):
    path = folder / "b.csv"
    before = path.stat()
    first = hash_path(folder, cache=cache)
    path.write_bytes(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert hash_path(folder, cache=cache) != first


def test_a_damaged_cache_is_no_obstacle_and_is_replaced(folder, cache, tmp_path, later, reads):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.sqlite").write_bytes(b"not a database" * 100)
    first = hash_path(folder, cache=cache)
    assert "not used" in cache.problem
    hash_path(folder, cache=DigestCache(tmp_path / "cache" / "digests.sqlite"))
    reads.clear()
    assert hash_path(folder, cache=DigestCache(tmp_path / "cache" / "digests.sqlite")) == first
    assert reads == []


def test_a_cache_that_cannot_be_written_is_no_obstacle(folder, tmp_path, later):
    (tmp_path / "file").write_bytes(b"")
    cache = DigestCache(tmp_path / "file" / "digests.sqlite")
    assert hash_path(folder, cache=cache) == hash_path(folder)
    assert cache.problem


def test_a_damaged_cache_that_may_not_be_removed_is_no_obstacle(folder, cache, tmp_path, monkeypatch):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "digests.sqlite").write_bytes(b"not a database" * 100)

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    assert hash_path(folder, cache=cache) == hash_path(folder)
    assert cache.problem
