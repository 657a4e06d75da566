"""The store of one node: decisions, proofs from stored tree nodes, the state and the consensus record.

    store = Store.open(path, genesis)
    transition = apply_block(store.state, decision.block, store.is_decided)
    store.commit(decision, transition)
    store.receipt(entry_id)

A commit is one synced LevelDB batch: after a crash a decision is there with all that belongs to it, or not at all.
One thread calls what writes (commit, put_record, put_evidence, recover, close); any thread may read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from notarium_ledger import tree
from notarium_ledger.block import Decision
from notarium_ledger.errors import InvalidProof, LedgerError
from notarium_ledger.evidence import Evidence
from notarium_ledger.genesis import Genesis
from notarium_ledger.merkle import leaf_hash, verify_inclusion
from notarium_ledger.receipt import DecidedHeader, Handover, Receipt
from notarium_ledger.state import ChainState, Transition
from notarium_ledger.types import HASH_BYTES, Hash, Height
from notarium_ledger.validators import ValidatorSet
from notarium_store import keys, opening, reading, values
from notarium_store.bounded import Bounded
from notarium_store.database import Database
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.reading import NodeReader
from notarium_store.recent import RecentBlock, RecentBlocks, peaks_by_position
from notarium_store.values import StoredHeader, StoredState

T = TypeVar("T")

_CACHED_HEADERS = 256
_CACHED_NODES = 16_384
_CACHED_NODE_LEVEL = 6
"""Nodes from this level up are cached one by one: few, and in the proof of every entry near them."""


class Store:
    """The store, open. Make one with `Store.open`."""

    _state: ChainState
    _registry_height: Height
    _handovers: tuple[Handover, ...]
    _record_keys: set[bytes]
    _recent: RecentBlocks

    def __init__(self, path: Path, genesis: Genesis, database: Database) -> None:
        """For `open`."""
        self.path = path
        self.genesis = genesis
        self._db = database
        self._headers: Bounded[Height, StoredHeader] = Bounded(_CACHED_HEADERS)
        self._nodes: Bounded[tuple[int, int], Hash] = Bounded(_CACHED_NODES)
        self._load()

    @classmethod
    def open(
        cls,
        path: Path,
        genesis: Genesis,
        *,
        cache_bytes: int = 8 << 20,
        write_buffer_bytes: int = 4 << 20,
        min_free_bytes: int = 0,
    ) -> Store:
        """Open the store in the directory `path`, or create it there, and check its tip.

        `min_free_bytes`: writes are refused while the disk has less than this free.
        Raises StoreCorruption, ForeignStore, StoreLocked, StoreFull or StoreError.
        """
        database = Database(
            path, cache_bytes=cache_bytes, write_buffer_bytes=write_buffer_bytes, min_free_bytes=min_free_bytes
        )
        try:
            return cls(path, genesis, database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def state(self) -> ChainState:
        """After the last decision."""
        return self._state

    # Writing

    def commit(self, decision: Decision, transition: Transition) -> None:
        """Store the decision of the next height; it is on the disk when this returns.

        Committing the tip again does nothing. The caller has verified the certificate and got
        `transition` from apply_block or advance on `state`.
        Raises StoreFull or StoreError: then nothing has changed, and the same commit may be tried again.
        """
        self._recover_if_failed()
        before = self._state
        if decision.block.hash == before.tip:
            return
        self._check_next(decision, transition)
        after = transition.state
        nodes = values.join_nodes(transition.nodes)
        changed = after.registry.hash != before.registry.hash
        registry_height = after.height if changed else self._registry_height
        stored = StoredState(after.height, after.tip, after.time_ms, after.frontier, registry_height)
        done = [key for key in self._record_keys if key[1:9] <= keys.u64(after.height)]
        items = [*values.decision_items(decision, transition, before, nodes), (keys.STATE, stored.encode())]
        self._db.write(items, done)
        self._record_keys.difference_update(done)
        decided = DecidedHeader(transition.header, decision.certificate, self._handovers)
        if after.registry.validators.hash != before.registry.validators.hash:
            handover = Handover(transition.header, decision.certificate, after.registry.validators)
            self._handovers = (*self._handovers, handover)
        self._registry_height = registry_height
        self._state = after
        # Last, so that whoever finds an entry in memory finds its block in the state as well.
        ids = tuple(entry.id for entry in transition.entries)
        self._recent.add(RecentBlock.make(before.frontier, decided, ids, decision.block.entries, nodes))

    def put_record(self, height: Height, key: bytes, value: bytes) -> None:
        """Keep a part of the consensus record of an undecided height; on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self.put_records(height, [(key, value)])

    def put_records(self, height: Height, parts: Sequence[tuple[bytes, bytes]]) -> None:
        """Several parts of the record, (key, value) each, with one fsync. Raises StoreFull or StoreError."""
        self._recover_if_failed()
        if height <= self._state.height:
            raise StoreError(self.path, f"block {height} is decided; its consensus record is closed")
        items = [(keys.record(height, key), value) for key, value in parts]
        self._db.write(items)
        self._record_keys.update(name for name, _ in items)

    def recover(self) -> None:
        """After a failed write: close LevelDB, let it recover from its log, and load the state again.

        Every write does this by itself, so a full disk needs no restart. Raises StoreFull while there is no room.
        """
        self._db.reopen()
        self._load()

    def _recover_if_failed(self) -> None:
        if self._db.failed:
            self.recover()

    def _check_next(self, decision: Decision, transition: Transition) -> None:
        header = decision.block.header
        if header.height != self._state.height + 1 or header.parent != self._state.tip:
            raise StoreError(
                self.path,
                f"block {header.height} does not follow the stored block {self._state.height}; "
                "apply it to the store's state",
            )
        if transition.header != header or transition.first_index != self._state.frontier.size:
            raise StoreError(self.path, f"the transition is not that of block {header.height}")

    # Entries

    def is_decided(self, id_: Hash) -> bool:
        """Whether the entry is in the log."""
        return self.position(id_) is not None

    def position(self, id_: Hash) -> tuple[Height, int] | None:
        """(height, log index) of the entry, or None."""
        recent = self._recent.position(id_)
        if recent is not None:
            return recent
        key = keys.ID + id_
        value = self._db.get(key)
        return None if value is None else self._read(values.decode_position, value, key)

    def positions(self, ids: Iterable[Hash]) -> list[tuple[Height, int] | None]:
        """`position` of each, in order."""
        return [self.position(id_) for id_ in ids]

    def entry(self, index: int) -> bytes:
        """The wire bytes of the entry at a log index. Raises IndexError beyond the log."""
        self._check_index(index)
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.entries[index - recent.first_index]
        first, group = self._group(index)
        return group[index - first]

    def entries(self, first: int, count: int) -> list[bytes]:
        """The entries at `count` (≥ 1) log indices from `first` on, for tiles. Raises IndexError beyond the log."""
        self._check_index(first)
        self._check_index(first + count - 1)
        result: list[bytes] = []
        while len(result) < count:
            index = first + len(result)
            start, group = self._group(index)
            result += group[index - start : index - start + count - len(result)]
        return result

    def entry_by_id(self, id_: Hash) -> tuple[bytes, Height, int] | None:
        """(wire bytes, height, log index) of the entry, or None."""
        position = self.position(id_)
        return None if position is None else (self.entry(position[1]), *position)

    def find(self, digest: bytes, limit: int, after: int = -1) -> list[int]:
        """Up to `limit` log indices above `after` of entries that name this artifact, ascending."""
        if len(digest) != HASH_BYTES:
            return []
        found = self._db.scan(keys.DIGEST + digest, keys.digest(digest, after + 1), limit)
        return [int.from_bytes(key[-8:], "big") for key, _ in found]

    # Blocks

    def height_of(self, index: int) -> Height:
        """The height of the block that holds a log index. Raises IndexError beyond the log."""
        self._check_index(index)
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.decided.header.height
        start = keys.numbered(keys.BLOCK_END, index)
        found = self._db.seek(start, keys.BLOCK_END)
        if found is None:
            raise StoreCorruption(self.path, f"{keys.describe(start)} or a later one is missing")
        return Height(int.from_bytes(found[1], "big"))

    def decision(self, height: Height) -> Decision | None:
        """The decision of `height`, or None where there is none yet."""
        return reading.read_decision(self._db, height) if self._has(height) else None

    def decision_bytes(self, height: Height) -> bytes | None:
        """The canonical encoding of the decision of `height`, or None: for streaming, not decoded."""
        return reading.read_decision_bytes(self._db, height) if self._has(height) else None

    def decided_header(self, height: Height) -> DecidedHeader | None:
        """The header of `height` with what proves it from genesis, or None."""
        return self._decided(self._stored_header(height)) if self._has(height) else None

    def stored_header(self, height: Height) -> StoredHeader | None:
        """The header of `height`, its certificate and the first log index, or None: a summary without the entries."""
        return self._stored_header(height) if self._has(height) else None

    def handovers(self) -> tuple[Handover, ...]:
        """All changes of the validator set, in order."""
        return self._handovers

    # Proofs

    def receipt(self, id_: Hash) -> Receipt | None:
        """The receipt of an entry, or None where it is not decided.

        It proves inclusion in the tree of the entry's own block, so it never changes.
        Raises StoreCorruption where what is stored does not prove it.
        """
        position = self.position(id_)
        if position is None:
            return None
        height, index = position
        recent = self._recent.block_at(index)
        if recent is not None:
            return recent.receipt(index)
        return self._stored_receipt(height, index)

    def inclusion(self, index: int, size: int) -> list[Hash]:
        """The audit path of the leaf at `index` in the tree of `size` leaves. Raises InvalidProof beyond the log."""
        return self._proof(tree.inclusion_path, index, size)

    def consistency(self, size1: int, size2: int) -> list[Hash]:
        """The proof that the tree of `size1` leaves is a prefix of that of `size2`. Raises InvalidProof."""
        return self._proof(tree.consistency_path, size1, size2)

    def root(self, size: int) -> Hash:
        """The root of the tree of `size` leaves. Raises KeyError beyond the log."""
        return tree.frontier_at(self._node_reader(), size).root()

    def node(self, level: int, index: int) -> bytes:
        """The hash of a complete tree node (tree.NodeReader). Raises KeyError where there is none yet."""
        return self._node_reader()(level, index)

    def nodes(self, level: int, first: int, count: int) -> list[Hash]:
        """`count` complete nodes of one level from `first` on, as a tile needs them. Raises KeyError beyond the log."""
        read = self._node_reader()
        return [Hash(read(level, index)) for index in range(first, first + count)]

    # The consensus record

    def record(self) -> tuple[Height | None, dict[bytes, bytes]]:
        """The consensus record of the highest undecided height that has one: (height, {key: value})."""
        if not self._record_keys:
            return None, {}
        height = max(key[1:9] for key in self._record_keys)
        found = self._db.scan(keys.RECORD + height)
        return Height(int.from_bytes(height, "big")), {key[9:]: value for key, value in found}

    # Evidence

    def put_evidence(self, number: int, evidence: Evidence) -> None:
        """Keep evidence under a number that is not taken; on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self._recover_if_failed()
        self._db.write([(keys.numbered(keys.EVIDENCE, number), evidence.encode())])

    def evidence(self) -> list[tuple[int, Evidence]]:
        """All evidence with its numbers, ascending. Raises StoreCorruption."""
        return reading.read_evidence(self._db)

    def validators_at(self, height: int) -> ValidatorSet | None:
        """Who signs `height`, or None where that is not decided yet: beyond the height after the tip."""
        if not 1 <= height <= self._state.height + 1:
            return None
        before = self._handovers_before(height)
        return before[-1].validators if before else self.genesis.registry.validators

    # Reading

    def _load(self) -> None:
        loaded = opening.load(self._db, self.genesis)
        self._state = loaded.state
        self._registry_height = loaded.registry_height
        self._handovers = loaded.handovers
        self._record_keys = loaded.record_keys
        self._recent = RecentBlocks()
        self._headers.clear()
        self._nodes.clear()

    def _check_index(self, index: int) -> None:
        if not 0 <= index < self._state.frontier.size:
            raise IndexError(f"index {index} is not in a log of {self._state.frontier.size} entries")

    def _has(self, height: int) -> bool:
        return 1 <= height <= self._state.height

    def _handovers_before(self, height: int) -> tuple[Handover, ...]:
        return self._handovers[: bisect_left(self._handovers, height, key=lambda each: each.header.height)]

    def _stored_header(self, height: Height) -> StoredHeader:
        cached = self._headers.get(height)
        if cached is None:
            cached = reading.read_header(self._db, height)
            self._headers.put(height, cached)
        return cached

    def _decided(self, stored: StoredHeader) -> DecidedHeader:
        return DecidedHeader(stored.header, stored.certificate, self._handovers_before(stored.header.height))

    def _stored_receipt(self, height: Height, index: int) -> Receipt:
        """A receipt from what the block itself wrote, with point reads only."""
        stored = self._stored_header(height)
        size, peaks = stored.header.tree_size, peaks_by_position(stored.before)

        read_stored = NodeReader(lambda position: reading.read_block_group(self._db, stored, position))

        def read(level: int, node: int) -> bytes:
            return peaks.get((level, node)) or read_stored(level, node)

        entry = reading.read_block_entry(self._db, stored, index)
        try:
            path = tree.inclusion_path(read, index, size)
            verify_inclusion(leaf_hash(entry), index, size, path, stored.header.tree_root)
        except (LedgerError, KeyError) as error:
            raise StoreCorruption(self.path, f"entry {index} is not in its block's tree: {error}", height) from error
        return Receipt(entry, index, tuple(path), self._decided(stored))

    def _group(self, index: int) -> tuple[int, list[bytes]]:
        """The stored group of entries that holds a log index, and the index of its first."""
        start = keys.numbered(keys.ENTRIES, index)
        found = self._db.seek(start, keys.ENTRIES)
        if found is None:
            raise StoreCorruption(self.path, f"{keys.describe(start)} or a later one is missing")
        key, value = found
        entries = self._read(values.decode_entries, value, key)
        first = int.from_bytes(key[1:], "big") - len(entries) + 1
        if first > index:
            raise StoreCorruption(self.path, f"no stored group holds the entry at log index {index}")
        return first, entries

    def _proof(self, make: Callable[[tree.NodeReader, int, int], list[Hash]], first: int, size: int) -> list[Hash]:
        if size > self._state.frontier.size:
            raise InvalidProof(f"{size} is beyond the log's {self._state.frontier.size} entries", "size")
        return make(self._node_reader(), first, size)

    def _node_reader(self) -> tree.NodeReader:
        """A reader for one proof: it reads each stored group once, and upper nodes from memory where they are."""
        read_stored = NodeReader(lambda position: reading.read_group(self._db, position))
        size = self._state.frontier.size

        def read(level: int, index: int) -> bytes:
            if (index + 1) << level > size or index < 0:
                raise KeyError((level, index))
            if level < _CACHED_NODE_LEVEL:
                return read_stored(level, index)
            cached = self._nodes.get((level, index))
            if cached is None:
                cached = Hash(read_stored(level, index))
                self._nodes.put((level, index), cached)
            return cached

        return read

    def _read(self, decode: Callable[[bytes], T], value: bytes, key: bytes) -> T:
        return reading.decoded(self._db, decode, value, key)
