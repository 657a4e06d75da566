"""What validators sign about a height: votes and round changes, without the blocks that messages carry.

The signed bytes are those of `certificate.vote_bytes` and `certificate.round_change_bytes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from notarium_ledger.blocks.certificate import VoteType, round_change_bytes, vote_bytes
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_hash, read_height, read_key, read_list, read_round, read_signature
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature


class StatementKind(IntEnum):
    """What a statement is; the first three are the VoteTypes. A validator signs one of a kind in each round."""

    PROPOSAL = 1
    PREPARE = 2
    COMMIT = 3
    ROUND_CHANGE = 4


@dataclass(frozen=True, slots=True)
class SignedVote:
    """A proposal's signed core, a PREPARE or a COMMIT."""

    type: VoteType
    height: Height
    round: Round
    block_hash: Hash
    key: PublicKey
    signature: Signature

    @property
    def kind(self) -> StatementKind:
        """PROPOSAL, PREPARE or COMMIT."""
        return StatementKind(self.type)

    def to_value(self) -> canonical.Value:
        """[type, height, round, block hash, key, signature]."""
        return [
            int(self.type),
            int(self.height),
            int(self.round),
            bytes(self.block_hash),
            bytes(self.key),
            bytes(self.signature),
        ]

    def signed_bytes(self, genesis: Hash, validators: Hash) -> bytes:
        """What the signature covers, for a ledger and the hash of its validator set."""
        return vote_bytes(self.type, genesis, validators, self.height, self.round, self.block_hash)


@dataclass(frozen=True, slots=True)
class SignedRoundChange:
    """The signed core of a ROUND-CHANGE: "I have left all rounds below `round`"."""

    height: Height
    round: Round
    prepared: tuple[Round, Hash] | None
    """The highest round in which the signer saw Q prepares, and for which block; None for none."""
    key: PublicKey
    signature: Signature

    @property
    def kind(self) -> StatementKind:
        """ROUND_CHANGE."""
        return StatementKind.ROUND_CHANGE

    def to_value(self) -> canonical.Value:
        """[height, round, nil or [prepared round, prepared hash], key, signature]."""
        prepared: canonical.Value = None
        if self.prepared is not None:
            prepared = [int(self.prepared[0]), bytes(self.prepared[1])]
        return [int(self.height), int(self.round), prepared, bytes(self.key), bytes(self.signature)]

    def signed_bytes(self, genesis: Hash, validators: Hash) -> bytes:
        """What the signature covers, for a ledger and the hash of its validator set."""
        return round_change_bytes(genesis, validators, self.height, self.round, self.prepared)


SignedStatement = SignedVote | SignedRoundChange


def statement_from_value(value: canonical.Value, path: str) -> SignedStatement:
    """A vote (six fields) or a round change (five). Raises LedgerError."""
    if isinstance(value, list) and len(value) == 6:
        return SignedVote(*read_vote(value, path))
    return round_change_from_value(value, path)


def round_change_from_value(value: canonical.Value, path: str) -> SignedRoundChange:
    """Inverse of SignedRoundChange.to_value. Raises LedgerError."""
    height, round_, prepared, key, signature = read_list(value, path, 5)
    return SignedRoundChange(
        read_height(height, f"{path}.height"),
        read_round(round_, f"{path}.round"),
        None if prepared is None else _prepared(prepared, f"{path}.prepared"),
        read_key(key, f"{path}.key"),
        read_signature(signature, f"{path}.signature"),
    )


def read_vote(value: canonical.Value, path: str) -> tuple[VoteType, Height, Round, Hash, PublicKey, Signature]:
    """The fields of a vote, in the order of SignedVote. Raises LedgerError."""
    type_, height, round_, block_hash, key, signature = read_list(value, path, 6)
    if type(type_) is not int or type_ not in (1, 2, 3):
        raise LedgerError("not a vote type (1, 2 or 3)", f"{path}.type")
    return (
        VoteType(type_),
        read_height(height, f"{path}.height"),
        read_round(round_, f"{path}.round"),
        read_hash(block_hash, f"{path}.block_hash"),
        read_key(key, f"{path}.key"),
        read_signature(signature, f"{path}.signature"),
    )


def _prepared(value: canonical.Value, path: str) -> tuple[Round, Hash]:
    round_, block_hash = read_list(value, path, 2)
    return read_round(round_, f"{path}.round"), read_hash(block_hash, f"{path}.hash")
