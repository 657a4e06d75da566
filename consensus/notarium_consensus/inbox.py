"""Admits messages of the current height: authentic, well-formed, justified, and then kept.

Nothing is kept before its signature is verified, and nothing is verified that would not be kept.
Each admit method returns whether the message is new here. It raises InvalidMessage for a message that an honest node
does not hand over.
"""

from __future__ import annotations

from collections.abc import Iterable

from notarium_consensus.authentication import Authenticator
from notarium_consensus.equivocation import conflict
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.events import EquivocationDetected
from notarium_consensus.justification import HeightContext, check_proposal, check_round_change
from notarium_consensus.messages import Message, Proposal, RoundChange, Signed
from notarium_consensus.step_effects import StepEffects
from notarium_consensus.votes import RoundKeeper, VoteKeeper
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import SignedRoundChange, StatementKind, Vote
from notarium_ledger.types import Hash, PublicKey, Round


class Inbox:
    """The messages of one height that may count, and the prepared blocks that came with round changes."""

    __slots__ = (
        "_authenticator",
        "_context",
        "_copies",
        "_effects",
        "_reported",
        "commits",
        "prepares",
        "proposals",
        "round_changes",
    )

    def __init__(self, context: HeightContext, authenticator: Authenticator, effects: StepEffects) -> None:
        quorum = context.validators.quorum
        self._context = context
        self._authenticator = authenticator
        self._effects = effects
        self._reported: set[tuple[PublicKey, StatementKind]] = set()
        self.proposals: RoundKeeper[Proposal] = RoundKeeper()
        self.prepares = VoteKeeper(quorum)
        self.commits = VoteKeeper(quorum)
        self.round_changes: RoundKeeper[RoundChange] = RoundKeeper()
        self._copies: dict[PublicKey, Block] = {}
        """The prepared block that each signer's latest round change with a block brought; equal ones are one object."""

    def admit_vote(self, vote: Vote, current: Round) -> bool:
        """A PREPARE of this round or a later one, or a COMMIT of any round."""
        if vote.kind is StatementKind.PROPOSAL:
            raise InvalidMessage("a vote of type PROPOSAL is not a message", "vote.type")
        keeper = self.prepares if vote.kind is StatementKind.PREPARE else self.commits
        known = keeper.get(vote.key, vote.round)
        if known is not None:
            # A second signature of the same content is not news, valid or not: signers are counted, not signatures.
            if known.block_hash != vote.block_hash:
                self._report_equivocation(known, vote)
            return False
        if vote.kind is StatementKind.PREPARE and vote.round < current:
            return False  # This node has left its round, and does not commit there any more.
        if not keeper.wants(vote.key, vote.round, current):
            return False
        self._authenticator.check(vote, self._context.validators, "vote")
        keeper.add(vote, current)
        return True

    def admit_proposal(self, proposal: Proposal, current: Round) -> bool:
        """A justified PROPOSAL of this round or a later one by that round's proposer."""
        validators = self._context.validators
        if proposal.key != validators.proposer(proposal.height, proposal.round):
            raise InvalidMessage(f"{proposal.key.hex()} does not propose in round {proposal.round}", "proposal.key")
        known = self.proposals.get(proposal.key, proposal.round)
        if known is not None:
            if known.block_hash != proposal.block_hash:
                self._report_equivocation(known, proposal)
            return False
        wanted = proposal.round >= current or self._is_committed(proposal)
        if not wanted or not self.proposals.wants(proposal.key, proposal.round, current):
            return False
        self._authenticator.check(proposal, validators, "proposal")
        check_proposal(proposal, self._context)
        for change in proposal.round_changes:
            self._authenticator.check(change, validators, "proposal.round_changes")
        for vote in proposal.prepares:
            self._authenticator.check(vote, validators, "proposal.prepares")
        self.compare(proposal.prepares)
        self.compare(proposal.round_changes)
        self.proposals.add(proposal, current)
        return True

    def admit_round_change(self, change: RoundChange, current: Round) -> bool:
        """A ROUND-CHANGE to this round or a later one, with proof of the prepared block it names."""
        known = self.round_changes.get(change.key, change.round)
        if known is not None:
            if known.signed.prepared != change.signed.prepared:
                self._report_equivocation(known, change)
                return False
            return self._complete(known, change)
        if change.round < current:
            return False
        if not self.round_changes.wants(change.key, change.round, current):
            return False
        validators = self._context.validators
        self._authenticator.check(change, validators, "round_change")
        check_round_change(change, self._context)
        for vote in change.prepares:
            self._authenticator.check(vote, validators, "round_change.prepares")
        self.compare(change.prepares)
        self.round_changes.add(self._with_copy(change), current)
        return True

    def _complete(self, known: RoundChange, change: RoundChange) -> bool:
        """A ROUND-CHANGE that came by hash comes again, with its block: the first copy counts."""
        if change.block is None or known.block is not None:
            return False
        check_round_change(change, self._context)
        self.round_changes.replace(self._with_copy(RoundChange(known.signed, change.block, known.prepares)))
        return True

    def _with_copy(self, change: RoundChange) -> RoundChange:
        """Keep the block that `change` brings, also when its round is over: later ones name it by its hash."""
        if change.block is None:
            return change
        block = next((copy for copy in self._copies.values() if copy == change.block), change.block)
        self._copies[change.key] = block
        return change if block is change.block else RoundChange(change.signed, block, change.prepares)

    def copies(self, block: Hash) -> list[Block]:
        """The prepared blocks with this hash that came with round changes; a liar's copy may have wrong entries."""
        distinct = {id(copy): copy for copy in self._copies.values() if copy.hash == block}
        return list(distinct.values())

    def has_voted_for(self, key: PublicKey, block: Hash) -> bool:
        """Whether a PREPARE or COMMIT of `key` for this block is here, or a ROUND-CHANGE that claims it."""
        if any(vote.block_hash == block for keeper in (self.prepares, self.commits) for vote in keeper.of_signer(key)):
            return True
        claims = (change.signed.prepared for change in self.round_changes.of_signer(key))
        return any(claim is not None and claim[1] == block for claim in claims)

    def compare(self, statements: Iterable[Vote | SignedRoundChange]) -> None:
        """Report validators that sent this node one statement and signed another one, which is verified.

        `statements` come inside messages and certificates. A liar that sends each node one statement only is found
        when the nodes show each other what they have.
        """
        for other in statements:
            known: Message | None
            if isinstance(other, SignedRoundChange):
                known = self.round_changes.get(other.key, other.round)
            else:
                keeper = self.prepares if other.kind is StatementKind.PREPARE else self.commits
                known = keeper.get(other.key, other.round)
            if known is not None and self._words(known) != self._words(other):
                self._report_equivocation(known, other)

    def admit_own(self, message: Message, current: Round) -> None:
        """Keep a message that this node signed."""
        if isinstance(message, Proposal):
            self.proposals.add(message, current)
        elif isinstance(message, RoundChange):
            self.round_changes.add(self._with_copy(message), current)
        elif message.kind is StatementKind.PREPARE:
            self.prepares.add(message, current)
        else:
            self.commits.add(message, current)

    def _words(self, signed: Signed) -> bytes:
        return signed.statement.signed_bytes(self._context.genesis, self._context.validators.hash)

    def reached(self, round_: Round) -> set[PublicKey]:
        """Validators of which any message of `round_` or a later round is here."""
        keepers = (self.proposals, self.prepares, self.commits, self.round_changes)
        return set().union(*(keeper.reached(round_) for keeper in keepers))

    def _is_committed(self, proposal: Proposal) -> bool:
        # A late proposal still matters if a quorum has committed to its block, which we may lack.
        return any(block == proposal.block_hash for _, block in self.commits.complete)

    def _report_equivocation(self, known: Message, other: Message | SignedRoundChange) -> None:
        # One report for each validator and kind; after it, more of the same costs nothing.
        slot = (other.key, other.kind)
        if slot in self._reported:
            return
        validators = self._context.validators
        self._authenticator.check(other, validators, "message")
        self._reported.add(slot)
        self._effects.report(EquivocationDetected(conflict(self._context.genesis, validators.hash, known, other)))
