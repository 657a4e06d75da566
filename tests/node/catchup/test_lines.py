"""The live chain checks all signatures and knows what waits; the history looks only at what it has itself."""

from typing import Any

import pytest
from tests.node.catchup.company import short_ledger

from notarium_ledger.entries.entry import decode_entry
from notarium_node.catchup.lines import HistoryLine, LiveLine
from notarium_node.entries.mempool import Mempool


@pytest.fixture
def ledger(tmp_path):
    with short_ledger(tmp_path) as made:
        yield made


class FakeDriver:
    """Stores as it is set to."""

    def __init__(self, stores):
        self._stores = stores
        self.reviewed = []

    def take(self, parts):
        return self._stores

    def backfill(self, parts):
        return self._stores

    def review(self):
        self.reviewed.append(True)


def test_the_live_line_reuses_what_was_verified_for_the_mempool(ledger):
    mempool = Mempool(10, 1 << 20)
    driver: Any = FakeDriver(True)
    line = LiveLine(ledger.store, driver, mempool)
    entry = ledger.consortium.entry()
    assert line.checks_signatures
    assert line.known(entry.raw) is None
    mempool.add(entry)
    assert line.known(entry.raw) == entry
    decided = decode_entry(ledger.decisions[0].block.entries[0])
    assert line.is_decided(decided.id)
    assert not line.is_decided(entry.id)
    assert line.state is ledger.store.state
    assert line.store([])


@pytest.mark.parametrize("stores", [True, False])
def test_after_history_was_stored_the_driver_reviews_whether_it_may_sign(ledger, stores):
    driver: Any = FakeDriver(stores)
    line = HistoryLine(ledger.store, driver, checks_signatures=False)
    assert not line.checks_signatures
    assert line.known(ledger.decisions[0].block.entries[0]) is None
    assert line.state is ledger.store.history
    assert line.store([]) is stores
    assert driver.reviewed == [True] * stores
