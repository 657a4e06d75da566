"""What validators sign: votes and round changes, as values first without, then with the signature.

A statement is what is signed; its bytes bind the ledger and the validator set as well. The signed values have these
forms, inside messages, records and equivocation proofs:

============  ======================================================================"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import read_hash, read_height, read_key, read_list, read_round, read_signature
from notarium_ledger.errors import LedgerError
from notarium_ledger.signing import ROUND_CHANGE_TAG, VOTE_TAG
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature


class StatementKind(IntEnum):
    """What a statement says. A validator signs at most one of each kind in a round."""

    PROPOSAL = 1
    """A vote: "I propose this block"."""
    PREPARE = 2
    """A vote: "the content of this block is valid"."""
    COMMIT = 3
    """A vote: "Q validators have prepared this block"."""
    ROUND_CHANGE = 4
    """Not a vote: "I have left all rounds below this one"."""


def vote_bytes(
    kind: StatementKind, genesis: Hash, validators: Hash, height: Height, round_: Round, block: Hash
) -> bytes:
    """What a vote signs.

    tag ‖ kind u8 ‖ genesis hash ‖ validator-set hash ‖ height u64be ‖ round u32be ‖ block hash
    """
    return b"".join(
        (VOTE_TAG, bytes((kind,)), genesis, validators, height.to_bytes(8, "big"), round_.to_bytes(4, "big"), block)
    )


def round_change_bytes(
    genesis: Hash, validators: Hash, height: Height, round_: Round, prepared: tuple[Round, Hash] | None
) -> bytes:
    """What a ROUND-CHANGE signs.

    tag ‖ genesis ‖ validator-set hash ‖ height u64be ‖ round u32be ‖ (00 | 01 ‖ prepared round u32be ‖ block hash)
    """
    head = ROUND_CHANGE_TAG + genesis + validators + height.to_bytes(8, "big") + round_.to_bytes(4, "big")
    if prepared is None:
        return head + b"\x00"
    return head + b"\x01" + prepared[0].to_bytes(4, "big") + prepared[1]


@dataclass(frozen=True, slots=True)
class VoteStatement:
    """What a vote says: a PROPOSAL, PREPARE or COMMIT of one block in one round."""

    kind: StatementKind
    """Not ROUND_CHANGE."""
    height: Height
    round: Round
    block_hash: Hash

    def signed_bytes(self, genesis: Hash, validators: Hash) -> bytes:
        """What a signature covers, for a ledger and the hash of its validator set."""
        return vote_bytes(self.kind, genesis, validators, self.height, self.round, self.block_hash)


@dataclass(frozen=True, slots=True)
class RoundChangeStatement:
    """What a ROUND-CHANGE says: "I have left all rounds below `round`"."""

    height: Height
    round: Round
    prepared: tuple[Round, Hash] | None
    """The highest round in which the signer saw Q prepares, and for which block; None if there is no such round."""

    @property
    def kind(self) -> StatementKind:
        """ROUND_CHANGE."""
        return StatementKind.ROUND_CHANGE

    def signed_bytes(self, genesis: Hash, validators: Hash) -> bytes:
        """What a signature covers, for a ledger and the hash of its validator set."""
        return round_change_bytes(genesis, validators, self.height, self.round, self.prepared)


Statement = VoteStatement | RoundChangeStatement


@dataclass(frozen=True, slots=True)
class Vote:
    """A signed vote. PREPARE and COMMIT are messages; of a PROPOSAL this is the signed part, without the block."""

    statement: VoteStatement
    key: PublicKey
    signature: Signature

    @property
    def kind(self) -> StatementKind:
        """PROPOSAL, PREPARE or COMMIT."""
        return self.statement.kind

    @property
    def height(self) -> Height:
        """Of the statement."""
        return self.statement.height

    @property
    def round(self) -> Round:
        """Of the statement."""
        return self.statement.round

    @property
    def block_hash(self) -> Hash:
        """Of the statement."""
        return self.statement.block_hash

    def to_value(self) -> list[canonical.Value]:
        """[kind, height, round, block hash, key, signature]."""
        said = self.statement
        return [
            int(said.kind),
            int(said.height),
            int(said.round),
            bytes(said.block_hash),
            bytes(self.key),
            bytes(self.signature),
        ]


@dataclass(frozen=True, slots=True)
class SignedRoundChange:
    """The signed part of a ROUND-CHANGE."""

    statement: RoundChangeStatement
    key: PublicKey
    signature: Signature

    @property
    def kind(self) -> StatementKind:
        """ROUND_CHANGE."""
        return StatementKind.ROUND_CHANGE

    @property
    def height(self) -> Height:
        """Of the statement."""
        return self.statement.height

    @property
    def round(self) -> Round:
        """Of the statement."""
        return self.statement.round

    @property
    def prepared(self) -> tuple[Round, Hash] | None:
        """Of the statement."""
        return self.statement.prepared

    def to_value(self) -> list[canonical.Value]:
        """[height, round, nil or [prepared round, prepared hash], key, signature]."""
        said = self.statement
        prepared: canonical.Value = None
        if said.prepared is not None:
            prepared = [int(said.prepared[0]), bytes(said.prepared[1])]
        return [int(said.height), int(said.round), prepared, bytes(self.key), bytes(self.signature)]


SignedStatement = Vote | SignedRoundChange


def statement_from_value(value: canonical.Value, path: str) -> SignedStatement:
    """A vote (six fields) or a round change (five). Raises LedgerError."""
    if isinstance(value, list) and len(value) == 6:
        return vote_from_value(value, path)
    return round_change_from_value(value, path)


def vote_from_value(value: canonical.Value, path: str) -> Vote:
    """The inverse of Vote.to_value. Raises LedgerError."""
    kind, height, round_, block_hash, key, signature = read_list(value, path, 6)
    if type(kind) is not int or kind not in (1, 2, 3):
        raise LedgerError("not a vote type (1, 2 or 3)", f"{path}.type")
    statement = VoteStatement(
        StatementKind(kind),
        read_height(height, f"{path}.height"),
        read_round(round_, f"{path}.round"),
        read_hash(block_hash, f"{path}.block_hash"),
    )
    return Vote(statement, read_key(key, f"{path}.key"), read_signature(signature, f"{path}.signature"))


def round_change_from_value(value: canonical.Value, path: str) -> SignedRoundChange:
    """Inverse of SignedRoundChange.to_value. Raises LedgerError."""
    height, round_, prepared, key, signature = read_list(value, path, 5)
    statement = RoundChangeStatement(
        read_height(height, f"{path}.height"),
        read_round(round_, f"{path}.round"),
        None if prepared is None else _prepared(prepared, f"{path}.prepared"),
    )
    return SignedRoundChange(statement, read_key(key, f"{path}.key"), read_signature(signature, f"{path}.signature"))


def _prepared(value: canonical.Value, path: str) -> tuple[Round, Hash]:
    round_, block_hash = read_list(value, path, 2)
    return read_round(round_, f"{path}.round"), read_hash(block_hash, f"{path}.hash")
