"""The oracle of the registry on disks passes a store that joins by a snapshot, and fires on each way to spoil it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.simulation.oracle_replay import violation, watching
from tests.simulation.oracles import Oracles
from tests.support.histories import History, make_history

from notarium_store import Store

Batch = tuple[list[tuple[bytes, bytes]], list[bytes]]
Change = Callable[[Batch], Batch]

OWN, BASE, TIP = 3, 11, 16
"""Node 1 has the first blocks, adopts the snapshot of BASE, follows to the end, and fetches what is missing."""
FIRST, OF_OWN, ADOPTION, ABOVE, SECOND_ABOVE, BACKFILL, CLOSING = range(7)
"""The batches that it writes."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return make_history(tmp_path_factory.mktemp("registry") / "store")


@pytest.fixture(scope="module")
def batches(history: History, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[Batch]]:
    """What each of two nodes writes: 0 decides all blocks, 1 joins."""
    path = tmp_path_factory.mktemp("batches")
    written: dict[int, list[Batch]] = {}
    for node in (0, 1):
        with Store.open(path / str(node), history.consortium.genesis) as store:
            written[node] = [(store._db.scan(b""), [])]
            _record(store, written[node])
            _write(node, store, history)
    return written


def _record(store: Store, batches: list[Batch]) -> None:
    write = store._db.write

    def recorded(items: Any, deleted: Any = ()) -> None:
        batches.append(([*items], [*deleted]))
        write(*batches[-1])

    store._db.write = recorded  # type: ignore[method-assign]


def _write(node: int, store: Store, history: History) -> None:
    if node == 0:
        for height in range(1, TIP + 1):
            store.commit_many(history.parts(height, height))
        return
    store.commit_many(history.parts(1, OWN))
    store.adopt(history.snapshot(BASE))
    store.commit_many(history.parts(BASE + 1, BASE + 3))
    store.commit_many(history.parts(BASE + 4, TIP))
    store.backfill(history.parts(OWN + 1, BASE - 4))
    store.backfill(history.parts(BASE - 3, BASE))


def _played(history: History, batches: dict[int, list[Batch]]) -> Iterator[tuple[Oracles, list[Batch]]]:
    oracles = watching(history.consortium)
    for state in history.states:
        oracles.knows_set([(each.member, bytes(each.key)) for each in state.registry.validators.validators])
    for decision in history.decisions:
        for raw in decision.block.entries:
            oracles.submitted(raw, None, 0)
    for puts, deleted in batches[0]:
        oracles.wrote(0, puts, deleted)
    yield oracles, batches[1]


def _play(
    history: History, batches: dict[int, list[Batch]], at: int = -1, change: Change = lambda batch: batch
) -> None:
    for oracles, written in _played(history, batches):
        for number, batch in enumerate(written):
            puts, deleted = change(batch) if number == at else batch
            oracles.wrote(1, puts, deleted)


def test_a_store_that_joins_passes(history: History, batches: dict[int, list[Batch]]) -> None:
    assert len(batches[1]) == CLOSING + 1
    _play(history, batches)


def _without(*prefixes: bytes) -> Change:
    """A batch that leaves out these pairs and deletions."""
    return lambda batch: (
        [each for each in batch[0] if each[0][:1] not in prefixes],
        [each for each in batch[1] if each[:1] not in prefixes],
    )


def _spoilt(prefix: bytes) -> Change:
    return lambda batch: ([(key, value + b"\0" if key[:1] == prefix else value) for key, value in batch[0]], batch[1])


@pytest.mark.parametrize(
    ("at", "change", "reason"),
    [
        (FIRST, _spoilt(b"r"), "another registry than 0"),
        (OF_OWN, _without(b"r"), "another registry than 3"),
        (OF_OWN, _spoilt(b"r"), "another registry than 3"),
        (ABOVE, _without(b"l"), "another registry than 14"),
        (ABOVE, _spoilt(b"l"), "another registry than 14"),
        (BACKFILL, _without(b"r"), "another registry than 7"),
        (CLOSING, _without(b"r"), "another registry than 16"),
        (CLOSING, _without(b"l"), "keeps changes of the registry above a snapshot that is gone"),
    ],
)
def test_the_registry_on_the_disk(
    history: History, batches: dict[int, list[Batch]], at: int, change: Change, reason: str
) -> None:
    with violation("state", f"node 1 .*{reason}"):
        _play(history, batches, at, change)


def test_a_snapshot_with_another_registry(history: History, batches: dict[int, list[Batch]]) -> None:
    other: Any = history.snapshot(1).registry
    false = history.snapshot(BASE).__class__(history.snapshot(BASE).decided, other, history.snapshot(BASE).frontier)
    with violation("state", f"adopts a snapshot of height {BASE} with another registry"):
        _play(history, batches, ADOPTION, lambda batch: ([(b"b", false.encode()), *_without(b"b")(batch)[0]], batch[1]))
