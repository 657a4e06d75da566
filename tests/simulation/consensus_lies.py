"""Lies in consensus: two blocks, votes for everything, silence, false justifications, times and content, floods."""

from __future__ import annotations

from dataclasses import replace

from tests.simulation.liar import Behaviour, Liar
from tests.simulation.member import Member

from notarium_consensus.messages import Message, Proposal, RoundChange, decode_message
from notarium_ledger.blocks.block import Block, Header
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.peers.wire import Kind


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
        return self.liar.vote(message.kind, message.height, message.round, other.hash)


class VoterForEverything(Behaviour):
    """A PREPARE and a COMMIT for whatever it hears of, at once, and in the next round too."""

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        if data[0] != Kind.CONSENSUS or not self.liar.world.is_honest(peer):
            return  # two of its kind would answer each other without end
        if self.random.random() < 0.5:
            return
        message = decode_message(data[1:])
        if isinstance(message, RoundChange):
            return
        self.count()
        for round_ in (message.round, message.round + 1):
            for type_ in (StatementKind.PREPARE, StatementKind.COMMIT):
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
        own = self.liar.vote(StatementKind.PREPARE, message.height, claimed, block.hash)
        votes: dict[PublicKey, Vote] = {own.key: own}
        mode = self.random.randrange(3)
        for vote in heard:
            if isinstance(vote, Vote) and vote.height == message.height:
                if mode == 0:  # votes of others for another round, block or type
                    votes[vote.key] = vote
                elif mode == 1:  # their signatures under what they did not say
                    said = VoteStatement(StatementKind.PREPARE, vote.height, Round(claimed), block.hash)
                    votes[vote.key] = Vote(said, vote.key, vote.signature)
        prepares: tuple[Vote, ...] = (own, own, own) if mode == 2 else tuple(votes[key] for key in sorted(votes))
        statement = RoundChangeStatement(message.height, message.round, (Round(claimed), block.hash))
        signed = SignedRoundChange(statement, own.key, self.liar.sign(statement))
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
            header.since,
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
            commit = replace(message.statement, kind=StatementKind.COMMIT)
            self.liar.say(replace(message, statement=commit), [self.random.choice(peers)])


class Flooder(Behaviour):
    """Votes for heights and rounds to come, and entries that nobody signed."""

    def act(self) -> None:
        self.count()
        height = self.liar.state.height
        for _ in range(20):
            vote = self.liar.vote(
                self.random.choice([StatementKind.PREPARE, StatementKind.COMMIT]),
                height + self.random.choice([1, 1, 1, 2, 2, 3, 1000]),
                self.random.choice([0, 1, 2, 7, 1_000_000]),
                Hash(self.random.randbytes(32)),
            )
            self.liar.say(vote)
        round_ = Round(self.random.choice([1, 2, 9, 1_000_000]))
        statement = RoundChangeStatement(Height(height + 1), round_, None)
        signed = SignedRoundChange(statement, self.liar.public, self.liar.sign(statement))
        self.liar.say(RoundChange(signed, None, ()))
