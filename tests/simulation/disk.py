"""A disk that forgets, at a crash, whatever was not synced."""

from __future__ import annotations

from notarium_ledger.block import Decision
from notarium_ledger.types import Height


class Disk:
    """The consensus record and the decisions of one node."""

    def __init__(self) -> None:
        self.record: dict[tuple[Height, bytes], bytes] = {}
        """What is durable."""
        self.decisions: list[Decision] = []
        """Durable too: decision of height h at index h − 1."""
        self._unsynced: dict[tuple[Height, bytes], bytes] = {}

    def write(self, height: Height, key: bytes, value: bytes) -> None:
        """Not durable until the next sync."""
        self._unsynced[height, key] = value

    def sync(self) -> None:
        """fsync."""
        self.record.update(self._unsynced)
        self._unsynced.clear()

    def decide(self, decision: Decision) -> None:
        """One synced batch: the decision comes, the record of its height goes."""
        self.sync()
        self.decisions.append(decision)
        self.record = {slot: value for slot, value in self.record.items() if slot[0] > decision.height}

    def crash(self) -> None:
        """Lose what was not synced."""
        self._unsynced.clear()

    def latest_record(self) -> tuple[dict[bytes, bytes], Height | None]:
        """The record of the highest recorded height, as a runner hands it to a new engine."""
        if not self.record:
            return {}, None
        height = max(height for height, _ in self.record)
        return {key: value for (at, key), value in self.record.items() if at == height}, height
