"""The peer network over real sockets: who is connected, what arrives, and what happens to a peer that is dropped."""

from dataclasses import replace

import aiohttp
import pytest
from structlog.testing import capture_logs
from tests.node.peering import ORDERED, QUICK, Node, both_loops, dial_raw, free_port, make_record, running, seed_of

from notarium_node.identity import tls
from notarium_node.peers.network import dials

# pytest-asyncio has a hook for this, but only for whole directories.
event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")


def test_the_smaller_key_dials_and_observers_dial_validators():
    small, large = make_record(0), make_record(1)
    watcher, other = make_record(2, "observer"), make_record(3, "observer")
    assert dials(small, large)
    assert not dials(large, small)
    assert dials(watcher, large)
    assert not dials(large, watcher)
    assert not dials(watcher, other)
    assert not dials(small, small)


async def test_all_nodes_find_each_other_and_messages_arrive_in_order():
    records = [make_record(0), make_record(1), make_record(2, "observer")]
    nodes = [Node(rank, records) for rank in range(3)]
    async with running(*nodes):
        one, two, watcher = nodes
        await one.meets(two, watcher)
        await two.meets(one, watcher)
        await watcher.meets(one, two)
        sent = [b"", b"x", b"y" * 126, b"z" * 65_536, b"w" * 3_000_000]
        for data in sent:
            one.net.broadcast(data, [record.key for record in records])
        for node in (two, watcher):
            await node.until(lambda node=node: len(node.messages) == len(sent))
            assert node.messages == [(one.record.key, data) for data in sent]
            assert all(type(data) is bytes for _, data in node.messages)
        assert one.messages == []
        info = two.net.connected[one.record.key]
        assert (info.member, info.role, info.dialed) == ("member-0", "validator", False)
        assert info.bytes_in >= sum(map(len, sent))
        assert one.net.connected[two.record.key].dialed


async def test_a_peer_that_comes_back_is_found_again():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one):
        async with running(two):
            await one.meets(two)
        await one.until(lambda: not one.net.is_connected(two.record.key))
        assert not one.net.send(two.record.key, b"lost")
        assert one.net.counters["send_dropped"] == 1
        again = Node(1, records)
        async with running(again):
            await one.meets(again)
            assert one.net.send(two.record.key, b"hello again")
            await again.until(lambda: again.messages)
    assert [what for what, _ in one.events] == ["up", "down", "up", "down"]


async def test_a_node_that_was_removed_while_it_was_off_learns_that_it_is_refused():
    """By those that it dials, and by those that should dial it, at which it knocks; until one lets it in again."""
    records = [make_record(rank) for rank in range(3)]
    one, two, three = Node(0, records), Node(1, records), Node(2, records)
    async with running(one, three):
        everyone = {record.key: record for record in records}
        for each in (one, three):
            each.net.update_nodes({key: record for key, record in everyone.items() if key != two.record.key})
        async with running(two):
            await two.until(lambda: all(two.net.is_refused_by(each.record.key) for each in (one, three)))
            three.net.update_nodes(everyone)
            await two.meets(three)
            assert [two.net.is_refused_by(each.record.key) for each in (one, three)] == [True, False]


@pytest.mark.parametrize("attempt", range(3))
async def test_nodes_that_start_together_make_one_link_and_keep_it(attempt):
    """Dialling and knocking cross each other; neither disturbs what is there."""
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await one.meets(two)
        await two.meets(one)
        async with aiohttp.ClientSession() as session:
            seed = seed_of(ORDERED[1])
            context = tls.client_context(tls.make_certificate(seed), seed, [one.record.certificate])
            async with session.get(f"https://{one.record.address}/knock", ssl=context) as response:
                assert response.status == 204
        one.net.send(two.record.key, b"hello")
        await two.until(lambda: two.messages)
        assert one.events == [("up", two.record.key)]
        assert two.events == [("up", one.record.key)]


async def test_a_message_sent_just_before_stop_still_arrives():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await one.meets(two)
        await two.meets(one)
        for _ in range(20):
            one.net.send(two.record.key, b"x" * 500_000)
        await one.net.stop()
        await two.until(lambda: len(two.messages) == 20)


async def test_a_dropped_peer_is_refused_for_a_while_and_then_welcome():
    records = [make_record(0), make_record(1)]
    one, two = Node(0, records), Node(1, records)
    async with running(one, two):
        await two.meets(one)
        two.react = lambda peer, data: two.net.drop(peer, "garbage", ban_s=0.3)
        await one.meets(two)
        for _ in range(3):
            one.net.send(two.record.key, b"\xff\xff")
        await two.until(lambda: two.net.dropped["garbage"])
        assert not two.net.is_connected(one.record.key)
        await one.until(lambda: not one.net.is_connected(two.record.key))
        # Nothing that was queued behind the garbage is delivered.
        assert len(two.messages) == 1
        await two.meets(one)
        assert two.net.refused["banned for a while"] >= 1
        assert [what for what, _ in two.events] == ["up", "down", "up"]


async def test_a_defect_in_the_handler_costs_one_link_not_the_node():
    records = [make_record(0), make_record(1), make_record(2)]
    one, two, three = (Node(rank, records) for rank in range(3))
    async with running(one, two, three):
        await three.meets(one, two)
        await one.meets(three)

        def fail(peer, data):
            raise KeyError("defect")

        three.react = fail
        one.net.send(three.record.key, b"poison")
        await three.until(lambda: three.net.dropped["handler failed"])
        assert three.net.is_connected(two.record.key)


async def test_who_is_voted_in_or_out_connects_again_so_that_both_sides_greet():
    """A validator that connects gets what waits. While this node was an observer, it did not get that."""
    first, second = make_record(0, "observer"), make_record(1)
    validator = replace(first, role="validator")
    one, two = Node(0, [first, second]), Node(1, [first, second])
    async with running(one, two):
        await one.meets(two)
        for each in (one, two):
            each.net.update_nodes({first.key: validator, second.key: second})
        await two.until(lambda: [what for what, _ in two.events][:3] == ["up", "down", "up"])
        assert two.net.connected[first.key].role == "validator"


async def test_nodes_join_leave_and_move():
    first, second, third = make_record(0), make_record(1), make_record(2)
    one, two, three = Node(0, [first, second]), Node(1, [first, second]), Node(2, [first, second, third])
    async with running(one, two, three):
        await one.meets(two)
        await one.until(lambda: three.net.counters["handshake_failed"] == 0 and not one.net.is_connected(third.key))
        everyone = {record.key: record for record in (first, second, third)}
        one.net.update_nodes(everyone)
        two.net.update_nodes(everyone)
        await three.meets(one, two)

        # Leaves: parted with at once, and not let in again, although OpenSSL still trusts the certificate.
        with capture_logs() as logs:
            one.net.update_nodes({first.key: first, second.key: second})
        assert not one.net.is_connected(third.key)
        assert [(each["event"], each["member"], each["reason"]) for each in logs] == [
            ("peer disconnected", third.member, "it was removed from the registry")
        ]
        reader, writer = await dial_raw(one, 2)
        writer.write(b"GET /peer HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 403 " in await reader.readline()
        assert one.net.refused["not in the registry"] == 1
        writer.close()

        # Moves: dialled at its new address.
        await two.net.stop()
        moved = replace(second, address=f"127.0.0.1:{free_port()}")
        elsewhere = Node(1, [first, moved])
        async with running(elsewhere):
            one.net.update_nodes({first.key: first, second.key: moved})
            await one.meets(elsewhere)


async def test_a_wrong_port_in_the_registry_is_a_doubt_while_no_node_that_dials_this_one_is_connected():
    first, second, third = records = [make_record(0), make_record(1), make_record(2)]
    wrong = replace(second, address="127.0.0.1:29999")
    one, two, three = (Node(rank, records) for rank in range(3))
    async with running(one, two, three):
        await two.meets(one, three)
        assert two.net.address_doubt == ""
        everyone = {record.key: record for record in (first, wrong, third)}
        with capture_logs() as logs:
            two.net.update_nodes(everyone)
        [line] = [each for each in logs if each["event"] == "check this node's address in the registry"]
        assert "127.0.0.1:29999 for this node, which listens on port " + second.address[10:] in line["reason"]
        # The old link stands, as behind a proxy that maps ports.
        assert two.net.address_doubt == ""
        one.net.update_nodes(everyone)
        await two.until(lambda: not two.net.is_connected(first.key))
        assert two.net.address_doubt == line["reason"]
        # It goes on dialling, and nobody dials the node with the smallest key.
        assert two.net.is_connected(third.key)
        one.net.update_nodes({**everyone, first.key: replace(first, address="127.0.0.1:29998")})
        assert one.net.address_doubt == ""


async def test_a_node_whose_connection_is_replaced_is_sent_the_reason():
    records = [make_record(0), make_record(1)]
    # The second one with the key of rank 0 stays connected.
    patient = replace(QUICK, backoff_first_s=60, backoff_last_s=60)
    one, two = Node(0, records, limits=patient), Node(1, records)
    second = Node(0, records, limits=patient, own=replace(records[0], address=f"127.0.0.1:{free_port()}"))
    async with running(one, two):
        await one.meets(two)
        with capture_logs() as logs:
            async with running(second):
                await second.meets(two)
                await one.until(lambda: not one.net.is_connected(records[1].key))
                assert two.net.is_connected(records[0].key)
                reasons = [each["reason"] for each in logs if each["event"] == "peer disconnected"]
        assert reasons == [
            "replaced by a newer connection",
            "the peer has a newer connection with this node's key: does a second node use it?",
        ]
