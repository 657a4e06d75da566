"""A small cache that forgets the oldest first."""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """At most `limit` pairs; the one put first goes first. One dict operation at a time, so threads may share it."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The value of `key`, or None."""
        return self._items.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember `value`."""
        items = self._items
        if len(items) >= self._limit and key not in items:
            items.pop(next(iter(items)), None)
        items[key] = value

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
