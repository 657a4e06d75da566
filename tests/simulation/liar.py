"""Members that lie: a real node whose messages are bent on their way out, and that says more than it should.

Each behaviour is one way to lie, and a liar has some of them. All of them keep to what a real liar can do: sign with
its own key, repeat or bend what it heard, be silent, and send anything to anybody.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from random import Random
from typing import Any

from tests.simulation.member import Member
from tests.support.consortium import valid_body

from notarium_consensus.messages import Message, Proposal, decode_message, encode_message
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import Statement, StatementKind, Vote, VoteStatement
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import advance
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature
from notarium_node.peers.wire import Kind

UNSIGNED = Signature(bytes(64))
REMEMBERED = 64


class Liar(Member):
    """A member with behaviours."""

    is_honest = False

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.behaviours: Sequence[Behaviour] = ()
        self.heard: list[bytes] = []

    @property
    def random(self) -> Random:
        """The world's."""
        return self.world.random

    def send(self, peer: PublicKey, data: bytes, slot: Hashable = None) -> bool:
        """What its node wants to say, bent by each behaviour in turn."""
        messages = [data]
        for behaviour in self.behaviours:
            messages = [bent for message in messages for bent in behaviour.outgoing(peer, message)]
        sent = [Member.send(self, peer, message, slot) for message in messages]
        return any(sent)

    def receive(self, peer: PublicKey, data: bytes) -> None:
        """Listen first, then do as its node does."""
        if data[0] == Kind.CONSENSUS:
            self.heard.append(data)
            if len(self.heard) > REMEMBERED:
                self.heard.pop(self.random.randrange(REMEMBERED))
        for behaviour in self.behaviours:
            behaviour.incoming(peer, data)
        if self.life.alive:
            super().receive(peer, data)

    def act(self) -> None:
        """Now and then each behaviour may do something of its own."""
        if self.node is not None:
            for behaviour in self.behaviours:
                if self.life.alive:
                    self.run(behaviour.act)
        self.world.after(self.random.choice([0.05, 0.3, 1.0]), self.act)

    # ---- what it can make ----------------------------------------------------------------------------------------

    def say(self, message: Message, to: Sequence[PublicKey] | None = None) -> None:
        """Send a consensus message to these, or to all, unbent."""
        data = bytes((Kind.CONSENSUS,)) + encode_message(message)
        for peer in self.peers() if to is None else to:
            Member.send(self, peer, data)

    def peers(self) -> list[PublicKey]:
        """All others, in a fixed order."""
        return [key for key in self.world.holders if key != self.public]

    def vote(self, kind: StatementKind, height: int, round_: int, block: Hash) -> Vote:
        """A vote with its valid signature."""
        statement = VoteStatement(kind, Height(height), Round(round_), block)
        return Vote(statement, self.public, self.sign(statement))

    def propose(self, block: Block, round_: int, changes: Any, prepares: Any) -> Proposal:
        """A proposal with its valid signature, whatever justifies it."""
        statement = VoteStatement(StatementKind.PROPOSAL, block.height, Round(round_), block.hash)
        return Proposal(block.height, Round(round_), block, changes, prepares, self.public, self.sign(statement))

    def sign(self, statement: Statement) -> Signature:
        """By its own key, for this ledger and the present validators."""
        return self.key.sign(statement.signed_bytes(self.world.genesis.hash, self.validators_hash))

    def made_up_entry(self) -> bytes:
        """A well-formed entry that no client submitted, signed by a key that is not enrolled."""
        serial = self.random.randrange(1 << 30)
        return sign_entry(self.key, self.world.genesis.hash, valid_body("dataset", serial))

    @property
    def validators_hash(self) -> Hash:
        """Of the set that signs the next block, as its node knows it."""
        state = self.state
        return state.registry.validators.hash

    @property
    def state(self) -> Any:
        """Its node's chain state."""
        if self.node is None:
            raise RuntimeError("a dead liar says nothing")
        return self.node.store.state

    def fresh_block(self) -> Block | None:
        """A valid block of what waits in its own mempool, on its own tip."""
        state = self.state
        entries = [] if self.node is None else self.node.mempool.oldest(5)
        if not entries or self.public not in state.registry.validators:
            return None
        try:
            transition = advance(state, entries, max(state.time_ms + 1, self.clock_ms()), self.public)
        except LedgerError:
            return None
        return Block(transition.header, tuple(entry.raw for entry in entries))

    def other_block(self, block: Block, time_ms: int | None = None) -> Block | None:
        """Another valid block of the same height: another time, maybe fewer entries."""
        state = self.state
        if block.height != state.height + 1 or self.node is None:
            return None
        entries = [self.node.mempool.get(leaf_hash(raw)) for raw in block.entries]
        known = [entry for entry in entries if entry is not None]
        if not known:
            return None
        if len(known) > 1 and self.random.random() < 0.5:
            known = known[:-1]
        try:
            transition = advance(state, known, block.header.time_ms + 1 if time_ms is None else time_ms, self.public)
        except LedgerError:
            return None
        return Block(transition.header, tuple(entry.raw for entry in known))


class Behaviour:
    """One way to lie. This one does not."""

    def __init__(self, liar: Liar) -> None:
        self.liar = liar
        self.random = liar.random

    @property
    def name(self) -> str:
        """For the coverage."""
        return type(self).__name__

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        """What is sent to `peer` in place of `data`."""
        if data[0] != Kind.CONSENSUS:
            return [data]
        message = decode_message(data[1:])
        bent = self.bend(peer, message)
        if bent is message:
            return [data]
        self.count()
        return [] if bent is None else [bytes((Kind.CONSENSUS,)) + encode_message(bent)]

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        """A consensus message; None is silence."""
        return message

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        """A message came."""

    def act(self) -> None:
        """Time passes."""

    def count(self) -> None:
        """It did lie."""
        self.liar.world.coverage[f"liar: {self.name}"] += 1
