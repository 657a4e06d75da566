"""A damaged value is never served, and the first damage that a read finds stays known."""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.store.damaging import FOURTH_NODES, edit, flipped, with_flipped_end
from tests.support.consortium import Consortium

from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Height
from notarium_store import Store, StoreCorruption, keys


def test_what_is_damaged_is_not_served(copy: tuple[Path, Consortium]) -> None:
    path, consortium = copy
    with Store.open(path, consortium.genesis) as store:
        ids = [leaf_hash(raw) for raw in store.entries(0, 73)]
    edit(path, with_flipped_end(keys.numbered(keys.ENTRIES, 66)))
    edit(path, flipped(keys.numbered(keys.TREE, 3)))
    edit(path, lambda db: db.delete(FOURTH_NODES))
    edit(path, lambda db: db.delete(keys.numbered(keys.ENTRIES, 72)))
    with Store.open(path, consortium.genesis) as store:
        with pytest.raises(StoreCorruption, match="block 2: entry 66 is not in its block's tree"):
            store.receipt(ids[66])
        with pytest.raises(StoreCorruption, match="block 1: entry 0 is not in its block's tree"):
            store.receipt(ids[0])
        with pytest.raises(StoreCorruption, match=r"entries key \w+ is missing"):
            store.receipt(ids[70])
        with pytest.raises(StoreCorruption, match="no stored group contains the entry at log index 70"):
            store.entry(70)
        with pytest.raises(StoreCorruption, match=r"the tree node at position \d+ is missing"):
            store.inclusion(90, 108)
        with pytest.raises(StoreCorruption, match="block 2: entries are missing before log index 73"):
            store.decision(Height(2))
        sound = store.receipt(ids[65])
        assert sound is not None
        ReceiptVerifier(consortium.genesis).verify(sound)


@pytest.mark.parametrize("read", ["receipt", "entry", "inclusion", "decision"])
def test_damage_that_a_read_finds_stays_known(copy: tuple[Path, Consortium], read: str) -> None:
    path, consortium = copy
    with Store.open(path, consortium.genesis) as store:
        last = leaf_hash(store.entry(70))
    for key in (FOURTH_NODES, keys.numbered(keys.ENTRIES, 72)):
        edit(path, lambda db, key=key: db.delete(key))  # type: ignore[misc]
    with Store.open(path, consortium.genesis) as store:
        store.decision(Height(1))
        assert store.damage == ""
        reads: dict[str, Callable[[], object]] = {
            "receipt": lambda: store.receipt(last),
            "entry": lambda: store.entry(70),
            "inclusion": lambda: store.inclusion(90, 108),
            "decision": lambda: store.decision(Height(2)),
        }
        with pytest.raises(StoreCorruption) as first:
            reads.pop(read)()
        for another in reads.values():
            with pytest.raises(StoreCorruption):
                another()
        store.recover()
        assert store.damage == str(first.value)
        assert store.damage.endswith(StoreCorruption.REMEDY)
