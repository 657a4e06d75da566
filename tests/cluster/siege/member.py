"""A member turned hostile: it has a validator's keys and speaks the peer protocol."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
from tests.cluster.siege import goods

from notarium.key_files import Purpose, load_seed
from notarium_ledger.encoding import canonical
from notarium_ledger.state.genesis import Genesis
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
BEGIN = bytes((0x02, 0x80, 0, 0, 0, 0))
"""A frame that begins a binary message: not final, empty, under a mask of zeros."""
FRAGMENTS = bytes((0x00, 0x80, 0, 0, 0, 0)) * 10_000
UNSENT_BYTES = 1024 * 1024
FULL_S = 0.005
"""The pause while so much waits to be sent."""


async def gossip(genesis_file: str, directory: str, victims: Sequence[str], answers: Counter[str]) -> None:
    """Send each victim messages of well-signed entries by a key that nobody enrolled, until cancelled."""
    made = goods.Maker(genesis_file, os.urandom(32), "m0")
    message = wire.pack_list(Kind.ENTRIES, made.entries(LISTED, ENTRY_BYTES))

    async def attack(link: aiohttp.ClientWebSocketResponse) -> None:
        await _send_all(link, message, answers)

    await _besiege(made.genesis, directory, victims, answers, attack)


async def fragment(genesis_file: str, directory: str, victims: Sequence[str], answers: Counter[str]) -> None:
    """Send each victim empty fragments of one WebSocket message that never ends, until cancelled."""
    genesis = goods.Maker(genesis_file, os.urandom(32), "m0").genesis

    async def attack(link: aiohttp.ClientWebSocketResponse) -> None:
        await _send_fragments(link, answers)

    await _besiege(genesis, directory, victims, answers, attack)


async def _besiege(
    genesis: Genesis,
    directory: str,
    victims: Sequence[str],
    answers: Counter[str],
    attack: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]],
) -> None:
    """Be let in by each victim, attack, and come back when it hangs up, until cancelled."""
    seed = load_seed(Path(directory) / "keys" / Purpose.TRANSPORT.file_name, Purpose.TRANSPORT)

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
                        await attack(link)
                except (aiohttp.ClientError, OSError, TypeError) as error:
                    answers[type(error).__name__] += 1
                await asyncio.sleep(AGAIN_S)

    async with asyncio.TaskGroup() as group:
        for victim in victims:
            group.create_task(besiege(victim))


async def _send_all(link: aiohttp.ClientWebSocketResponse, message: bytes, answers: Counter[str]) -> None:
    """Until the victim hangs up."""

    async def step() -> None:
        await link.send_bytes(message)
        answers["messages"] += 1
        await asyncio.sleep(PAUSE_S)

    await _until_dropped(link, step, answers)


async def _send_fragments(link: aiohttp.ClientWebSocketResponse, answers: Counter[str]) -> None:
    """As many as the line takes, until the victim hangs up."""
    way = link._writer.transport
    way.write(BEGIN)

    async def step() -> None:
        way.write(FRAGMENTS)
        answers["10,000 fragments"] += 1
        await asyncio.sleep(FULL_S if way.get_write_buffer_size() > UNSENT_BYTES else 0)

    await _until_dropped(link, step, answers)


async def _until_dropped(
    link: aiohttp.ClientWebSocketResponse, step: Callable[[], Awaitable[None]], answers: Counter[str]
) -> None:
    """Again and again. What the victim says is read and not answered, so that it cannot block."""

    async def listen() -> None:
        async for _ in link:
            pass

    listening = asyncio.create_task(listen())
    try:
        while not listening.done():
            await step()
        answers[f"dropped with {link.close_code}"] += 1
    finally:
        listening.cancel()
