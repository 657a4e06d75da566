"""The client against nodes that are dead, slow or busy: it goes on to the next, and ends in time."""

import asyncio
import threading
import time

import pytest
from aiohttp import web
from tests.client.fake_node import FakeNode, problem
from tests.client.helpers import body, client_of

from notarium.errors import NotariumError, NotDecided, QuotaUsedUp, Rejected, Unreachable
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


# Nodes that hang. Their servers are bare sockets, because a node that hangs does not speak HTTP to the end.

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"


class HangingNode:
    """Accepts connections, and then does not answer, or not to the end."""

    def __init__(self, says=b"", *, then_trickles=False):
        self._says = says
        self._trickles = then_trickles
        self.asked = 0
        self.left = asyncio.Event()
        """Set when a client has gone."""

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_):
        self._server.close()

    async def _serve(self, reader, writer):
        trickling = None
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.asked += 1
                writer.write(self._says)
                if self._trickles and trickling is None:
                    trickling = asyncio.create_task(self._trickle(writer))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            self.left.set()
        finally:
            if trickling is not None:
                trickling.cancel()
            writer.close()

    async def _trickle(self, writer):
        while True:
            writer.write(b" ")
            await asyncio.sleep(0.02)


hanging = pytest.mark.parametrize(
    ("says", "trickles"),
    [(b"", False), (HEAD, False), (HEAD, True), (HEAD[:20], False)],
    ids=["silent", "headers", "trickle", "half-a-head"],
)


@hanging
@pytest.mark.parametrize("call", ["submit", "receipt", "find", "members"])
async def test_another_node_is_asked_while_the_first_one_hangs(ledger, nodes, monkeypatch, says, trickles, call):
    """Were the first one waited for, the call would end in an error: one attempt may take all of the time."""
    monkeypatch.setattr("notarium.ledger_access.pool.FIRST_PATIENCE_S", 0.1)
    async with client_of(ledger, nodes[:1]) as client:
        known = await client.submit(body(ledger))
    async with (
        HangingNode(says, then_trickles=trickles) as first,
        client_of(ledger, [first.url, nodes[0]], timeout=60, attempt_timeout=60) as client,
    ):
        calls = {
            "submit": lambda: client.submit(body(ledger)),
            "receipt": lambda: client.receipt(known.id),
            "find": lambda: client.find(known.body["record"]),
            "members": client.members,
        }
        async with asyncio.timeout(30):
            await calls[call]()
            await first.left.wait()
        assert first.asked == 1, "and it is not asked again"


@hanging
async def test_the_second_node_gets_its_share_of_a_short_time(ledger, nodes, says, trickles):
    async with (
        HangingNode(says, then_trickles=trickles) as first,
        HangingNode(says, then_trickles=trickles) as second,
        client_of(ledger, [first.url, second.url, nodes[0]], timeout=1.5, attempt_timeout=60) as client,
    ):
        assert (await client.submit(body(ledger))).url == nodes[0].url


async def test_a_node_that_hung_is_asked_after_the_others(ledger, nodes):
    async with HangingNode() as first, client_of(ledger, [first.url, *nodes[:2]], attempt_timeout=60) as client:
        await client.submit(body(ledger))
        nodes[0].stop()
        assert (await client.submit(body(ledger))).url == nodes[1].url
        assert first.asked == 1


async def test_a_slow_node_still_gives_its_answer_where_the_next_one_fails(ledger, nodes):
    """Its request is not given up when another node is asked."""
    second_was_asked = threading.Event()

    async def slow(request):
        await asyncio.to_thread(second_was_asked.wait, 30)

    async def fail(request):
        second_was_asked.set()
        return web.Response(status=500)

    nodes[0].fault, nodes[1].fault = slow, fail
    async with client_of(ledger, nodes[:2], attempt_timeout=60) as client:
        assert (await client.submit(body(ledger))).url == nodes[0].url
    assert len(nodes[0].requests) == len(nodes[1].requests) == 1


# Nodes that say when they want to be asked again.


async def test_a_busy_node_is_asked_again_when_it_said_and_not_before(ledger, node):
    began = []

    async def busy_for_a_second(request):
        began.append(time.monotonic())
        return problem(503, "busy", "the mempool is full") if time.monotonic() < began[0] + 1 else None

    node.fault = busy_for_a_second
    async with client_of(ledger, [node]) as client:
        assert (await client.submit(body(ledger))).url == node.url
    assert len(node.requests) == 2


@pytest.mark.parametrize("seconds", ["3600", "9" * 400])
async def test_a_client_that_would_have_to_wait_for_too_long_says_so_at_once(ledger, node, seconds):
    async def busy(request):
        return web.Response(status=503, headers={"Retry-After": seconds})

    node.fault = busy
    async with client_of(ledger, [node]) as client, asyncio.timeout(20):
        with pytest.raises(Unreachable, match="HTTP 503"):
            await client.submit(body(ledger))
    assert len(node.requests) == 1


async def test_a_busy_node_is_waited_for_where_the_others_are_gone(ledger, nodes):
    """Nothing listens at the other address, but this one is running."""
    asked = []

    async def busy(request):
        asked.append(request)
        return None if len(asked) > 1 else web.Response(status=429, headers={"Retry-After": "3"})

    nodes[0].fault = busy
    nodes[1].stop()
    async with client_of(ledger, nodes[:2]) as client:
        assert (await client.submit(body(ledger))).url == nodes[0].url


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        (["quota", "quota", "gone"], QuotaUsedUp),
        (["quota", "quota", "invalid-entry"], QuotaUsedUp),
        (["quota", "invalid-entry", "invalid-entry"], Rejected),
        (["quota", "invalid-entry", "gone"], Rejected),
        (["quota", "quota", "pending"], NotDecided),
        (["gone", "gone", "gone"], Unreachable),
    ],
)
async def test_what_nodes_that_disagree_amount_to(ledger, nodes, said, outcome):
    def saying(name):
        async def answer(request):
            return problem({"quota": 429, "gone": 500}.get(name, 422), name, f"it is {name}")

        return answer

    for node, name in zip(nodes, said, strict=True):
        node.pending = 10**6
        node.fault = None if name == "pending" else saying(name)
    async with client_of(ledger, nodes, timeout=1) as client:
        with pytest.raises(NotariumError) as caught:
            await client.submit(body(ledger))
    assert type(caught.value) is outcome
