"""This node's own messages: each (round, kind) of a height is signed at most once, and recorded before it is sent.

Of each message the signed part is kept, in a ring of rounds (own_statements.py). Whole are kept the latest PROPOSAL,
the latest ROUND-CHANGE and the lock: at most three blocks, however many rounds fail.
"""

from __future__ import annotations

from typing import Final, TypeVar

from notarium_consensus.authentication import Authenticator
from notarium_consensus.dispatch import Dispatch
from notarium_consensus.effects import Persist
from notarium_consensus.events import SigningRefused
from notarium_consensus.justification import HeightContext, Prepared
from notarium_consensus.messages import Message, Proposal, RoundChange, encode_message, signed_part
from notarium_consensus.own_statements import OwnStatements
from notarium_consensus.signing import Signer
from notarium_consensus.signing_record import (
    LEFT_KEY,
    PREPARED_KEY,
    PROPOSAL_KEY,
    SigningRecord,
    encode_prepared,
    encode_round,
    encode_statement,
    slot_key,
)
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import (
    RoundChangeStatement,
    SignedRoundChange,
    Statement,
    StatementKind,
    Vote,
    VoteStatement,
)
from notarium_ledger.types import Hash, PublicKey, Round, Signature

M = TypeVar("M", Vote, Proposal, RoundChange)

SEND_ORDER: Final = (
    StatementKind.ROUND_CHANGE,
    StatementKind.PROPOSAL,
    StatementKind.PREPARE,
    StatementKind.COMMIT,
)
"""The order in which the messages of a round are sent again: so they make sense to a receiver."""


class OwnMessages:
    """Our messages of one height.

    Each of `vote`, `propose` and `change_round` returns the new message, which is then recorded and sent already. It
    returns None if the slot (round, kind) is taken, if nothing may be signed, or if the signer refuses.
    """

    __slots__ = (
        "_authenticator",
        "_change",
        "_context",
        "_dispatch",
        "_effects",
        "_left",
        "_proposal",
        "_refused",
        "_said",
        "_signer",
        "may_sign",
    )

    def __init__(
        self,
        context: HeightContext,
        signer: Signer | None,
        authenticator: Authenticator,
        effects: StepEffects,
        dispatch: Dispatch,
    ) -> None:
        """`signer`: None for an observer."""
        self._context = context
        self._signer = signer
        self._authenticator = authenticator
        self._effects = effects
        self._dispatch = dispatch
        self._said = OwnStatements(context.height)
        authenticator.own = self._said
        self._proposal: Proposal | None = None
        self._change: RoundChange | None = None
        self._refused: set[StatementKind] = set()
        self._left: Round | None = None
        self.may_sign = False
        """False for an observer, for a node that is not a validator of this height, and until `allow`."""

    @property
    def key(self) -> PublicKey | None:
        """Of this node; None for an observer."""
        return None if self._signer is None else self._signer.public

    @property
    def lock(self) -> Prepared | None:
        """The prepared block that is on the disk."""
        return self._said.lock

    @property
    def latest_round(self) -> Round | None:
        """The highest round in which this node has signed."""
        return self._said.latest_round

    def allow(self) -> None:
        """Sign from now on, if this node is a validator of this height."""
        self.may_sign = self._signer is not None and self._signer.public in self._context.validators

    def forbid(self) -> None:
        """Sign nothing more at this height."""
        self.may_sign = False

    def leave(self, round_: Round) -> bool:
        """Sign nothing more in this round or in an earlier one: what was signed there is not known. True: it is news.

        A restart must not forget it: whoever showed the signature may not show it again.
        """
        if not self.is_after_left(round_):
            return False
        self._left = round_
        self._effects.emit(Persist(self._context.height, LEFT_KEY, encode_round(round_)))
        return True

    def is_after_left(self, round_: Round) -> bool:
        """Whether `round_` is above those that were left."""
        return self._left is None or round_ > self._left

    def restore(self, record: SigningRecord) -> list[Message]:
        """Take over what was recorded before a restart. Returns the messages by the present key, as far as they are
        whole.

        A ROUND-CHANGE is whole if it claims nothing, or the lock. If the lock is a later one, this node has prepared in
        that round or a later one after it had sent the ROUND-CHANGE: there was a proposal, with all round changes
        that it needed, so nobody waits for this one any more.
        """
        self._said.lock = lock = record.prepared
        if record.left is not None and self.is_after_left(record.left):
            self._left = record.left
        own = [statement for statement in record.statements if statement.key == self.key]
        for statement in own:
            self._said.add(statement)
            self._authenticator.trust(statement, self._context.validators)
        proposal = record.proposal
        if proposal is not None and signed_part(proposal) in own:
            self._proposal = proposal
        changes: list[RoundChange] = []
        for statement in own:
            if isinstance(statement, SignedRoundChange):
                if statement.prepared is None:
                    changes.append(RoundChange(statement, None, ()))
                elif lock is not None and statement.prepared == (lock.round, lock.block.hash):
                    changes.append(RoundChange(statement, lock.block, lock.prepares))
        self._change = max(changes, key=lambda change: change.round, default=None)
        votes = [each for each in own if isinstance(each, Vote) and each.kind is not StatementKind.PROPOSAL]
        return [*votes, *changes, *([] if self._proposal is None else [self._proposal])]

    def of_round(self, round_: Round) -> list[Message]:
        """Our messages of a round, in SEND_ORDER: of an earlier round than the latest perhaps not all."""
        found = (self._whole(round_, kind) for kind in SEND_ORDER)
        return [message for message in found if message is not None]

    def has_signed(self, round_: Round, kind: StatementKind) -> bool:
        """Whether the slot is taken, as far as it is remembered."""
        return self._said.get(round_, kind) is not None

    def has_committed(self, round_: Round) -> bool:
        """Whether this node knows of its COMMIT in `round_`, or of a lock that makes up for having forgotten it."""
        return self._said.has_committed(round_)

    def vote(self, kind: StatementKind, round_: Round, block: Hash) -> Vote | None:
        """A PREPARE or COMMIT."""
        statement = VoteStatement(kind, self._context.height, round_, block)
        signed = self._sign(statement)
        return None if signed is None else self._send(Vote(statement, *signed))

    def commit(self, prepared: Prepared) -> Vote | None:
        """A COMMIT. The block and its prepares are on the disk before it, since it promises to remember them."""
        if self.may_sign:
            self._said.lock = prepared
            self._effects.emit(Persist(self._context.height, PREPARED_KEY, encode_prepared(prepared)))
        return self.vote(StatementKind.COMMIT, prepared.round, prepared.block.hash)

    def propose(
        self, round_: Round, block: Block, changes: tuple[SignedRoundChange, ...], prepares: tuple[Vote, ...]
    ) -> Proposal | None:
        """A PROPOSAL with its justification. It is on the disk whole, so that a restart can send it again."""
        height = self._context.height
        signed = self._sign(VoteStatement(StatementKind.PROPOSAL, height, round_, block.hash))
        if signed is None:
            return None
        self._proposal = Proposal(height, round_, block, changes, prepares, *signed)
        self._effects.emit(Persist(height, PROPOSAL_KEY, encode_message(self._proposal)))
        return self._send(self._proposal)

    def change_round(self, round_: Round, prepared: Prepared | None) -> RoundChange | None:
        """A ROUND-CHANGE to `round_`."""
        claim = None if prepared is None else (prepared.round, prepared.block.hash)
        statement = RoundChangeStatement(self._context.height, round_, claim)
        signed = self._sign(statement)
        if signed is None:
            return None
        block, prepares = (None, ()) if prepared is None else (prepared.block, prepared.prepares)
        self._change = RoundChange(SignedRoundChange(statement, *signed), block, prepares)
        return self._send(self._change)

    def _whole(self, round_: Round, kind: StatementKind) -> Message | None:
        whole: Proposal | RoundChange | None
        if kind in (StatementKind.PROPOSAL, StatementKind.ROUND_CHANGE):
            whole = self._proposal if kind is StatementKind.PROPOSAL else self._change
            return whole if whole is not None and whole.round == round_ else None
        said = self._said.get(round_, kind)
        return said if isinstance(said, Vote) else None

    def _is_free(self, round_: Round, kind: StatementKind) -> bool:
        # A signature of ours that we do not know, seen in this very step, stops signing at once.
        if not self.may_sign or self._authenticator.own_seen is not None:
            return False
        return self.is_after_left(round_) and self._said.is_free(round_, kind)

    def _sign(self, statement: Statement) -> tuple[PublicKey, Signature] | None:
        if self._signer is None or not self._is_free(statement.round, statement.kind):
            return None
        signature = self._signer.sign(statement, self._context.genesis, self._context.validators.hash)
        if signature is not None:
            return self._signer.public, signature
        if statement.kind not in self._refused:
            self._refused.add(statement.kind)
            self._effects.report(SigningRefused(statement.height, statement.round, statement.kind))
        return None

    def _send(self, message: M) -> M:
        said = signed_part(message)
        self._said.add(said)
        self._authenticator.trust(message, self._context.validators)
        key = slot_key(message.round, message.kind)
        self._effects.emit(Persist(self._context.height, key, encode_statement(said)))
        self._dispatch.first(message)
        return message
