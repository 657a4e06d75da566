"""Members that lie: a real node whose messages are bent on their way out, and that says more than it should.

Each behaviour is one way to lie, and a liar has some of them. All of them keep to what a real liar can do: sign with
its own key, repeat or bend what it heard, be silent, and send anything to anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.member import Member
from tests.support.consortium import valid_body

from notarium_consensus.messages import (
    Message,
    Proposal,
    RoundChange,
    SignedRoundChange,
    Vote,
    decode_message,
    encode_message,
    statement,
)
from notarium_ledger import canonical
from notarium_ledger.block import Block, Decision, Header
from notarium_ledger.certificate import QuorumCertificate, Seal, VoteType
from notarium_ledger.entry import sign_entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.merkle import leaf_hash
from notarium_ledger.state import advance
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature
from notarium_node import wire
from notarium_node.wire import Kind

if TYPE_CHECKING:
    from tests.simulation.world import World

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

    def send(self, peer: PublicKey, data: bytes) -> bool:
        """What its node wants to say, bent by each behaviour in turn."""
        messages = [data]
        for behaviour in self.behaviours:
            messages = [bent for message in messages for bent in behaviour.outgoing(peer, message)]
        sent = [Member.send(self, peer, message) for message in messages]
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

    def vote(self, type_: VoteType, height: int, round_: int, block: Hash) -> Vote:
        """A vote with its valid signature."""
        draft = Vote(type_, Height(height), Round(round_), block, self.public, UNSIGNED)
        return Vote(draft.type, draft.height, draft.round, block, draft.key, self.sign(draft))

    def propose(self, block: Block, round_: int, changes: Any, prepares: Any) -> Proposal:
        """A proposal with its valid signature, whatever justifies it."""
        draft = Vote(VoteType.PROPOSAL, block.height, Round(round_), block.hash, self.public, UNSIGNED)
        return Proposal(block.height, Round(round_), block, changes, prepares, self.public, self.sign(draft))

    def sign(self, draft: Vote | SignedRoundChange) -> Signature:
        """By its own key, for this ledger and the present validators."""
        return self.key.sign(statement(draft, self.world.genesis.hash, self.validators_hash))

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


class EquivocatingProposer(Behaviour):
    """Two blocks for one round, each half of the peers sees its own, with the votes that go with it."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._others: dict[tuple[int, int], Block | None] = {}
        self._half: set[PublicKey] = set()

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal | Vote):
            return message
        slot = (int(message.height), int(message.round))
        if isinstance(message, Proposal) and slot not in self._others:
            self._others[slot] = None if message.prepares else self.liar.other_block(message.block)
            peers = self.liar.peers()
            self._half = set(self.random.sample(peers, len(peers) // 2))
        other = self._others.get(slot)
        if other is None or peer not in self._half:
            return message
        if isinstance(message, Proposal):
            return self.liar.propose(other, message.round, message.round_changes, message.prepares)
        return self.liar.vote(message.type, message.height, message.round, other.hash)


class VoterForEverything(Behaviour):
    """A PREPARE and a COMMIT for whatever it hears of, at once, and in the next round too."""

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        world = self.liar.world
        if data[0] != Kind.CONSENSUS or not all(world.members[each].is_honest for each in world.holders[peer]):
            return  # two of its kind would answer each other for ever
        if self.random.random() < 0.5:
            return
        message = decode_message(data[1:])
        if isinstance(message, RoundChange):
            return
        self.count()
        for round_ in (message.round, message.round + 1):
            for type_ in (VoteType.PREPARE, VoteType.COMMIT):
                self.liar.say(self.liar.vote(type_, message.height, round_, message.block_hash))


class Withholder(Behaviour):
    """Some peers do not get some kinds of messages."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        peers = liar.peers()
        self._victims = set(self.random.sample(peers, self.random.randint(1, len(peers))))
        self._kinds = set(self.random.sample([Proposal, Vote, RoundChange], self.random.randint(1, 3)))

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        return None if peer in self._victims and type(message) in self._kinds else message


class BadJustification(Behaviour):
    """Proposals of higher rounds whose justification is stale, thin, doubled or missing, or whose block is another."""

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal) or message.round == 0:
            return message
        changes, prepares, block = message.round_changes, message.prepares, message.block
        match self.random.randrange(6):
            case 0:
                changes = changes[:-1]
            case 1:
                changes = (*changes[:-1], changes[0])
            case 2:
                prepares = ()
            case 3:
                block = self.liar.other_block(block) or block
            case 4:
                changes = tuple(change for change in changes if change.prepared is None)
                prepares = ()
            case _:
                return self.liar.propose(block, message.round + 1, changes, prepares)
        return self.liar.propose(block, message.round, changes, prepares)

    def act(self) -> None:
        """Proposes out of turn, in a round that nobody has started."""
        block = self.liar.fresh_block()
        if block is not None and self.random.random() < 0.5:
            self.count()
            self.liar.say(self.liar.propose(block, self.random.choice([0, 0, 1, 2]), (), ()))


class FalsePrepared(Behaviour):
    """Round changes that claim a prepared block which no quorum prepared."""

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, RoundChange):
            return message
        heard = [decode_message(data[1:]) for data in self.liar.heard]
        proposals = [each for each in heard if isinstance(each, Proposal) and each.height == message.height]
        if not proposals:
            return message
        block: Block = self.random.choice(proposals).block
        block = self.liar.other_block(block) or block
        claimed = self.random.choice([message.round - 1, message.round - 1, message.round, message.round + 1])
        own = self.liar.vote(VoteType.PREPARE, message.height, claimed, block.hash)
        votes: dict[PublicKey, Vote] = {own.key: own}
        mode = self.random.randrange(3)
        for vote in heard:
            if isinstance(vote, Vote) and vote.height == message.height:
                if mode == 0:  # votes of others for another round, block or type
                    votes[vote.key] = vote
                elif mode == 1:  # their signatures under what they did not say
                    votes[vote.key] = Vote(
                        VoteType.PREPARE, vote.height, Round(claimed), block.hash, vote.key, vote.signature
                    )
        prepares: tuple[Vote, ...] = (own, own, own) if mode == 2 else tuple(votes[key] for key in sorted(votes))
        draft = SignedRoundChange(message.height, message.round, (Round(claimed), block.hash), own.key, UNSIGNED)
        signed = SignedRoundChange(draft.height, draft.round, draft.prepared, draft.key, self.liar.sign(draft))
        return RoundChange(signed, block, prepares)


class WrongTime(Behaviour):
    """Blocks from the future or the past."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._made: dict[Hash, Block | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal) or message.prepares:
            return message
        block = message.block
        if block.hash not in self._made:
            off_ms = self.random.choice([-86_400_000, -3_500, -1_500, 450, 900, 3_000, 86_400_000])
            self._made[block.hash] = self.liar.other_block(block, block.header.time_ms + off_ms)
        other = self._made[block.hash]
        if other is None:
            return message
        return self.liar.propose(other, message.round, message.round_changes, message.prepares)


class InvalidContent(Behaviour):
    """Blocks under a sound header whose entries nobody may write, or of good entries under a false state root."""

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal) or message.prepares or message.height != self.liar.state.height + 1:
            return message
        header = message.block.header
        entries: tuple[bytes, ...] = (self.liar.made_up_entry(),)
        root = header.state_root
        if header.time_ms % 2:  # the same lie to all
            entries, root = message.block.entries, Hash(bytes(32))
        frontier, _ = self.liar.state.frontier.extend(map(leaf_hash, entries))
        header = Header(
            header.genesis,
            header.height,
            header.parent,
            header.time_ms,
            header.proposer,
            frontier.size,
            frontier.root(),
            header.validators,
            header.next_validators,
            root,
        )
        return self.liar.propose(Block(header, entries), message.round, message.round_changes, ())


class Forger(Behaviour):
    """Messages in others' names, and old ones again."""

    def act(self) -> None:
        if not self.liar.heard:
            return
        self.count()
        data = self.random.choice(self.liar.heard)
        peers = self.liar.peers()
        if self.random.random() < 0.7:
            for peer in self.random.sample(peers, self.random.randint(1, len(peers))):
                Member.send(self.liar, peer, data)
            return
        message = decode_message(data[1:])
        if isinstance(message, Vote):
            forged = Vote(
                VoteType.COMMIT, message.height, message.round, message.block_hash, message.key, message.signature
            )
            self.liar.say(forged, [self.random.choice(peers)])


class Flooder(Behaviour):
    """Votes for heights and rounds to come, and entries that nobody signed."""

    def act(self) -> None:
        self.count()
        height = self.liar.state.height
        for _ in range(20):
            vote = self.liar.vote(
                self.random.choice([VoteType.PREPARE, VoteType.COMMIT]),
                height + self.random.choice([1, 1, 1, 2, 2, 3, 1000]),
                self.random.choice([0, 1, 2, 7, 1_000_000]),
                Hash(self.random.randbytes(32)),
            )
            self.liar.say(vote)
        draft = SignedRoundChange(
            Height(height + 1), Round(self.random.choice([1, 2, 9, 1_000_000])), None, self.liar.public, UNSIGNED
        )
        signed = SignedRoundChange(draft.height, draft.round, None, draft.key, self.liar.sign(draft))
        self.liar.say(RoundChange(signed, None, ()))


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
    return wire.pack_status(wire.Status(Height(height), tip, Height(height), Height(height)))


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
        seal = Seal(self.liar.public, self.liar.vote(VoteType.COMMIT, block.height, round_, block.hash).signature)
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


BEHAVIOURS: tuple[type[Behaviour], ...] = (
    EquivocatingProposer,
    VoterForEverything,
    Withholder,
    BadJustification,
    FalsePrepared,
    WrongTime,
    InvalidContent,
    Forger,
    Flooder,
    CorruptBlocks,
    CorruptSnapshots,
    SelfCertifier,
    HeightLiar,
    BadGossip,
)


TWINS = "liar: Twins"
"""In the coverage."""


class Twin(Member):
    """One of two copies of a node with one key ("Twins", Bano et al.): each keeps to the rules, together they lie."""

    is_honest = False


def split_twins(world: World, twins: tuple[int, int]) -> None:
    """Each peer reaches one twin, or both, or none; drawn anew now and then."""
    wall: set[tuple[int, int]] = {twins, twins[::-1]}
    for member in world.members:
        if member.number in twins:
            continue
        draw = world.random.random()
        shut = twins if draw < 0.1 else () if draw < 0.3 else (world.random.choice(twins),)
        for twin in shut:
            wall |= {(member.number, twin), (twin, member.number)}
    world.links.block(f"twins {twins}", wall)
    for one, other in sorted(wall):
        world.links.cut(one, other)
    world.coverage[TWINS] += 1
    world.after(world.random.uniform(0.2, 3.0), split_twins, world, twins)
