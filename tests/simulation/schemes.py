"""Lies that are wrong in one point only: whatever does not check this very point believes them.

As in consensus_lies.py, but each lie is the same to everyone, once for a height and round, so that no true version
of it excuses those that believe it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tests.simulation.liar import Behaviour, Liar
from tests.simulation.member import Member

from notarium_consensus.messages import Message, Proposal, RoundChange, decode_message
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    SignedStatement,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.encoding import canonical
from notarium_ledger.state.chain_state import advance
from notarium_ledger.trust.equivocation import conflict
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind

Claim = tuple[Round, Hash] | None


class Scheme(Behaviour):
    """What these have in common."""

    def heard(self, height: int) -> Iterator[Message]:
        """Consensus messages of this height that came."""
        for data in self.liar.heard:
            message = decode_message(data[1:])
            if message.height == height:
                yield message

    def height(self) -> int:
        """Being decided."""
        return int(self.liar.state.height) + 1

    def validators(self) -> list[PublicKey]:
        """In ascending order of keys."""
        return sorted(each.key for each in self.liar.state.registry.validators.validators)

    def quorum(self) -> list[PublicKey]:
        """Just enough validators, itself among them, in ascending order."""
        others = [key for key in self.validators() if key != self.liar.public]
        return sorted([self.liar.public, *others[: self.liar.state.registry.validators.quorum - 1]])

    def change(self, height: int, round_: int, prepared: Claim) -> SignedRoundChange:
        """Its own round change, with its valid signature."""
        statement = RoundChangeStatement(Height(height), Round(round_), prepared)
        return SignedRoundChange(statement, self.liar.public, self.liar.sign(statement))

    def forged(self, key: PublicKey) -> Signature:
        """Of `key`, under something else or nothing."""
        known = [m.signature for m in self.heard(self.height()) if m.key == key]
        return self.random.choice(known) if known else Signature(self.random.randbytes(64))

    def forged_prepares(self, height: int, round_: int, block: Hash) -> tuple[Vote, ...]:
        """Of a quorum, of whom it alone has signed."""
        own = self.liar.vote(StatementKind.PREPARE, height, round_, block)
        return tuple(
            own if key == own.key else replace(own, key=key, signature=self.forged(key)) for key in self.quorum()
        )


class FalseLock(Scheme):
    """Round changes with the proof of a prepared block that is wrong in one point."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._told: dict[tuple[int, int], RoundChange | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, RoundChange) or message.height != self.height():
            return message
        slot = (int(message.height), int(message.round))
        if slot not in self._told:
            make = self.random.choice([self._forged, self._few, self._of_another_round, self._commits])
            self._told[slot] = make(*slot) or self._forged(*slot)
        return self._told[slot] or message

    def _forged(self, height: int, round_: int) -> RoundChange | None:
        """A block of its own, and a quorum of prepares with others' names under it."""
        block = self.liar.fresh_block()
        if block is None:
            return None
        prepares = self.forged_prepares(height, round_ - 1, block.hash)
        return RoundChange(self.change(height, round_, (Round(round_ - 1), block.hash)), block, prepares)

    def _few(self, height: int, round_: int) -> RoundChange | None:
        """Prepares that are true, but one too few."""
        return self._of(height, round_, StatementKind.PREPARE, missing=1)

    def _of_another_round(self, height: int, round_: int) -> RoundChange | None:
        """True prepares of an earlier round than the one that is claimed."""
        return self._of(height, round_, StatementKind.PREPARE, claimed=round_ - 1)

    def _commits(self, height: int, round_: int) -> RoundChange | None:
        """COMMITs in place of PREPAREs."""
        return self._of(height, round_, StatementKind.COMMIT)

    def _of(
        self, height: int, round_: int, type_: StatementKind, missing: int = 0, claimed: int | None = None
    ) -> RoundChange | None:
        heard = list(self.heard(height))
        for proposal in (each for each in heard if isinstance(each, Proposal) and each.round < round_):
            said = self.liar.vote(type_, height, proposal.round, proposal.block_hash)
            votes = {said.key: said}
            for vote in (each for each in heard if isinstance(each, Vote)):
                if (vote.kind, vote.round, vote.block_hash) == (type_, proposal.round, proposal.block_hash):
                    votes[vote.key] = vote
            keys = sorted(votes)[: len(self.quorum()) - missing]
            round_claimed = proposal.round if claimed is None else Round(claimed)
            if len(keys) == len(self.quorum()) - missing and (claimed is None or proposal.round < claimed):
                signed = self.change(height, round_, (round_claimed, proposal.block_hash))
                return RoundChange(signed, proposal.block, tuple(votes[key] for key in keys))
        return None


class FalseJustification(Scheme):
    """Proposals of higher rounds, in its turn, whose justification or header is wrong in one point."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._told: dict[tuple[int, int], Proposal | None] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        if not isinstance(message, Proposal) or message.height != self.height():
            return message
        slot = (int(message.height), int(message.round))
        if slot not in self._told:
            changes = [self._foreign, self._wrong_header]
            if message.round > 0:
                changes += [self._false_lock, self._silent_about_lock]
            self._told[slot] = self.random.choice(changes)(message)
        return self._told[slot] or message

    def act(self) -> None:
        """Its next turn above round 0 comes early, with round changes that nobody made."""
        height, node = self.height(), self.liar.node
        if node is None or self.liar.public not in self.validators() or self.random.random() < 0.7:
            return
        validators = self.liar.state.registry.validators
        first = max(1, int(node.engine.round))
        turns = range(first, first + len(validators))
        round_ = next(each for each in turns if validators.proposer(Height(height), Round(each)) == self.liar.public)
        block = self.liar.fresh_block()
        if block is None or (height, round_) in self._told:
            return
        self.count()
        changes = self.random.choice([self._forged, self._repeated, self._of_other_rounds])(height, round_)
        self._told[height, round_] = proposal = self.liar.propose(block, round_, tuple(changes), ())
        self.liar.say(proposal)

    def _forged(self, height: int, round_: int) -> Sequence[SignedRoundChange]:
        own = self.change(height, round_, None)
        return [own if key == own.key else replace(own, key=key, signature=self.forged(key)) for key in self.quorum()]

    def _repeated(self, height: int, round_: int) -> Sequence[SignedRoundChange]:
        return [self.change(height, round_, None)] * len(self.quorum())

    def _of_other_rounds(self, height: int, round_: int) -> Sequence[SignedRoundChange]:
        """True ones, but of any rounds."""
        own = self.change(height, round_, None)
        found = {own.key: own}
        for message in self.heard(height):
            if isinstance(message, RoundChange):
                found.setdefault(message.key, message.signed)
        changes = [found[key] for key in sorted(found)][-len(self.quorum()) :]
        return changes if len(changes) == len(self.quorum()) else self._forged(height, round_)

    def _foreign(self, message: Proposal) -> Proposal | None:
        """A fresh block in another's name."""
        others = [key for key in self.validators() if key != self.liar.public]
        block = self._block(message, self.random.choice(others)) if not message.prepares and others else None
        return None if block is None else self.liar.propose(block, message.round, message.round_changes, ())

    def _wrong_header(self, message: Proposal) -> Proposal | None:
        """A block with one wrong hash in its header, or with another height since which the validators sign."""
        field = self.random.choice(["parent", "tree_root", "state_root", "next_validators", "since"])
        wrong: dict[str, Any] = {field: Hash(self.random.randbytes(32))}
        if field == "since":
            wrong = {field: message.block.header.since % message.height + 1}
            if message.height == 1:
                return None  # There is no other.
        header = replace(message.block.header, **wrong)
        block = Block(header, message.block.entries)
        return self.liar.propose(block, message.round, message.round_changes, message.prepares)

    def _false_lock(self, message: Proposal) -> Proposal | None:
        """Its own round change claims the round just below for a block of its own, with forged prepares."""
        block = self.liar.other_block(message.block)
        if block is None:
            return None
        claim = (Round(message.round - 1), block.hash)
        own = self.change(int(message.height), message.round, claim)
        changes = {each.key: each for each in message.round_changes} | {own.key: own}
        prepares = self.forged_prepares(int(message.height), message.round - 1, block.hash)
        return self.liar.propose(block, message.round, tuple(changes[key] for key in sorted(changes)), prepares)

    def _silent_about_lock(self, message: Proposal) -> Proposal | None:
        """The locks of others are taken out of what they signed."""
        block = self.liar.fresh_block()
        if block is None or not message.prepares:
            return None
        changes = tuple(
            replace(each, statement=replace(each.statement, prepared=None)) for each in message.round_changes
        )
        return self.liar.propose(block, message.round, changes, ())

    def _block(self, message: Proposal, proposer: PublicKey) -> Block | None:
        """The proposed one, in the name of `proposer`."""
        if self.liar.node is None:
            return None
        known = [self.liar.node.mempool.oldest(20)]
        entries = [each for each in known[0] if each.raw in message.block.entries]
        if len(entries) != len(message.block.entries):
            return None
        transition = advance(self.liar.state, entries, message.block.header.time_ms, proposer)
        return Block(transition.header, tuple(each.raw for each in entries))


class HollowLock(Scheme):
    """Its block is prepared by just enough others; then it alone can claim it, and gives wrong entries for it."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._blocks: dict[int, tuple[int, Block]] = {}
        self._wrong: dict[Hash, Block] = {}

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        height = int(message.height)
        if isinstance(message, Proposal):
            if message.prepares:
                return None  # nobody must get the true entries
            if self._blocks.setdefault(height, (message.round, message.block))[1] != message.block:
                return message
            peers = [key for key in self.validators() if key != self.liar.public]
            return message if peer in peers[: len(self.quorum()) - 1] else None
        if isinstance(message, Vote):
            return None if self._blocks.get(height, (0, None))[0] == message.round else message
        if message.block is None or message.signed.prepared is None:
            return message
        wrong = self._wrong.setdefault(
            message.block.hash, Block(message.block.header, (self.liar.made_up_entry(), *message.block.entries[1:]))
        )
        return replace(message, block=wrong)

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        """Whoever changes the round hears the claim at once, also for the next one: before a quorum is together."""
        if not self.liar.world.is_honest(peer):
            return  # two of its kind would answer each other without end
        message = decode_message(data[1:]) if data[0] == Kind.CONSENSUS else None
        node = self.liar.node
        instance = None if node is None else node.engine._instance
        if not isinstance(message, RoundChange) or instance is None or message.height != instance.context.height:
            return
        lock = instance.prepared
        if lock is None or lock.round >= message.round or lock.block.height != self.height():
            return
        wrong = self._wrong.setdefault(
            lock.block.hash, Block(lock.block.header, (self.liar.made_up_entry(), *lock.block.entries[1:]))
        )
        self.count()
        for round_ in (message.round, message.round + 1):
            signed = self.change(message.height, round_, (lock.round, lock.block.hash))
            self.liar.say(RoundChange(signed, wrong, lock.prepares))


class HashOnlyLock(HollowLock):
    """The same, but it claims the block by its hash, and nobody ever gets any entries for it."""

    def bend(self, peer: PublicKey, message: Message) -> Message | None:
        bent = super().bend(peer, message)
        return replace(bent, block=None) if isinstance(bent, RoundChange) else bent

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        """As its kind, by hash."""
        say, self.liar.say = self.liar.say, self._say  # type: ignore[method-assign]
        try:
            super().incoming(peer, data)
        finally:
            self.liar.say = say  # type: ignore[method-assign]

    def _say(self, message: Message, to: Sequence[PublicKey] | None = None) -> None:
        Liar.say(self.liar, replace(message, block=None) if isinstance(message, RoundChange) else message, to)


class Swapper(Scheme):
    """Passes on what others sign, with other entries under their headers."""

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        if not self.liar.world.is_honest(peer):
            return  # two of its kind would answer each other without end
        message = decode_message(data[1:]) if data[0] == Kind.CONSENSUS else None
        if message is None or isinstance(message, Vote) or message.block is None or self.random.random() < 0.5:
            return
        self.count()
        self.liar.say(replace(message, block=Block(message.block.header, (self.liar.made_up_entry(),))))


class BorrowedCertificate(Scheme):
    """Answers to catch-up with another block under the true certificate, or with a certificate that is nearly true."""

    def outgoing(self, peer: PublicKey, data: bytes) -> list[bytes]:
        items = wire.unpack_list(data[1:], wire.MAX_BLOCKS) if data[0] == Kind.BLOCKS else []
        if not items or self.random.random() < 0.3:
            return [data]
        self.count()
        decision = Decision.from_value(canonical.decode(items[0]))
        block, certificate = decision.block, decision.certificate
        changed = Block(replace(block.header, time_ms=block.header.time_ms + 1), block.entries)
        seals = certificate.seals
        match self.random.randrange(4):
            case 0:
                block = changed
            case 1:
                block, certificate = changed, replace(certificate, block=changed.hash)
            case 2:
                certificate = replace(certificate, seals=seals[: len(self.quorum()) - 1])
            case _:
                wrong = replace(seals[0], signature=Signature(self.random.randbytes(64)))
                certificate = replace(certificate, seals=(wrong, *seals[1:]))
        return [wire.pack_list(Kind.BLOCKS, [canonical.encode([block.to_value(), certificate.to_value()]), *items[1:]])]


class VoteForger(Scheme):
    """Everybody's votes for whatever is proposed, before they give them."""

    def incoming(self, peer: PublicKey, data: bytes) -> None:
        message = decode_message(data[1:]) if data[0] == Kind.CONSENSUS else None
        if not isinstance(message, Proposal) or self.random.random() < 0.5:
            return
        self.count()
        for type_ in (StatementKind.PREPARE, StatementKind.COMMIT):
            own = self.liar.vote(type_, message.height, message.round, message.block_hash)
            for key in self.quorum():
                if key != own.key:
                    self.liar.say(replace(own, key=key, signature=self.forged(key)))


class FalseWitness(Scheme):
    """Equivocation against those that did nothing: forged, of one statement twice, or of two that do not conflict."""

    def act(self) -> None:
        if self.random.random() < 0.8 or self.liar.public not in self.validators():
            return
        votes = [each for each in map(decode_message, (data[1:] for data in self.liar.heard)) if isinstance(each, Vote)]
        if not votes:
            return
        self.count()
        one = self.random.choice(votes)

        def other() -> VoteStatement:
            return replace(one.statement, block_hash=Hash(self.random.randbytes(32)))

        makes: list[Callable[[], SignedStatement]] = [
            lambda: Vote(other(), one.key, one.signature),
            lambda: Vote(other(), one.key, self.forged(one.key)),
            lambda: one,
            lambda: self.random.choice([each for each in votes if each.key == one.key]),
            lambda: self.liar.vote(one.kind, one.height, one.round, Hash(self.random.randbytes(32))),
        ]
        equivocation = conflict(
            self.liar.world.genesis.hash, self.liar.validators_hash, one, self.random.choice(makes)()
        )
        for peer in self.liar.peers():
            Member.send(self.liar, peer, wire.pack_list(Kind.EQUIVOCATIONS, [equivocation.encode()]))


SCHEMES: tuple[type[Behaviour], ...] = (
    FalseLock,
    FalseJustification,
    HollowLock,
    Swapper,
    BorrowedCertificate,
    VoteForger,
    FalseWitness,
)
