"""Strangers at the API: junk, costly questions, connections that take and never give back."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import aiohttp
import pytest
from tests.cluster.siege import goods
from tests.cluster.siege.conftest import Besieged, OpenSiege
from tests.cluster.siege.judge import Limits

from notarium import Client
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash

pytestmark = pytest.mark.cluster

DIGEST = bytes(range(32))
NAMED = 4_000
"""Entries that name DIGEST."""
BIG_BLOCK = 170
"""Entries of 12 kB: a block of 2 MB."""
HONEST_S = 2.0


async def test_batches_with_junk_signatures(siege: OpenSiege):
    """7 MB each, well-formed, under a public key that is enrolled."""
    async with siege("64 connections post 7 MB batches with junk signatures") as each:
        orders = each.orders("junk", 64, key=each.mine.public.hex())
        await each.withstand(orders, seconds=25, limits=Limits())
        assert {"429", "503"} & set(each.figures.answers), "nobody was asked to wait"


async def test_junk_from_the_address_of_an_honest_researcher(siege: OpenSiege):
    """Such as behind one proxy or gateway: memory is bounded all the same."""
    async with siege("the same from the honest researchers' address") as each:
        orders = each.orders("junk", 64, key=each.mine.public.hex(), source="127.0.0.1")
        await each.withstand(orders, seconds=15, limits=Limits(), at=(1,))


async def test_clients_that_leave_within_their_batches(siege: OpenSiege):
    """What was kept for them is gone with them."""
    async with siege("64 connections send most of a 7 MB batch and hang up") as each:
        orders = each.orders("leave", 64, key=each.mine.public.hex())
        await each.withstand(orders, seconds=25, limits=Limits())


async def test_searches_of_a_crowded_digest(siege: OpenSiege):
    """4,000 entries name one digest; 64 and then 400 connections ask for 1,000 of them at a time."""
    async with siege("64 connections search a digest with 4,000 entries") as each:
        await _crowd_the_digest(each)
        path = f"/v1/search?digest={DIGEST.hex()}&limit=1000"
        await each.withstand(each.orders("ask", 64, paths=(path,)), seconds=15, limits=Limits(), rest_s=5)


async def test_more_searches_of_a_crowded_digest(siege: OpenSiege):
    """As above, from 400 connections."""
    async with siege("400 connections search a digest with 4,000 entries") as each:
        await _crowd_the_digest(each)
        path = f"/v1/search?digest={DIGEST.hex()}&limit=1000"
        await each.withstand(each.orders("ask", 400, paths=(path,)), seconds=20, limits=Limits())


async def test_searches_whose_filter_matches_nothing(siege: OpenSiege):
    """As above, but each request examines as many rows as one may, and finds none."""
    async with siege("64 connections search a crowded digest for nobody") as each:
        await _crowd_the_digest(each)
        path = f"/v1/search?digest={DIGEST.hex()}&issuer=nobody"
        await each.withstand(each.orders("ask", 64, paths=(path,)), seconds=15, limits=Limits(), rest_s=5)


async def test_a_replayed_batch(siege: OpenSiege, tmp_path: Path):
    """A batch that is decided already is sent again: each answer has 4,000 receipts."""
    async with siege("64 connections replay a decided batch of 4,000") as each:
        raws = await _crowd_the_digest(each)
        file = tmp_path / "batch"
        file.write_bytes(canonical.encode([*raws]))
        await each.withstand(each.orders("replay", 64, paths=(str(file),)), seconds=20, limits=Limits())


async def test_many_small_replayed_batches(siege: OpenSiege, tmp_path: Path):
    """As above, but of 430 entries each: small enough not to count as large."""
    async with siege("400 connections replay a decided batch of 430") as each:
        raws = await _crowd_the_digest(each)
        file = tmp_path / "batch"
        file.write_bytes(canonical.encode([*raws[:430]]))
        await each.withstand(each.orders("replay", 400, paths=(str(file),)), seconds=15, limits=Limits())


async def test_other_costly_reads(siege: OpenSiege):
    """Ranges of blocks, whole blocks, receipts, proofs and the list of members, in turn."""
    async with siege("200 connections ask for blocks, receipts, proofs, members") as each:
        raws = await _crowd_the_digest(each)
        ids = [leaf_hash(raw).hex() for raw in raws[:20]]
        paths = (
            "/v1/blocks?limit=200",
            "/v1/blocks/1",
            "/v1/members",
            "/v1/proofs/consistency?from=1",
            *(f"/v1/receipts/{id_}" for id_ in ids),
            *(f"/v1/proofs/inclusion?id={id_}" for id_ in ids[:5]),
        )
        await each.withstand(each.orders("ask", 200, paths=paths), seconds=20, limits=Limits())


async def test_connections_that_never_read(siege: OpenSiege):
    """400 ask for a block of 2 MB and take nothing."""
    async with siege("400 connections ask for a 2 MB block and never read") as each:
        height = await _big_block(each)
        orders = each.orders("deaf", 400, paths=(f"/v1/blocks/{height}",))
        await each.withstand(orders, seconds=30, limits=Limits())


async def test_junk_that_claims_to_be_compressed(siege: OpenSiege):
    """One counted line, not a traceback for each."""
    async with siege("32 connections post junk as gzip") as each:
        await each.withstand(each.orders("zipped", 32), seconds=15, limits=Limits(), rest_s=5)


@pytest.mark.parametrize("ending", [(), ("/v1/entries",)], ids=["never whole", "no body"])
async def test_long_heads(siege: OpenSiege, ending: tuple[str, ...]):
    """1 MB of header lines; the head never ends, or the body never comes."""
    what = "whose body never comes" if ending else "that never end"
    async with siege(f"450 connections send heads of 1 MB {what}") as each:
        await each.withstand(each.orders("heads", 450, paths=ending), seconds=15, limits=Limits())


async def test_all_event_streams(siege: OpenSiege):
    """One address wants all of them; the next reader gets one all the same."""
    async with siege("600 event streams from one address") as each, each.attackers(each.orders("streams", 600)):
        await asyncio.sleep(3)
        await _read_an_event(each)
        await each.withstand(seconds=10, limits=Limits(), rest_s=5)


async def test_slow_bodies(siege: OpenSiege):
    """1,100 bodies that arrive byte by byte."""
    async with siege("1,100 slow bodies from one address") as each:
        await each.withstand(each.orders("drip", 1100), seconds=20, limits=Limits(), rest_s=5)


async def test_a_log_that_nobody_reads(siege: OpenSiege):
    """stderr is a pipe, full and not read, while strangers cause lines."""
    async with siege("stderr is a pipe that nobody reads") as each:
        node = each.nodes[0]
        await asyncio.to_thread(node.stop)
        node.log.unlink()
        os.mkfifo(node.log)
        held = os.open(node.log, os.O_RDONLY | os.O_NONBLOCK)
        try:
            node.environment["NOTARIUM_NODE_LOG__LEVEL"] = "debug"
            node.start()
            await asyncio.to_thread(each.cluster.network.wait_ready, [node])
            await each.withstand(each.orders("zipped", 16), seconds=15, limits=Limits(), rest_s=2)
        finally:
            os.close(held)


async def _crowd_the_digest(each: Besieged) -> list[bytes]:
    """NAMED entries name DIGEST, and are decided."""
    genesis = each.cluster.network.genesis
    raws = [
        sign_entry(
            each.mine,
            genesis.hash,
            {
                "v": 1,
                "kind": "dataset",
                "issuer": "m0",
                "project": f"p{number}",
                "disclosure": "public",
                "record": os.urandom(32),
                "subjects": [{"digest": DIGEST, "role": "data"}],
            },
        )
        for number in range(NAMED)
    ]
    async with Client(genesis, [each.nodes[0].api], timeout=60) as client:
        await client.submit_entries(raws)
    return raws


async def _big_block(each: Besieged) -> int:
    """The height of a block of about 2 MB."""
    maker = goods.Maker(str(each.cluster.network.genesis_file), each.seed, "m0")
    async with Client(each.cluster.network.genesis, [each.nodes[0].api], timeout=60) as client:
        receipts = await client.submit_entries(maker.entries(BIG_BLOCK, goods.LARGE_BYTES))
    return int(receipts[-1].receipt.decided.header.height)


async def _read_an_event(each: Besieged) -> None:
    """A reader of another address follows the ledger."""
    began = time.monotonic()
    with contextlib.suppress(TimeoutError):
        async with (
            asyncio.timeout(HONEST_S),
            aiohttp.ClientSession() as session,
            session.get(f"{each.nodes[0].api}/v1/events") as answer,
        ):
            assert answer.status == 200, f"the next reader got {answer.status}"
            await answer.content.readline()
            return
    raise AssertionError(f"the next reader got no event stream in {time.monotonic() - began:.1f} s")
