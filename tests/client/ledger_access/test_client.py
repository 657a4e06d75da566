"""The client against nodes that are well: submitting, being refused, reading."""

import pytest
from aiohttp import web
from tests.client.fake_node import FakeLedger, FakeNode, problem
from tests.client.helpers import body, client_of
from tests.support.consortium import Consortium, digest, key

from notarium.errors import LyingNode, NotAnchored, ProjectError, Rejected, Unreachable
from notarium.ledger_access.client import Client
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.trust.receipt import ReceiptVerifier


async def test_a_commitment_comes_back_as_a_receipt_that_verifies_offline(ledger, node):
    async with client_of(ledger, [node]) as client:
        receipt = await client.submit(body(ledger, project="study"))
    verified = ReceiptVerifier(ledger.consortium.genesis).verify_json(receipt.file_bytes())
    assert verified.entry.id == receipt.id
    assert verified.entry.body["project"] == receipt.body["project"] == "study"
    assert receipt.url == node.url


async def test_the_same_entry_again_is_the_same_receipt(ledger, node):
    raw = ledger.consortium.raw(body(ledger))
    async with client_of(ledger, [node]) as client:
        first, second = await client.submit_entry(raw), await client.submit_entry(raw)
    assert first.file_bytes() == second.file_bytes()
    assert len(ledger.entries) == 1


async def test_receipts_of_a_block_already_proven_are_the_same_as_when_read_in_full(ledger, node):
    bodies = [body(ledger) for _ in range(5)]
    async with client_of(ledger, [node]) as client:
        await client.submit_batch(bodies, batch_signed=False)
        receipts = [await client.submit(each) for each in bodies]
        again = [await client.submit(each) for each in bodies]
    full = ReceiptVerifier(ledger.consortium.genesis)
    for receipt in (*receipts, *again):
        assert full.verify_json(receipt.file_bytes()).index == receipt.index
    assert [each.file_bytes() for each in receipts] == [each.file_bytes() for each in again]


@pytest.mark.parametrize("batch_signed", [True, False])
async def test_a_large_batch_goes_in_chunks_and_comes_back_in_order(ledger, node, batch_signed, monkeypatch):
    monkeypatch.setattr("notarium.ledger_access.client.REQUEST_BYTES", 4000)
    bodies = [body(ledger) for _ in range(60)]
    async with client_of(ledger, [node]) as client:
        receipts = await client.submit_batch(bodies, batch_signed)
    assert [each.body["project"] for each in receipts] == [each["project"] for each in bodies]
    assert node.requests.count("POST /v1/entries/batch") > 3
    assert (receipts[0].entry.batch is not None) == batch_signed


async def test_what_is_pending_is_asked_for_again_until_it_is_decided(ledger, node):
    node.pending = 2
    async with client_of(ledger, [node]) as client:
        assert (await client.submit(body(ledger))).index == 0
        node.pending = 1
        assert len(await client.submit_batch([body(ledger) for _ in range(7)])) == 7
    assert node.requests.count("POST /v1/entries") == 3
    assert node.requests.count("POST /v1/entries/batch") == 2


async def test_an_undecided_entry_ends_as_unreachable_and_says_what_the_nodes_said(ledger, node):
    node.pending = 10**6
    async with client_of(ledger, [node], timeout=2) as client:
        with pytest.raises(Unreachable, match="not decided yet"):
            await client.submit(body(ledger))


# Refusals


async def test_a_key_that_is_not_enrolled_is_refused_with_the_field(ledger, nodes):
    async with client_of(ledger, nodes) as client:
        client.key = key("a stranger")
        with pytest.raises(Rejected, match="not enrolled") as caught:
            await client.submit(body(ledger))
    assert caught.value.problem.name == "unknown-key"
    assert caught.value.problem.field.endswith("key")


async def test_a_refusal_is_believed_as_soon_as_one_honest_node_must_be_among_those_who_refuse(ledger, nodes):
    async with client_of(ledger, nodes) as client:
        client.key = key("a stranger")
        with pytest.raises(Rejected):
            await client.submit(body(ledger))
    assert [len(each.requests) for each in nodes] == [1, 1, 0]


async def test_one_node_alone_cannot_make_an_entry_look_refused(ledger, nodes):
    async def fault(request):
        return problem(422, "invalid-entry", "I do not like it")

    nodes[0].fault = fault
    async with client_of(ledger, nodes) as client:
        assert (await client.submit(body(ledger))).url == nodes[1].url


async def test_a_refused_batch_says_which_entry_it_was(ledger, nodes):
    async with client_of(ledger, nodes) as client:
        client.key = key("a stranger")
        with pytest.raises(Rejected, match="entry 0"):
            await client.submit_batch([body(ledger)])


async def test_a_body_that_no_node_would_take_is_not_sent(ledger, node):
    async with client_of(ledger, [node]) as client:
        with pytest.raises(InvalidEntry, match=r"body\.record"):
            await client.submit(body(ledger, record=b"short"))
    assert node.requests == []


async def test_without_a_key_only_signed_entries_can_be_sent(ledger, node):
    async with Client(ledger.consortium.genesis, [node.url]) as client:
        with pytest.raises(ProjectError, match="no key"):
            await client.submit(body(ledger))
        assert (await client.submit_entry(ledger.consortium.raw(body(ledger)))).index == 0


# Reading


async def test_receipt_and_entry_by_id(ledger, nodes):
    async with client_of(ledger, nodes) as client:
        sent = await client.submit(body(ledger, project="p"))
        assert (await client.receipt(sent.id.hex())).file_bytes() == sent.file_bytes()
        assert (await client.entry(sent.id)).body["project"] == "p"
        with pytest.raises(NotAnchored):
            await client.receipt(digest("nothing"))
        with pytest.raises(ProjectError, match="64 hexadecimal"):
            await client.receipt("12ab")


async def test_a_receipt_of_another_entry_than_asked_for_is_a_lie(ledger, nodes):
    async with client_of(ledger, nodes[:2]) as client:
        one, two = await client.submit(body(ledger)), await client.submit(body(ledger))
        nodes[0].tamper = lambda receipt: ledger.decided[two.id]
        assert (await client.receipt(one.id)).id == one.id
        assert [each.url for each in client.lies] == [nodes[0].url]


async def test_a_node_that_denies_an_entry_does_not_hide_it(ledger, nodes):
    async def fault(request):
        return problem(404, "not-found", "never heard of it")

    async with client_of(ledger, nodes) as client:
        sent = await client.submit(body(ledger))
        nodes[0].fault = fault
        assert (await client.receipt(sent.id)).id == sent.id


async def test_consistency_is_proven_between_two_receipts(ledger, nodes):
    async with client_of(ledger, nodes[:2]) as client:
        old = await client.submit(body(ledger))
        await client.submit_batch([body(ledger) for _ in range(5)])
        new = await client.submit(body(ledger))
        await client.consistency(old, new)

        async def fault(request):
            return web.json_response({"path": [digest("x").hex()]})

        for each in nodes:
            each.fault = fault
        with pytest.raises(LyingNode):
            await client.consistency(old, new)


async def test_members_are_checked_against_a_decided_block(ledger, nodes):
    async with client_of(ledger, nodes[:1]) as client:
        assert (await client.members())["height"] == 0
        await client.submit(body(ledger))
        assert len((await client.members())["validators"]) == 4

        async def fault(request):
            if request.path != "/v1/members":
                return None
            rows = [{"member": "m0", "key": key("mallory").public.hex()}]
            root = ledger.state.registry.hash.hex()
            return web.json_response({"validators": rows, "state_root": root, "height": 1})

        nodes[0].fault = fault
        with pytest.raises(LyingNode, match="validators"):
            await client.members()

        async def other_state(request):
            if request.path != "/v1/members":
                return None
            rows = [
                {"member": each.member, "key": each.key.hex()} for each in ledger.state.registry.validators.validators
            ]
            return web.json_response({"validators": rows, "state_root": "00" * 32, "height": 1})

        nodes[0].fault = other_state
        with pytest.raises(LyingNode, match="state_root"):
            await client.members()


async def test_status_distinguishes_the_nodes(ledger, nodes):
    nodes[1].stop()
    with FakeNode(FakeLedger(Consortium(4, name="foreign"))) as foreign:
        async with client_of(ledger, [nodes[0], nodes[1], foreign]) as client:
            good, dead, other = await client.status()
    assert good.ready
    assert not dead.ready
    assert dead.answer is None
    assert not other.ready
    assert "another ledger" in other.problem


@pytest.mark.parametrize(
    "url", ["", "node.example.org", "ftp://x", "http://", "http://u:p@h", "http://h:x", "http://h/?q"]
)
def test_what_is_not_an_address_is_refused(ledger, url):
    with pytest.raises(ProjectError, match="node address"):
        Client(ledger.consortium.genesis, [url])
