"""A lie about time that just gets through: as late as the clocks of a quorum allow, the liar among them."""

from __future__ import annotations

from tests.simulation.liar import Behaviour, Liar

from notarium_consensus.messages import Message, Proposal
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.types import Hash, PublicKey

SAFE_MS = 30
"""Less than the precision by so much, so that the message finds those clocks far enough."""


class EdgeOfTime(Behaviour):
    """Blocks of the latest time for which a quorum can be had. The slowest clocks are behind it for a while: the next
    proposer, who is honest, must wait for its own clock and not just add a millisecond."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._made: dict[Hash, Block | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if isinstance(message, Vote):
            said = self._made.get(message.block_hash)
            return message if said is None else self.liar.vote(message.kind, message.height, message.round, said.hash)
        if not isinstance(message, Proposal) or message.prepares or message.round_changes:
            return message
        block = message.block
        if block.hash not in self._made:
            latest_ms = self._quorums_ms() + self.liar.state.registry.parameters.clock_precision_ms - SAFE_MS
            is_later = latest_ms > block.header.time_ms
            self._made[block.hash] = self.liar.other_block(block, latest_ms) if is_later else None
        other = self._made[block.hash]
        return message if other is None else self.liar.propose(other, message.round, (), ())

    def _quorums_ms(self) -> int:
        """The slowest of the Q - 1 fastest honest clocks that vote."""
        registry, world = self.liar.state.registry, self.liar.world
        voters = [each for each in world.honest if each.public in registry.validators]
        fastest = sorted((each.skew_ms for each in voters if not each.is_clock_wrong), reverse=True)
        needed = fastest[: max(1, registry.validators.quorum - 1)] or [0]
        return world.now_ms + needed[-1]
