"""Header, block and decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.reading import (
    read_byte_strings,
    read_bytes,
    read_hash,
    read_height,
    read_integer,
    read_key,
    read_list,
    read_version,
)
from notarium_ledger.entries.commitment import MAX_TIME_MS, PARAMETER_LIMITS
from notarium_ledger.errors import InvalidBlock, errors_as
from notarium_ledger.signing import BLOCK_TAG, tagged_hash
from notarium_ledger.types import MAX_HEIGHT, Hash, Height, PublicKey

HEADER_VERSION: Final = 1
_HEADER_ITEMS: Final = 32
_CERTIFICATE_ITEMS: Final = 512
MAX_BLOCK_ITEMS: Final = PARAMETER_LIMITS["max_block_entries"][1] + 32
"""Bound on the values in a block (value_count.py); a block of the largest consortium has fewer."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a decision is about. It holds no round, so a block that is proposed again keeps its hash."""

    genesis: Hash
    height: Height
    parent: Hash
    """Block hash of the parent; the genesis hash for height 1."""
    time_ms: int
    """Milliseconds since 1970-01-01 UTC by the proposer's clock; greater than the parent's."""
    proposer: PublicKey
    tree_size: int
    """Leaves of the log after this block."""
    tree_root: Hash
    """RFC 6962 root of the log after this block."""
    validators: Hash
    """Hash of the validator set that signs this block."""
    since: Height
    """The height from which this set has been in force, without a break: so a chain of handovers has one form."""
    next_validators: Hash
    """Hash of the set that signs the next block."""
    state_root: Hash
    """Hash of the registry (members, nodes, keys, parameters, proposals) after this block."""
    raw: bytes = field(init=False, repr=False, compare=False)
    """Canonical bytes."""
    hash: Hash = field(init=False, compare=False)
    """Block hash = SHA-256("notarium/block/v1\\0" ‖ raw)."""

    def __post_init__(self) -> None:
        raw = canonical.encode(
            [
                HEADER_VERSION,
                bytes(self.genesis),
                int(self.height),
                bytes(self.parent),
                self.time_ms,
                bytes(self.proposer),
                self.tree_size,
                bytes(self.tree_root),
                bytes(self.validators),
                int(self.since),
                bytes(self.next_validators),
                bytes(self.state_root),
            ]
        )
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "hash", tagged_hash(BLOCK_TAG, raw))

    @property
    def next_since(self) -> Height:
        """The height from which the set that signs the next block has been in force."""
        return self.since if self.next_validators == self.validators else Height(self.height + 1)

    @classmethod
    def decode(cls, raw: bytes) -> Header:
        """Inverse of `raw`. Raises InvalidBlock with the field."""
        with errors_as(InvalidBlock, field="header"):
            items = read_list(canonical.decode(raw, _HEADER_ITEMS), "", 12)
            read_version(items[0], "version", HEADER_VERSION)
            height = read_height(items[2], "height")
            return cls(
                genesis=read_hash(items[1], "genesis"),
                height=height,
                parent=read_hash(items[3], "parent"),
                time_ms=read_integer(items[4], "time_ms", 0, MAX_TIME_MS),
                proposer=read_key(items[5], "proposer"),
                tree_size=read_integer(items[6], "tree_size", 0, MAX_HEIGHT),
                tree_root=read_hash(items[7], "tree_root"),
                validators=read_hash(items[8], "validators"),
                since=Height(read_integer(items[9], "since", 1, height)),
                next_validators=read_hash(items[10], "next_validators"),
                state_root=read_hash(items[11], "state_root"),
            )


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the wire bytes of the entries that it adds to the log."""

    header: Header
    entries: tuple[bytes, ...]

    @property
    def hash(self) -> Hash:
        """Block hash. It covers the entries through the header's tree root."""
        return self.header.hash

    @property
    def height(self) -> Height:
        return self.header.height

    def to_value(self) -> canonical.Value:
        """[header bytes, [entry bytes, ...]]."""
        return [self.header.raw, list(self.entries)]

    @classmethod
    def from_value(cls, value: canonical.Value) -> Block:
        """Inverse of to_value. Checks form only; apply_block checks the content. Raises InvalidBlock."""
        with errors_as(InvalidBlock):
            raw, entries = read_list(value, "", 2, "[header, entries]")
            return cls(Header.decode(read_bytes(raw, "header")), tuple(read_byte_strings(entries, "entries")))

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Block:
        """Inverse of encode. Raises InvalidBlock."""
        with errors_as(InvalidBlock):
            return cls.from_value(canonical.decode(data, MAX_BLOCK_ITEMS))


@dataclass(frozen=True, slots=True)
class Decision:
    """A block with its quorum certificate."""

    block: Block
    certificate: QuorumCertificate

    @property
    def height(self) -> Height:
        return self.block.header.height

    def to_value(self) -> canonical.Value:
        """[block, certificate]."""
        return [self.block.to_value(), self.certificate.to_value()]

    @classmethod
    def from_value(cls, value: canonical.Value) -> Decision:
        """Inverse of to_value. Checks form only. Raises InvalidBlock or InvalidCertificate."""
        with errors_as(InvalidBlock):
            block, certificate = read_list(value, "", 2, "[block, certificate]")
        return cls(Block.from_value(block), QuorumCertificate.from_value(certificate))

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Decision:
        """Inverse of encode. Raises InvalidBlock, InvalidCertificate or NotCanonical."""
        return cls.from_value(canonical.decode(data, MAX_BLOCK_ITEMS + _CERTIFICATE_ITEMS))
