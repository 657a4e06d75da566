"""How long rounds may last, and what one height teaches the next.

A round's length grows until rounds succeed, however thin the lines and however dear the content, and a height starts
with the length that the heights before needed. Reasons and bounds: docs/consensus.md, "Patience".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from notarium_ledger.types import Round

LONGEST_ROUND_MS: Final = 3_600_000
"""Where the growth ends, unless max_timeout_ms is above it."""
ALARM_MS: Final = 600_000
"""A height that takes longer is reported to the operator in any case."""


@dataclass(frozen=True, slots=True)
class RoundLengths:
    """The lengths of the rounds of one height, which this node measures by its own clock."""

    base_ms: int
    """Of level 0."""
    max_ms: int
    """Up to here each level doubles the length; beyond it, each f + 1 levels do."""
    faulty: int
    """f: so many proposers in a row may be dead or lie."""
    level: int = 0
    """Of round 0. Round r has level + r."""
    proven: int = 0
    """Up to here the level is what timed decisions needed, and not only a guess. At most `level`."""

    def of_round(self, round_: Round, worked: int) -> int:
        """The length of a round in ms, `worked` of the rounds before it had work to decide (0 to `round_`).

        Rounds without work fail because there is nothing to propose, and a liar can start them. They do not lengthen
        a round beyond max_ms: otherwise work that comes after an idle night would wait for a dead proposer for long.
        """
        return max(self.of_level(self.level + worked), min(self.of_level(self.level + round_), self.max_ms))

    def of_level(self, level: int) -> int:
        """The length at a level in ms.

        f + 1 rounds in a row have at least one honest proposer. So beyond max_ms an honest proposer gets to try
        each length, and f dead proposers in a row do not drive it up.
        """
        top = self._doublings
        if level <= top:
            return min(self.base_ms << level, self.max_ms)
        doubled = self.max_ms << min((level - top) // (self.faulty + 1), 32)
        return min(doubled, max(self.max_ms, LONGEST_ROUND_MS))

    @property
    def enough_ms(self) -> int:
        """In this time a height is decided even if f proposers in a row are dead and one more round is wasted.

        It counts from the level that decisions have proven: a guess does not show how long decisions take. An operator
        wants to know after ALARM_MS at the latest, also where decisions take longer.
        """
        return min(ALARM_MS, sum(self.of_level(self.proven + failed) for failed in range(self.faulty + 2)))

    def after(self, worked: int, took_ms: int | None, has_left: bool = False) -> RoundLengths:
        """The lengths for the next height: see `level_after`."""
        level = self.level_after(worked, took_ms, has_left)
        proven = self.proven
        if took_ms is not None and not has_left:
            proven = max(proven, self._least_level(2 * took_ms))
        return replace(self, level=level, proven=min(proven, level))

    def level_after(self, worked: int, took_ms: int | None, has_left: bool = False) -> int:
        """The level for the next height, after a decision that `worked` rounds with work to decide preceded.

        `took_ms`: how long there was work in the present round while its timer ran; None if the timer did not run, or
        without work. If no round failed, the level falls by one if a quarter of the length was enough. If more than f
        rounds failed, the level rises to that of the round that decided; if 1 to f failed, it rises by one. In both
        cases it stays within twice the length that was needed. `has_left`: this node had left the round that decided
        too early; then it knows only that more time was needed than it waited. Such a guess ends with the next decision
        for which a quarter was enough, unless more than f rounds failed there. So after a long outage a dead proposer
        costs one long round, and not one at each of many heights.

        Liars and dead proposers do not raise it: they waste at most f rounds in a row, and then an honest proposer
        decides within what the level allows already. A liar can only delay its own decision after wasted rounds, which
        raises the level by one. That happens at most at f heights of n in a row; each of the others lowers it by one.
        If more rounds failed, an honest proposer had too little time. If liars propose after it, the level rises up to
        f above the first sufficient one: the round then lasts at most max_ms, or less than twice as long as needed.
        """
        higher = self.level + (worked if worked > self.faulty else 1)
        if has_left:
            return min(higher, self._least_level(LONGEST_ROUND_MS))
        if took_ms is None:
            return self.level
        needed, is_quick = self._least_level(2 * took_ms), 4 * took_ms <= self.of_level(self.level)
        level = self.level
        if is_quick and level > self.proven and worked <= self.faulty:
            level = min(level - 1, max(self.proven, needed))
        elif is_quick and level > 0 and worked == 0:
            level -= 1
        return level if worked == 0 else max(level, min(higher, needed))

    @property
    def _doublings(self) -> int:
        """The lowest level of length max_ms."""
        return max(0, (-(-self.max_ms // self.base_ms) - 1).bit_length())

    def _least_level(self, needed_ms: int) -> int:
        """The lowest level of at least this length; the lowest of the longest rounds if there is no such level."""
        level = 0
        wanted_ms = min(needed_ms, max(self.max_ms, LONGEST_ROUND_MS))
        while self.of_level(level) < wanted_ms:
            level += 1
        return level
