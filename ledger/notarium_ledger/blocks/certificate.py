"""The quorum certificate.

A certificate holds commit votes of Q distinct validators for the *same* height, round and block hash. Votes of
different rounds must never be mixed: with n = 4 and one Byzantine validator, a mix can certify two different blocks
(docs/consensus.md, mistake 5). So each vote names its round, and the certificate names one round for all of them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from notarium_ledger.blocks.statements import StatementKind, vote_bytes
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
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

_MAX_ITEMS = 512
"""Bound on the values in a certificate (value_count.py); one with a hundred seals has fewer."""


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
        message = vote_bytes(StatementKind.COMMIT, genesis, validators.hash, self.height, self.round, self.block)
        for seal in self.seals:
            if seal.key not in validators:
                raise InvalidCertificate(f"{seal.key.hex()} is not a validator", "seals")
            if not verify(seal.key, message, seal.signature):
                raise InvalidCertificate(f"signature of {seal.key.hex()} is invalid", "seals")


def _seal(value: canonical.Value) -> Seal:
    key, signature = read_list(value, "seals", 2, "[key, signature]")
    return Seal(read_key(key, "seals"), read_signature(signature, "seals"))
