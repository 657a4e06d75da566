"""Signs this node's messages: each (round, kind) of a height at most once, and recorded before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from notarium_consensus.authentication import Authenticator
from notarium_consensus.effects import Broadcast, Persist
from notarium_consensus.justification import HeightContext, Prepared
from notarium_consensus.messages import (
    Message,
    MessageKind,
    Proposal,
    RoundChange,
    Signed,
    SignedRoundChange,
    Vote,
    encode_message,
    statement,
)
from notarium_consensus.signing_record import slot_key
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.certificate import VoteType
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import SIGNATURE_BYTES, Hash, Round, Signature

_UNSIGNED = Signature(bytes(SIGNATURE_BYTES))

SEND_ORDER: Final = (MessageKind.ROUND_CHANGE, MessageKind.PROPOSAL, MessageKind.PREPARE, MessageKind.COMMIT)
"""In which the messages of a round are sent again: the order in which they make sense to a receiver."""


class Signer:
    """The own messages of one height.

    Each sign method returns the new message, which is then recorded and sent already, or None if the slot
    (round, kind) is taken or nothing may be signed.
    """

    __slots__ = ("_authenticator", "_context", "_key", "_outbox", "_slots", "may_sign")

    def __init__(
        self,
        context: HeightContext,
        key: SigningKey | None,
        authenticator: Authenticator,
        outbox: StepEffects,
        may_sign: bool,
    ) -> None:
        self._context = context
        self._key = key
        self._authenticator = authenticator
        self._outbox = outbox
        self._slots: dict[tuple[Round, MessageKind], Message] = {}
        self.may_sign = False
        """False: an observer, not a validator of this height, fenced, or to follow only."""
        if may_sign:
            self.allow()

    def allow(self) -> None:
        """Sign from now on, if this is a validator."""
        self.may_sign = self._key is not None and self._key.public in self._context.validators

    def restore(self, messages: Iterable[Message]) -> list[Message]:
        """Take over what was recorded before a restart. Returns the messages that are by the present key."""
        own = [message for message in messages if self._key is not None and message.key == self._key.public]
        for message in own:
            self._slots[message.round, message.kind] = message
            self._authenticator.trust(message, self._context.validators)
        return own

    def of_round(self, round_: Round) -> list[Message]:
        """Own messages of a round, in SEND_ORDER."""
        return [self._slots[round_, kind] for kind in SEND_ORDER if (round_, kind) in self._slots]

    def has_signed(self, round_: Round, kind: MessageKind) -> bool:
        """Whether the slot is taken."""
        return (round_, kind) in self._slots

    def vote(self, type_: VoteType, round_: Round, block: Hash) -> Vote | None:
        """A PREPARE or COMMIT."""
        if not self._free(round_, MessageKind(type_)) or self._key is None:
            return None
        draft = Vote(type_, self._context.height, round_, block, self._key.public, _UNSIGNED)
        vote = Vote(type_, draft.height, round_, block, draft.key, self._sign(draft))
        self._send(vote)
        return vote

    def propose(
        self, round_: Round, block: Block, changes: tuple[SignedRoundChange, ...], prepares: tuple[Vote, ...]
    ) -> Proposal | None:
        """A PROPOSAL with its justification."""
        if not self._free(round_, MessageKind.PROPOSAL) or self._key is None:
            return None
        height, key = self._context.height, self._key.public
        draft = Vote(VoteType.PROPOSAL, height, round_, block.hash, key, _UNSIGNED)
        proposal = Proposal(height, round_, block, changes, prepares, key, self._sign(draft))
        self._send(proposal)
        return proposal

    def change_round(self, round_: Round, prepared: Prepared | None) -> RoundChange | None:
        """A ROUND-CHANGE to `round_`."""
        if not self._free(round_, MessageKind.ROUND_CHANGE) or self._key is None:
            return None
        claim = None if prepared is None else (prepared.round, prepared.block.hash)
        draft = SignedRoundChange(self._context.height, round_, claim, self._key.public, _UNSIGNED)
        signed = SignedRoundChange(draft.height, round_, claim, draft.key, self._sign(draft))
        block, prepares = (None, ()) if prepared is None else (prepared.block, prepared.prepares)
        message = RoundChange(signed, block, prepares)
        self._send(message)
        return message

    def _free(self, round_: Round, kind: MessageKind) -> bool:
        # A signature of ours that we do not know, seen in this very step, stops signing at once.
        return self.may_sign and self._authenticator.own_seen is None and (round_, kind) not in self._slots

    def _sign(self, draft: Signed) -> Signature:
        if self._key is None:
            raise RuntimeError("an observer never signs; callers ask may_sign first")
        return self._key.sign(statement(draft, self._context.genesis, self._context.validators.hash))

    def _send(self, message: Message) -> None:
        self._slots[message.round, message.kind] = message
        self._authenticator.trust(message, self._context.validators)
        key = slot_key(message.round, message.kind)
        self._outbox.emit(Persist(self._context.height, key, encode_message(message)))
        self._outbox.emit(Broadcast(message))
