"""How many log lines of one kind are written: what a stranger can cause, a stranger can repeat."""

from __future__ import annotations

from dataclasses import dataclass

LINES, WINDOW_S = 30, 60.0
"""So many lines of one kind are written in so long; the others are counted. A traceback of 1.5 kB is then 65 MB a day,
and a progress line every three seconds is never left out."""
KINDS = 256
"""Kinds counted at one time. Above that, all new ones are one kind."""

Kind = tuple[str, ...]
"""Logger, message and member: no peer uses up the lines about another."""
OTHER: Kind = ("other",)


@dataclass(slots=True)
class _Window:
    ends_s: float
    seen: int = 0


class LogLimits:
    """Counts the lines of each kind."""

    def __init__(self) -> None:
        self._windows: dict[Kind, _Window] = {}
        self._ended: list[tuple[Kind, int]] = []

    def allows(self, kind: Kind, now_s: float) -> bool:
        """Whether one more line of this kind is written."""
        window = self._windows.get(kind)
        if window is None or now_s >= window.ends_s:
            self._end(now_s)
            if len(self._windows) >= KINDS:
                kind = OTHER
            window = self._windows.setdefault(kind, _Window(now_s + WINDOW_S))
        window.seen += 1
        return window.seen <= LINES

    def left_out(self, now_s: float) -> list[tuple[Kind, int]]:
        """The kinds of which lines were left out, with their counts, once the window has ended; each once."""
        self._end(now_s)
        ended, self._ended = self._ended, []
        return ended

    def _end(self, now_s: float) -> None:
        for kind in [each for each, window in self._windows.items() if now_s >= window.ends_s]:
            seen = self._windows.pop(kind).seen
            if seen > LINES:
                self._ended.append((kind, seen - LINES))
