"""The storage of the ledger: one LevelDB per node. No other package uses LevelDB."""

from notarium_store.errors import ForeignStore, HistoryIncomplete, StoreCorruption, StoreError, StoreFull, StoreLocked
from notarium_store.store import Store

__all__ = ["ForeignStore", "HistoryIncomplete", "Store", "StoreCorruption", "StoreError", "StoreFull", "StoreLocked"]
