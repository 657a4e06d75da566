"""How much a member may write in a day: a rule for blocks, so no proposer can let one write more.

The day is that of the block's time, in UTC. Times of blocks ascend, so a day that is over does not come back. What a
member itself signs has a count of its own: whatever its researchers do, it can still revoke their keys and vote.
(docs/adr/0017-quotas.md)
"""

from __future__ import annotations

from typing import Final

from notarium_ledger.entries.commitment import is_member_body
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import QuotaExceeded
from notarium_ledger.state.records import DayUse
from notarium_ledger.state.registry import Registry

DAY_MS: Final = 86_400_000
LIMITS: Final = ("max_member_day_entries", "max_member_day_bytes", "max_member_day_statements")
"""The parameters."""
UNITS: Final = ("entries", "bytes", "statements")


def day_of(time_ms: int) -> int:
    """The day of UTC since 1970."""
    return time_ms // DAY_MS


class Tally:
    """Counts the entries of one block, of a certain time, on top of what their members have written that day."""

    def __init__(self, registry: Registry, time_ms: int) -> None:
        """`registry`: before the block. Its parameters hold for the whole block."""
        self._before = registry
        self._day = day_of(time_ms)
        self._limits = [getattr(registry.parameters, name) for name in LIMITS]
        self._counts: dict[str, list[int]] = {}
        """By member, in the order of LIMITS."""

    def add(self, entry: Entry) -> None:
        """Count an entry. Raises QuotaExceeded, and has not counted it."""
        body = entry.body
        is_statement = is_member_body(body)
        member = body["member" if is_statement else "issuer"]
        counts = self._counts.get(member)
        if counts is None:
            use = self.of_day(member)
            counts = self._counts[member] = [use.entries, use.size, use.statements]
        if is_statement:
            self._check(member, counts, 2, 1, is_statement)
            counts[2] += 1
        else:
            size = len(entry.raw)
            self._check(member, counts, 0, 1, is_statement)
            self._check(member, counts, 1, size, is_statement)
            counts[0] += 1
            counts[1] += size

    def of_day(self, member: str) -> DayUse:
        """What the member had written on this day before the block."""
        use = self._before.uses.get(member)
        # A clock behind the last block's time does not bring a day back.
        return use if use is not None and use.day >= self._day else DayUse(self._day)

    def counted(self, registry: Registry) -> Registry:
        """`registry`, after the block, with what was counted."""
        return registry.with_uses(
            {member: DayUse(self.of_day(member).day, *counts) for member, counts in self._counts.items()}
        )

    def _check(self, member: str, counts: list[int], which: int, more: int, is_statement: bool) -> None:
        if counts[which] + more > self._limits[which]:
            use = self.of_day(member)
            written = (use.entries, use.size, use.statements)[which]
            before, fewer = "", ""
            if counts[which] > written:
                before, fewer = f", and {counts[which] - written} come before this one", "fewer at once, or "
            raise QuotaExceeded(
                f"{member} may write {self._limits[which]} {UNITS[which]} a day ({LIMITS[which]}) and has written "
                f"{written}{before}; write {fewer}after midnight UTC, or have the consortium raise {LIMITS[which]} "
                "(set-parameter)",
                "body.member" if is_statement else "body.issuer",
                limit=self._limits[which],
                until_ms=(self.of_day(member).day + 1) * DAY_MS,
            )


def check_quota(registry: Registry, entry: Entry, time_ms: int) -> None:
    """Raise QuotaExceeded if a block of that time cannot hold the entry on top of what its member has written."""
    Tally(registry, time_ms).add(entry)
