"""A small cache that forgets the oldest first."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """At most `limit` pairs; the one put first goes first. Threads may share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: dict[K, V] = {}
        # Finding the oldest is two steps; between them another thread must not change the dict.
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of `key`, or None."""
        return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember `value`."""
        items = self._items
        with self._lock:
            if len(items) >= self._limit and key not in items:
                del items[next(iter(items))]
            items[key] = value

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._items.clear()
