"""A ledger, and nodes that join it."""

import pytest
from tests.node.catching_up import Node
from tests.node.catchup.chain import LAG, LENGTH, WIPED, Chain, peers

from notarium_node.peers import wire


@pytest.fixture
async def ledger(tmp_path):
    made = Chain(tmp_path / "ledger")
    made.grow(LENGTH)
    yield made
    made.store.close()


@pytest.fixture
async def start(tmp_path, ledger):
    made: list[Node] = []

    def make(path="node", **settings):
        made.append(Node(tmp_path / path, ledger, **{"key_number": WIPED, "snapshot_lag": LAG} | settings))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def small_answers(monkeypatch):
    """Many questions and many groups for a short chain."""
    monkeypatch.setattr(wire, "MAX_BLOCKS", 7)
    monkeypatch.setattr(wire, "SNAPSHOT_PART_BYTES", 500)


@pytest.fixture
async def aged(start, ledger):
    """There is a store with the ledger as it is now, of a validator that knows its past."""
    node = start(snapshot_lag=LENGTH, is_new=True)
    node.meet(*peers(ledger))
    await node.reaches(LENGTH)
    node.hear_statuses()
    assert node.recall.permission.remembers
    node.stop()
