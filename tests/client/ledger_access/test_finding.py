"""Finding entries by a digest: every hit, every filter and the order are checked on what is proven."""

import os
from typing import Any

import pytest
from aiohttp import web
from tests.client.fake_node import FakeLedger
from tests.client.helpers import client_of
from tests.support.consortium import Consortium, digest

from notarium.errors import LyingNode
from notarium.ledger_access import finding
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash

WANTED = digest("an artifact")


@pytest.fixture
def ledger():
    """Its researchers belong to m0, m1, m2, m3 in turn."""
    return FakeLedger(Consortium(4, observers=1, researchers=4))


@pytest.fixture
def anchored(ledger):
    """Ids of six entries that name the artifact, in six blocks, by m0 and m1 in turn; every third is a model."""
    consortium = ledger.consortium
    ids = []
    for number in range(6):
        body = consortium.body(
            "model" if number % 3 == 0 else "dataset",
            issuer=f"m{number % 2}",
            project=f"study {number}",
            record=os.urandom(32),
            subjects=[{"digest": WANTED, "role": "data"}],
        )
        raw = sign_entry(consortium.researcher_keys[number % 2], consortium.genesis.hash, body)
        ledger.submit([raw])
        ids.append(leaf_hash(raw))
    return ids


@pytest.fixture
def times(ledger, anchored):
    return [ledger.decided[each].decided.header.time_ms for each in anchored]


def answering(*pages):
    """A node that answers searches with these pages, (ids, next), whatever it is asked; the last one repeats."""
    left = list(pages)

    async def fault(request):
        if request.path != "/v1/search":
            return None
        ids, following = left.pop(0) if len(left) > 1 else left[0]
        rows = [{"id": each.hex()} for each in ids]
        return web.json_response({"digest": WANTED.hex(), "entries": rows, "next": following})

    return fault


def ids_of(found):
    return [each.id for each in found.receipts]


async def test_all_that_name_a_digest_oldest_first(ledger, nodes, anchored):
    async with client_of(ledger, nodes) as client:
        found = await client.find(WANTED)
        assert (ids_of(found), found.more, found.next) == (anchored, False, None)
        assert (await client.find(digest("nothing"))).receipts == ()
        assert client.lies == ()


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"issuer": "m1"}, [1, 3, 5]),
        ({"project": "study 4"}, [4]),
        ({"kind": "model"}, [0, 3]),
        ({"issuer": "m1", "kind": "model"}, [3]),
        ({"issuer": "m3"}, []),
    ],
)
async def test_filters(ledger, nodes, anchored, filters, expected):
    async with client_of(ledger, nodes) as client:
        assert ids_of(await client.find(WANTED, **filters)) == [anchored[each] for each in expected]


async def test_times(ledger, nodes, anchored, times):
    async with client_of(ledger, nodes) as client:
        assert ids_of(await client.find(WANTED, since_ms=times[2], until_ms=times[4])) == anchored[2:4]
        assert ids_of(await client.find(WANTED, until_ms=times[0])) == []
        assert ids_of(await client.find(WANTED, until_ms=0)) == []


async def test_a_limit_says_that_there_is_more_and_where_to_go_on(ledger, nodes, anchored, monkeypatch):
    monkeypatch.setattr(finding, "PAGE", 2)
    async with client_of(ledger, nodes) as client:
        first = await client.find(WANTED, limit=5)
        assert (ids_of(first), first.more, first.next) == (anchored[:5], True, 4)
        rest = await client.find(WANTED, after=first.next)
        assert (ids_of(rest), rest.more) == (anchored[5:], False)
        assert ids_of(await client.find(WANTED)) == anchored


async def test_empty_pages_are_gone_through(ledger, nodes, anchored):
    nodes[0].fault = answering(([], 0), ([], 1), (anchored[2:3], 3), ([], 4), (anchored[5:], None))
    async with client_of(ledger, nodes[:1]) as client:
        assert ids_of(await client.find(WANTED)) == [anchored[2], anchored[5]]


async def test_endless_empty_pages_end_and_say_that_there_is_more(ledger, nodes, monkeypatch):
    monkeypatch.setattr(finding, "MOST_PAGES", 5)
    nodes[0].fault = answering(*(([], number) for number in range(100)))
    async with client_of(ledger, nodes[:1]) as client:
        found = await client.find(WANTED)
    assert (found.receipts, found.next) == ((), 4)


LIES: dict[str, tuple[dict[str, Any], Any, str]] = {
    "invented": ({}, lambda ids: ([*ids, digest("invented")], None), "no node can prove"),
    "filter ignored": ({"issuer": "m1"}, lambda ids: (ids, None), "whose issuer is not"),
    "kind ignored": ({"kind": "model"}, lambda ids: (ids, None), "whose kind is not"),
    "since ignored": ({"since_ms": 2**50}, lambda ids: (ids, None), "older than was asked for"),
    "until ignored": ({"until_ms": 1}, lambda ids: (ids, None), "later than was asked for"),
    "reordered": ({}, lambda ids: (ids[::-1], None), "out of the order"),
    "repeated": ({}, lambda ids: ([*ids, ids[-1]], None), "out of the order"),
    "a page before": ({"after": 2}, lambda ids: (ids, None), "out of the order"),
    "a next before its rows": ({}, lambda ids: (ids, 3), "out of the order"),
    "a next that no honest node takes": ({}, lambda ids: (ids, 2**62 + 1), "no log index"),
    "too many": ({"limit": 2}, lambda ids: (ids, None), "not the result of the search"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_node_that_lies_is_named_and_another_gives_the_page(ledger, nodes, anchored, lie):
    asked, lying, reason = LIES[lie]
    nodes[0].fault = answering(lying(anchored))
    async with client_of(ledger, nodes[1:]) as client:
        honest = await client.find(WANTED, **asked)
        assert client.lies == ()
    async with client_of(ledger, nodes) as client:
        assert ids_of(await client.find(WANTED, **asked)) == ids_of(honest)
        assert {each.url for each in client.lies} == {nodes[0].url}
        assert reason in str(client.lies[0])
    async with client_of(ledger, nodes[:1]) as client:
        with pytest.raises(LyingNode, match=reason):
            await client.find(WANTED, **asked)


async def test_an_entry_that_names_something_else_is_a_lie(ledger, nodes, anchored):
    other = ledger.consortium.raw(ledger.consortium.body("dataset"))
    ledger.submit([other])
    nodes[0].fault = answering(([*anchored, leaf_hash(other)], None))
    async with client_of(ledger, nodes) as client:
        assert ids_of(await client.find(WANTED)) == anchored
        assert "does not name" in str(client.lies[0])


@pytest.mark.parametrize("following", [-1, 0, "1", True])
async def test_pages_do_not_lead_in_circles(ledger, nodes, anchored, following):
    nodes[0].fault = answering((anchored[:1], 0), ([], following))
    async with client_of(ledger, nodes[:1]) as client:
        with pytest.raises(LyingNode, match="next"):
            await client.find(WANTED)


@pytest.fixture
def retracted(ledger):
    """A run by m0, a retraction of it by m1, and one by m0."""
    consortium = ledger.consortium

    def decide(member, body):
        raw = sign_entry(consortium.researcher_keys[member], consortium.genesis.hash, body)
        ledger.submit([raw])
        return leaf_hash(raw)

    run = decide(0, consortium.body("run", issuer="m0", status="completed"))
    refs = [{"rel": "supersedes", "entry": bytes(run)}]
    return run, [decide(each, consortium.body("retraction", issuer=f"m{each}", refs=refs)) for each in (1, 0)]


async def test_the_entries_that_refer_to_one_are_proven(ledger, nodes, retracted):
    run, [foreign, own] = retracted
    async with client_of(ledger, nodes) as client:
        assert ids_of(await client.references(run)) == [foreign, own]
        assert ids_of(await client.references(run, issuer="m0")) == [own]
        assert ids_of(await client.references(run, rel="reviews")) == []
        assert ids_of(await client.references(own)) == []


async def test_a_node_that_invents_a_reference_is_named(ledger, nodes, retracted):
    _, [foreign, own] = retracted
    invented = {"id": own.hex(), "entries": [{"id": foreign.hex()}], "next": None}

    async def fault(request):
        return web.json_response(invented) if request.path.startswith("/v1/references") else None

    for node in nodes:
        node.fault = fault
    async with client_of(ledger, nodes) as client:
        with pytest.raises(LyingNode, match="does not refer to"):
            await client.references(own)
