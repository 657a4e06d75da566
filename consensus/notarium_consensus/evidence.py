"""Evidence: two signatures of one validator for one (height, round, kind) and different contents.

Bytes: canonical ``[1, genesis hash, validator-set hash, first, second]``, where first and second are a ``vote`` or
a ``round change`` as in messages.py (a proposal is reduced to its signed core), the smaller encoding
first, so that one fault has one encoding. It convicts offline: no state and no node is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from notarium_consensus.errors import InvalidEvidence
from notarium_consensus.messages import (
    Message,
    MessageKind,
    Proposal,
    RoundChange,
    SignedRoundChange,
    Vote,
    round_change_from_value,
    statement,
    vote_from_value,
)
from notarium_ledger import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.signing import verify
from notarium_ledger.types import HASH_BYTES, Hash, Height, PublicKey, Round

EVIDENCE_VERSION: Final = 1

Core = Vote | SignedRoundChange
"""What was signed, without blocks."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """That `key` signed both `first` and `second`. Construct with `conflict`, or decode and verify."""

    genesis: Hash
    validators: Hash
    """Hash of the validator set that both statements name."""
    first: Core
    second: Core

    @property
    def key(self) -> PublicKey:
        """Who is convicted."""
        return self.first.key

    @property
    def height(self) -> Height:
        """Of both statements."""
        return self.first.height

    @property
    def round(self) -> Round:
        """Of both statements."""
        return self.first.round

    @property
    def kind(self) -> MessageKind:
        """Of both statements."""
        return _kind(self.first)

    def verify(self) -> None:
        """Raise InvalidEvidence unless the two statements conflict and both signatures are valid.

        Whether `key` was a validator then is for the caller, who knows the set with hash `validators`.
        """
        first, second = self.first, self.second
        if (first.key, first.height, first.round) != (second.key, second.height, second.round):
            raise InvalidEvidence("the statements are not of one validator, height and round")
        if _kind(first) != _kind(second):
            raise InvalidEvidence("the statements are of different kinds")
        if statement(first, self.genesis, self.validators) == statement(second, self.genesis, self.validators):
            raise InvalidEvidence("the statements say the same")
        for name, core in (("first", first), ("second", second)):
            if not verify(core.key, statement(core, self.genesis, self.validators), core.signature):
                raise InvalidEvidence("signature is invalid", name)

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(
            [
                EVIDENCE_VERSION,
                bytes(self.genesis),
                bytes(self.validators),
                self.first.to_value(),
                self.second.to_value(),
            ]
        )

    @classmethod
    def decode(cls, data: bytes) -> Evidence:
        """Inverse of encode; does not verify. Raises InvalidEvidence."""
        try:
            value = canonical.decode(data)
            if not isinstance(value, list) or len(value) != 5 or value[0] != EVIDENCE_VERSION:
                raise InvalidEvidence("not [1, genesis, validators, first, second]")
            genesis, validators = value[1], value[2]
            for name, item in (("genesis", genesis), ("validators", validators)):
                if not isinstance(item, bytes) or len(item) != HASH_BYTES:
                    raise InvalidEvidence("not a hash", name)
            result = cls(
                Hash(genesis),  # type: ignore[arg-type]  # checked just above
                Hash(validators),  # type: ignore[arg-type]
                _core(value[3], "first"),
                _core(value[4], "second"),
            )
        except InvalidEvidence:
            raise
        except LedgerError as error:
            raise InvalidEvidence(error.reason, error.field) from error
        if _order(result.first) > _order(result.second):
            raise InvalidEvidence("the greater encoding stands first")
        return result


def conflict(genesis: Hash, validators: Hash, one: Message, other: Message) -> Evidence:
    """Evidence of two authenticated messages of one signer, height, round and kind."""
    first, second = sorted((core_of(one), core_of(other)), key=_order)
    return Evidence(genesis, validators, first, second)


def core_of(message: Message) -> Core:
    """The signed part of a message."""
    if isinstance(message, Proposal):
        return message.core()
    return message.signed if isinstance(message, RoundChange) else message


def _order(core: Core) -> bytes:
    return canonical.encode(core.to_value())


def _kind(core: Core) -> MessageKind:
    return core.kind if isinstance(core, Vote) else MessageKind.ROUND_CHANGE


def _core(value: canonical.Value, name: str) -> Core:
    if isinstance(value, list) and len(value) == 6:
        return vote_from_value(value, name)
    return round_change_from_value(value, name)
