"""The bytes of docs/formats.md and docs/consensus.md, read and built by hand.

Nothing here comes from the product: msgpack decodes, hashlib hashes, and the layouts are written down once more. A
reader raises Malformed, since what is malformed is for its oracle to name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any

import msgpack

Verify = Callable[[bytes, bytes, bytes], bool]
"""(key 32, message, signature 64) -> whether it is valid."""

Member = tuple[str, bytes]
"""A validator as the set names it: (member id, key)."""

PROPOSAL, PREPARE, COMMIT, ROUND_CHANGE = 1, 2, 3, 4
KIND_NAMES = {PROPOSAL: "proposal", PREPARE: "prepare", COMMIT: "commit", ROUND_CHANGE: "round change"}


_pack = msgpack.Packer(use_bin_type=True).pack
"""One packer, because `packb` allocates one each time."""


class Malformed(ValueError):
    """Bytes of an undocumented form."""


def demand(condition: object, reason: str) -> None:
    """Raise Malformed unless `condition` holds."""
    if not condition:
        raise Malformed(reason)


def decode(data: bytes) -> Any:
    """The value of canonical msgpack (here without maps, so encoding it again must give the same bytes)."""
    try:
        value = msgpack.unpackb(data, raw=False, strict_map_key=True)
        again = _pack(value)
    except (ValueError, TypeError, msgpack.exceptions.UnpackException) as error:
        raise Malformed(f"not msgpack: {error}") from error
    demand(again == data, "not canonical msgpack")
    return value


def tagged_hash(tag: str, data: bytes) -> bytes:
    """SHA-256(tag ‖ 00 ‖ data)."""
    return sha256(tag.encode() + b"\0" + data).digest()


def block_hash(header: bytes) -> bytes:
    """Of a header's canonical bytes."""
    return tagged_hash("notarium/block/v1", header)


def set_hash(validators: Sequence[Member]) -> bytes:
    """Of a validator set in its order."""
    return tagged_hash("notarium/validators/v1", msgpack.packb([list(each) for each in validators], use_bin_type=True))


def state_root(records: Mapping[bytes, bytes]) -> bytes:
    """Of a registry's records: the root of their Merkle map, by its definition."""
    return _state_root(frozenset(records.items()))


@lru_cache(maxsize=64)
def _state_root(records: frozenset[tuple[bytes, bytes]]) -> bytes:
    """Remembered, because all nodes store the same few registries."""
    leaves = sorted((int.from_bytes(sha256(key).digest(), "big"), value) for key, value in records)
    return tagged_hash("notarium/registry/v1", _map_root(leaves, 255))


def _map_root(leaves: Sequence[tuple[int, bytes]], bit: int) -> bytes:
    """Of (path, value) whose paths differ from `bit` downwards only."""
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        path, value = leaves[0]
        return sha256(b"\0" + path.to_bytes(32, "big") + sha256(value).digest()).digest()
    left = [each for each in leaves if not each[0] >> bit & 1]
    right = [each for each in leaves if each[0] >> bit & 1]
    return sha256(b"\1" + _map_root(left, bit - 1) + _map_root(right, bit - 1)).digest()


def read_records(data: bytes) -> dict[bytes, bytes]:
    """The records of a snapshot's registry: [key, value, key, value, ...], keys ascending. Raises Malformed."""
    flat = decode(data)
    demand(isinstance(flat, list) and len(flat) % 2 == 0, "the registry is not a list of pairs")
    demand(all(isinstance(each, bytes) for each in flat), "a record is not bytes")
    demand(flat[::2] == sorted(set(flat[::2])), "the records are not in order")
    return dict(zip(flat[::2], flat[1::2], strict=True))


def entry_id(entry: bytes) -> bytes:
    """The RFC 6962 leaf hash."""
    return sha256(b"\0" + entry).digest()


def u64(number: int) -> bytes:
    """8 bytes, big-endian."""
    return number.to_bytes(8, "big")


def u32(number: int) -> bytes:
    """4 bytes, big-endian."""
    return number.to_bytes(4, "big")


def quorum(n: int) -> int:
    """Q = ⌈2n/3⌉ distinct signers of n validators."""
    return -(-2 * n // 3)


def faulty(n: int) -> int:
    """f = ⌊(n−1)/3⌋ of n validators may lie."""
    return (n - 1) // 3


@dataclass(frozen=True, slots=True)
class Header:
    """The twelve fields; `raw` are their bytes, `hash` is the block's name."""

    raw: bytes
    hash: bytes
    genesis: bytes
    height: int
    parent: bytes
    time_ms: int
    proposer: bytes
    tree_size: int
    tree_root: bytes
    validators: bytes
    since: int
    next_validators: bytes
    state_root: bytes


@lru_cache(maxsize=1024)
def read_header(raw: bytes) -> Header:
    """Raises Malformed. The same few headers come in every message, so they are remembered."""
    demand(isinstance(raw, bytes), "the header is not bytes")
    value = decode(raw)
    demand(isinstance(value, list) and len(value) == 12 and value[0] == 1, "the header is not version 1 of twelve")
    numbers = (value[2], value[4], value[6], value[9])
    hashes = (value[1], value[3], value[5], *value[7:9], *value[10:])
    demand(all(type(each) is int and each >= 0 for each in numbers), "a number in the header is none")
    demand(all(isinstance(each, bytes) and len(each) == 32 for each in hashes), "a hash in the header has not 32 bytes")
    demand(1 <= value[9] <= value[2], "the header's set is in force since a height that is none")
    return Header(raw, block_hash(raw), *value[1:])


@dataclass(frozen=True, slots=True)
class Certificate:
    """`seals` are (key, signature), in the order of the bytes."""

    raw: bytes
    height: int
    round: int
    block: bytes
    seals: tuple[tuple[bytes, bytes], ...]


def read_certificate(raw: bytes) -> Certificate:
    """Raises Malformed."""
    value = decode(raw)
    demand(isinstance(value, list) and len(value) == 4 and isinstance(value[3], list), "not a certificate")
    demand(type(value[0]) is int and type(value[1]) is int and isinstance(value[2], bytes), "not a certificate")
    demand(all(isinstance(each, list) and len(each) == 2 for each in value[3]), "a seal is not [key, signature]")
    return Certificate(raw, value[0], value[1], value[2], tuple((key, signature) for key, signature in value[3]))


@dataclass(frozen=True, slots=True)
class Decision:
    """A block with its certificate."""

    header: Header
    entries: tuple[bytes, ...]
    certificate: Certificate


def read_decision(raw: bytes) -> Decision:
    """[[header bytes, [entry bytes, ...]], certificate]. Raises Malformed."""
    value = decode(raw)
    demand(isinstance(value, list) and len(value) == 2, "not [block, certificate]")
    header, entries = read_block(value[0])
    return Decision(header, entries, read_certificate(msgpack.packb(value[1], use_bin_type=True)))


def read_block(value: object) -> tuple[Header, tuple[bytes, ...]]:
    """Of the decoded [header bytes, [entry bytes, ...]]. Raises Malformed."""
    demand(isinstance(value, list) and len(value) == 2 and isinstance(value[1], list), "not [header, entries]")
    assert isinstance(value, list)  # for the type checker
    demand(all(isinstance(each, bytes) for each in value[1]), "an entry is not bytes")
    return read_header(value[0]), tuple(value[1])


@dataclass(frozen=True, slots=True)
class Statement:
    """One signed statement: of a vote, a proposal's core, or a round change."""

    kind: int
    height: int
    round: int
    block: bytes | None
    """The block hash; of a round change the prepared block's, or None."""
    prepared_round: int | None
    """Of a round change that names a prepared block."""
    key: bytes
    signature: bytes

    def signed_bytes(self, genesis: bytes, validators: bytes) -> bytes:
        """What the signature covers, for a ledger and the hash of its validator set."""
        if self.kind != ROUND_CHANGE:
            start = b"notarium/vote/v1\0" + bytes((self.kind,)) + genesis + validators
            return start + u64(self.height) + u32(self.round) + (self.block or b"")
        start = b"notarium/round-change/v1\0" + genesis + validators + u64(self.height) + u32(self.round)
        if self.prepared_round is None:
            return start + b"\0"
        return start + b"\1" + u32(self.prepared_round) + (self.block or b"")

    @property
    def content(self) -> tuple[int | None, bytes | None]:
        """What may be said once only for a key, height, round and kind."""
        return self.prepared_round, self.block

    def __str__(self) -> str:
        block = "nothing" if self.block is None else self.block.hex()[:8]
        return f"{KIND_NAMES[self.kind]} for {block} in round {self.round} of height {self.height}"


@dataclass(frozen=True, slots=True)
class Message:
    """A consensus message: what its sender says in it, and the statements of others that it carries."""

    own: Statement
    header: Header | None
    """Of the block that comes along with a proposal or a round change."""
    entries: tuple[bytes, ...]
    round_changes: tuple[Statement, ...]
    prepares: tuple[Statement, ...]


def read_message(data: bytes) -> Message:
    """A PROPOSAL, PREPARE, COMMIT or ROUND-CHANGE. Raises Malformed."""
    value = decode(data)
    demand(isinstance(value, list) and len(value) > 2 and value[0] == 1, "not a message of version 1")
    kind = value[1]
    if kind in (PREPARE, COMMIT):
        return Message(_vote(value[1:]), None, (), (), ())
    if kind == PROPOSAL:
        demand(len(value) == 9, "a proposal has nine parts")
        _, _, height, round_, block, changes, prepares, key, signature = value
        header, entries = read_block(block)
        own = _statement(PROPOSAL, height, round_, header.hash, None, key, signature)
        return Message(own, header, entries, tuple(map(_round_change, changes)), tuple(map(_vote, prepares)))
    demand(kind == ROUND_CHANGE and len(value) == 5, "not a message kind")
    own = _round_change(value[2])
    if value[3] is None:
        return Message(own, None, (), (), tuple(map(_vote, value[4])))
    header, entries = read_block(value[3])
    return Message(own, header, entries, (), tuple(map(_vote, value[4])))


ROUNDS_RECORDED = 32
"""The record has a place for so many rounds; a later one takes that of the round 32 before."""


def read_statement(data: bytes) -> Statement:
    """A slot of the record: [1, vote] or [1, round change]. Raises Malformed."""
    value = decode(data)
    demand(isinstance(value, list) and len(value) == 2 and value[0] == 1, "not a statement of version 1")
    said = value[1]
    return _vote(said) if isinstance(said, list) and len(said) == 6 else _round_change(said)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The record `prepared`: what a COMMIT promises to remember."""

    round: int
    header: Header
    entries: tuple[bytes, ...]
    prepares: tuple[Statement, ...]


@lru_cache(maxsize=256)
def read_prepared(data: bytes) -> Prepared:
    """[1, round, block, [vote, ...]]. Raises Malformed."""
    value = decode(data)
    demand(isinstance(value, list) and len(value) == 4 and value[0] == 1, "not a prepared record of version 1")
    header, entries = read_block(value[2])
    return Prepared(value[1], header, entries, tuple(map(_vote, value[3])))


def _vote(value: Any) -> Statement:
    demand(isinstance(value, list) and len(value) == 6 and value[0] in (PROPOSAL, PREPARE, COMMIT), "not a vote")
    kind, height, round_, block, key, signature = value
    demand(isinstance(block, bytes), "a vote names no block")
    return _statement(kind, height, round_, block, None, key, signature)


def _round_change(value: Any) -> Statement:
    demand(isinstance(value, list) and len(value) == 5, "not a round change")
    height, round_, prepared, key, signature = value
    demand(prepared is None or (isinstance(prepared, list) and len(prepared) == 2), "not [prepared round, hash]")
    prepared_round, block = prepared or (None, None)
    demand(prepared is None or _is_number(prepared_round, 32), "a prepared round is none")
    return _statement(ROUND_CHANGE, height, round_, block, prepared_round, key, signature)


def _statement(
    kind: int, height: Any, round_: Any, block: Any, prepared_round: int | None, key: Any, signature: Any
) -> Statement:
    demand(_is_number(height, 63) and _is_number(round_, 32), "a height or round is none")
    demand(block is None or (isinstance(block, bytes) and len(block) == 32), "a block hash has not 32 bytes")
    demand(isinstance(key, bytes) and len(key) == 32, "a key has not 32 bytes")
    demand(isinstance(signature, bytes) and len(signature) == 64, "a signature has not 64 bytes")
    return Statement(kind, height, round_, block, prepared_round, key, signature)


def _is_number(value: object, bits: int) -> bool:
    return type(value) is int and 0 <= value < 1 << bits
