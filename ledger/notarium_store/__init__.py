"""Where the ledger is kept: one LevelDB per node, and nothing else touches LevelDB."""

from notarium_store.errors import ForeignStore, HistoryIncomplete, StoreCorruption, StoreError, StoreFull, StoreLocked
from notarium_store.store import Store

__all__ = ["ForeignStore", "HistoryIncomplete", "Store", "StoreCorruption", "StoreError", "StoreFull", "StoreLocked"]
