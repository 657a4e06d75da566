"""What validators sign about a height: votes and round changes, without the blocks that travel along.

The bytes under the signatures are those of `certificate.vote_bytes` and `certificate.round_change_bytes`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from notarium_ledger.blocks.certificate import VoteType, round_change_bytes, vote_bytes
from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import (
    HASH_BYTES,
    KEY_BYTES,
    MAX_HEIGHT,
    MAX_ROUND,
    SIGNATURE_BYTES,
    Hash,
    Height,
    PublicKey,
    Round,
    Signature,
)


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
    """A vote or a round change, told apart by their lengths. Raises LedgerError."""
    if isinstance(value, list) and len(value) == 6:
        return SignedVote(*read_vote(value, path))
    return round_change_from_value(value, path)


def round_change_from_value(value: canonical.Value, path: str) -> SignedRoundChange:
    """The inverse of SignedRoundChange.to_value. Raises LedgerError."""
    items = read_list(value, path, 5)
    prepared = None
    if items[2] is not None:
        pair = read_list(items[2], f"{path}.prepared", 2)
        prepared = (
            read_round(pair[0], f"{path}.prepared"),
            Hash(read_bytes(pair[1], f"{path}.prepared.hash", HASH_BYTES)),
        )
    return SignedRoundChange(
        read_height(items[0], path), read_round(items[1], path), prepared, *read_signer(items[3], items[4], path)
    )


def read_vote(value: canonical.Value, path: str) -> tuple[VoteType, Height, Round, Hash, PublicKey, Signature]:
    """The fields of a vote, in the order of SignedVote. Raises LedgerError, as all below."""
    items = read_list(value, path, 6)
    if type(items[0]) is not int or items[0] not in (1, 2, 3):
        raise LedgerError("not a vote type (1, 2 or 3)", f"{path}.type")
    return (
        VoteType(items[0]),
        read_height(items[1], path),
        read_round(items[2], path),
        Hash(read_bytes(items[3], f"{path}.block_hash", HASH_BYTES)),
        *read_signer(items[4], items[5], path),
    )


def read_list(value: canonical.Value, path: str, length: int) -> list[canonical.Value]:
    """A list of `length` values."""
    if not isinstance(value, list) or len(value) != length:
        raise LedgerError(f"not a list of {length}", path)
    return value


def read_bytes(value: canonical.Value, path: str, length: int) -> bytes:
    """`length` bytes."""
    if not isinstance(value, bytes) or len(value) != length:
        raise LedgerError(f"not {length} bytes", path)
    return value


def read_height(value: canonical.Value, path: str) -> Height:
    """The field `height` of what stands at `path`."""
    if type(value) is not int or not 1 <= value <= MAX_HEIGHT:
        raise LedgerError(f"not an integer from 1 to {MAX_HEIGHT}", f"{path}.height")
    return Height(value)


def read_round(value: canonical.Value, path: str) -> Round:
    """The field `round` of what stands at `path`."""
    if type(value) is not int or not 0 <= value <= MAX_ROUND:
        raise LedgerError(f"not an integer from 0 to {MAX_ROUND}", f"{path}.round")
    return Round(value)


def read_signer(key: canonical.Value, signature: canonical.Value, path: str) -> tuple[PublicKey, Signature]:
    """The fields `key` and `signature` of what stands at `path`."""
    return (
        PublicKey(read_bytes(key, f"{path}.key", KEY_BYTES)),
        Signature(read_bytes(signature, f"{path}.signature", SIGNATURE_BYTES)),
    )
