"""The full check of a store: the chain replayed from genesis, and all that is stored compared with what it makes.

Every block is applied anew (entries, signatures, registry, tree), its certificate verified, and each pair that its
commit wrote compared with the stored one. At the end the state is compared, and the keys are counted, so that nothing
is stored beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from notarium_ledger.errors import LedgerError
from notarium_ledger.genesis import Genesis
from notarium_ledger.state import ChainState, Transition, apply_block
from notarium_ledger.types import Hash, Height
from notarium_store import keys, opening, reading, values
from notarium_store.database import Database
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.values import StoredState

Progress = Callable[[int, int], None]
"""(heights done, heights in all)."""

_CACHE_BYTES = 8 << 20
_WRITE_BUFFER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a sound store holds."""

    height: Height
    entries: int
    tip_hash: Hash
    """The genesis hash before the first block."""


def check_chain(path: Path, genesis: Genesis, progress: Progress) -> CheckReport:
    """Check the store in `path`, which no node may have open, from genesis to its tip.

    Raises StoreCorruption that names the first damaged height, ForeignStore, StoreLocked, or StoreError where there is
    no store.
    """
    if not path.is_dir() or not any(path.iterdir()):
        raise StoreError(path, "there is no store here; check the data directory's path")
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
        self._state = ChainState.initial(genesis.hash, genesis.registry)
        self._registry_height = Height(0)
        self._pairs = 1  # The format stands beside what decisions write.

    def run(self, progress: Progress) -> CheckReport:
        opening.check_meta(self._db, self._genesis)
        encoded = self._db.get(keys.STATE)
        stored = None if encoded is None else reading.decoded(self._db, StoredState.decode, encoded, keys.STATE)
        total = 0 if stored is None else stored.height
        progress(0, total)
        for height in range(1, total + 1):
            self._check_height(height)
            progress(height, total)
        self._check_evidence()
        self._check_end(stored)
        return CheckReport(self._state.height, self._state.frontier.size, self._state.tip)

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
        before = self._state
        decision = reading.read_decision(self._db, height)
        transition = apply_block(before, decision.block, self._is_in_log_before)
        validators = before.registry.validators
        decision.certificate.verify(self._genesis.hash, validators, decision.height, decision.block.hash)
        for key, value in values.decision_items(decision, transition, before, values.join_nodes(transition.nodes)):
            self._pairs += 1
            found = self._db.require(key)
            if found != value:
                raise StoreCorruption(self._db.path, f"{keys.describe(key)} is not what the chain makes", height)
        self._take(transition)

    def _take(self, transition: Transition) -> None:
        if transition.state.registry.hash != self._state.registry.hash:
            self._registry_height = transition.state.height
        self._state = transition.state

    def _is_in_log_before(self, id_: Hash) -> bool:
        """Whether the index has the entry below the block in hand. That the index is whole is checked pair by pair."""
        key = keys.ID + id_
        value = self._db.get(key)
        if value is None:
            return False
        _, index = reading.decoded(self._db, values.decode_position, value, key)
        return index < self._state.frontier.size

    def _check_evidence(self) -> None:
        """Evidence is no part of the chain, but it is shown as proof, so it must prove what it says."""
        for number, evidence in reading.read_evidence(self._db):
            self._pairs += 1
            try:
                evidence.verify()
            except LedgerError as error:
                key = keys.describe(keys.numbered(keys.EVIDENCE, number))
                raise StoreCorruption(self._db.path, f"{key} proves nothing: {error}") from error

    def _check_end(self, stored: StoredState | None) -> None:
        state = self._state
        if stored is not None:
            self._pairs += 1
            made = StoredState(state.height, state.tip, state.time_ms, state.frontier, self._registry_height)
            if stored != made:
                raise StoreCorruption(self._db.path, f"{keys.describe(keys.STATE)} is not what the chain makes")
        expected = self._pairs + self._db.count(keys.RECORD)
        found = self._db.count()
        if found != expected:
            raise StoreCorruption(self._db.path, f"{found} keys are stored, the chain makes {expected}")
