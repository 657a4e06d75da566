"""Only a few are at work, and addresses take turns."""

from __future__ import annotations

import asyncio
import itertools

from notarium_node.http.turns import FairTurns


async def work(turns: FairTurns, address: str, done: list[str], at_work: list[int]) -> None:
    async with turns.turn(address):
        at_work.append(at_work[-1] + 1)
        for _ in range(3):
            await asyncio.sleep(0)
        at_work.append(at_work[-1] - 1)
        done.append(address)


async def test_only_so_many_are_at_work_and_all_have_their_turn():
    turns, at_work = FairTurns(2), [0]
    done: list[str] = []
    await asyncio.gather(*(work(turns, "a", done, at_work) for _ in range(9)))
    assert len(done) == 9
    assert max(at_work) == 2
    await asyncio.gather(*(work(turns, "a", done, at_work) for _ in range(9)))
    assert max(at_work) == 2, "all places are free again, and no more"


async def test_whoever_comes_late_does_not_wait_behind_all_work_of_another_address():
    turns, at_work = FairTurns(1), [0]
    done: list[str] = []
    await asyncio.gather(*(work(turns, each, done, at_work) for each in "aaaaaaabc"))
    assert done[:4] == ["a", "a", "b", "c"]


async def test_a_turn_that_nobody_uses_is_passed_on():
    turns, at_work = FairTurns(1), [0]
    done: list[str] = []
    first = asyncio.create_task(work(turns, "a", done, at_work))
    await asyncio.sleep(0)
    given_up = [asyncio.create_task(work(turns, "b", done, at_work)) for _ in range(3)]
    last = asyncio.create_task(work(turns, "c", done, at_work))
    await asyncio.sleep(0)
    for each in given_up:
        each.cancel()
    await asyncio.gather(first, last)
    assert done == ["a", "c"]
    await work(turns, "d", done, at_work)


async def test_a_turn_that_came_at_the_moment_of_cancelling_is_passed_on():
    turns, at_work = FairTurns(1), [0]
    done: list[str] = []
    async with turns.turn("a"):
        leaving = asyncio.create_task(work(turns, "b", done, at_work))
        next_ = asyncio.create_task(work(turns, "c", done, at_work))
        await asyncio.sleep(0)
    leaving.cancel()
    await next_
    assert done == ["c"]


async def test_only_so_many_begin_in_one_turn_of_the_event_loop_and_addresses_alternate():
    turns = FairTurns(2)
    begun: list[str] = []

    async def piece(address: str) -> None:
        await turns.begin(address)
        begun.append(address)
        await asyncio.sleep(60)  # It goes on, and others begin all the same.

    tasks = [asyncio.create_task(piece(address)) for address in "aaaaaaabc"]
    rounds = [0]
    while len(begun) < 9:
        await asyncio.sleep(0)
        rounds.append(len(begun))
    for each in tasks:
        each.cancel()
    assert max(after - before for before, after in itertools.pairwise(rounds)) == 2
    assert begun[:6] == ["a", "a", "a", "b", "c", "a"]
