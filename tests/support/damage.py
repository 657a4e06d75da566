"""A disk that damages what is stored."""

from __future__ import annotations

import shutil
from pathlib import Path

from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import Height
from notarium_store import Store, StoreCorruption


def damage_unseen(store: Path, genesis: Genesis, step: int) -> int:
    """Turn one bit of a table over where it is read for some block, and not when a node starts. The place.

    `step`: bytes between two places that are tried.
    """
    target = max(store.glob("*.ldb"), key=lambda path: path.stat().st_size)
    sound = target.read_bytes()
    scratch = store.with_name("scratch")
    for place in range(len(sound) // 3, len(sound), step):
        target.write_bytes(sound[:place] + bytes((sound[place] ^ 0x10,)) + sound[place + 1 :])
        shutil.copytree(store, scratch)
        try:
            with Store.open(scratch, genesis) as opened:
                opened.equivocations()
                if _any_block_unread(opened):
                    return place
        except StoreCorruption:
            continue
        finally:
            shutil.rmtree(scratch)
    raise AssertionError("no damage is seen by readers only")


def _any_block_unread(store: Store) -> bool:
    try:
        for height in range(1, store.state.height + 1):
            store.decision_bytes(Height(height))
    except StoreCorruption:
        return True
    return False
