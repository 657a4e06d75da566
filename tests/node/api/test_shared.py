"""An answer that is dear to make is made once for all who wait for it, and is never older than a request."""

import asyncio
from types import SimpleNamespace
from typing import Any

from aiohttp.test_utils import make_mocked_request

from notarium_node.api.shared import SharedAnswer
from notarium_node.http.server import HardenedConnection


def request(arrived_s: float) -> Any:
    connection = object.__new__(HardenedConnection)
    connection.arrived_s = arrived_s
    return SimpleNamespace(protocol=connection)


async def test_all_who_had_asked_before_it_was_made_share_it():
    made: list[bytes] = []

    def make() -> bytes:
        made.append(b"answer %d" % len(made))
        return made[-1]

    answer, loop = SharedAnswer(make), asyncio.get_running_loop()
    waiting = [request(loop.time()) for _ in range(300)]
    assert {answer.body(each) for each in waiting} == {b"answer 0"}
    later = loop.time()
    while loop.time() == later:  # noqa: ASYNC110 - until the clock has moved
        await asyncio.sleep(0)
    assert answer.body(request(loop.time())) == b"answer 1", "older than the request"
    assert answer.body(waiting[0]) == b"answer 1", "all who waited get the newest one"
    assert answer.body(make_mocked_request("GET", "/")) == b"answer 2", "nobody knows when this one arrived"
    assert len(made) == 3
