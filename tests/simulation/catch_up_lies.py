"""Lies to those that catch up, and in gossip: blocks, snapshots, certificates, heights and entries."""

from __future__ import annotations

from tests.simulation.liar import UNSIGNED, Behaviour, Liar
from tests.simulation.member import Member

from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind


class CorruptBlocks(Behaviour):
    """Answers to catch-up with changed entries, thin or doubled seals, the wrong heights, or nothing."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        if data[0] != Kind.BLOCKS:
            return [data]
        items = wire.unpack_list(data[1:], wire.MAX_BLOCKS)
        if not items or self.random.random() < 0.3:
            return [data]
        self.count()
        at = self.random.randrange(len(items))
        match self.random.randrange(5):
            case 0:
                items = items[at + 1 :]
            case 1:
                items = items[::-1]
            case 2:
                return []
            case _:
                items[at] = self._bent(items[at])
        return [wire.pack_list(Kind.BLOCKS, items)]

    def _bent(self, item: bytes) -> bytes:
        decision = Decision.from_value(canonical.decode(item))
        block, certificate = decision.block, decision.certificate
        seals = certificate.seals
        match self.random.randrange(4):
            case 0:
                seals = seals[:1]
            case 1:
                seals = tuple(Seal(seal.key, UNSIGNED) for seal in seals)
            case 2:
                block = Block(block.header, (*block.entries, block.entries[0]))
            case _:
                block = Block(block.header, (self.liar.made_up_entry(),))
        bent = QuorumCertificate(certificate.height, certificate.round, certificate.block, seals)
        return canonical.encode([block.to_value(), bent.to_value()])


def claim(height: int, tip: Hash) -> bytes:
    """A status by which every block up to `height` is there."""
    return wire.pack_status(wire.HeightStatus(Height(height), tip, Height(height), Height(height)))


class CorruptSnapshots(Behaviour):
    """Parts of a snapshot with a byte changed, cut off, another's, twice or not at all."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._earlier = b""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        if data[0] != Kind.SNAPSHOT or self.random.random() < 0.3:
            return [data]
        self.count()
        earlier, self._earlier = self._earlier, data
        at = self.random.randrange(1, len(data))
        match self.random.randrange(5):
            case 0:
                return [data[:at] + bytes((data[at] ^ (1 << self.random.randrange(8)),)) + data[at + 1 :]]
            case 1:
                return [data[:at]]
            case 2:
                return [earlier] if earlier else []
            case 3:
                return [data, data]
            case _:
                return []


class SelfCertifier(Behaviour):
    """Decides alone: a block of its own under a certificate of its own seal, once or often enough for a quorum."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        if data[0] == Kind.STATUS:
            status = wire.unpack_status(data[1:])
            return [claim(status.height + 1, status.tip)]
        return [data]

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        block = self.liar.fresh_block() if data[0] == Kind.GET_BLOCKS else None
        if block is None:
            return
        self.count()
        round_ = self.random.randint(0, 2)
        seal = Seal(self.liar.public, self.liar.vote(StatementKind.COMMIT, block.height, round_, block.hash).signature)
        quorum = self.liar.state.registry.validators.quorum
        seals = (seal,) * self.random.choice([1, quorum])
        certificate = QuorumCertificate(block.height, Round(round_), block.hash, seals)
        item = canonical.encode([block.to_value(), certificate.to_value()])
        Member.send(self.liar, peer, wire.pack_list(Kind.BLOCKS, [item]))


class HeightLiar(Behaviour):
    """Claims heights that nobody has, or none at all."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        if data[0] != Kind.STATUS:
            return [data]
        self.count()
        status = wire.unpack_status(data[1:])
        claimed = self.random.choice([0, status.height + 1, status.height + 5, 2**50])
        return [claim(claimed, status.tip)]

    def act(self) -> None:
        if self.random.random() < 0.3:
            self.count()
            height = self.liar.state.height
            for peer in self.liar.peers():
                Member.send(self.liar, peer, claim(height + self.random.randint(0, 4), Hash(bytes(32))))


class BadGossip(Behaviour):
    """Entries that are not valid, not enrolled or decided long ago."""

    def act(self) -> None:
        if self.random.random() < 0.9:
            return
        self.count()
        raw = self.liar.made_up_entry()
        bad = raw[:-1] + bytes((raw[-1] ^ 1,))
        for peer in self.liar.peers():
            Member.send(self.liar, peer, wire.pack_list(Kind.ENTRIES, [bad]))
