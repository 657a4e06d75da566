"""The registry on the disk is one pair for each record; opening and the check find each that is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plyvel
import pytest
from tests.store.damaging import check, edit
from tests.store.joining import joined, pairs
from tests.support.chains import commit, grow
from tests.support.consortium import Consortium, digest, key
from tests.support.histories import History

from notarium_ledger.encoding import canonical
from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.state.registry import Registry
from notarium_ledger.types import Height
from notarium_store import Store, StoreCorruption, keys, registry_records
from notarium_store.database import Database
from notarium_store.store import Part

NODE, RESEARCHER = b"n", b"k"
"""Kinds of records."""
TELLS = "`notarium-node check` names the record"


def enrolment(consortium: Consortium, label: str) -> Any:
    return consortium.entry(consortium.member_body("enrol", 0, key=bytes(key(label).public)))


def registry_at(store: Store) -> dict[bytes, bytes]:
    return {name[1:]: value for name, value in store._db.pairs(keys.REGISTRY)}


def test_the_pairs_are_the_records_after_each_block(path: Path, history: History) -> None:
    with Store.open(path, history.consortium.genesis) as store:
        for height in range(history.tip + 1):
            store.commit_many(history.parts(height, height) if height else [])
            expected = history.states[height].registry
            assert registry_at(store) == dict(expected.records())
            assert registry_records.read(store._db) == expected


def test_changes_above_a_snapshot_lie_apart_until_the_gap_is_closed(path: Path, history: History) -> None:
    with joined(path, history, 4, 8, 12, filled=2) as store:
        assert registry_at(store) == dict(history.states[6].registry.records())
        later = registry_records.read_later(store._db)
        assert None in later.values(), "block 10 replaces a node, whose record goes"
        assert later == registry_records.changes_of(history.transitions[8:12])
        assert registry_records.read_live(store._db, history.states[8].registry) == history.states[12].registry
        store.backfill(history.parts(7, 8))
        assert registry_records.read_later(store._db) == {}
        assert registry_at(store) == dict(history.states[12].registry.records())


def test_another_snapshot_contains_what_lay_above_the_one_before(path: Path, history: History) -> None:
    with joined(path, history, 2, 4, 7) as store:
        assert registry_records.read_later(store._db)
        store.adopt(history.snapshot(12))
        assert registry_records.read_later(store._db) == {}
    with Store.open(path, history.consortium.genesis) as store:
        assert (store.history, store.state) == (history.states[2], history.states[12])


def test_a_change_costs_what_its_records_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty enrolments once made 80 MiB where 50,000 keys were enrolled."""
    written: dict[int, list[int]] = {}
    real = Database.write
    for researchers in (1, 2_000):
        consortium, sizes = Consortium(4, researchers=researchers), list[int]()

        def measured(self: Database, items: Any, deleted: Any = (), to: list[int] = sizes) -> None:
            batch = list(items)
            to.append(sum(len(name) + len(value) for name, value in batch))
            real(self, batch, deleted)

        with Store.open(tmp_path / str(researchers), consortium.genesis) as store:
            monkeypatch.setattr(Database, "write", measured)
            for number in range(5):
                commit(store, consortium, [enrolment(consortium, f"new {number}")])
            monkeypatch.undo()
            longest = max(store._db.pairs(b""), key=lambda pair: len(pair[1]))
            assert longest[0][:1] not in (keys.REGISTRY, keys.STATE), "no value grows with the registry"
        written[researchers] = sizes
        with Store.open(tmp_path / str(researchers), consortium.genesis) as store:
            assert len(list(store._db.pairs(keys.REGISTRY + RESEARCHER))) == researchers + 5
    few, many = written.values()
    assert max(many) < 3_000
    assert [abs(left - right) < 20 for left, right in zip(few, many, strict=True)] == [True] * 5


def test_of_a_record_that_changed_on_both_sides_of_a_gap_the_later_value_stays(tmp_path: Path) -> None:
    """Each enrolment counts in the record of the member."""
    consortium = Consortium(1)
    with Store.open(tmp_path / "source", consortium.genesis) as source:
        for number in range(4):
            commit(source, consortium, [enrolment(consortium, f"key {number}")])
            if number == 1:
                snapshot = source.snapshot()
        blocks = [source.decision(Height(height)) for height in range(1, 5)]
        state = source.state
    assert snapshot is not None
    with Store.open(tmp_path / "joiner", consortium.genesis) as store:
        store.adopt(snapshot)
        for block in blocks[2:]:
            assert block is not None
            store.commit(block, apply_block(store.state, block.block, store.is_decided))
        parts, below = list[Part](), store.history
        for block in blocks[:2]:
            assert block is not None
            parts.append((block, apply_block(below, block.block, store.is_in_history)))
            below = parts[-1][1].state
        store.backfill(parts)
        assert store.is_complete
        assert registry_at(store) == dict(state.registry.records())
    assert pairs(tmp_path / "joiner") == pairs(tmp_path / "source")


def test_a_registry_larger_than_any_value_may_be_opens_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 64 MiB a registry was valid, was committed, and no store with it opened any more."""
    consortium = Consortium(4, researchers=500)
    monkeypatch.setattr(canonical, "MAX_BYTES", 16 * 1024)
    with Store.open(path, consortium.genesis) as store:
        commit(store, consortium, [enrolment(consortium, "one more")])
        assert sum(map(len, registry_at(store))) > canonical.MAX_BYTES
        state = store.state
    with Store.open(path, consortium.genesis) as store:
        assert store.state == state
        commit(store, consortium, [enrolment(consortium, "and another")])
    assert check(path, consortium).height == 2


# Damage


def first(db: plyvel.DB, prefix: bytes) -> tuple[bytes, bytes]:
    return next(iter(db.iterator(prefix=prefix)))


def missing(prefix: bytes) -> Callable[[plyvel.DB], None]:
    return lambda db: db.delete(first(db, prefix)[0])


def replaced(prefix: bytes, value: bytes) -> Callable[[plyvel.DB], None]:
    return lambda db: db.put(first(db, prefix)[0], value)


def added(name: bytes, value: bytes = b"\x92\x00\xc2") -> Callable[[plyvel.DB], None]:
    return lambda db: db.put(name, value)


def another_of_its_kind(prefix: bytes) -> Callable[[plyvel.DB], None]:
    """The value of one record under the key of another."""

    def change(db: plyvel.DB) -> None:
        (one, _), (_, other) = list(db.iterator(prefix=prefix))[:2]
        db.put(one, other)

    return change


NODES, STRAY = keys.REGISTRY + NODE, keys.REGISTRY + RESEARCHER + digest("stray")
MISMATCH = f"block 7: the stored registry does not hash to the state root; {TELLS}"
DAMAGE: dict[str, tuple[Callable[[plyvel.DB], None], str, str]] = {
    "missing": (missing(keys.REGISTRY + RESEARCHER), MISMATCH, "registry record key 726b.* is missing"),
    "too many": (added(STRAY), MISMATCH, f"registry record key {STRAY.hex()} does not belong to the registry"),
    "too many at the end": (added(keys.REGISTRY + b"z"), "of the unknown kind", "key 727a does not belong"),
    "changed": (
        replaced(keys.REGISTRY + RESEARCHER, b"\x92\x01\xc2"),
        MISMATCH,
        "registry record key 726b.* does not match the chain",
    ),
    "not readable": (replaced(NODES, b"\x90"), "the stored registry cannot be read", "key 726e.* does not match the"),
    "of another": (
        another_of_its_kind(NODES),
        "cannot be read: .* appears twice",
        "key 726e.* does not match the chain",
    ),
    "later": (added(keys.LATER + b"t", b""), "later registry record key 6c74 is present, but no blocks are", "6c74"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_wrong_record_is_found_at_open_and_named_by_the_check(copy: tuple[Path, Consortium], name: str) -> None:
    path, consortium = copy
    change, at_open, by_check = DAMAGE[name]
    edit(path, change)
    with pytest.raises(StoreCorruption, match=at_open):
        Store.open(path, consortium.genesis)
    with pytest.raises(StoreCorruption, match=by_check):
        check(path, consortium)


@pytest.mark.parametrize("name", ["missing", "too many", "changed"])
def test_a_wrong_record_before_the_first_block(path: Path, consortium: Consortium, name: str) -> None:
    Store.open(path, consortium.genesis).close()
    edit(path, DAMAGE[name][0])
    with pytest.raises(StoreCorruption, match=f"the stored registry is not that of genesis; {TELLS}"):
        Store.open(path, consortium.genesis)
    with pytest.raises(StoreCorruption, match=DAMAGE[name][2]):
        check(path, consortium)


LATER_NODES = keys.LATER + NODE
BESIDE_A_GAP: dict[str, tuple[Callable[[plyvel.DB], None], str, str]] = {
    "below: missing": (missing(NODES), "block 6: the stored registry does not hash", "registry record key 726e.* is"),
    "below: too many": (added(STRAY), "block 6: the stored registry does not hash", f"{STRAY.hex()} does not belong"),
    "above: missing": (missing(keys.LATER + RESEARCHER), MISMATCH.replace("7", "14"), "key 6c6b.* is missing"),
    "above: kept": (
        lambda db: db.put(next(name for name, value in db.iterator(prefix=LATER_NODES) if not value), b"\x90"),
        "the stored registry cannot be read",
        "key 6c6e.* does not match the chain",
    ),
    "above: too many": (
        added(keys.LATER + STRAY[1:]),
        MISMATCH.replace("7", "14"),
        f"6c{STRAY[1:].hex()} does not belong to the registry",
    ),
}


@pytest.mark.parametrize("name", BESIDE_A_GAP)
def test_a_wrong_record_beside_a_gap_is_found_at_open_and_named_by_the_check(
    path: Path, history: History, name: str
) -> None:
    joined(path, history, 4, 8, 14, filled=2).close()
    change, at_open, by_check = BESIDE_A_GAP[name]
    edit(path, change)
    with pytest.raises(StoreCorruption, match=at_open):
        Store.open(path, history.consortium.genesis)
    with pytest.raises(StoreCorruption, match=by_check):
        check(path, history.consortium)


def test_a_change_of_a_snapshot_without_blocks_above_it(path: Path, history: History) -> None:
    joined(path, history, 4, 8, 8).close()
    edit(path, added(keys.LATER + STRAY[1:]))
    with pytest.raises(StoreCorruption, match=f"block 8: the stored registry is not that of the adopted .*; {TELLS}"):
        Store.open(path, history.consortium.genesis)


def test_reading_goes_by_pages(path: Path, consortium: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, [1])
        monkeypatch.setattr("notarium_store.database.PAGE_PAIRS", 3)
        assert dict(store._db.pairs(keys.REGISTRY)) == {
            name: value for name, value in store._db.scan(b"") if name[:1] == keys.REGISTRY
        }
        assert Registry.of_records((name[1:], value) for name, value in store._db.pairs(keys.REGISTRY)) == (
            store.state.registry
        )
    assert pairs(path)
