"""A liar that keeps an idle ledger awake: rounds in which only it has work, and an entry late in one of them."""

from __future__ import annotations

from tests.simulation.consensus_lies import InvalidContent
from tests.simulation.liar import Liar
from tests.simulation.member import Member

from notarium_consensus.messages import Message, Proposal
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.types import Hash, PublicKey
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind

LATE = 0.8
"""Of a round: the entry comes after so much of it."""


class NightWatch(InvalidContent):
    """At night it alone has an entry, which it keeps. In its rounds it proposes invalid content, or another block to
    each peer, so that none gets enough votes.

    Late in the night, and late in a round of an honest proposer, it gives the entry to that proposer alone, and rests.
    In the morning it proposes nothing.
    """

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._is_invalid = self.random.random() < 0.5
        self._late_s = self.random.uniform(0.4, 1.2) * liar.world.schedule.night_s
        """So long after dusk it gives the entry away, if it is still night."""
        self._blocks: dict[tuple[Hash, PublicKey], Block | None] = {}
        self._entry = b""
        self._slot = (0, 0)
        self._since_s = self._length_s = 0.0
        """When the present round began, and how long the one before it was."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        if data[0] == Kind.ENTRIES and self.liar.world.is_night:
            return []
        return super().outgoing(peer, data)

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        world = self.liar.world
        if not world.is_night:
            return None if isinstance(message, Proposal) and world.is_morning else message
        if self._is_invalid:
            return super().bend(peer, message)
        if isinstance(message, Proposal) and not message.prepares:
            block = self._block_for(peer, message.block)
            return None if block is None else self.liar.propose(block, message.round, message.round_changes, ())
        return None if isinstance(message, Vote) else message

    def _block_for(self, peer: PublicKey, block: Block) -> Block | None:
        """As `block`, at another time for each peer."""
        if (block.hash, peer) not in self._blocks:
            time_ms = block.header.time_ms + self.liar.peers().index(peer)
            self._blocks[block.hash, peer] = self.liar.other_block(block, time_ms)
        return self._blocks[block.hash, peer]

    def act(self) -> None:
        world, node = self.liar.world, self.liar.node
        if node is None or not world.is_night or not self.liar.is_validator:
            return
        if not self._entry:
            self._entry = world.entry()
            world.watch.submitted(self._entry)
            self.liar.submit(self._entry, lambda *_: None)
        if node.store.is_decided(leaf_hash(self._entry)):
            return
        height, round_, now_s = node.engine.height, node.engine.round, world.loop.now_s
        if (int(height), int(round_)) != self._slot:
            self._length_s = now_s - self._since_s if self._slot == (height, round_ - 1) else 0.0
            self._slot, self._since_s = (int(height), int(round_)), now_s
        proposer = self.liar.state.registry.validators.proposer(height, round_)
        is_late = now_s > world.dusk_s + self._late_s and now_s - self._since_s > LATE * self._length_s > 0
        if is_late and world.is_honest(proposer):
            self.count()
            Member.send(self.liar, proposer, wire.pack_list(Kind.ENTRIES, [self._entry]))
