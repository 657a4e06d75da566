"""A block is due at once when the node is idle, and after a short wait for a full one under load."""

import asyncio

import pytest
from tests.support.consortium import Consortium

from notarium_node.driving import pacing
from notarium_node.driving.pacing import BUSY_ENTRIES, Pacing
from notarium_node.entries.mempool import Mempool

BLOCK_ENTRIES = 20


@pytest.fixture
def consortium():
    return Consortium(4)


@pytest.fixture
def mempool():
    return Mempool(100, 1 << 20)


def fill(mempool, consortium, count):
    for _ in range(count):
        mempool.add(consortium.entry())


async def test_a_block_is_due_as_soon_as_an_entry_waits(mempool, consortium):
    paced = Pacing(mempool, BLOCK_ENTRIES)
    assert not paced.is_due()
    fill(mempool, consortium, 1)
    assert paced.is_due()


async def test_after_a_small_block_nothing_is_waited_for(mempool, consortium):
    paced = Pacing(mempool, BLOCK_ENTRIES)
    paced.after_block(BUSY_ENTRIES - 1, lambda: pytest.fail("there is no wait that could end"))
    fill(mempool, consortium, 1)
    assert paced.is_due()


async def test_after_a_busy_block_as_many_entries_again_end_the_wait(mempool, consortium, monkeypatch):
    monkeypatch.setattr(pacing, "LINGER_S", 60)
    paced = Pacing(mempool, BLOCK_ENTRIES)
    fill(mempool, consortium, 2)
    paced.after_block(BUSY_ENTRIES, lambda: pytest.fail("the wait ends by the entries"))
    fill(mempool, consortium, BUSY_ENTRIES - 1)
    assert not paced.is_due(), "two waited already: as many again come on top"
    fill(mempool, consortium, 1)
    assert paced.is_due()
    paced.stop()


async def test_a_full_block_is_not_waited_for(mempool, consortium, monkeypatch):
    monkeypatch.setattr(pacing, "LINGER_S", 60)
    paced = Pacing(mempool, BLOCK_ENTRIES)
    fill(mempool, consortium, BLOCK_ENTRIES)
    paced.after_block(BLOCK_ENTRIES, lambda: None)
    assert paced.is_due()


async def test_the_wait_ends_at_its_deadline_with_what_is_there(mempool, consortium, monkeypatch):
    monkeypatch.setattr(pacing, "LINGER_S", 0.01)
    paced = Pacing(mempool, BLOCK_ENTRIES)
    ended = asyncio.Event()
    paced.after_block(BUSY_ENTRIES, ended.set)
    fill(mempool, consortium, 1)
    assert not paced.is_due()
    await asyncio.wait_for(ended.wait(), 60)
    assert paced.is_due()
