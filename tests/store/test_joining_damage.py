"""Damage beside and inside the gap of a store that joined by a snapshot."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import plyvel
import pytest
from tests.store.damaging import edit
from tests.store.joining import check, joined, pairs
from tests.support.consortium import digest
from tests.support.histories import History

from notarium_ledger.encoding import canonical
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.types import Hash, Height
from notarium_store import Store, StoreCorruption, keys
from notarium_store.layout import FORMAT_VERSION, StoredState


def _garbage(key: bytes) -> Callable[[plyvel.DB], object]:
    return lambda db: db.put(key, b"\x90")


def _as_without_gap(db: plyvel.DB) -> None:
    value: Any = canonical.decode(db.get(keys.META) or b"")
    db.put(keys.META, canonical.encode([FORMAT_VERSION, value[1]]))


def _without_gap(db: plyvel.DB) -> None:
    _as_without_gap(db)
    db.delete(keys.BASE)


def _history_above(db: plyvel.DB) -> None:
    db.put(keys.HISTORY, db.get(keys.STATE) or b"")


def _other_history(db: plyvel.DB) -> None:
    stored = StoredState.decode(db.get(keys.HISTORY) or b"")
    db.put(keys.HISTORY, replace(stored, tip=Hash(digest("another tip"))).encode())


def _state_in_the_gap(db: plyvel.DB) -> None:
    stored = StoredState.decode(db.get(keys.STATE) or b"")
    db.put(keys.STATE, replace(stored, height=Height(9)).encode())


def _other_snapshot(height: int) -> Callable[[History], Callable[[plyvel.DB], object]]:
    return lambda history: lambda db: db.put(keys.BASE, history.snapshot(height).encode())


def _false_snapshot(history: History) -> Callable[[plyvel.DB], object]:
    false = replace(history.snapshot(11), registry=history.snapshot(1).registry)
    return lambda db: db.put(keys.BASE, false.encode())


def _same(change: Callable[[plyvel.DB], object]) -> Callable[[History], Callable[[plyvel.DB], object]]:
    return lambda _: change


AT_OPEN: dict[str, tuple[Callable[[History], Callable[[plyvel.DB], object]], str]] = {
    "no snapshot": (
        _same(lambda db: db.delete(keys.BASE)),
        "format version 8 does not match the presence of base snapshot key 62",
    ),
    "no gap": (_same(_without_gap), "base snapshot key 62 is missing, but history key 67 is present"),
    "as if of old": (_same(_as_without_gap), "format version 7 does not match the presence of base snapshot key 62"),
    "no history": (
        _same(lambda db: db.delete(keys.HISTORY)),
        "history key 67 is missing, but base snapshot key 62 is present",
    ),
    "no state": (_same(lambda db: db.delete(keys.STATE)), "state key 73 is missing"),
    "garbage snapshot": (_same(_garbage(keys.BASE)), "base snapshot key 62 cannot be read"),
    "garbage history": (_same(_garbage(keys.HISTORY)), "history key 67 cannot be read"),
    "false snapshot": (_false_snapshot, "block 11: the adopted snapshot is not valid: registry"),
    "history above": (_same(_history_above), "history key 67 is not below the adopted snapshot"),
    "another history": (_same(_other_history), "block 4: the stored header is not the state's tip"),
    "state in the gap": (_same(_state_in_the_gap), "block 9: the stored state is not that of the adopted snapshot"),
    "an earlier snapshot": (_other_snapshot(8), "block 14: .* do not lead to the validator set"),
    "no block behind it": (_same(lambda db: db.delete(keys.numbered(keys.HEADER, 14))), "block 14: the header is"),
}


@pytest.mark.parametrize("name", AT_OPEN)
def test_mistake_19_damage_beside_a_gap_is_found_at_open(path: Path, history: History, name: str) -> None:
    joined(path, history, 3, 11, 14, filled=1).close()
    change, expected = AT_OPEN[name]
    edit(path, change(history))
    for attempt in (lambda: Store.open(path, history.consortium.genesis), lambda: check(path, history)):
        with pytest.raises(StoreCorruption):
            attempt()
    with pytest.raises(StoreCorruption, match=expected) as caught:
        Store.open(path, history.consortium.genesis)
    assert "restore a backup" in str(caught.value)


def _flip(key: bytes) -> Callable[[plyvel.DB], object]:
    def change(db: plyvel.DB) -> None:
        value = db.get(key)
        assert value
        db.put(key, value[:-1] + bytes((value[-1] ^ 1,)))

    return change


@pytest.mark.parametrize(
    ("change", "height"),
    [
        (_flip(keys.numbered(keys.HEADER, 2)), 2),
        (_flip(keys.numbered(keys.HEADER, 12)), 12),
        (lambda db: db.put(keys.named(keys.DIGEST, digest("stray"), 0), b""), None),
        (lambda db: db.put(keys.numbered(keys.HEADER, 15), b""), None),
    ],
)
def test_the_check_finds_damage_on_both_sides_of_the_gap(
    path: Path, history: History, change: Callable[[plyvel.DB], object], height: int | None
) -> None:
    joined(path, history, 3, 11, 14, filled=3).close()
    report = check(path, history)
    assert (report.height, report.history, report.checked) == (14, 6, 9)
    edit(path, change)
    with pytest.raises(StoreCorruption) as caught:
        check(path, history)
    assert caught.value.height == height


def test_what_an_earlier_snapshot_left_in_the_gap_is_written_once_more(path: Path, history: History) -> None:
    """Damage there does no harm: the blocks come in again."""
    with joined(path, history, 2, 5, 8) as store:
        assert store.adopt(history.snapshot(12))
    edit(path, _flip(keys.numbered(keys.HEADER, 7)))
    assert check(path, history).checked == 2
    with Store.open(path, history.consortium.genesis) as store:
        store.backfill(history.parts(3, 5))
        left = leaf_hash(history.decision(6).block.entries[0])
        assert store.is_decided(left)
        assert not store.is_in_history(left), "block 6 could not be backfilled any more"
        store.backfill(history.parts(6, 12))
        store.commit_many(history.parts(13, 16))
    assert pairs(path) == pairs(history.path)
