"""Lies about content, in blocks that are true else: an entry that only the whole log shows to be old; too much work."""

from __future__ import annotations

from unittest.mock import patch

from tests.simulation.liar import Behaviour, Liar

from notarium_consensus.messages import Message, Proposal
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.entries.commitment import EntryClass, entry_class
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.state import chain_state
from notarium_ledger.state.chain_state import advance
from notarium_ledger.types import Hash, Height, PublicKey


class OldEntries(Behaviour):
    """Each proposal of its own has one entry more, of the block before the last. Who has no history yet cannot know."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._made: dict[Hash, Block | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if isinstance(message, Vote):
            said = self._made.get(message.block_hash)
            return message if said is None else self.liar.vote(message.kind, message.height, message.round, said.hash)
        if not isinstance(message, Proposal) or message.prepares:
            return message
        if message.block_hash not in self._made:
            self._made[message.block_hash] = self.other(message.block)
        other = self._made[message.block_hash]
        return message if other is None else self.liar.propose(other, message.round, message.round_changes, ())

    def other(self, block: Block) -> Block | None:
        """What it proposes in place of `block`; None: nothing else."""
        state, node = self.liar.state, self.liar.node
        before = Height(max(1, block.height - 2))
        if node is None or block.height != state.height + 1 or not node.store.has(before):
            return None
        decided = node.store.decision(before)
        if decided is None:
            return None
        entries = [decode_entry(raw) for raw in (*block.entries, decided.block.entries[0])]
        try:
            transition = advance(state, entries, block.header.time_ms, self.liar.public)
        except LedgerError:
            return None
        return Block(transition.header, tuple(entry.raw for entry in entries))


class Overload(OldEntries):
    """Each proposal of its own has all the enrolments and revocations that wait, however many a block may have."""

    def other(self, block: Block) -> Block | None:
        """As of its kind."""
        state, node = self.liar.state, self.liar.node
        if node is None or block.height != state.height + 1:
            return None
        waiting = [each for each in node.mempool if entry_class(each.body) is EntryClass.KEY]
        if len(waiting) <= chain_state.MAX_KEY_ENTRIES:
            return None
        with patch.object(chain_state, "CLASS_LIMITS", {}):
            chosen, _ = chain_state.select_entries(state, waiting, lambda _: False, block.header.time_ms)
            try:
                made = advance(state, chosen, block.header.time_ms, self.liar.public)
            except LedgerError:
                return None
        return Block(made.header, tuple(entry.raw for entry in chosen))
