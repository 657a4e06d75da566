"""Requests wait for entries and are answered once these are decided."""

import asyncio
from typing import Any

import pytest
from tests.support.consortium import Consortium, digest

from notarium_ledger.errors import InvalidEntry
from notarium_ledger.types import Hash
from notarium_node.entries.waiters import Waiters

A, B, C = (Hash(digest(name)) for name in "abc")


def make_receipt() -> Any:
    """Stands for a receipt; the hub only hands it on."""
    return object()


async def test_a_waiter_is_done_when_all_its_entries_are_decided():
    hub, one, two = Waiters(), make_receipt(), make_receipt()
    waiter = hub.wait([A, B, A])
    hub.resolve(C, one)
    hub.resolve(A, one)
    assert not waiter.future.done()
    hub.resolve(B, two)
    await asyncio.wait_for(waiter.future, 60)
    assert waiter.receipts == {A: one, B: two}
    assert hub.waiting == 0


async def test_everyone_who_waits_is_answered():
    hub, receipt = Waiters(), make_receipt()
    waiters = [hub.wait([A]), hub.wait([A, B]), hub.wait([A])]
    hub.resolve(A, receipt)
    assert [waiter.future.done() for waiter in waiters] == [True, False, True]
    assert waiters[1].receipts == {A: receipt}


async def test_an_entry_that_became_invalid_ends_the_wait_with_its_error():
    hub = Waiters()
    waiter = hub.wait([A, B])
    hub.refuse(A, InvalidEntry("was revoked", "key"))
    with pytest.raises(InvalidEntry, match="revoked"):
        await waiter.future
    hub.leave(waiter)
    hub.resolve(B, make_receipt())  # Nobody is there any more.
    assert hub.waiting == 0


async def test_a_refusal_after_a_refusal_and_a_decision_after_leaving_do_no_harm():
    hub = Waiters()
    waiter, other = hub.wait([A, B]), hub.wait([A])
    hub.leave(waiter)
    assert hub.is_awaited(A)
    assert not hub.is_awaited(B)
    hub.refuse(A, InvalidEntry("x"))
    hub.refuse(A, InvalidEntry("y"))
    assert str(other.future.exception()) == "x"
    assert not waiter.future.done()
    hub.leave(waiter)
    assert hub.waiting == 0


async def test_a_cancelled_waiter_does_not_stop_the_others():
    hub, receipt = Waiters(), make_receipt()
    gone, here = hub.wait([A]), hub.wait([A])
    gone.future.cancel()
    hub.resolve(A, receipt)
    assert here.future.done()


async def test_subscribers_hear_of_each_decision_until_they_leave():
    hub, consortium, heard = Waiters(), Consortium(1), []
    leave = hub.subscribe(lambda decision, transition: heard.append(decision.height))
    state = consortium.state
    for _ in range(2):
        decision, transition = consortium.decide(state, [consortium.entry()])
        hub.announce(decision, transition)
        state = transition.state
    leave()
    hub.announce(*consortium.decide(state, [consortium.entry()]))
    assert heard == [1, 2]


async def test_who_waits_for_receipts_gets_those_of_the_decided_within_the_time():
    waiters, receipt = Waiters(), make_receipt()
    waiting = asyncio.create_task(waiters.wait_for([A, B], 0.05))
    await asyncio.sleep(0)
    waiters.resolve(A, receipt)
    assert await waiting == {A: receipt}
    assert waiters.waiting == 0


async def test_who_waits_for_receipts_gets_the_error_of_an_entry_that_became_invalid():
    waiters = Waiters()
    waiting = asyncio.create_task(waiters.wait_for([A, B], 60))
    await asyncio.sleep(0)
    waiters.refuse(A, InvalidEntry("was revoked", "key"))
    with pytest.raises(InvalidEntry, match="revoked"):
        await waiting
    assert waiters.waiting == 0


async def test_a_wait_for_receipts_that_is_cancelled_leaves_nothing_behind():
    waiters = Waiters()
    waiting = asyncio.create_task(waiters.wait_for([A], 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert waiters.waiting == 0
