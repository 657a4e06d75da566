"""Dialling over real sockets: knocks, foreign ledgers, wrong addresses."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.node.peering import QUICK, Node, both_loops, make_record, running

from notarium_ledger.types import Hash
from notarium_node.peers.dialer import DIAL_ERRORS, DialError, explain

# pytest-asyncio has a hook for this, but only for whole directories.
event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


async def test_a_node_that_starts_again_is_met_at_once_though_its_dialler_waits():
    records = [make_record(0), make_record(1)]
    patient = replace(QUICK, backoff_first_s=60, backoff_last_s=60)
    one, two = Node(0, records, limits=patient), Node(1, records)
    async with running(one):
        # Refused once, the dialler now waits for a minute.
        await one.until(lambda: one.net.counters["dial_failed"])
        async with running(two):
            await one.meets(two)
            await two.meets(one)
            one.net.send(two.record.key, b"hello")
            await two.until(lambda: two.messages)


async def test_a_foreign_ledger_is_refused_by_both():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records, genesis=Hash(b"h" * 32))
    async with running(one, two):
        await one.until(lambda: one.net.counters["dial_failed"] and two.net.refused["foreign genesis"])
        assert one.events == two.events == []


async def test_a_node_that_is_not_voted_in_yet_is_said_to_be_unknown_there():
    joiner, member = make_record(0), make_record(1)
    one, two = Node(0, [joiner, member]), Node(1, [member], own=member)
    with capture_logs() as logs:
        async with running(one, two):
            await one.until(lambda: one.net.counters["dial_failed"] > 2)
    assert {each["reason"] for each in logs if each["event"] == "cannot reach peer"} <= {
        f"cannot connect: Connect call failed ('127.0.0.1', {member.address[10:]})",
        "it ended the connection without an answer: this node may not be in its registry",
    }


async def test_another_node_at_the_address_is_noticed():
    """A DNS mistake: the record of rank 1 points to the node of rank 2."""
    records = [make_record(0), make_record(1), make_record(2)]
    records[1] = replace(records[1], address=records[2].address)
    one, two = Node(0, records), Node(2, records)
    async with running(one, two):
        await one.meets(two)
        await one.until(lambda: one.net.counters["dial_failed"] >= 1)
        assert not one.net.is_connected(records[1].key)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError(), "no answer in time"),
        (DialError("another node answers there: m2"), "another node answers there: m2"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_a_failure_is_explained_in_one_line(error, text):
    assert isinstance(error, DIAL_ERRORS)
    assert explain(error) == text
