"""Below a link little waits, and its transport tells when it takes more."""

import asyncio
import socket

import pytest
from aiohttp.base_protocol import BaseProtocol
from tests.node.peering import Node, both_loops, make_record, running

from notarium_node.peers.transports import UNSENT_BYTES, protocol_of

event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


@pytest.mark.skipif(not hasattr(socket, "TCP_NOTSENT_LOWAT"), reason="the system has no such option")
async def test_at_both_ends_of_a_link_the_kernel_takes_little():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await one.meets(two)
        await two.meets(one)
        for node in (one, two):
            (link,) = node.net._links.values()
            connection = link._transport.get_extra_info("socket")
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == UNSENT_BYTES
            assert isinstance(protocol_of(link._transport), BaseProtocol)
            assert not protocol_of(link._transport).writing_paused, "nothing waits"


async def test_a_connection_that_aiohttp_does_not_drive_is_refused():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        with pytest.raises(TypeError, match="not by aiohttp"):
            protocol_of(writer.transport)
        writer.close()
