"""The client against nodes that lie: they are named, and another is asked."""

import asyncio
import time
from dataclasses import replace

import pytest
from aiohttp import web
from tests.client.fake_node import flip_path
from tests.client.helpers import body, client_of
from tests.support.consortium import Consortium, digest

from notarium.errors import LyingNode, Unreachable
from notarium_ledger.trust.receipt import ReceiptVerifier


def of_another_entry(ledger):
    return lambda receipt: ledger.submit([ledger.consortium.raw(body(ledger))])[0]


def of_another_ledger(ledger):
    """A receipt of a consortium with other keys, made of the same entry bytes."""
    foreign = Consortium(4, name="foreign")

    def tamper(receipt):
        entry = foreign.entry(foreign.body("dataset"))
        decision, _ = foreign.decide(foreign.state, [entry])
        decided = replace(receipt.decided, header=decision.block.header, certificate=decision.certificate)
        return replace(receipt, decided=decided, index=0, path=())

    return tamper


def with_too_few_votes(ledger):
    def tamper(receipt):
        certificate = receipt.decided.certificate
        fewer = replace(certificate, seals=certificate.seals[:2])
        return replace(receipt, decided=replace(receipt.decided, certificate=fewer))

    return tamper


LIES = {
    "altered path": lambda ledger: flip_path,
    "another index": lambda ledger: lambda receipt: replace(receipt, index=receipt.index + 1),
    "another entry": of_another_entry,
    "another ledger": of_another_ledger,
    "too few votes": with_too_few_votes,
}


@pytest.mark.parametrize(
    ("lie", "batch"),
    # A batch answer carries no entries, so it cannot be about others.
    [(lie, batch) for lie in LIES for batch in (False, True) if not (batch and lie == "another entry")],
)
async def test_a_lying_node_is_named_and_another_is_asked(ledger, nodes, lie, batch):
    liar, honest, _ = nodes
    async with client_of(ledger, [liar, honest]) as client:
        # With the block proven already, the short way of reading a receipt is the one that is lied to.
        known = body(ledger)
        await client.submit_batch([known, body(ledger)], batch_signed=False)
        liar.tamper = LIES[lie](ledger)
        for each in (known, body(ledger)):
            if batch:
                [receipt] = await client.submit_batch([each], batch_signed=False)
            else:
                receipt = await client.submit(each)
            ReceiptVerifier(ledger.consortium.genesis).verify_json(receipt.file_bytes())
            assert receipt.url == honest.url
        assert {each.url for each in client.lies} == {liar.url}


async def test_when_all_nodes_lie_the_error_says_so_at_once(ledger, node):
    node.tamper = flip_path
    async with client_of(ledger, [node], timeout=30) as client:
        started = time.monotonic()
        with pytest.raises(LyingNode, match="step 5") as caught:
            await client.submit(body(ledger))
        assert time.monotonic() - started < 5
    assert caught.value.url == node.url


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"index": 1}', "[" * 100_000])
async def test_an_answer_that_is_not_a_receipt_is_a_lie_too(ledger, node, text):
    async def fault(request):
        return web.Response(text=text)

    node.fault = fault
    async with client_of(ledger, [node]) as client:
        with pytest.raises(LyingNode):
            await client.submit(body(ledger))
        with pytest.raises(LyingNode):
            await client.submit_batch([body(ledger)])
        with pytest.raises(LyingNode):
            await client.find(digest("x"))


async def test_a_receipt_too_long_to_be_read_is_no_lie(ledger, node, monkeypatch):
    """A receipt has a handover for each change of the validator set: an honest node's may become that long."""
    monkeypatch.setattr("notarium.ledger_access.answers.MAX_RECEIPT_BYTES", 1_000)
    async with client_of(ledger, [node], timeout=1) as client:
        with pytest.raises(Unreachable, match="at most 1000 are read: the validator set has changed too often"):
            await client.submit(body(ledger))
        assert client.lies == ()


async def test_an_endless_answer_is_cut_off(ledger, node, monkeypatch):
    """After so many bytes, whatever time is left: one attempt may take all of it."""
    monkeypatch.setattr("notarium.ledger_access.failover.ANSWER_LIMIT", 100_000)

    async def fault(request):
        if len(node.requests) > 1:
            return None
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(100):
            await response.write(b"x" * 10_000)
        await asyncio.Event().wait()

    node.fault = fault
    async with client_of(ledger, [node], timeout=600, attempt_timeout=600) as client, asyncio.timeout(60):
        assert (await client.submit(body(ledger))).url == node.url
    assert len(node.requests) == 2
