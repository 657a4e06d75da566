"""The last blocks are served from memory, and only so many are kept."""

import pytest
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_store import Store
from notarium_store.database import Database


def test_what_was_just_decided_is_served_without_reading_the_disk(
    store: Store, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    decisions = grow(store, consortium, [200, 77, 1])

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("read the disk")

    for name in ("get", "seek", "scan"):
        monkeypatch.setattr(Database, name, forbidden)
    verifier = ReceiptVerifier(consortium.genesis)
    for decision in decisions:
        for raw in decision.block.entries:
            receipt = store.receipt(leaf_hash(raw))
            assert receipt is not None
            assert store.is_decided(leaf_hash(raw))
            verifier.verify(receipt)


@pytest.mark.parametrize(
    ("bound", "value", "sizes", "kept"),
    [
        ("MAX_ENTRIES", 50, [20, 20, 20, 1], [20, 20, 1]),
        ("MAX_ENTRIES", 50, [20, 20, 300], [300]),
        ("MAX_BLOCKS", 2, [1, 2, 3, 4], [3, 4]),
        # An entry of a batch of one has between 200 and 250 bytes.
        ("MAX_BYTES", 1000, [1, 1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 1]),
        ("MAX_BYTES", 1000, [16], [16]),
    ],
)
def test_recent_blocks_are_bounded(
    store: Store,
    consortium: Consortium,
    monkeypatch: pytest.MonkeyPatch,
    bound: str,
    value: int,
    sizes: list[int],
    kept: list[int],
) -> None:
    monkeypatch.setattr(f"notarium_store.recent.{bound}", value)
    decisions = grow(store, consortium, sizes)
    recent = store._recent
    assert [len(block.entries) for block in recent._blocks] == kept
    assert len(recent._positions) == sum(kept)
    assert recent._bytes == sum(block.size_bytes for block in recent._blocks)
    receipt = store.receipt(leaf_hash(decisions[0].block.entries[-1]))
    assert receipt is not None
    ReceiptVerifier(consortium.genesis).verify(receipt)
