"""The only writer of decisions: what is on the disk, and what is announced."""

import pytest

from notarium_consensus.permission import Memory, Permission
from notarium_ledger.types import Height
from notarium_store.errors import StoreError


async def test_a_receipt_that_cannot_be_read_costs_the_answer_and_not_the_decision(machine, monkeypatch):
    alone = machine(1)
    entry = alone.consortium.entry()
    waiter = alone.waiters.wait([entry.id])

    def broken(_):
        raise StoreError(alone.store.path, "unreadable")

    monkeypatch.setattr(alone.store, "receipt", broken)
    alone.mempool.add(entry)
    alone.driver.work_pending()
    assert alone.decisions == [1]
    assert not alone.driver.stalled
    assert not waiter.future.done()
    monkeypatch.undo()
    alone.submit()
    assert alone.decisions == [1, 2]


async def test_nothing_is_announced_before_it_is_on_the_disk(machine, monkeypatch):
    alone = machine(1)
    entry = alone.consortium.entry()
    waiter = alone.waiters.wait([entry.id])
    parts = [alone.consortium.decide(alone.store.state, [entry])]
    seen = []
    commit = alone.store.commit_many

    def refuse(parts):
        raise StoreError(alone.store.path, "full")

    def watched(parts):
        seen.append((list(alone.decisions), waiter.future.done()))
        commit(parts)

    monkeypatch.setattr(alone.store, "commit_many", refuse)
    with pytest.raises(StoreError):
        alone.driver._chain.extend(parts)
    assert (alone.decisions, waiter.future.done(), alone.driver._chain.decided) == ([], False, 0)
    monkeypatch.setattr(alone.store, "commit_many", watched)
    alone.driver._chain.extend(parts)
    assert seen == [([], False)]
    assert (alone.decisions, waiter.future.done(), alone.driver._chain.decided) == ([1], True, 1)


async def test_the_engine_gets_the_height_after_the_tip_and_the_permission_as_it_is(machine):
    alone = machine(1)
    alone.submit()
    permission = Permission(Memory.LOST, fence=Height(9))
    state = alone.store.state
    advance = alone.driver._chain.next_height(permission)
    assert (advance.height, advance.parent_hash, advance.parent_time_ms) == (2, state.tip, state.time_ms)
    assert advance.validators == state.registry.validators
    assert advance.permission is permission
