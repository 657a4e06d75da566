"""A lie about time that no honest node can refuse: as late as every clock just allows."""

from __future__ import annotations

from tests.simulation.liar import Behaviour, Liar

from notarium_consensus.messages import Message, Proposal
from notarium_ledger.blocks.block import Block
from notarium_ledger.types import Hash, PublicKey

SAFE_MS = 30
"""Less than the precision by so much, so that the message finds the slowest honest clock far enough."""


class EdgeOfTime(Behaviour):
    """Blocks of the latest time that all honest clocks allow: the next honest proposer must wait for its own."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._made: dict[Hash, Block | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal) or message.prepares or message.round_changes:
            return message
        block, world = message.block, self.liar.world
        if block.hash not in self._made:
            latest_ms = world.clocks_ms()[0] + self.liar.state.registry.parameters.clock_precision_ms - SAFE_MS
            is_later = latest_ms > block.header.time_ms
            self._made[block.hash] = self.liar.other_block(block, latest_ms) if is_later else None
        other = self._made[block.hash]
        return message if other is None else self.liar.propose(other, message.round, (), ())
