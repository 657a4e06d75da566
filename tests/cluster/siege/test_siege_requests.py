"""Strangers at the API: requests that are cheap to send, many at a time, and must not be dear to read or answer."""

from __future__ import annotations

import pytest
from tests.cluster.siege import goods
from tests.cluster.siege.conftest import OpenSiege
from tests.cluster.siege.judge import Limits

from notarium import Client
from notarium_ledger.log.hashes import leaf_hash

pytestmark = pytest.mark.cluster

ENTRIES = 2_000


@pytest.mark.parametrize("connections", [4, 200])
async def test_batches_of_empty_strings_in_json(siege: OpenSiege, connections: int):
    """Millions of them, and fewer; and one of a million escapes."""
    async with siege(f"{connections} connections post JSON batches of empty strings") as each:
        await each.withstand(each.orders("lists", connections), seconds=15, limits=Limits())


async def test_chunks_of_one_byte(siege: OpenSiege):
    """Each costs six bytes to send."""
    async with siege("32 connections send a body in chunks of one byte") as each:
        await each.withstand(each.orders("chunks", 32), seconds=15, limits=Limits())
        assert each.figures.answers.get("411"), "nobody was asked for a length"


async def test_many_who_ask_for_metrics_and_status(siege: OpenSiege):
    """Each answer takes milliseconds to make."""
    async with siege("300 connections ask for the metrics, the status, the description") as each:
        paths = ("/metrics", "/v1/status", "/openapi.json", "/v1/genesis")
        await each.withstand(each.orders("ask", 300, paths=paths), seconds=15, limits=Limits())


async def test_many_who_ask_for_single_entries(siege: OpenSiege):
    """Of one large block; and for what is not there."""
    async with siege("300 connections ask for entries of one block") as each:
        maker = goods.Maker(str(each.cluster.network.genesis_file), each.seed, "m0")
        raws = maker.entries(ENTRIES, 300)
        async with Client(each.cluster.network.genesis, [each.nodes[0].api], timeout=60) as client:
            await client.submit_entries(raws)
        paths = (*(f"/v1/entries/{leaf_hash(raw).hex()}" for raw in raws[:20]), "/" + "%41/" * 500)
        await each.withstand(each.orders("ask", 300, paths=paths), seconds=15, limits=Limits())
