"""People without a key at a node's two doors: garbage, half a handshake, one byte a second, too much, and 1,000 who
say nothing. Runs as a program, in a network namespace of its own.

    python -m tests.cluster.faults.strangers KIND ADDRESS PEER_PORT API_PORT COUNT

Prints "ready" when it is at work, goes on until its standard input ends, then prints what it did.
"""

from __future__ import annotations

import asyncio
import os
import random
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

DRIP_S = 1.0
"""Between two bytes of a slow-loris."""
MIB = 1 << 20
HELD_BACK = 100
"""Connections opened at a time."""
CLIENT_HELLO = bytes.fromhex("160301020001") + b"\x00\x01\xfc\x03\x03" + bytes(507)
"""The beginning of a TLS handshake that promises 512 bytes."""
HTTP = b"POST /v1/entries HTTP/1.1\r\nHost: node\r\nContent-Type: application/msgpack\r\nContent-Length: 900\r\n\r\n"
NOISE = random.Random(7).randbytes(4096)


@dataclass(slots=True)
class Target:
    """A node and how many come to each of its doors."""

    address: str
    peer_port: int
    api_port: int
    count: int
    done: Counter[str] = field(default_factory=Counter)
    open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def connect(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A TCP connection."""
        reader, writer = await asyncio.open_connection(self.address, port)
        self.open.add(writer)
        return reader, writer

    def leave(self, writer: asyncio.StreamWriter) -> None:
        """Close it."""
        self.open.discard(writer)
        writer.close()


async def again_and_again(target: Target, name: str, act: Callable[[Target], Awaitable[None]]) -> None:
    """Without end, however the node receives it."""
    while True:
        try:
            async with asyncio.timeout(15):
                await act(target)
            target.done[name] += 1
        except (OSError, EOFError, TimeoutError):
            target.done[f"{name}, cut off"] += 1
        await asyncio.sleep(0.01)


async def _say(target: Target, port: int, data: bytes) -> None:
    """Send it and listen until the node hangs up."""
    reader, writer = await target.connect(port)
    try:
        writer.write(data)
        await writer.drain()
        await reader.read()
    finally:
        target.leave(writer)


async def noise_at_peer_port(target: Target) -> None:
    """No TLS at all."""
    await _say(target, target.peer_port, NOISE)


async def noise_at_api(target: Target) -> None:
    """No HTTP at all."""
    await _say(target, target.api_port, NOISE)


async def tls_without_key(target: Target) -> None:
    """TLS, but no certificate of a member; then a request."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(target.address, target.peer_port, ssl=context)
    try:
        writer.write(b"GET /peer HTTP/1.1\r\nHost: node\r\n\r\n")
        await writer.drain()
        await reader.read()
    finally:
        writer.close()


async def huge_record(target: Target) -> None:
    """TLS records that claim 64 KiB, of which there is no end."""
    await _say(target, target.peer_port, b"\x16\x03\x01\xff\xff" + bytes(MIB))


async def huge_body(target: Target) -> None:
    """A body of 64 MiB for the API, sent as far as the node lets it."""
    reader, writer = await target.connect(target.api_port)
    try:
        writer.write(HTTP.replace(b"900", str(64 * MIB).encode()))
        for _ in range(64):
            writer.write(bytes(MIB))
            await writer.drain()
        await reader.read(1)
    finally:
        target.leave(writer)


async def endless_header(target: Target) -> None:
    """A header line without an end."""
    reader, writer = await target.connect(target.api_port)
    try:
        writer.write(b"GET /v1/status HTTP/1.1\r\nX: ")
        for _ in range(64):
            writer.write(b"x" * 65_536)
            await writer.drain()
        await reader.read(1)
    finally:
        target.leave(writer)


async def drip(target: Target, port: int, data: bytes, name: str) -> None:
    """One byte a second, and again from the beginning where the node hangs up."""
    while True:
        try:
            reader, writer = await target.connect(port)
        except OSError:
            target.done[f"{name}, not let in"] += 1
            await asyncio.sleep(DRIP_S)
            continue
        target.done[f"{name}, begun"] += 1
        hung_up = asyncio.create_task(reader.read())
        try:
            for number in range(len(data)):
                writer.write(data[number : number + 1])
                done, _ = await asyncio.wait([hung_up], timeout=DRIP_S)
                if done:
                    break
        finally:
            hung_up.cancel()
            target.leave(writer)
        await asyncio.gather(hung_up, return_exceptions=True)
        target.done[f"{name}, hung up on"] += 1


async def idle(target: Target, port: int, name: str) -> None:
    """Connect and say nothing; come again where the node hangs up."""
    while True:
        try:
            reader, writer = await target.connect(port)
            target.done[f"{name}, connected"] += 1
            try:
                await reader.read()
            finally:
                target.leave(writer)
        except OSError:
            pass
        target.done[f"{name}, hung up on"] += 1
        await asyncio.sleep(DRIP_S)


GARBAGE = [noise_at_peer_port, noise_at_api, tls_without_key, huge_record]
OVERSIZED = [huge_body, endless_header, huge_record]


async def begin(kind: str, target: Target, group: asyncio.TaskGroup) -> list[asyncio.Task[None]]:
    """Everyone at work."""
    if kind in ("garbage", "oversized"):
        acts = GARBAGE if kind == "garbage" else OVERSIZED
        return [
            group.create_task(again_and_again(target, act.__name__, act)) for act in acts for _ in range(target.count)
        ]
    tasks = []
    for number in range(target.count):
        if kind == "loris":
            tasks.append(group.create_task(drip(target, target.peer_port, CLIENT_HELLO, "half a TLS handshake")))
            tasks.append(group.create_task(drip(target, target.api_port, HTTP + bytes(900), "half a request")))
        else:
            tasks.append(group.create_task(idle(target, target.peer_port, "peer port")))
            tasks.append(group.create_task(idle(target, target.api_port, "API")))
        if number % HELD_BACK == 0:
            await asyncio.sleep(0.05)
    return tasks


async def main() -> None:
    """Work until standard input ends."""
    kind, address, peer_port, api_port, count = sys.argv[1:]
    target = Target(address, int(peer_port), int(api_port), int(count))
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as group:
        tasks = await begin(kind, target, group)
        print("ready", flush=True)
        await loop.run_in_executor(None, os.read, sys.stdin.fileno(), 1)
        still = len(target.open)
        for task in tasks:
            task.cancel()
    print(f"{still} connections open at the end; " + ", ".join(f"{n} × {name}" for name, n in target.done.items()))


if __name__ == "__main__":
    asyncio.run(main())
