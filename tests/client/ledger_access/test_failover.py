"""The client against nodes that are dead, slow or busy: it goes on to the next, and ends in time."""

import asyncio
import time

import pytest
from aiohttp import web
from tests.client.fake_node import FakeNode, problem
from tests.client.helpers import body, client_of

from notarium.errors import Unreachable
from notarium.ledger_access.blocking import BlockingClient


async def test_a_dead_node_is_passed_over_and_the_good_one_remembered(ledger, nodes, monkeypatch):
    monkeypatch.setattr("notarium.ledger_access.pool.FIRST_PAUSE_S", 0)
    dead, good, _ = nodes
    dead.stop()
    async with client_of(ledger, [dead, good]) as client:
        for _ in range(3):
            assert (await client.submit(body(ledger))).url == good.url
        dead.start_again()
        assert (await client.submit(body(ledger))).url == good.url
    assert dead.requests == []


async def test_a_node_that_failed_is_left_alone_for_a_while(ledger, nodes, monkeypatch):
    monkeypatch.setattr("notarium.ledger_access.pool.FIRST_PAUSE_S", 60)
    monkeypatch.setattr("notarium.ledger_access.pool.LONGEST_PAUSE_S", 60)

    async def busy(request):
        return problem(503, "busy", "the mempool is full")

    async with client_of(ledger, nodes) as client:
        for number, each in enumerate(nodes[:2]):
            each.fault = busy
            assert (await client.submit(body(ledger))).url == nodes[number + 1].url
    assert [len(each.requests) for each in nodes] == [1, 2, 1]


async def test_a_node_that_comes_back_within_the_deadline_still_gets_the_entry(ledger, node):
    node.stop()
    async with client_of(ledger, [node], timeout=10) as client:
        task = asyncio.create_task(client.submit(body(ledger)))
        await asyncio.sleep(0.3)
        assert not task.done()
        await asyncio.to_thread(node.start_again)
        assert (await task).index == 0


async def test_a_node_that_hangs_costs_one_attempt_only(ledger, nodes):
    """Were it waited for longer than one attempt, the call would end in an error."""

    async def hang(request):
        await asyncio.Event().wait()

    nodes[0].fault = hang
    async with client_of(ledger, nodes[:2], timeout=60, attempt_timeout=1) as client:
        assert (await client.submit(body(ledger))).url == nodes[1].url
        await client.submit(body(ledger))
    assert len(nodes[0].requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500, text="\x1b[31mTraceback"),
        lambda: problem(503, "busy", "the mempool is full"),
        lambda: problem(429, "busy", "slow down"),
        lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:9/"}),
    ],
    ids=["500", "503", "429", "redirect"],
)
async def test_a_node_that_cannot_now_is_passed_over(ledger, nodes, answer):
    async def fault(request):
        return answer()

    nodes[0].fault = fault
    async with client_of(ledger, nodes[:2]) as client:
        assert (await client.submit(body(ledger))).url == nodes[1].url
        assert client.lies == ()


async def test_when_no_node_answers_every_node_is_named_with_its_error(ledger, nodes):
    async def fault(request):
        return problem(503, "busy", "no quorum\x1b[2J")

    nodes[0].fault = fault
    nodes[1].stop()
    async with client_of(ledger, nodes[:2], timeout=2) as client:
        with pytest.raises(Unreachable) as caught:
            await client.submit(body(ledger))
    assert {each.url for each in caught.value.reports} == {nodes[0].url, nodes[1].url}
    assert "no quorum" in str(caught.value)
    assert "\x1b" not in str(caught.value)


async def test_the_deadline_holds(ledger, nodes):
    """Not the attempt's limit, which is a hundred times longer."""

    async def hang(request):
        await asyncio.Event().wait()

    for each in nodes:
        each.fault = hang
    async with client_of(ledger, nodes, timeout=0.7, attempt_timeout=70) as client:
        started = time.monotonic()
        with pytest.raises(Unreachable):
            await client.submit(body(ledger))
        assert time.monotonic() - started < 1.5


async def test_an_observer_is_not_taken_for_a_refusal_and_asked_last_from_then_on(ledger, nodes):
    with FakeNode(ledger, role="observer") as observer:
        async with client_of(ledger, [observer, *nodes[:2]]) as client:
            assert (await client.submit(body(ledger))).url == nodes[0].url
            nodes[0].stop()
            assert (await client.submit(body(ledger))).url == nodes[1].url
        assert observer.requests.count("POST /v1/entries") == 1


async def test_what_is_known_of_an_entry_without_an_answer_is_said_of_each_node(ledger, nodes):
    """One accepts it and dies, one reads it and never answers, one drops the connection, one is not there."""

    async def accept_and_die(request):
        asyncio.get_running_loop().call_soon(asyncio.ensure_future, nodes[0]._runner.cleanup())
        return web.json_response({"status": "pending"}, status=202)

    async def hang(request):
        await asyncio.Event().wait()

    async def drop(request):
        request.transport.close()
        return web.Response()

    nodes[0].fault, nodes[1].fault, nodes[2].fault = accept_and_die, hang, drop
    with FakeNode(ledger) as dead:
        dead.stop()
        async with client_of(ledger, [*nodes, dead], timeout=3, attempt_timeout=0.5) as client:
            with pytest.raises(Unreachable) as caught:
                await client.submit(body(ledger))
            reports = [each.said for each in caught.value.reports]
            assert reports[0] == "has the entry, but it is not decided yet; then: connection refused"
            assert reports[1] == "no answer in time; it may have what was sent"
            assert reports[2].endswith("; it may have what was sent")
            assert reports[3] == "connection refused"
            with pytest.raises(Unreachable) as caught:
                await client.find(b"\1" * 32)
    assert not any("may have" in each.said for each in caught.value.reports), "a question"


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
async def test_a_refusal_of_one_does_not_count_while_another_has_the_entry(ledger, nodes, order):
    async def refuse(request):
        return problem(422, "invalid-entry", "I do not like it")

    nodes[0].fault, nodes[1].pending = refuse, 10**6
    async with client_of(ledger, [nodes[each] for each in order], timeout=1) as client:
        with pytest.raises(Unreachable, match="refused: I do not like it") as caught:
            await client.submit(body(ledger))
    assert "has the entry" in str(caught.value)


def test_nodes_that_refuse_every_connection_are_given_up_soon(ledger, nodes):
    for each in nodes:
        each.stop()
    started = time.monotonic()
    with (
        BlockingClient(ledger.consortium.genesis, [each.url for each in nodes], timeout=30.0) as client,
        pytest.raises(Unreachable) as caught,
    ):
        client.receipt(b"\1" * 32)
    assert time.monotonic() - started < 10
    assert [each.said for each in caught.value.reports] == ["connection refused"] * 3
