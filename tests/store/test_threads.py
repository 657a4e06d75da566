"""Any thread may read while one writes, and a cache may be shared."""

import threading
from typing import Any

import pytest
from tests.support.consortium import Consortium

from notarium_ledger.entries.commitment import artifact_digests
from notarium_store import Store
from notarium_store.bounded_cache import BoundedCache


def test_a_block_on_the_disk_is_not_told_before_the_state_knows_it(
    store: Store, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the write and the new state a reader would be sent to a log index that is not in the log yet."""
    decision, transition = consortium.decide(store.state, consortium.entries(3))
    entry = transition.entries[-1]
    digests = artifact_digests(entry.body)
    real = store._db.write
    seen: list[object] = []

    def writing(items: Any, deleted: Any = ()) -> None:
        real(items, deleted)
        seen.extend((store.position(entry.id), store.receipt(entry.id), store.entry_by_id(entry.id)))
        seen.extend(store.find(each, 10) for each in digests)

    monkeypatch.setattr(store._db, "write", writing)
    store.commit(decision, transition)
    assert seen == [None, None, None, *([] for _ in digests)]
    assert store.position(entry.id) == (1, 2)
    assert digests
    assert all(2 in store.find(each, 10) for each in digests)


class _Paused:
    """A key that waits on its way into the cache."""

    def __init__(self) -> None:
        self.looked_up = 0
        self.is_waiting = threading.Event()
        self.may_go_on = threading.Event()

    def __hash__(self) -> int:
        self.looked_up += 1
        if self.looked_up == 2:  # First it is asked whether it is there already.
            self.is_waiting.set()
            assert self.may_go_on.wait(10)
        return 1


def test_threads_that_fill_one_cache_keep_to_its_limit() -> None:
    """Without a lock, the second finds room that the first has made for itself, or a dict that changes under it."""
    cache: BoundedCache[object, int] = BoundedCache(1)
    cache.put("old", 0)
    key = _Paused()
    first = threading.Thread(target=cache.put, args=(key, 1))
    second = threading.Thread(target=cache.put, args=("new", 2))
    first.start()
    assert key.is_waiting.wait(10)
    second.start()
    second.join(0.1)
    key.may_go_on.set()
    first.join()
    second.join()
    assert list(cache._items) == ["new"]
