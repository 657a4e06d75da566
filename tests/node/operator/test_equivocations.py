"""`notarium-node equivocation` asks a node that lies: what comes is bounded, and is what was asked for or nothing."""

import contextlib

import pytest
from aiohttp import web
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_node.operator import node_api as asking
from notarium_node.operator.equivocations import Asked, NotFound


@contextlib.asynccontextmanager
async def answering(listed, file=None):
    """A node's API with these handlers."""
    app = web.Application()
    app.router.add_get("/v1/equivocations", listed)
    if file is not None:
        app.router.add_get("/v1/equivocations/{id}", file)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Asked(f"http://127.0.0.1:{runner.addresses[0][1]}", None)
    finally:
        await runner.cleanup()


async def test_a_list_without_end_is_given_up():
    async def listed(request):
        after = int(request.query["after"])
        rows = [{"id": f"{after + number:064x}"} for number in range(int(request.query["limit"]))]
        return web.json_response({"equivocations": rows, "next": after + len(rows)})

    async with answering(listed) as node:
        with pytest.raises(asking.Unreachable, match="more equivocations than any node keeps"):
            await node.listed()


async def test_an_answer_without_end_is_given_up(monkeypatch):
    monkeypatch.setattr(asking, "ANSWER_BYTES", 100_000)

    async def listed(request):
        response = web.StreamResponse()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response

    async with answering(listed) as node:
        with pytest.raises(asking.Unreachable, match="more than 100000 bytes"):
            await node.listed()


async def test_another_piece_than_the_one_asked_for_is_not_taken_for_it():
    consortium = Consortium(4)
    files = [
        EquivocationFile(lie(consortium, liar), consortium.genesis.registry.validators, None)
        for liar in consortium.validator_keys[:2]
    ]
    asked, other = (each.equivocation.id.hex() for each in files)

    async def listed(request):
        return web.json_response({"equivocations": [{"id": asked}], "next": None})

    async def file(request):
        return web.Response(body=given.encode_json())

    async with answering(listed, file) as node:
        given = files[0]
        assert (await node.file(asked[:8], consortium.genesis)).equivocation.id.hex() == asked
        given = files[1]
        with pytest.raises(NotFound, match="another piece"):
            await node.file(asked[:8], consortium.genesis)
    assert asked != other
