"""A member's administrator says one thing after the other: the numbers of proposals and votes ascend in the log."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from notarium_ledger.log.hashes import leaf_hash

if TYPE_CHECKING:
    from tests.simulation.world import World

PATIENCE_S = 1.5
"""So long it waits for an answer before it says the next thing; an earlier number may then come too late."""
FEW = 3
"""Who tries no more often takes the first refusal for the answer."""
MOST_PATIENCE_S = 8.0
"""Of who tries more often."""
GLANCE_S = 0.1


class Speaker:
    """Of one member."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._refused = False

    def say(self, raw: bytes, tries: int) -> None:
        """Submit a statement once those before it are decided, refused, or without an answer for too long."""
        self._waiting.append((raw, tries))
        if len(self._waiting) == 1:
            self._submit()

    def _submit(self) -> None:
        world, (raw, tries) = self._world, self._waiting[0]
        self._refused = False
        world.client(raw, world.doors, tries, self._hear)
        patience_s = PATIENCE_S if tries <= FEW else MOST_PATIENCE_S
        world.after(GLANCE_S, self._look, raw, world.loop.now_s + patience_s)

    def _hear(self, raw: bytes, answer: str) -> None:
        if self._waiting and raw == self._waiting[0][0] and answer == "refused":
            self._refused = self._waiting[0][1] <= FEW

    def _look(self, raw: bytes, until_s: float) -> None:
        world = self._world
        if not self._refused and leaf_hash(raw) not in world.watch.acknowledged and world.loop.now_s < until_s:
            world.after(GLANCE_S, self._look, raw, until_s)
            return
        self._waiting.popleft()
        if self._waiting:
            self._submit()
