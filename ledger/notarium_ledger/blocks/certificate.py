"""Votes and the quorum certificate.

A certificate holds commit votes of Q distinct validators for the *same* height, round and block hash. Votes of
different rounds must never be mixed: with n = 4 and one Byzantine validator, a mix can certify two different blocks
(consensus notes, mistake 5). Therefore each vote names its round, and the certificate names one round for all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from enum import IntEnum

from notarium_ledger.blocks.validators import MAX_VALIDATORS, ValidatorSet
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import (
    read_hash,
    read_height,
    read_items,
    read_key,
    read_list,
    read_round,
    read_signature,
)
from notarium_ledger.errors import InvalidCertificate, errors_as
from notarium_ledger.signing import ROUND_CHANGE_TAG, VOTE_TAG, verify
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

_MAX_ITEMS = 512
"""Bound on the values in a certificate (value_count.py); one with a hundred seals has fewer."""


class VoteType(IntEnum):
    """What a validator states about a block in a round."""

    PROPOSAL = 1
    PREPARE = 2
    COMMIT = 3


def vote_bytes(vote: VoteType, genesis: Hash, validators: Hash, height: Height, round_: Round, block: Hash) -> bytes:
    """The signed bytes: tag ‖ type u8 ‖ genesis hash ‖ validator-set hash ‖ height u64be ‖ round u32be ‖ block hash."""
    return b"".join(
        (VOTE_TAG, bytes((vote,)), genesis, validators, height.to_bytes(8, "big"), round_.to_bytes(4, "big"), block)
    )


def round_change_bytes(
    genesis: Hash, validators: Hash, height: Height, round_: Round, prepared: tuple[Round, Hash] | None
) -> bytes:
    """The signed bytes of a ROUND-CHANGE.

    tag ‖ genesis ‖ validator-set hash ‖ height u64be ‖ round u32be ‖ (00 | 01 ‖ prepared round u32be ‖ block hash)
    """
    head = ROUND_CHANGE_TAG + genesis + validators + height.to_bytes(8, "big") + round_.to_bytes(4, "big")
    if prepared is None:
        return head + b"\x00"
    return head + b"\x01" + prepared[0].to_bytes(4, "big") + prepared[1]


@dataclass(frozen=True, slots=True)
class Seal:
    """A commit vote's signer and signature."""

    key: PublicKey
    signature: Signature


@dataclass(frozen=True, slots=True)
class QuorumCertificate:
    """Q commit votes of one (height, round, block hash)."""

    height: Height
    round: Round
    block: Hash
    """Block hash."""
    seals: tuple[Seal, ...]
    """In ascending order of keys; no key twice."""

    def to_value(self) -> canonical.Value:
        """[height, round, block hash, [[key, signature], ...]]."""
        seals: list[canonical.Value] = [[bytes(seal.key), bytes(seal.signature)] for seal in self.seals]
        return [int(self.height), int(self.round), bytes(self.block), seals]

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def from_value(cls, value: canonical.Value) -> QuorumCertificate:
        """Inverse of to_value. Checks form only. Raises InvalidCertificate."""
        with errors_as(InvalidCertificate):
            height, round_, block, seals = read_list(value, "", 4, "[height, round, block, seals]")
            return cls(
                read_height(height, "height"),
                read_round(round_, "round"),
                read_hash(block, "block"),
                tuple(map(_seal, read_items(seals, "seals", MAX_VALIDATORS))),
            )

    @classmethod
    def decode(cls, data: bytes) -> QuorumCertificate:
        """Inverse of encode. Raises InvalidCertificate."""
        with errors_as(InvalidCertificate):
            return cls.from_value(canonical.decode(data, _MAX_ITEMS))

    def verify(self, genesis: Hash, validators: ValidatorSet, height: Height, block: Hash) -> None:
        """Raise InvalidCertificate unless this proves that `validators` decided `block` at `height`.

        Every seal must be valid, also beyond the quorum, so that no byte of a certificate is unchecked.
        """
        if self.height != height or self.block != block:
            raise InvalidCertificate("certifies another block")
        keys = [seal.key for seal in self.seals]
        if any(left >= right for left, right in itertools.pairwise(keys)):
            raise InvalidCertificate("keys are not in strictly ascending order", "seals")
        if len(keys) < validators.quorum:
            raise InvalidCertificate(f"{len(keys)} votes, {validators.quorum} needed", "seals")
        message = vote_bytes(VoteType.COMMIT, genesis, validators.hash, self.height, self.round, self.block)
        for seal in self.seals:
            if seal.key not in validators:
                raise InvalidCertificate(f"{seal.key.hex()} is not a validator", "seals")
            if not verify(seal.key, message, seal.signature):
                raise InvalidCertificate(f"signature of {seal.key.hex()} is invalid", "seals")


def _seal(value: canonical.Value) -> Seal:
    key, signature = read_list(value, "seals", 2, "[key, signature]")
    return Seal(read_key(key, "seals"), read_signature(signature, "seals"))
