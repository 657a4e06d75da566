"""The full check of a store: replays the chain from genesis and compares every stored pair with the result.

The check applies every block again (entries, signatures, registry, tree), verifies its certificate, and compares each
pair that its commit wrote with the stored one. At the end it compares the state and the records of the registry, and
counts the keys, so that the store holds nothing else.

Where blocks are missing below an adopted snapshot (gap.py), the check verifies the snapshot from genesis and replays
the blocks on both sides of the gap. It ignores the pairs that an earlier snapshot left in the gap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from notarium_ledger.errors import LedgerError
from notarium_ledger.state.chain_state import ChainState, apply_block
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import Hash, Height
from notarium_store import keys, layout, lookups, opening, registry_records
from notarium_store.database import Database
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.gap import Gap
from notarium_store.layout import StoredState
from notarium_store.opening import Base

Progress = Callable[[int, int], None]
"""(heights done, total heights)."""

_CACHE_BYTES = 8 << 20
_WRITE_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The content of a store that passed the check."""

    height: Height
    entries: int
    tip_hash: Hash
    """The genesis hash before the first block."""
    history: Height
    """All blocks from genesis to here are stored; below `height` while blocks below an adopted snapshot are missing."""
    checked: int
    """Number of blocks replayed: all, or those on both sides of the gap."""


def check_chain(path: Path, genesis: Genesis, progress: Progress) -> CheckReport:
    """Check the store in `path` from genesis to its tip. Stop the node that uses it first.

    Raises StoreCorruption with the first damaged height, ForeignStore, OtherFormat, StoreLocked, or StoreError where
    `path` has no store.
    """
    if not (path / "CURRENT").exists() and not any(path.glob("*.ldb")):
        raise StoreError(path, "there is no store here; check the path of the data directory")
    database = Database(path, cache_bytes=_CACHE_BYTES, write_buffer_bytes=_WRITE_BUFFER_BYTES, min_free_bytes=0)
    try:
        return _Check(database, genesis).run(progress)
    finally:
        database.close()


class _Check:
    """One run of the check."""

    def __init__(self, database: Database, genesis: Genesis) -> None:
        self._db = database
        self._genesis = genesis
        self._end = ChainState.initial(genesis.hash, genesis.registry)
        self._gap: Gap | None = None
        self._later: dict[bytes, bytes | None] = {}
        """What the blocks above the gap change in the registry."""
        self._pairs = 1  # The format key; the rest is what decisions write.

    def run(self, progress: Progress) -> CheckReport:
        opening.check_meta(self._db, self._genesis)
        self._pairs += opening.load_owner(self._db) is not None
        base = opening.load_base(self._db, self._genesis)
        encoded = self._db.get(keys.STATE)
        stored = None if encoded is None else lookups.decoded(self._db, StoredState.decode, encoded, keys.STATE)
        tip = 0 if stored is None else stored.height
        below = range(1, (tip if base is None else base.history.height) + 1)
        behind = range(0) if base is None else range(base.state.height + 1, tip + 1)
        total = len(below) + len(behind)
        progress(0, total)
        for done, height in enumerate(below, 1):
            self._check_height(height)
            progress(done, total)
        self._pairs += registry_records.compare(self._db, keys.REGISTRY, registry_records.items(self._end.registry))
        if base is not None:
            self._cross(base)
        for done, height in enumerate(behind, len(below) + 1):
            self._check_height(height)
            progress(done, total)
        self._check_equivocation()
        self._check_end(stored)
        state = self._end
        return CheckReport(state.height, state.frontier.size, state.tip, Height(len(below)), total)

    def _cross(self, base: Base) -> None:
        """Go from the last block before the gap to the snapshot after it."""
        if base.history != StoredState.of(self._end):
            raise StoreCorruption(self._db.path, f"{keys.describe(keys.HISTORY)} does not match the chain")
        self._pairs += len((keys.BASE, keys.HISTORY))
        self._gap = Gap(self._end, base.snapshot, base.state)
        self._end = base.state

    def _check_height(self, height: int) -> None:
        try:
            self._replay(height)
        except StoreCorruption as error:
            if error.height is not None:
                raise
            raise StoreCorruption(self._db.path, error.detail, height) from error
        except LedgerError as error:
            raise StoreCorruption(self._db.path, str(error), height) from error

    def _replay(self, height: int) -> None:
        before = self._end
        decision = lookups.read_decision(self._db, height)
        transition = apply_block(before, decision.block, self._is_in_log_before)
        validators = before.registry.validators
        decision.certificate.verify(self._genesis.hash, validators, decision.height, decision.block.hash)
        for key, value in layout.decision_items(decision, transition, before, layout.join_nodes(transition.nodes)):
            self._pairs += 1
            found = self._db.require(key)
            if found != value:
                raise StoreCorruption(self._db.path, f"{keys.describe(key)} does not match the chain", height)
        if self._gap is not None:
            self._later.update(transition.registry_changes)
        self._end = transition.state

    def _is_in_log_before(self, id_: Hash) -> bool:
        """Whether the index has the entry below the current block. The check compares the index itself pair by pair."""
        key = keys.ID + id_
        value = self._db.get(key)
        if value is None:
            return False
        _, index = lookups.decoded(self._db, layout.decode_position, value, key)
        return index < self._end.frontier.size

    def _check_equivocation(self) -> None:
        """Equivocations are not part of the chain, but the node serves them as proof, so each must be valid."""
        for number, equivocation in lookups.read_equivocations(self._db):
            self._pairs += 1
            try:
                equivocation.verify()
            except LedgerError as error:
                key = keys.describe(keys.numbered(keys.EQUIVOCATION, number))
                raise StoreCorruption(self._db.path, f"{key} does not prove an equivocation: {error}") from error

    def _check_end(self, stored: StoredState | None) -> None:
        if stored is not None:
            self._pairs += 1
            if stored != StoredState.of(self._end):
                raise StoreCorruption(self._db.path, f"{keys.describe(keys.STATE)} does not match the chain")
        expected = self._pairs + self._db.count(keys.RECORD)
        if self._gap is not None:
            expected += registry_records.compare(self._db, keys.LATER, registry_records.expected_later(self._later))
            expected += self._count_in(self._gap)
        found = self._db.count()
        if found != expected:
            raise StoreCorruption(self._db.path, f"contains {found} keys, the chain has {expected}")

    def _count_in(self, gap: Gap) -> int:
        """The number of pairs of missing blocks that an earlier snapshot left behind."""
        return sum(gap.holds(key, value) for prefix in keys.OF_BLOCKS for key, value in self._db.pairs(prefix))
