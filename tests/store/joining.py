"""A store that has joined by a snapshot, and what lies behind it on the disk."""

import contextlib
from pathlib import Path
from typing import Any

import plyvel
from tests.support.histories import History

from notarium_store import Store
from notarium_store.check import check_chain


def pairs(path: Path) -> dict[bytes, bytes]:
    """All that a closed store holds."""
    with contextlib.closing(plyvel.DB(str(path))) as database:
        return dict(database)


def check(path: Path, history: History) -> Any:
    return check_chain(path, history.consortium.genesis, lambda done, total: None)


def joined(path: Path, history: History, own: int, base: int, tip: int, filled: int = 0) -> Store:
    """Blocks 1 to `own`, the snapshot of `base`, blocks up to `tip` on it, and `filled` blocks backfilled."""
    store = Store.open(path, history.consortium.genesis)
    if own:
        store.commit_many(history.parts(1, own))
    assert store.adopt(history.snapshot(base))
    if tip > base:
        store.commit_many(history.parts(base + 1, tip))
    if filled:
        store.backfill(history.parts(own + 1, own + filled))
    return store
