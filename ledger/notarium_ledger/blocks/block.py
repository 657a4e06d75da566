"""Header, block and decision."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import MAX_TIME_MS, PARAMETER_LIMITS
from notarium_ledger.errors import InvalidBlock, LedgerError
from notarium_ledger.signing import BLOCK_TAG, tagged_hash
from notarium_ledger.types import HASH_BYTES, KEY_BYTES, MAX_HEIGHT, Hash, Height, PublicKey

HEADER_VERSION: Final = 1
_HEADER_ITEMS: Final = 32
_CERTIFICATE_ITEMS: Final = 512
MAX_BLOCK_ITEMS: Final = PARAMETER_LIMITS["max_block_entries"][1] + 32
"""More values (items.check_items) than a block of any consortium consists of."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a decision decides. It names no round, so a block proposed again is the same block."""

    genesis: Hash
    height: Height
    parent: Hash
    """Block hash of the parent; the genesis hash for height 1."""
    time_ms: int
    """Milliseconds since 1970-01-01 UTC, by the proposer's clock; strictly above the parent's."""
    proposer: PublicKey
    tree_size: int
    """Leaves of the log after this block."""
    tree_root: Hash
    """RFC 6962 root of the log after this block."""
    validators: Hash
    """Hash of the validator set that signs this block."""
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
                bytes(self.next_validators),
                bytes(self.state_root),
            ]
        )
        object.__setattr__(self, "raw", raw)
        object.__setattr__(self, "hash", tagged_hash(BLOCK_TAG, raw))

    @classmethod
    def decode(cls, raw: bytes) -> Header:
        """Raises InvalidBlock, naming the field."""
        try:
            value = canonical.decode(raw, _HEADER_ITEMS)
        except LedgerError as error:
            raise InvalidBlock(error.reason, "header") from error
        if not isinstance(value, list) or len(value) != 11:
            raise InvalidBlock("not a list of 11", "header")
        if type(value[0]) is not int:
            raise InvalidBlock("not an integer", "header.version")
        if value[0] != HEADER_VERSION:
            raise InvalidBlock(f"version {value[0]}, this software reads {HEADER_VERSION}", "header.version")
        return cls(
            genesis=_hash(value[1], "genesis"),
            height=Height(_integer(value[2], "height", 1)),
            parent=_hash(value[3], "parent"),
            time_ms=_integer(value[4], "time_ms", 0, MAX_TIME_MS),
            proposer=PublicKey(_bytes(value[5], "proposer", KEY_BYTES)),
            tree_size=_integer(value[6], "tree_size", 0),
            tree_root=_hash(value[7], "tree_root"),
            validators=_hash(value[8], "validators"),
            next_validators=_hash(value[9], "next_validators"),
            state_root=_hash(value[10], "state_root"),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A header and the entries it adds to the log, as their wire bytes."""

    header: Header
    entries: tuple[bytes, ...]

    @property
    def hash(self) -> Hash:
        """Block hash. The header's tree root binds the entries."""
        return self.header.hash

    @property
    def height(self) -> Height:
        return self.header.height

    def to_value(self) -> canonical.Value:
        """[header bytes, [entry bytes, ...]]."""
        return [self.header.raw, list(self.entries)]

    @classmethod
    def from_value(cls, value: canonical.Value) -> Block:
        """Raises InvalidBlock. Checks form only; apply_block checks truth."""
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidBlock("not [header, entries]")
        raw, entries = value
        if not isinstance(raw, bytes):
            raise InvalidBlock("not bytes", "header")
        if not isinstance(entries, list):
            raise InvalidBlock("not a list", "entries")
        for number, entry in enumerate(entries):
            if not isinstance(entry, bytes):
                raise InvalidBlock("not bytes", f"entries[{number}]")
        return cls(Header.decode(raw), tuple(entries))  # type: ignore[arg-type]

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Block:
        """Inverse of encode. Raises InvalidBlock."""
        try:
            return cls.from_value(canonical.decode(data, MAX_BLOCK_ITEMS))
        except InvalidBlock:
            raise
        except LedgerError as error:
            raise InvalidBlock(error.reason, error.field) from error


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
        """Raises InvalidBlock or InvalidCertificate."""
        if not isinstance(value, list) or len(value) != 2:
            raise InvalidBlock("not [block, certificate]")
        return cls(Block.from_value(value[0]), QuorumCertificate.from_value(value[1]))

    def encode(self) -> bytes:
        """Canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def decode(cls, data: bytes) -> Decision:
        """Inverse of encode. Raises LedgerError: InvalidBlock, InvalidCertificate or NotCanonical."""
        return cls.from_value(canonical.decode(data, MAX_BLOCK_ITEMS + _CERTIFICATE_ITEMS))


def _bytes(value: canonical.Value, name: str, length: int) -> bytes:
    if not isinstance(value, bytes) or len(value) != length:
        raise InvalidBlock(f"not {length} bytes", f"header.{name}")
    return value


def _hash(value: canonical.Value, name: str) -> Hash:
    return Hash(_bytes(value, name, HASH_BYTES))


def _integer(value: canonical.Value, name: str, minimum: int, maximum: int = MAX_HEIGHT) -> int:
    if type(value) is not int or not minimum <= value <= maximum:
        raise InvalidBlock(f"not an integer from {minimum} to {maximum}", f"header.{name}")
    return value
