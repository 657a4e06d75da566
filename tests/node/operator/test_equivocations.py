"""Equivocations from a node that lies: its answers are bounded, and are either what was requested or refused."""

import contextlib

import pytest
from aiohttp import web
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_node.operator import node_api
from notarium_node.operator.equivocations import NotFound, fetch, listed, table
from notarium_node.operator.node_api import NodeApi, NodeUnreachable


@contextlib.asynccontextmanager
async def answering(rows, file=None):
    """A node's API with these handlers."""
    app = web.Application()
    app.router.add_get("/v1/equivocations", rows)
    if file is not None:
        app.router.add_get("/v1/equivocations/{id}", file)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield NodeApi(f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()


async def test_a_list_without_end_is_given_up():
    async def rows(request):
        after = int(request.query["after"])
        page = [{"id": f"{after + number:064x}"} for number in range(int(request.query["limit"]))]
        return web.json_response({"equivocations": page, "next": after + len(page)})

    async with answering(rows) as api:
        with pytest.raises(NodeUnreachable, match="more equivocations than any node keeps"):
            await listed(api)


async def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(node_api, "ANSWER_BYTES", 100_000)

    async def rows(request):
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response

    async with answering(rows) as api:
        with pytest.raises(NodeUnreachable, match="more than 100000 bytes"):
            await listed(api)


async def test_another_equivocation_than_the_requested_one_is_refused():
    consortium = Consortium(4)
    files = [
        EquivocationFile(lie(consortium, liar), consortium.genesis.registry.validators, None)
        for liar in consortium.validator_keys[:2]
    ]
    asked, other = (each.equivocation.id.hex() for each in files)

    async def rows(request):
        return web.json_response({"equivocations": [{"id": asked}], "next": None})

    async def file(request):
        return web.Response(body=given.encode_json())

    async with answering(rows, file) as api:
        given = files[0]
        assert (await fetch(api, asked[:8], consortium.genesis)).equivocation.id.hex() == asked
        given = files[1]
        with pytest.raises(NotFound, match="another equivocation"):
            await fetch(api, asked[:8], consortium.genesis)
    assert asked != other


def test_a_node_without_equivocations_says_so_instead_of_showing_an_empty_table():
    assert "no equivocations" in str(table([]))
