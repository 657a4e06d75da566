"""This node's own messages: each (round, kind) of a height is signed at most once, and recorded before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from notarium_consensus.authentication import Authenticator
from notarium_consensus.effects import Broadcast, Persist
from notarium_consensus.justification import HeightContext, Prepared
from notarium_consensus.messages import Message, Proposal, RoundChange, encode_message
from notarium_consensus.signing import Signer
from notarium_consensus.signing_record import slot_key
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

    __slots__ = ("_authenticator", "_context", "_effects", "_signer", "_slots", "may_sign")

    def __init__(
        self, context: HeightContext, signer: Signer | None, authenticator: Authenticator, effects: StepEffects
    ) -> None:
        """`signer`: None for an observer."""
        self._context = context
        self._signer = signer
        self._authenticator = authenticator
        self._effects = effects
        self._slots: dict[tuple[Round, StatementKind], Message] = {}
        self.may_sign = False
        """False for an observer, for a node that is not a validator of this height, and until `allow`."""

    @property
    def key(self) -> PublicKey | None:
        """Of this node; None for an observer."""
        return None if self._signer is None else self._signer.public

    def allow(self) -> None:
        """Sign from now on, if this node is a validator of this height."""
        self.may_sign = self._signer is not None and self._signer.public in self._context.validators

    def forbid(self) -> None:
        """Sign nothing more at this height."""
        self.may_sign = False

    def restore(self, messages: Iterable[Message]) -> list[Message]:
        """Take over what was recorded before a restart. Returns the messages that are by the present key."""
        own = [message for message in messages if message.key == self.key]
        for message in own:
            self._slots[message.round, message.kind] = message
            self._authenticator.trust(message, self._context.validators)
        return own

    def of_round(self, round_: Round) -> list[Message]:
        """Our messages of a round, in SEND_ORDER."""
        return [self._slots[round_, kind] for kind in SEND_ORDER if (round_, kind) in self._slots]

    def has_signed(self, round_: Round, kind: StatementKind) -> bool:
        """Whether the slot is taken."""
        return (round_, kind) in self._slots

    def vote(self, kind: StatementKind, round_: Round, block: Hash) -> Vote | None:
        """A PREPARE or COMMIT."""
        statement = VoteStatement(kind, self._context.height, round_, block)
        signed = self._sign(statement)
        return None if signed is None else self._send(Vote(statement, *signed))

    def propose(
        self, round_: Round, block: Block, changes: tuple[SignedRoundChange, ...], prepares: tuple[Vote, ...]
    ) -> Proposal | None:
        """A PROPOSAL with its justification."""
        height = self._context.height
        signed = self._sign(VoteStatement(StatementKind.PROPOSAL, height, round_, block.hash))
        return None if signed is None else self._send(Proposal(height, round_, block, changes, prepares, *signed))

    def change_round(self, round_: Round, prepared: Prepared | None) -> RoundChange | None:
        """A ROUND-CHANGE to `round_`."""
        claim = None if prepared is None else (prepared.round, prepared.block.hash)
        statement = RoundChangeStatement(self._context.height, round_, claim)
        signed = self._sign(statement)
        if signed is None:
            return None
        block, prepares = (None, ()) if prepared is None else (prepared.block, prepared.prepares)
        return self._send(RoundChange(SignedRoundChange(statement, *signed), block, prepares))

    def _is_free(self, round_: Round, kind: StatementKind) -> bool:
        # A signature of ours that we do not know, seen in this very step, stops signing at once.
        return self.may_sign and self._authenticator.own_seen is None and (round_, kind) not in self._slots

    def _sign(self, statement: Statement) -> tuple[PublicKey, Signature] | None:
        if self._signer is None or not self._is_free(statement.round, statement.kind):
            return None
        signature = self._signer.sign(statement, self._context.genesis, self._context.validators.hash)
        return None if signature is None else (self._signer.public, signature)

    def _send(self, message: M) -> M:
        self._slots[message.round, message.kind] = message
        self._authenticator.trust(message, self._context.validators)
        key = slot_key(message.round, message.kind)
        self._effects.emit(Persist(self._context.height, key, encode_message(message)))
        self._effects.emit(Broadcast(message))
        return message
