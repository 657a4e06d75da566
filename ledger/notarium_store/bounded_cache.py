"""A small cache that drops its oldest entry first."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """At most `limit` pairs; drops the one that was put first. Thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: dict[K, V] = {}
        # Finding and deleting the oldest are two steps; no other thread may change the dict between them.
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of `key`, or None."""
        return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        """Store `value`."""
        items = self._items
        with self._lock:
            if len(items) >= self._limit and key not in items:
                del items[next(iter(items))]
            items[key] = value

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._items.clear()
