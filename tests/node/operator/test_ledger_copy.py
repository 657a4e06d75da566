"""Blocks that come from elsewhere are verified, each of them, before they are in a store."""

import contextlib
from typing import Any

import pytest
from aiohttp import web
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_ledger.encoding import canonical
from notarium_node.operator import ledger_copy
from notarium_node.operator.ledger_copy import CopyError, StoreWriter, blocks_of
from notarium_node.operator.node_api import NodeApi, NodeUnreachable
from notarium_store import Store


@pytest.fixture
def consortium():
    return Consortium(4)


@pytest.fixture
def raws(tmp_path, consortium):
    """Five decisions."""
    with Store.open(tmp_path / "source", consortium.genesis) as store:
        return [each.encode() for each in grow(store, consortium, [1, 2, 3, 1, 1])]


@pytest.fixture
def empty(tmp_path, consortium):
    with Store.open(tmp_path / "copy", consortium.genesis) as store:
        yield store


def test_valid_blocks_are_written_and_nobodys_memory_with_them(raws, empty):
    writer = StoreWriter(empty)
    for raw in raws:
        writer.add(raw)
    assert empty.state.height == 0, "nothing is written one by one"
    writer.flush()
    assert (empty.state.height, writer.height) == (5, 5)
    assert empty.owner is None
    assert empty.record() == (None, {})


def test_it_goes_on_where_it_was(raws, empty):
    first = StoreWriter(empty)
    for raw in raws[:2]:
        first.add(raw)
    first.flush()
    second = StoreWriter(empty)
    assert second.height == 2
    for raw in raws[2:]:
        second.add(raw)
    second.flush()
    assert empty.state.height == 5


@pytest.mark.parametrize("what", ["left out", "repeated", "entry", "seals", "garbage"])
def test_a_block_that_is_not_the_next_valid_one_is_refused(raws, empty, what):
    writer = StoreWriter(empty)
    writer.add(raws[0])
    value: Any = canonical.decode(raws[1])
    block, certificate = value
    wrong = {
        "left out": raws[2],
        "repeated": raws[0],
        "entry": canonical.encode([[block[0], block[1][:1]], certificate]),
        "seals": canonical.encode([block, [*certificate[:-1], certificate[-1][:2]]]),
        "garbage": b"\xc1",
    }[what]
    with pytest.raises(CopyError, match="block"):
        writer.add(wrong)
    assert writer.height == 1


@contextlib.asynccontextmanager
async def node(raws, refusals=0):
    """A node's API with these blocks, which is busy so many times first."""
    left = refusals

    async def block(request):
        nonlocal left
        if left:
            left -= 1
            return web.Response(status=503, headers={"Retry-After": "1"})
        height = int(request.match_info["height"])
        assert request.headers["Accept"] == "application/msgpack"
        return web.Response(body=raws[height - 1]) if height <= len(raws) else web.Response(status=404)

    async def status(_request):
        return web.json_response({"height": len(raws)})

    application = web.Application()
    application.router.add_get("/v1/blocks/{height}", block)
    application.router.add_get("/v1/status", status)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield NodeApi(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def test_all_blocks_of_a_node_are_fetched_also_if_it_is_busy(raws, monkeypatch):
    monkeypatch.setattr(ledger_copy, "WAIT_S", 0)
    seen = []
    async with node(raws, refusals=2) as api:
        fetched = [raw async for raw in blocks_of(api, lambda done, total: seen.append((done, total)))]
        assert fetched == raws
        assert [raw async for raw in blocks_of(api, lambda *_: None, 3)] == raws[3:]
    assert seen[-1] == (5, 5)


async def test_a_node_that_stays_busy_is_given_up(raws, monkeypatch):
    monkeypatch.setattr(ledger_copy, "WAIT_S", 0)
    async with node(raws, refusals=1000) as api:
        with pytest.raises(NodeUnreachable, match="busy"):
            await anext(blocks_of(api, lambda *_: None))
