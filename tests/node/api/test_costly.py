"""Costly reads take turns, leave the event loop to others, and do not wait without bound."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from notarium_node.api.costly import MOST_OF_ONE, SLICE, CostlyReads, in_slices
from notarium_node.api.problems import ApiProblem, ProblemType


def request(address="a"):
    asked: Any = SimpleNamespace(address=address)
    return asked


@pytest.fixture
async def reads():
    return CostlyReads(lambda asked: asked.address)  # type: ignore[attr-defined]


async def test_only_one_runs_and_all_get_their_turn(reads):
    running, most, done = 0, 0, []

    async def read(number):
        nonlocal running, most
        async with reads.turn(request(str(number % 8))):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1
            done.append(number)

    await asyncio.gather(*(read(number) for number in range(32)))
    assert most == 1
    assert done == list(range(32))


async def test_one_address_waits_for_itself_and_others_have_room(reads):
    gate = asyncio.Event()

    async def read(address):
        async with reads.turn(request(address)):
            await gate.wait()

    held = [asyncio.create_task(read("a")) for _ in range(MOST_OF_ONE)]
    await asyncio.sleep(0)
    with pytest.raises(ApiProblem) as caught:
        await read("a")
    assert caught.value.kind is ProblemType.TOO_MANY
    assert caught.value.headers["Retry-After"] == "1"
    other = asyncio.create_task(read("b"))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*held, other)


async def test_a_cancelled_read_gives_its_place_back(reads):
    gate = asyncio.Event()

    async def read():
        async with reads.turn(request()):
            await gate.wait()

    for _ in range(3 * MOST_OF_ONE):
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    gate.set()
    await read()


async def test_others_have_turns_between_the_slices():
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    assert await in_slices(lambda item: 2 * item, range(10 * SLICE)) == [2 * item for item in range(10 * SLICE)]
    assert turns >= 9
    task.cancel()
