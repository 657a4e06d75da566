"""A lie about a member's day, in blocks that are true else: one entry more than the day holds."""

from __future__ import annotations

from unittest.mock import patch

from tests.simulation.old_entries import OldEntries
from tests.simulation.spending import LARGE_BYTES
from tests.support.consortium import key

from notarium_ledger.blocks.block import Block
from notarium_ledger.entries.entry import Entry, decode_entry
from notarium_ledger.errors import LedgerError, QuotaExceeded
from notarium_ledger.state.chain_state import advance
from notarium_ledger.state.quota import Tally


class Overspending(OldEntries):
    """Each proposal of its own is of its own member's entries: all that the day still holds, and one more. Its
    researcher or its administrator is in league with it."""

    def other(self, block: Block) -> Block | None:
        """As of its kind."""
        state = self.liar.state
        if block.height != state.height + 1:
            return None
        entries = self._too_many(block.header.time_ms)
        try:
            with patch.object(Tally, "_check", lambda *_: None):
                made = advance(state, entries, block.header.time_ms, self.liar.public)
        except LedgerError:
            return None
        self.liar.world.coverage["liar: a block above the quota"] += 1
        return Block(made.header, tuple(entry.raw for entry in entries))

    def _too_many(self, time_ms: int) -> list[Entry]:
        """The last one is too much."""
        kind, tally = self.random.choice(("small", "large", "enrol")), Tally(self.liar.state.registry, time_ms)
        entries: list[Entry] = []
        while True:
            entries.append(self._entry(kind, len(entries)))
            try:
                tally.add(entries[-1])
            except QuotaExceeded:
                return entries

    def _entry(self, kind: str, number: int) -> Entry:
        world = self.liar.world
        if kind == "enrol":
            label = f"simulated {world.seed} in league {self.liar.state.height} {number}"
            member = world.consortium.members.index(self.liar.record.member)
            raw = world.consortium.raw(world.consortium.member_body("enrol", member, key=bytes(key(label).public)))
        else:
            raw = world.entry(self.liar.record.member, size=LARGE_BYTES if kind == "large" else 0)
        world.watch.submitted(raw)
        return decode_entry(raw)
