"""Peers that send a message in fragments, over real sockets, in either role."""

import pytest
from tests.node.peering import Node, both_loops, make_record, running

# pytest-asyncio has a hook for this, but only for whole directories.
event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")

BINARY, CONTINUED, TEXT, FINAL, MASKED = 2, 0, 1, 0x80, 0x80


def frame(first, payload, is_client):
    """A WebSocket frame; that of a client has a mask, here of zeros."""
    return bytes((first, len(payload) | (MASKED if is_client else 0))) + bytes(4 if is_client else 0) + payload


@pytest.mark.parametrize("liar_rank", [0, 2], ids=["dialler", "dialled"])
@pytest.mark.parametrize(
    "frames",
    [
        [(BINARY, b""), *[(CONTINUED, b"")] * 1000],
        [(BINARY, b"")],
        [(TEXT, b"")],
        [(BINARY, b"\x03"), (CONTINUED, b"\x03"), (FINAL | CONTINUED, b"\x03")],
    ],
    ids=["empty", "one", "text", "whole in the end"],
)
async def test_a_fragment_drops_its_sender_and_nobody_else(frames, liar_rank):
    """Of ranks 0, 1 and 2 the smaller dials."""
    records = [make_record(rank) for rank in range(3)]
    nodes = [Node(rank, records) for rank in range(3)]
    victim, liar, honest = nodes[1], nodes[liar_rank], nodes[2 - liar_rank]
    async with running(*nodes):
        await victim.meets(liar, honest)
        await liar.meets(victim)
        lying = liar.net._links[victim.record.key]
        assert lying.dialed == (liar_rank == 0)
        lying._transport.write(b"".join(frame(first, payload, lying.dialed) for first, payload in frames))
        await victim.until(lambda: victim.net.dropped["bad frame"])
        assert +victim.net.dropped == {"bad frame": 1}
        assert not victim.messages
        await honest.meets(victim)
        honest.net.send(victim.record.key, b"m" * 100_000)
        await victim.until(lambda: victim.messages)
        assert victim.messages == [(honest.record.key, b"m" * 100_000)]
