"""The mark of the first start: used up before anything is signed, and never lost before the store knows as much."""

import os
from pathlib import Path

import pytest
from tests.support.consortium import Consortium

from notarium_consensus.permission import Memory
from notarium_node.identity.recall import Recall
from notarium_node.startup import StartupError, use_first_start
from notarium_store import Store


class Crash(BaseException):
    """The process ends here."""


@pytest.fixture
def consortium():
    return Consortium(4)


@pytest.fixture
def mark(tmp_path):
    """As `init` leaves it."""
    path = tmp_path / "store" / "FIRST-START"
    path.parent.mkdir()
    path.touch()
    return path


def start(consortium, mark):
    """What the node knows of its past, as at a start."""
    store = Store.open(mark.parent, consortium.genesis)
    return store, Recall(consortium.validator_keys[0].public, store, is_new=mark.exists())


def test_the_first_start_uses_the_mark_up_and_a_store_that_is_lost_later_is_not_taken_for_new(consortium, mark):
    store, recall = start(consortium, mark)
    use_first_start(mark, recall)
    assert recall.permission.remembers
    assert not mark.exists()
    store.close()
    store, recall = start(consortium, mark)
    assert recall.permission.remembers, "it was started before, and remembers"
    store.close()
    for path in mark.parent.iterdir():
        path.unlink()
    store, recall = start(consortium, mark)
    assert not recall.permission.remembers
    store.close()


@pytest.mark.parametrize("at", range(4))
def test_a_crash_at_any_step_leaves_the_node_new_or_started(consortium, mark, monkeypatch, at):
    """The order of what reaches the disk: the note in the store, the store's names, the mark's end, its name's end."""
    done: list[str] = []

    def step(name, work):
        def perform(*args, **kwargs):
            if len(done) == at:
                raise Crash
            done.append(name)
            return work(*args, **kwargs)

        return perform

    store, recall = start(consortium, mark)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "put_owner", step("note", Store.put_owner))
        patch.setattr(os, "fsync", step("names", os.fsync))
        patch.setattr(Path, "unlink", step("unlink", Path.unlink))
        with pytest.raises(Crash):
            use_first_start(mark, recall)
    store.close()
    assert done == ["note", "names", "unlink", "names"][:at]
    store, recall = start(consortium, mark)
    assert recall.permission.remembers
    use_first_start(mark, recall)
    assert not mark.exists()
    assert store.owner == consortium.validator_keys[0].public
    store.close()


def test_a_full_disk_refuses_the_first_start_and_keeps_the_mark_for_the_next(consortium, mark, monkeypatch):
    store, recall = start(consortium, mark)
    monkeypatch.setattr(store._db, "min_free_bytes", 1 << 62)
    with pytest.raises(StartupError, match="Make room"):
        use_first_start(mark, recall)
    assert mark.exists()
    assert recall.permission.memory is Memory.NEW
    store.close()


def test_a_mark_that_cannot_be_removed_refuses_the_start(consortium, mark, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    store, recall = start(consortium, mark)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StartupError, match="give the directory to user"):
        use_first_start(mark, recall)
    store.close()
