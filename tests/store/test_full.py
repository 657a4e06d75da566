"""A full disk: said clearly, nothing lost, and writing goes on by itself once there is room."""

import itertools
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_ledger.types import Height
from notarium_store import Store, StoreError, StoreFull
from notarium_store.check import check_chain

WRITE_BUFFER_BYTES = 64 << 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small file system: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path, leave_bytes: int) -> Path:
    """Write a file that leaves so much room."""
    filler = disk / "filler"
    status = os.statvfs(disk)
    filler.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - leave_bytes)))
    return filler


def fill_by_growing(store: Store, consortium: Consortium) -> None:
    """Until not even recovery finds room: after a refusal, a compaction may still make some."""
    for _ in range(20):
        with pytest.raises(StoreFull):
            grow(store, consortium, itertools.repeat(40))
        try:
            store.recover()
        except StoreFull:
            return
    pytest.fail("recovery always found room")


def test_a_full_disk_is_survived(small_disk: Path) -> None:
    consortium = Consortium(1)
    path = small_disk / "store"
    with Store.open(path, consortium.genesis, write_buffer_bytes=WRITE_BUFFER_BYTES) as store:
        grow(store, consortium, [50, 50])
        filler = fill(small_disk, 8 << 10)
        decision, transition = consortium.decide(store.state, consortium.entries(200))
        before = store.state
        for _ in range(3):
            with pytest.raises(StoreFull) as caught:
                store.commit(decision, transition)
            assert str(path) in str(caught.value)
            assert caught.value.free_bytes < caught.value.needed_bytes
        with pytest.raises(StoreFull):
            store.put_record(Height(3), b"0/prepare", b"digest")
        # Reading goes on.
        assert store.state == before
        assert store.decision(Height(1)) is not None
        assert store.entry(70)
        filler.unlink()
        store.put_record(Height(3), b"0/prepare", b"digest")
        store.commit(decision, transition)
        grow(store, consortium, [10])
        state = store.state
    assert state.height == 4
    with Store.open(path, consortium.genesis) as store:
        assert store.state == state
    check_chain(path, consortium.genesis, lambda done, total: None)


def test_filled_to_the_brim_by_the_ledger_itself(small_disk: Path) -> None:
    """Wherever LevelDB meets the end of the disk, in its log or in a compaction, what was acknowledged stays."""
    consortium = Consortium(1)
    path = small_disk / "store"
    reserve = small_disk / "reserve"
    reserve.write_bytes(bytes(2 << 20))
    store = Store.open(path, consortium.genesis, write_buffer_bytes=WRITE_BUFFER_BYTES)
    fill_by_growing(store, consortium)
    state = store.state
    assert state.height > 10
    reserve.unlink()
    store.recover()
    assert state.height <= store.state.height <= state.height + 1
    grow(store, consortium, [3])
    store.close()
    report = check_chain(path, consortium.genesis, lambda done, total: None)
    assert report.height >= state.height + 1


def test_writes_stop_while_less_than_the_wanted_room_is_free(path: Path) -> None:
    consortium = Consortium(1)
    Store.open(path, consortium.genesis).close()
    status = os.statvfs(path)
    wanted = status.f_bavail * status.f_frsize * 2
    with Store.open(path, consortium.genesis, min_free_bytes=wanted) as store:
        assert 0 < store.free_bytes() < store.min_free_bytes == wanted
        with pytest.raises(StoreFull, match=f"at least {wanted} needed"):
            grow(store, consortium, [1])
        assert store.state.height == 0
    with Store.open(path, consortium.genesis, min_free_bytes=1) as store:
        grow(store, consortium, [1])
        assert store.state.height == 1


def test_a_commit_that_reached_the_disk_although_it_failed_is_taken_as_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsync may fail after the bytes are in the log: recovery finds the decision, and trying it again is harmless."""
    consortium = Consortium(1)
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, [2])
        decision, transition = consortium.decide(store.state, consortium.entries(3))
        real = store._db.write

        def written_but_not_told(items, deleted=()) -> None:
            real(items, deleted)
            store._db.failed = True
            raise StoreError(path, "fsync failed")

        monkeypatch.setattr(store._db, "write", written_but_not_told)
        with pytest.raises(StoreError, match="fsync failed"):
            store.commit(decision, transition)
        assert store.state.height == 1
        monkeypatch.undo()
        store.commit(decision, transition)
        assert store.state == transition.state
        grow(store, consortium, [1])
    assert check_chain(path, consortium.genesis, lambda done, total: None).height == 3
