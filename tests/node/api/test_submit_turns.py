"""Batches that come at once: how many are at work, whose turn it is, and what is said of one above a quota."""

import asyncio
import json
import select
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web
from tests.node.http_api import MSGPACK
from tests.node.parts import until

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.errors import InvalidEntry, QuotaExceeded
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.types import Hash
from notarium_node.api import submit
from notarium_node.api.app import guarded
from notarium_node.entries.admission import AdmissionStatus, Outcome
from notarium_node.health.api_answers import ApiAnswers
from notarium_node.http.server import HardenedAppRunner, HardenedConnection
from notarium_node.node import Node


@pytest.mark.parametrize(("count", "size"), [(10, 8 << 20), (80, submit.ONE_ENTRY_BYTES)])
def test_slow_batches_share_a_budget_and_leave_room_for_single_entries(world, count, size):
    """Senders announce their batches and send nothing: some are refused at once, and an entry still gets in."""
    headers = f"Host: localhost\r\nContent-Type: {MSGPACK}\r\nContent-Length: {size}\r\n\r\n"
    head = b"POST /v1/entries/batch HTTP/1.1\r\n" + headers.encode()
    senders = [socket.create_connection(("127.0.0.1", world.node.port), timeout=10) for _ in range(count)]
    try:
        for each in senders:
            each.sendall(head + b"\xdd")
        refused, _, _ = select.select(senders, [], [], 10)  # Which ones is the node's affair.
        answer = refused[0].recv(65_536)
        assert answer.startswith(b"HTTP/1.1 429 ")
        assert b"urn:notarium:problem:too-many" in answer
        assert b"Retry-After" in answer
        assert world.node.submit(sign_entry(world.researcher, world.genesis.hash, world.body())).status == 200
    finally:
        for each in senders:
            each.close()


class Office:
    """A node of which only the admission is of interest: it goes on when it may."""

    def __init__(self) -> None:
        self.at_work = self.most = self.admitted = 0
        self.go_on = asyncio.Event()
        self.admission = self.store = self
        self.mempool: set[Hash] = set()
        self.api_answers = ApiAnswers()

    def refusal(self) -> None:
        """It takes entries."""

    def receipt(self, id_: Hash) -> None:
        """None is decided."""

    async def admit(self, raws: list[bytes], all_or_none: bool) -> list[Outcome]:
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await self.go_on.wait()
        self.at_work -= 1
        self.admitted += 1
        return [Outcome(leaf_hash(raw), AdmissionStatus.DECIDED) for raw in raws]


@asynccontextmanager
async def office_hours(office: Office) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    submissions = submit.Submissions(cast(Node, office), 1 << 20, 1_000)
    app = web.Application()
    app.router.add_post("/batch", guarded(cast(Node, office), submissions.batch))
    runner = HardenedAppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            yield session, f"http://127.0.0.1:{runner.addresses[0][1]}/batch"
    finally:
        await runner.cleanup()


async def post(session: aiohttp.ClientSession, url: str, media_type: str = MSGPACK) -> int:
    async with session.post(url, data=canonical.encode([b"a", b"b"]), headers={"Content-Type": media_type}) as answer:
        return answer.status


async def test_only_a_few_batches_are_at_work_and_the_others_have_their_turn():
    """Each takes its slice in one turn of the event loop, so votes wait for that many."""
    office = Office()
    async with office_hours(office) as (session, url):
        posting = [asyncio.create_task(post(session, url)) for _ in range(3 * submit.AT_WORK)]
        await until(lambda: office.at_work == submit.AT_WORK)
        office.go_on.set()
        assert await asyncio.gather(*posting) == [202] * len(posting)
    assert office.most == submit.AT_WORK
    assert office.admitted == len(posting)


@pytest.mark.parametrize("media_type", [MSGPACK, "application/json"])
async def test_a_batch_is_decoded_in_its_turn(monkeypatch, media_type):
    """To decode one takes longest of all that is done for it in one turn of the event loop."""
    decoded: list[bytes] = []

    def decode(body: bytes) -> list[bytes]:
        decoded.append(body)
        return [b"a"]

    monkeypatch.setattr(submit, "_batch_in_msgpack", decode)
    monkeypatch.setattr(submit, "_batch_in_json", decode)
    office = Office()
    async with office_hours(office) as (session, url):
        posting = [asyncio.create_task(post(session, url, media_type)) for _ in range(submit.AT_WORK + 1)]
        await until(lambda: office.at_work == submit.AT_WORK)
        for _ in range(20):
            await post_nothing(session, url)
        assert len(decoded) == submit.AT_WORK
        office.go_on.set()
        assert await asyncio.gather(*posting) == [202] * len(posting)
    assert len(decoded) == submit.AT_WORK + 1


@pytest.mark.parametrize("is_late", [True, False])
async def test_an_entry_that_arrives_behind_its_head_waits_for_its_turn(is_late):
    """The bodies of 400 may arrive at one moment. One that came with its head has had its turn."""
    begun: list[Any] = []

    async def note(request: Any) -> None:
        begun.append(request)

    async def read() -> bytes:
        return b"entry"

    connection = object.__new__(HardenedConnection)
    connection.begin = note
    request: Any = SimpleNamespace(
        protocol=connection,
        headers={"Content-Type": MSGPACK},
        content_type=MSGPACK,
        content_length=5,
        content=SimpleNamespace(is_eof=lambda: not is_late),
        read=read,
    )
    assert await submit.Submissions(cast(Node, Office()), 1 << 20, 1_000)._read_one(request) == b"entry"
    assert begun == [request] * is_late


async def test_nothing_is_done_for_a_client_that_left_before_its_turn():
    office = Office()
    async with office_hours(office) as (session, url):
        posting = [asyncio.create_task(post(session, url)) for _ in range(submit.AT_WORK)]
        await until(lambda: office.at_work == submit.AT_WORK)
        async with aiohttp.ClientSession() as other:
            leaving = asyncio.create_task(post(other, url))
            for _ in range(20):
                await post_nothing(session, url)  # Answered behind it, so the server has read its batch by then.
            leaving.cancel()
        for _ in range(20):
            await post_nothing(session, url)
        office.go_on.set()
        await asyncio.gather(*posting)
        assert await post(session, url) == 202
    assert office.admitted == submit.AT_WORK + 1


async def post_nothing(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url) as answer:
        assert answer.status == 405


class AboveQuota(Office):
    """A node that refuses the last entry of a batch, or all, for a quota."""

    def __init__(self, is_first_invalid: bool) -> None:
        super().__init__()
        self.is_first_invalid = is_first_invalid

    def clock(self) -> int:
        return 1_000

    async def admit(self, raws: list[bytes], all_or_none: bool) -> list[Outcome]:
        quota = QuotaExceeded("m0 may write 5 entries a day", "body.issuer", limit=5, until_ms=9_000)
        error = InvalidEntry("is wrong", "sig") if self.is_first_invalid else quota
        return [
            Outcome(leaf_hash(raws[0]), AdmissionStatus.REFUSED, error=error),
            Outcome(leaf_hash(raws[1]), AdmissionStatus.REFUSED, error=quota),
        ]


async def problem_of(office: Office) -> tuple[int, dict[str, Any], str]:
    """Status, document and Retry-After of the answer to a batch."""
    async with office_hours(office) as (session, url):
        data, headers = canonical.encode([b"a", b"b"]), {"Content-Type": MSGPACK}
        async with session.post(url, data=data, headers=headers) as answer:
            document = json.loads(await answer.read())
            return answer.status, document, answer.headers.get("Retry-After", "")


async def test_a_batch_above_a_quota_is_no_invalid_one_and_may_come_later():
    status, document, retry_after = await problem_of(AboveQuota(is_first_invalid=False))
    assert (status, document["type"], retry_after) == (429, "urn:notarium:problem:quota", "8")


async def test_only_the_invalid_entries_of_a_batch_are_named_as_invalid():
    """Its author gives these up."""
    status, document, _ = await problem_of(AboveQuota(is_first_invalid=True))
    assert status == 422
    assert [each["position"] for each in document["errors"]] == [0]
