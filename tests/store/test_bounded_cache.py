"""A cache keeps to its limit, also where threads share it."""

import threading

from notarium_store.bounded_cache import BoundedCache


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


def test_the_pair_that_was_put_first_goes_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    cache.put("a", 3)  # Known already: nothing has to go for it.
    assert (cache.get("a"), cache.get("b")) == (3, 2)
    cache.put("c", 4)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, 2, 4)
    cache.clear()
    assert cache.get("b") is None
