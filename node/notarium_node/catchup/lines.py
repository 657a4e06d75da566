"""The two runs of blocks that catch-up extends (replay.Line): the live chain and the history."""

from __future__ import annotations

from collections.abc import Sequence

from notarium_ledger.entries.entry import Entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import ChainState
from notarium_ledger.types import Hash
from notarium_node.driving.driver import Driver
from notarium_node.entries.mempool import Mempool
from notarium_store.store import Part, Store


class LiveLine:
    """The chain that new blocks extend. All signatures are checked."""

    checks_signatures = True

    def __init__(self, store: Store, driver: Driver, mempool: Mempool) -> None:
        self._store = store
        self._driver = driver
        self._mempool = mempool

    @property
    def state(self) -> ChainState:
        return self._store.state

    def known(self, raw: bytes) -> Entry | None:
        return self._mempool.get(leaf_hash(raw)) if len(self._mempool) else None

    def is_decided(self, id_: Hash) -> bool:
        # While history is missing, this finds only known duplicates. The certificate vouches for the rest.
        return self._store.is_decided(id_)

    def store(self, parts: Sequence[Part]) -> bool:
        return self._driver.take(parts)


class HistoryLine:
    """The chain from genesis up to the adopted snapshot."""

    def __init__(self, store: Store, driver: Driver, checks_signatures: bool) -> None:
        self._store = store
        self._driver = driver
        self.checks_signatures = checks_signatures

    @property
    def state(self) -> ChainState:
        return self._store.history

    def known(self, raw: bytes) -> Entry | None:
        return None

    def is_decided(self, id_: Hash) -> bool:
        return self._store.is_in_history(id_)

    def store(self, parts: Sequence[Part]) -> bool:
        if not self._driver.backfill(parts):
            return False
        self._driver.review()
        return True
