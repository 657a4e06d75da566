"""The layout of the stored values: the pairs that a decision writes, and the decoders of single values.

`decision_items` alone defines what a decision adds, and registry_records.py what it overwrites. The store writes these
pairs, and the check compares them with the stored ones.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from notarium_ledger.blocks.block import Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import artifact_digests, referred_entries
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import LedgerError
from notarium_ledger.log.frontier import Frontier, Node
from notarium_ledger.state.chain_state import ChainState, Transition
from notarium_ledger.types import HASH_BYTES, Hash, Height
from notarium_store import keys

FORMAT_VERSION = 7
GAPPED_VERSION = 8
"""While blocks are missing below an adopted snapshot. Software without snapshots must not vote with such a store."""
ENTRIES_PER_GROUP = 64
NODES_PER_GROUP = 256

_POSITION = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class StoredState:
    """The state without the registry, whose records have keys of their own."""

    height: Height
    tip: Hash
    time_ms: int
    frontier: Frontier

    @classmethod
    def of(cls, state: ChainState) -> StoredState:
        """The part of `state` that is stored under one key."""
        return cls(state.height, state.tip, state.time_ms, state.frontier)

    def encode(self) -> bytes:
        """canonical [height, tip, time in ms, tree size, peaks as one byte string]."""
        peaks = b"".join(self.frontier.peaks)
        return canonical.encode([self.height, bytes(self.tip), self.time_ms, self.frontier.size, peaks])

    @classmethod
    def decode(cls, data: bytes) -> StoredState:
        """Raises LedgerError or ValueError."""
        value: Any = canonical.decode(data)
        height, tip, time_ms, size, peaks = value
        return cls(Height(height), Hash(tip), time_ms, Frontier(size, tuple(split(peaks))))


@dataclass(frozen=True, slots=True)
class StoredHeader:
    """A decided block without its entries, and the log's frontier before it, from which its receipts are made."""

    header: Header
    certificate: QuorumCertificate
    before: Frontier

    @property
    def first_index(self) -> int:
        """The log index of the block's first entry."""
        return self.before.size

    def encode(self) -> bytes:
        """canonical [header, certificate, tree size before, peaks before as one byte string]."""
        before = self.before
        return canonical.encode([self.header.raw, self.certificate.encode(), before.size, b"".join(before.peaks)])

    @classmethod
    def decode(cls, data: bytes) -> StoredHeader:
        """Raises LedgerError or ValueError."""
        value: Any = canonical.decode(data)
        header, certificate, size, peaks = value
        before = Frontier(size, tuple(split(peaks)))
        return cls(Header.decode(header), QuorumCertificate.decode(certificate), before)

    def group_end(self, index: int) -> int:
        """The last log index of the group that holds the block's entry at `index`."""
        start = index - (index - self.first_index) % ENTRIES_PER_GROUP
        return min(start + ENTRIES_PER_GROUP, self.header.tree_size) - 1

    def node_group(self, position: int) -> tuple[int, int]:
        """(first, last) position of the group that holds a node of this block. Raises KeyError for another node."""
        first, end = keys.nodes_before(self.first_index), keys.nodes_before(self.header.tree_size)
        if not first <= position < end:
            raise KeyError(position)
        start = position - (position - first) % NODES_PER_GROUP
        return start, min(start + NODES_PER_GROUP, end) - 1


@dataclass(frozen=True, slots=True)
class NamedBy:
    """An entry that names an artifact or another entry: what a search needs of it, so that no entry is read for it."""

    index: int
    """Of the entry, in the log; it is in the key."""
    id: Hash
    height: Height
    kind: str
    issuer: str
    """"" where the body has no issuer."""
    project: str
    """"" where the body has no project."""
    relations: tuple[str, ...] = ()
    """How it refers to the entry that was asked for; empty where an artifact was."""

    @classmethod
    def decode(cls, index: int, data: bytes) -> NamedBy:
        """Inverse of named_value, with the relations behind it. Raises ValueError."""
        kind, issuer, project, *relations = data[HASH_BYTES + 8 :].decode().split("\0")
        height = int.from_bytes(data[HASH_BYTES : HASH_BYTES + 8], "big")
        return cls(index, Hash(data[:HASH_BYTES]), Height(height), kind, issuer, project, tuple(relations))


def named_value(entry: Entry, height: int) -> bytes:
    """entry id ‖ height u64 ‖ kind, issuer and project with a zero byte between them; no text of a body has one.

    Every entry of a block pays for it, so it is joined and not encoded: 0.4 µs in place of 9.
    """
    body = entry.body
    text = f"{body['kind']}\0{body.get('issuer', '')}\0{body.get('project', '')}"
    return entry.id + height.to_bytes(8, "big") + text.encode()


def meta_value(genesis: Hash, version: int = FORMAT_VERSION) -> bytes:
    """The value of the key `m`."""
    return canonical.encode([version, bytes(genesis)])


def position_value(height: int, index: int) -> bytes:
    """height ‖ index."""
    return _POSITION.pack(height, index)


def decode_position(data: bytes) -> tuple[Height, int]:
    """Inverse of position_value. Raises ValueError."""
    if len(data) != _POSITION.size:
        raise ValueError(f"{len(data)} bytes, not {_POSITION.size}")
    height, index = _POSITION.unpack(data)
    return Height(height), index


def split(joined: bytes) -> list[Hash]:
    """Concatenated hashes, one by one. Raises ValueError."""
    if len(joined) % HASH_BYTES:
        raise ValueError(f"{len(joined)} bytes are not a whole number of hashes")
    return [Hash(joined[at : at + HASH_BYTES]) for at in range(0, len(joined), HASH_BYTES)]


def join_nodes(nodes: Iterable[Node]) -> bytes:
    """The joined hashes of the nodes that a block completes. Frontier.extend returns them in order of positions."""
    return b"".join([value for _, _, value in nodes])


def decision_items(
    decision: Decision, transition: Transition, before: ChainState, nodes: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """Every pair that `decision` writes and no later one overwrites. `nodes` are those of `transition`, joined."""
    height, first = decision.height, transition.first_index
    header = StoredHeader(decision.block.header, decision.certificate, before.frontier)
    yield keys.numbered(keys.HEADER, height), header.encode()
    yield keys.numbered(keys.BLOCK_END, transition.header.tree_size - 1), keys.u64(height)
    yield from _entry_items(decision.block.entries, first)
    for index, entry in enumerate(transition.entries, first):
        yield keys.ID + entry.id, _POSITION.pack(height, index)
        digests, referred = artifact_digests(entry.body), referred_entries(entry.body)
        if digests or referred:
            named = named_value(entry, height)
            yield from ((keys.named(keys.DIGEST, value, index), named) for value in digests)
            for target, relations in referred.items():
                yield (
                    keys.named(keys.REFERENCE, target, index),
                    named + "".join(f"\0{each}" for each in relations).encode(),
                )
    yield from _node_items(nodes, keys.nodes_before(first))
    validators = transition.state.registry.validators
    if validators.hash != before.registry.validators.hash:
        yield keys.numbered(keys.HANDOVER, height), canonical.encode(validators.to_value())


def _entry_items(entries: Sequence[bytes], first: int) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, len(entries), ENTRIES_PER_GROUP):
        group = list(entries[start : start + ENTRIES_PER_GROUP])
        yield keys.numbered(keys.ENTRIES, first + start + len(group) - 1), canonical.encode(group)  # type: ignore[arg-type]


def _node_items(nodes: bytes, first: int) -> Iterator[tuple[bytes, bytes]]:
    for start in range(0, len(nodes), NODES_PER_GROUP * HASH_BYTES):
        group = nodes[start : start + NODES_PER_GROUP * HASH_BYTES]
        yield keys.numbered(keys.TREE, first + (start + len(group)) // HASH_BYTES - 1), group


def decode_entries(data: bytes) -> list[bytes]:
    """A group of entries. Raises LedgerError."""
    value = canonical.decode(data)
    if not isinstance(value, list) or not value or any(type(each) is not bytes for each in value):
        raise LedgerError("not a list of entries")
    return value  # type: ignore[return-value]


def join_decision(header: StoredHeader, groups: Iterable[bytes]) -> bytes:
    """The canonical encoding of a decision, from the stored groups of its entries, without decoding them.

    [[header, [entry, ...]], certificate]: one new list head, and the groups without their own heads.
    """
    count = header.header.tree_size - header.first_index
    parts = [b"\x92\x92", canonical.encode(header.header.raw), _list_head(count)]
    parts += [group[1 if group[0] & 0xF0 == 0x90 else 3 :] for group in groups]
    parts.append(header.certificate.encode())
    return b"".join(parts)


def _list_head(count: int) -> bytes:
    """The head of a msgpack list: fixarray, array 16 or array 32."""
    if count < 16:
        return bytes((0x90 | count,))
    if count < 1 << 16:
        return b"\xdc" + count.to_bytes(2, "big")
    return b"\xdd" + count.to_bytes(4, "big")
