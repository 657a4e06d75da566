"""A member turned hostile: it has a validator's keys and speaks the peer protocol."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from tests.cluster.siege import goods

from notarium.key_files import Purpose, load_seed
from notarium_ledger.encoding import canonical
from notarium_ledger.types import PublicKey
from notarium_node.identity.tls import client_context, make_certificate
from notarium_node.peers import wire
from notarium_node.peers.wire import Kind

LISTED = 16_000
"""Entries in one message."""
ENTRY_BYTES = 200
AGAIN_S = 0.25
"""Before the next attempt to be let in."""
PAUSE_S = 0.02
"""Between two messages: 16,000 entries each."""


async def gossip(genesis_file: str, directory: str, victims: Sequence[str], answers: Counter[str]) -> None:
    """Send each victim messages of well-signed entries by a key that nobody enrolled, until cancelled."""
    made = goods.Maker(genesis_file, os.urandom(32), "m0")
    genesis = made.genesis
    seed = load_seed(Path(directory) / "keys" / Purpose.TRANSPORT.file_name, Purpose.TRANSPORT)
    message = wire.pack_list(Kind.ENTRIES, made.entries(LISTED, ENTRY_BYTES))

    async def besiege(victim: str) -> None:
        record = genesis.registry.nodes[PublicKey(bytes.fromhex(victim))]
        context = client_context(make_certificate(seed), seed, [record.certificate])
        async with aiohttp.ClientSession() as session:
            while True:
                try:
                    async with session.ws_connect(
                        f"https://{record.address}/peer", ssl=context, max_msg_size=0
                    ) as link:
                        await link.send_bytes(canonical.encode([b"notarium-peer/1", bytes(genesis.hash)]))
                        await link.receive_bytes()
                        answers["let in"] += 1
                        await _send_all(link, message, answers)
                except (aiohttp.ClientError, OSError, TypeError) as error:
                    answers[type(error).__name__] += 1
                await asyncio.sleep(AGAIN_S)

    async with asyncio.TaskGroup() as group:
        for victim in victims:
            group.create_task(besiege(victim))


async def _send_all(link: aiohttp.ClientWebSocketResponse, message: bytes, answers: Counter[str]) -> None:
    """Until the victim hangs up. What it says is read and not answered, so that it cannot block."""

    async def listen() -> None:
        async for _ in link:
            pass

    listening = asyncio.create_task(listen())
    try:
        while not listening.done():
            await link.send_bytes(message)
            answers["messages"] += 1
            await asyncio.sleep(PAUSE_S)
        answers[f"dropped with {link.close_code}"] += 1
    finally:
        listening.cancel()
