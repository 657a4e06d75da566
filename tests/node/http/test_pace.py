"""Who is too slow: by rule, and on real connections."""

from __future__ import annotations

import asyncio
import socket

import pytest

from notarium_node.http.pace import HEAD_STALLS, LEAST_BYTES, Ending, Pace, taken_by

STALL_S = 10.0


@pytest.mark.parametrize(
    ("looks", "ending"),
    [
        ([(0, 0), (5, 0), (10, 0)], Ending.NOT_TAKEN),
        ([(0, 0), (5, 0), (9.9, 0)], None),
        ([(0, 0), (5, LEAST_BYTES), (10, LEAST_BYTES)], None),
        # A byte now and then is not enough.
        ([(0, 0), (5, 1), (10, LEAST_BYTES - 1)], Ending.NOT_TAKEN),
        # The least, and then nothing more.
        ([(0, 0), (10, LEAST_BYTES), (20, LEAST_BYTES)], Ending.NOT_TAKEN),
        # Whoever asks for more than he takes, but takes it steadily, may go on as long as he likes.
        ([(10 * at, at * LEAST_BYTES) for at in range(100)], None),
    ],
)
def test_a_client_takes_a_part_of_what_waits_within_the_time(looks, ending):
    pace = Pace(STALL_S)
    found = [pace.on_answer(1_000_000, taken, now) for now, taken in looks]
    assert found == [None] * (len(looks) - 1) + [ending]


def test_time_counts_only_while_something_waits():
    pace = Pace(STALL_S)
    assert [pace.on_answer(unsent, 0, now) for now, unsent in enumerate([1, 0] * 50)] == [None] * 100


def test_a_head_has_its_time_also_where_it_arrives_byte_by_byte():
    pace = Pace(STALL_S)
    end = HEAD_STALLS * STALL_S
    assert [pace.on_head(True, now) for now in (0, end / 2, end - 1)] == [None] * 3
    assert pace.on_head(True, end) is Ending.SLOW_HEAD
    assert pace.on_head(False, end + 1) is None
    assert pace.on_head(True, end + 2) is None, "the next one has its own time"


async def test_what_a_client_has_taken_is_known_and_what_waits_for_it_does_not_count():
    transports = []
    loop = asyncio.get_running_loop()

    class Keep(asyncio.Protocol):
        def connection_made(self, transport):
            transports.append(transport)

    server = await loop.create_server(Keep, "127.0.0.1", 0)
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await loop.sock_connect(client, server.sockets[0].getsockname())
    while not transports:  # noqa: ASYNC110 - a connection's begin is no event of ours
        await asyncio.sleep(0)
    [transport] = transports
    size = 32 * 1024 * 1024
    transport.write(bytes(size))
    first = taken_by(transport)
    assert first < size / 2
    got = 0
    while got < 1024 * 1024:
        got += len(await loop.sock_recv(client, 65_536))
    assert first + 500_000 < taken_by(transport) < size / 2
    transport.abort()
    client.close()
    server.close()
