"""Collects the effects of one step, Persists first."""

from __future__ import annotations

from notarium_consensus.effects import Effect, Persist, Report
from notarium_consensus.events import Event


class StepEffects:
    """The effects of the step under way, and its time."""

    __slots__ = ("_persists", "_rest", "now_ms")

    def __init__(self) -> None:
        self.now_ms = 0
        self._persists: list[Effect] = []
        self._rest: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        """Add `effect`. Persists come before all others, so that one synced write can serve a whole step."""
        (self._persists if isinstance(effect, Persist) else self._rest).append(effect)

    def report(self, event: Event) -> None:
        """Add a Report."""
        self._rest.append(Report(event))

    def take(self) -> list[Effect]:
        """The effects so far; starts anew."""
        effects = self._persists + self._rest
        self._persists, self._rest = [], []
        return effects
