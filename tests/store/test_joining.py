"""Joining by a snapshot: go on at once, fetch the missing blocks later, and end as if it had never been otherwise."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.joining import check, joined, pairs
from tests.support.consortium import Consortium
from tests.support.histories import History

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import InvalidSnapshot
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import apply_block
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Height
from notarium_store import HistoryIncomplete, Store, StoreCorruption, StoreError, keys, opening, registry_records
from notarium_store.database import Database


@pytest.mark.parametrize("own", [0, 3, 10])
def test_a_node_that_joined_ends_with_the_same_store_as_one_that_was_always_there(
    path: Path, history: History, own: int
) -> None:
    with joined(path, history, own, 11, 14) as store:
        assert (store.state, store.history) == (history.states[14], history.states[own])
        assert not store.is_complete
        assert store.base == 11
        store.backfill(history.parts(own + 1, 11))
        assert store.is_complete
        assert store.base is None
        assert store.history == store.state == history.states[14]
        store.commit_many(history.parts(15, 16))
    assert pairs(path) == pairs(history.path)


@pytest.mark.parametrize("base", range(1, 16))
def test_receipts_behind_a_snapshot_of_any_height_verify(path: Path, history: History, base: int) -> None:
    """Also behind one whose own block changes the validator set."""
    verifier = ReceiptVerifier(history.consortium.genesis)
    with joined(path, history, 0, base, base + 1) as store:
        receipts = [store.receipt(leaf_hash(raw)) for raw in history.decision(base + 1).block.entries]
    with Store.open(path, history.consortium.genesis) as store:
        for receipt in receipts:
            assert receipt is not None
            verifier.verify_json(receipt.encode_json())
            assert store.receipt(leaf_hash(receipt.entry)) == receipt


class Joiner:
    """A store that joins, with what it must hold by now."""

    def __init__(self, path: Path, history: History) -> None:
        self.path = path
        self.history = history
        self.store = Store.open(path, history.consortium.genesis)
        self.live = self.filled = 0
        self.base: int | None = None

    def commit(self, blocks: int) -> None:
        last = min(self.live + blocks, self.history.tip)
        self.store.commit_many(self.history.parts(self.live + 1, last))
        self.live = last
        if self.base is None:
            self.filled = last

    def adopt(self, height: int) -> None:
        above = height > self.live
        assert self.store.adopt(self.history.snapshot(height)) is above
        if above:
            self.base = self.live = height

    def backfill(self, blocks: int) -> None:
        if self.base is not None:
            last = min(self.filled + blocks, self.base)
            self.store.backfill(self.history.parts(self.filled + 1, last))
            self.filled = last
            if last == self.base:
                self.base, self.filled = None, self.live

    def restart(self, _: int) -> None:
        """LevelDB recovers from its log; kill -9 is in test_crash.py."""
        self.store.close()
        self.store = Store.open(self.path, self.history.consortium.genesis)

    def check(self, _: int) -> None:
        self.store.close()
        report = check(self.path, self.history)
        assert (report.height, report.history) == (self.live, self.filled)
        missing = 0 if self.base is None else self.base - self.filled
        assert report.checked == self.live - missing
        self.store = Store.open(self.path, self.history.consortium.genesis)

    def look(self) -> None:
        store, history = self.store, self.history
        assert store.state == history.states[self.live]
        assert store.history == history.states[self.filled]
        assert store.is_complete is (self.base is None)
        assert registry_records.read(store._db) == history.states[self.filled].registry
        assert store.handovers() == (
            history.snapshot(self.live).handovers_after(store.state.registry) if self.live else ()
        )
        snapshot = store.snapshot()
        assert snapshot == (history.snapshot(self.live) if self.live else None)
        for height in range(1, history.tip + 1):
            signing = history.states[height - 1].registry.validators if height <= self.live + 1 else None
            assert store.validators_at(height) == signing
            stored = height <= self.filled or (self.base or 0) < height <= self.live
            assert store.has(height) is stored
            if stored:
                assert store.decision(Height(height)) == history.decision(height)
            elif height <= self.live:
                with pytest.raises(HistoryIncomplete):
                    store.decision(Height(height))


STEPS = st.lists(
    st.tuples(st.sampled_from(["commit", "adopt", "backfill", "restart", "check"]), st.integers(1, 16)), max_size=12
)


@settings(max_examples=40)
@given(STEPS)
def test_any_order_of_joining_following_and_restarting_keeps_the_law(history: History, steps: list) -> None:
    """Also a second snapshot before the first one's history is there, which leaves blocks lying in the middle."""
    with tempfile.TemporaryDirectory() as folder:
        joiner = Joiner(Path(folder) / "store", history)
        for name, amount in steps:
            getattr(joiner, name)(amount)
            joiner.look()
        joiner.commit(history.tip)
        joiner.backfill(history.tip)
        joiner.look()
        joiner.store.close()
        assert pairs(joiner.path) == pairs(history.path)


# Refusals


@pytest.mark.parametrize("height", [5, 4])
def test_only_upwards(path: Path, history: History, height: int) -> None:
    with Store.open(path, history.consortium.genesis) as store:
        store.commit_many(history.parts(1, 5))
        assert not store.adopt(history.snapshot(height))
        assert store.is_complete
        assert store.state == history.states[5]


def test_mistake_19_a_false_snapshot_changes_nothing(path: Path, history: History) -> None:
    good = history.snapshot(11)
    with Store.open(path, history.consortium.genesis) as store:
        store.commit_many(history.parts(1, 2))
        before = store.state
        for false in (
            replace(good, registry=history.snapshot(1).registry),
            replace(good, frontier=history.snapshot(10).frontier),
            replace(good, decided=replace(good.decided, certificate=history.snapshot(10).decided.certificate)),
        ):
            with pytest.raises(InvalidSnapshot):
                store.adopt(false)
        assert store.state == before
        assert store.is_complete
    assert check(path, history).height == 2


def test_consensus_records_up_to_the_snapshot_are_dropped(path: Path, history: History) -> None:
    old = keys.record(1, b"0/prepare")
    with Store.open(path, history.consortium.genesis) as store:
        store.put_record(Height(1), b"0/prepare", b"of the old chain")
        store.put_record(Height(12), b"0/prepare", b"of the next")
        store.adopt(history.snapshot(11))
        assert store.record() == (12, {b"0/prepare": b"of the next"})
        with pytest.raises(StoreError, match="block 11 is decided"):
            store.put_record(Height(11), b"0/commit", b"late")
    with Store.open(path, history.consortium.genesis) as store:
        assert store.record() == (12, {b"0/prepare": b"of the next"})
    assert check(path, history).height == 11
    assert old not in pairs(path)


def test_software_that_knows_no_gaps_refuses_a_store_with_one(path: Path, history: History) -> None:
    """It would take what is missing for what never was, and vote. It refuses any format but 7."""
    joined(path, history, 3, 11, 14).close()
    value = canonical.decode(pairs(path)[keys.META])
    assert value == [8, history.consortium.genesis.hash]
    with Store.open(path, history.consortium.genesis) as store:
        store.backfill(history.parts(4, 11))
    assert canonical.decode(pairs(path)[keys.META]) == [7, history.consortium.genesis.hash]


def test_blocks_that_do_not_follow_are_refused(path: Path, history: History) -> None:
    with joined(path, history, 3, 11, 12) as store:
        with pytest.raises(StoreError, match="block 5 does not follow the stored block 3"):
            store.backfill(history.parts(5, 6))
        with pytest.raises(StoreError, match="block 12 is not missing; commit it"):
            store.backfill(history.parts(4, 12))
        with pytest.raises(StoreError, match="block 4 does not follow the stored block 12"):
            store.commit_many(history.parts(4, 5))
        gapped = [*history.parts(4, 5), *history.parts(7, 8)]
        with pytest.raises(StoreError, match="block 7 does not follow the stored block 5"):
            store.backfill(gapped)
        assert store.history == history.states[3]
        store.backfill(history.parts(4, 11))
        store.backfill(history.parts(10, 11))  # A late answer is no harm.
        with pytest.raises(StoreError, match="block 13 is not missing"):
            store.backfill(history.parts(13, 13))
        assert store.state == history.states[12]


def test_mistake_19_a_history_that_is_not_the_snapshots_is_quarantined(path: Path, history: History) -> None:
    """More than a third of liars could certify two histories. Which is the right one, no program can say."""
    consortium = history.consortium
    rival, transition = consortium.decide(history.states[10], consortium.entries(2))
    with joined(path, history, 10, 11, 12) as store:
        with pytest.raises(StoreCorruption, match="not the block of the adopted snapshot") as caught:
            store.backfill([(rival, transition)])
        assert caught.value.height == 11
        assert "move the directory away" in str(caught.value)
        assert store.history == history.states[10]
    assert check(path, history).history == 10


def test_an_entry_that_was_decided_on_both_sides_of_the_gap_is_quarantined(path: Path) -> None:
    """While blocks are missing, a duplicate cannot be seen; it is found at the latest when they come in."""
    consortium = Consortium(1)
    twice = consortium.entries(1)
    first, first_does = consortium.decide(consortium.state, twice)
    second, second_does = consortium.decide(first_does.state, consortium.entries(1))
    third, third_does = consortium.decide(second_does.state, twice)
    with Store.open(path / "source", consortium.genesis) as source:
        source.commit_many([(first, first_does), (second, second_does)])
        snapshot = source.snapshot()
    assert snapshot is not None
    with Store.open(path / "joiner", consortium.genesis) as store:
        store.adopt(snapshot)
        assert apply_block(store.state, third.block, store.is_decided) == third_does
        store.commit(third, third_does)
        assert not store.is_in_history(twice[0].id)
        with pytest.raises(StoreCorruption, match=f"entry {twice[0].id.hex()} is already in block 1") as caught:
            store.backfill([(first, first_does)])
        assert caught.value.height == 3


# Disk


def test_many_blocks_are_one_synced_write(path: Path, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    with joined(path, history, 0, 11, 11) as store:
        writes: list[int] = []
        real = Database.write

        def counting(self: Database, items: Any, deleted: Any = ()) -> None:
            writes.append(1)
            real(self, items, deleted)

        monkeypatch.setattr(Database, "write", counting)
        store.commit_many(history.parts(12, 16))
        assert len(writes) == 1
        store.backfill(history.parts(1, 6))
        store.backfill(history.parts(7, 11))
        assert len(writes) == 3


def test_commit_many_is_commit_many_times(path: Path, history: History) -> None:
    with Store.open(path, history.consortium.genesis) as store:
        store.commit_many([])
        store.commit_many(history.parts(1, 7))
        store.commit_many(history.parts(5, 16))  # From the tip on; what is stored is skipped.
        assert store.state == history.states[16]
    assert pairs(path) == pairs(history.path)


@pytest.mark.parametrize("written", [True, False])
def test_a_failed_write_is_tried_again_without_harm(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch, written: bool
) -> None:
    """fsync may fail after the bytes are in the log, or before."""
    with Store.open(path, history.consortium.genesis) as store:
        real = store._db.write

        def failing(items: Any, deleted: Any = ()) -> None:
            if written:
                real(items, deleted)
            store._db.failed = True
            raise StoreError(path, "fsync failed")

        for act in (
            lambda: store.commit_many(history.parts(1, 2)),
            lambda: store.adopt(history.snapshot(11)),
            lambda: store.commit_many(history.parts(12, 14)),
            lambda: store.backfill(history.parts(3, 8)),
            lambda: store.backfill(history.parts(9, 11)),
        ):
            monkeypatch.setattr(store._db, "write", failing)
            before = (store.state, store.history, store.base)
            with pytest.raises(StoreError, match="fsync failed"):
                act()
            assert (store.state, store.history, store.base) == before
            monkeypatch.undo()
            act()
        store.commit_many(history.parts(15, 16))
    assert pairs(path) == pairs(history.path)


def test_nothing_is_written_on_a_remembered_state_where_the_stored_one_could_not_be_read(
    path: Path, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snapshot reached the disk, its fsync failed, and so did the first attempt to read what is there."""

    def failing(*_: Any) -> None:
        raise StoreCorruption(path, "cannot be read")

    with Store.open(path, history.consortium.genesis) as store:
        store.commit_many(history.parts(1, 2))
        store.adopt(history.snapshot(11))
        store._db.failed = True
        store._gap, store._live = None, history.states[2]  # As before the attempt.
        with monkeypatch.context() as broken:
            broken.setattr(opening, "load", failing)
            for _ in range(2):
                with pytest.raises(StoreCorruption, match="cannot be read"):
                    store.commit_many(history.parts(3, 3))
        with pytest.raises(StoreError, match="block 3 does not follow the stored block 11"):
            store.commit_many(history.parts(3, 3))
    assert check(path, history).height == 11
