"""Reads the log: entries, blocks and proofs, from the last blocks in memory and from the disk.

Where blocks are missing below an adopted snapshot (gap.py), a question that needs them raises HistoryIncomplete; the
answer is never "not found". Receipts and proofs of everything after the snapshot work at once, because every node that
they need to the left of it is a peak of its tree.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from notarium_ledger.blocks.block import Decision, Header
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.errors import InvalidProof, LedgerError
from notarium_ledger.log import frontier as tree
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_inclusion
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import HASH_BYTES, Hash, Height
from notarium_store import keys, layout, lookups
from notarium_store.bounded_cache import BoundedCache
from notarium_store.database import Database
from notarium_store.errors import HistoryIncomplete
from notarium_store.gap import Gap
from notarium_store.layout import NamedBy, StoredHeader
from notarium_store.lookups import NodeReader
from notarium_store.recent import RecentBlocks, peaks_by_position

T = TypeVar("T")

_CACHED_HEADERS = 256
_CACHED_NODES = 16_384
_CACHED_NODE_LEVEL = 6
"""Nodes from this level up are cached one by one: they are few, and every proof of a nearby entry uses them."""


class LogReader:
    """The reading half of a Store."""

    _live: ChainState
    _gap: Gap | None
    _handovers: tuple[Handover, ...]
    _recent: RecentBlocks

    def __init__(self, path: Path, genesis: Genesis, database: Database) -> None:
        """Only Store calls this."""
        self.path = path
        self.genesis = genesis
        self._db = database
        self._headers: BoundedCache[Height, StoredHeader] = BoundedCache(_CACHED_HEADERS)
        self._nodes: BoundedCache[tuple[int, int], Hash] = BoundedCache(_CACHED_NODES)

    @property
    def state(self) -> ChainState:
        """The state after the last decision, on which the next block builds."""
        return self._live

    @property
    def history(self) -> ChainState:
        """The state after the last block up to which all blocks are stored; `state` where no block is missing."""
        gap = self._gap
        return self.state if gap is None else gap.history

    @property
    def is_complete(self) -> bool:
        """Whether every block from genesis to the tip is stored. A node that lacks blocks must not vote."""
        return self._gap is None

    @property
    def base(self) -> Height | None:
        """The height of the adopted snapshot while blocks up to it are missing, or None."""
        gap = self._gap
        return None if gap is None else gap.base.height

    @property
    def damage(self) -> str:
        """The first damage found since the store was opened, with its remedy; "" while no damage is known."""
        return self._db.damage

    # Entries

    def is_decided(self, id_: Hash) -> bool:
        """Whether the entry is known to be in the log. False is inconclusive where blocks are missing."""
        return self.position(id_) is not None

    def is_in_history(self, id_: Hash) -> bool:
        """Whether the entry is in the log up to `history`. Backfill uses this in place of `is_decided`."""
        position = self.position(id_)
        return position is not None and position[1] < self.history.frontier.size

    def position(self, id_: Hash) -> tuple[Height, int] | None:
        """(height, log index) of the entry, or None where it is not known to be in the log."""
        recent = self._recent.position(id_)
        if recent is not None:
            return recent
        key = keys.ID + id_
        value = self._db.get(key)
        if value is None:
            return None
        position = self._read(layout.decode_position, value, key)
        # Another thread may have just written the block: do not report it before `state` includes it.
        return position if position[1] < self.state.frontier.size else None

    def entry(self, index: int) -> bytes:
        """The wire bytes of the entry at a log index. Raises IndexError beyond the log, or HistoryIncomplete."""
        self._check_index(index)
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.entries[index - recent.first_index]
        first, group = self._group(index)
        return group[index - first]

    def entries(self, first: int, count: int) -> list[bytes]:
        """The entries at `count` (≥ 1) log indices from `first` on, for tiles. Raises IndexError beyond the log."""
        self._check_index(first, first + count - 1)
        result: list[bytes] = []
        while len(result) < count:
            index = first + len(result)
            start, group = self._group(index)
            result += group[index - start : index - start + count - len(result)]
        return result

    def entry_by_id(self, id_: Hash) -> tuple[bytes, Height, int] | None:
        """(wire bytes, height, log index) of the entry, or None. Raises HistoryIncomplete."""
        position = self._known_position(id_)
        return None if position is None else (self.entry(position[1]), *position)

    def find(self, digest: bytes, limit: int, after: int = -1) -> list[NamedBy]:
        """Up to `limit` entries at log indices above `after` that name this artifact, in the order of the log.

        Raises HistoryIncomplete, because the caller would take an answer with gaps for the whole.
        """
        return self._named(keys.DIGEST, digest, limit, after, "name the artifact")

    def references(self, id_: bytes, limit: int, after: int = -1) -> list[NamedBy]:
        """The same of entries that refer to the entry with this id."""
        return self._named(keys.REFERENCE, id_, limit, after, "refer to the entry")

    def _named(self, prefix: bytes, value: bytes, limit: int, after: int, what: str) -> list[NamedBy]:
        if len(value) != HASH_BYTES:
            return []
        gap, size = self._gap, self.state.frontier.size
        if gap is not None and gap.lacks_any_index(after + 1, size):
            raise self._incomplete(gap, f"which entries {what} {value.hex()}")
        return [
            self._read(partial(NamedBy.decode, index), row, key)
            for key, row in self._db.scan(prefix + value, keys.named(prefix, value, after + 1), limit)
            if (index := int.from_bytes(key[-8:], "big")) < size  # As in `position`.
        ]

    def size_before(self, time_ms: int) -> int:
        """The number of entries that were decided before this time. Raises HistoryIncomplete."""
        state = self.state
        # The time of each block is above its parent's.
        earlier = bisect_left(range(1, state.height + 1), time_ms, key=lambda each: self._known_header(each).time_ms)
        return self._known_header(earlier).tree_size if earlier else 0

    # Blocks

    def height_of(self, index: int) -> Height:
        """The height of the block that contains a log index. Raises IndexError beyond the log."""
        self._check_index(index)
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.decided.header.height
        start = keys.numbered(keys.BLOCK_END, index)
        found = self._db.seek(start, keys.BLOCK_END)
        if found is None:
            raise self._db.corruption(f"{keys.describe(start)} or a later one is missing")
        return Height(int.from_bytes(found[1], "big"))

    def has(self, height: int) -> bool:
        """Whether the block of `height` is stored."""
        gap = self._gap
        return 1 <= height <= self.state.height and not (gap is not None and gap.lacks_height(height))

    def decision(self, height: Height) -> Decision | None:
        """The decision of `height`, or None where it is not decided yet. Raises HistoryIncomplete."""
        return lookups.read_decision(self._db, height) if self._has(height) else None

    def decision_bytes(self, height: Height) -> bytes | None:
        """The canonical encoding of the decision of `height`, or None. Not decoded; for streaming."""
        return lookups.read_decision_bytes(self._db, height) if self._has(height) else None

    def decided_header(self, height: Height) -> DecidedHeader | None:
        """The header of `height` with its proof from genesis, or None. Raises HistoryIncomplete."""
        gap = self._gap
        if gap is not None and height == gap.base.height:
            return gap.snapshot.decided
        return self._decided(self._stored_header(height)) if self._has(height) else None

    def stored_header(self, height: Height) -> StoredHeader | None:
        """The header of `height`, its certificate and its first log index, or None. Raises HistoryIncomplete."""
        return self._stored_header(height) if self._has(height) else None

    def validators_at(self, height: int) -> ValidatorSet | None:
        """The set that signs `height`, or None beyond the height after the tip, where it is not decided yet.

        Known for missing blocks too, so that their certificates can be checked before the blocks below them arrive.
        """
        if not 1 <= height <= self.state.height + 1:
            return None
        before = self._handovers_before(height)
        return before[-1].validators if before else self.genesis.registry.validators

    def handovers(self) -> tuple[Handover, ...]:
        """All changes of the validator set from genesis to the tip, in order."""
        return self._handovers

    # Proofs

    def receipt(self, id_: Hash) -> Receipt | None:
        """The receipt of an entry, or None where it is not decided.

        It proves inclusion in the tree of the entry's own block, so it never changes. Raises HistoryIncomplete, or
        StoreCorruption where the stored nodes do not prove it.
        """
        position = self._known_position(id_)
        if position is None:
            return None
        height, index = position
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.receipt(index)
        self._check_index(index)
        return self._stored_receipt(height, index)

    def inclusion(self, index: int, size: int) -> list[Hash]:
        """The audit path of the leaf at `index` in the tree of `size` leaves. Raises InvalidProof beyond the log."""
        return self._proof(tree.inclusion_path, index, size)

    def consistency(self, size1: int, size2: int) -> list[Hash]:
        """The proof that the tree of `size1` leaves is a prefix of that of `size2`. Raises InvalidProof."""
        return self._proof(tree.consistency_path, size1, size2)

    def root(self, size: int) -> Hash:
        """The root of the tree of `size` leaves. Raises KeyError beyond the log, or HistoryIncomplete."""
        return tree.frontier_at(self._node_reader(), size).root()

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete tree node (frontier.NodeReader). Raises KeyError where the node is not complete."""
        return self._node_reader()(level, index)

    def nodes(self, level: int, first: int, count: int) -> list[Hash]:
        """`count` complete nodes of one level from `first` on, as a tile needs them. Raises KeyError beyond the log."""
        read = self._node_reader()
        return [Hash(read(level, index)) for index in range(first, first + count)]

    # Reading

    def _known_position(self, id_: Hash) -> tuple[Height, int] | None:
        """As `position`, but None means that the entry is not in the log. Raises HistoryIncomplete."""
        gap = self._gap
        position = self.position(id_)
        if position is None and gap is not None:
            raise self._incomplete(gap, f"whether the entry {id_.hex()} is in the log")
        return position

    def _check_index(self, first: int, last: int | None = None) -> None:
        last = first if last is None else last
        if not 0 <= first <= last < self.state.frontier.size:
            beyond = last if first >= 0 else first
            raise IndexError(f"index {beyond} is not in a log of {self.state.frontier.size} entries")
        gap = self._gap
        if gap is not None and gap.lacks_any_index(first, last):
            raise self._incomplete(gap, f"the log from index {first} to {last}")

    def _has(self, height: int) -> bool:
        """Whether the block is decided. Raises HistoryIncomplete where it is decided but missing."""
        gap = self._gap
        if gap is not None and gap.lacks_height(height):
            raise self._incomplete(gap, f"block {height}")
        return 1 <= height <= self.state.height

    def _incomplete(self, gap: Gap, what: str) -> HistoryIncomplete:
        return HistoryIncomplete(self.path, what, gap.history.height, gap.base.height)

    def _known_header(self, height: int) -> Header:
        """The header of a height up to the tip. Raises HistoryIncomplete."""
        self._has(height)
        return self._stored_header(Height(height)).header

    def _handovers_before(self, height: int) -> tuple[Handover, ...]:
        return self._handovers[: bisect_left(self._handovers, height, key=lambda each: each.header.height)]

    def _stored_header(self, height: Height) -> StoredHeader:
        cached = self._headers.get(height)
        if cached is None:
            cached = lookups.read_header(self._db, height)
            self._headers.put(height, cached)
        return cached

    def _decided(self, stored: StoredHeader) -> DecidedHeader:
        return DecidedHeader(stored.header, stored.certificate, self._handovers_before(stored.header.height))

    def _stored_receipt(self, height: Height, index: int) -> Receipt:
        """A receipt from the pairs that the block itself wrote, with point reads only."""
        stored = self._stored_header(height)
        size, peaks = stored.header.tree_size, peaks_by_position(stored.before)

        read_stored = NodeReader(lambda position: lookups.read_block_group(self._db, stored, position))

        def read(level: int, node: int) -> bytes:
            return peaks.get((level, node)) or read_stored(level, node)

        entry = lookups.read_block_entry(self._db, stored, index)
        try:
            path = tree.inclusion_path(read, index, size)
            verify_inclusion(leaf_hash(entry), index, size, path, stored.header.tree_root)
        except (LedgerError, KeyError) as error:
            raise self._db.corruption(f"entry {index} is not in its block's tree: {error}", height) from error
        return Receipt(entry, index, tuple(path), self._decided(stored))

    def _group(self, index: int) -> tuple[int, list[bytes]]:
        """The stored group of entries that contains a log index, and the index of its first entry."""
        start = keys.numbered(keys.ENTRIES, index)
        found = self._db.seek(start, keys.ENTRIES)
        if found is None:
            raise self._db.corruption(f"{keys.describe(start)} or a later one is missing")
        key, value = found
        entries = self._read(layout.decode_entries, value, key)
        first = int.from_bytes(key[1:], "big") - len(entries) + 1
        if first > index:
            raise self._db.corruption(f"no stored group contains the entry at log index {index}")
        return first, entries

    def _proof(self, make: Callable[[tree.NodeReader, int, int], list[Hash]], first: int, size: int) -> list[Hash]:
        if size > self.state.frontier.size:
            raise InvalidProof(f"{size} is beyond the log's {self.state.frontier.size} entries", "size")
        return make(self._node_reader(), first, size)

    def _node_reader(self) -> tree.NodeReader:
        """A reader for one proof. Reads each stored group once, and upper nodes from the cache where it has them."""
        read_stored = NodeReader(lambda position: lookups.read_group(self._db, position))
        size, gap = self.state.frontier.size, self._gap

        def read(level: int, index: int) -> bytes:
            if (index + 1) << level > size or index < 0:
                raise KeyError((level, index))
            if gap is not None and gap.lacks_node(level, index):
                peak = gap.peak(level, index)
                if peak is None:
                    raise self._incomplete(
                        gap, f"the tree over log indices {index << level} to {(index + 1 << level) - 1}"
                    )
                return peak
            if level < _CACHED_NODE_LEVEL:
                return read_stored(level, index)
            cached = self._nodes.get((level, index))
            if cached is None:
                cached = Hash(read_stored(level, index))
                self._nodes.put((level, index), cached)
            return cached

        return read

    def _read(self, decode: Callable[[bytes], T], value: bytes, key: bytes) -> T:
        return lookups.decoded(self._db, decode, value, key)
