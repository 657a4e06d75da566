"""The storage of the ledger: one LevelDB per node. No other package uses LevelDB."""

from notarium_store.errors import (
    ForeignStore,
    HistoryIncomplete,
    OtherFormat,
    StoreCorruption,
    StoreError,
    StoreFull,
    StoreLocked,
)
from notarium_store.store import Store

__all__ = [
    "ForeignStore",
    "HistoryIncomplete",
    "OtherFormat",
    "Store",
    "StoreCorruption",
    "StoreError",
    "StoreFull",
    "StoreLocked",
]
