"""Those who lay siege, as a process of their own.

    python -m tests.cluster.siege.attackers

Reads one line of JSON from standard input (Orders), prints "ready" when it is at work, goes on until its input ends,
then prints what it got as JSON: {"answers": {what: count}, "no_retry_after": count}.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from tests.cluster.siege import goods
from tests.cluster.siege.member import fragment, gossip

PAUSE_S = 0.01
"""Between two requests of one connection: attackers share the machine with their victims."""
DRIP_S = 1.0
ANSWER_S = 60.0
REFUSALS = (429, 503)


@dataclass(frozen=True, slots=True)
class Orders:
    """What to do, to whom, and how many do it."""

    kind: str
    api: str
    connections: int
    source: str = "127.0.0.2"
    """The address that they come from."""
    genesis: str = ""
    """The genesis file."""
    key: str = ""
    """Hex: the public key that they name as the author, or the seed of their own key."""
    issuer: str = "m0"
    paths: tuple[str, ...] = ()
    """What to ask for, in turn."""
    directory: str = ""
    """Of the node whose keys a hostile member has."""
    victims: tuple[str, ...] = ()
    """Hex keys of the nodes that a hostile member turns to."""


@dataclass(slots=True)
class Spoils:
    """What they got."""

    answers: Counter[str] = field(default_factory=Counter)
    no_retry_after: int = 0

    def note(self, answer: aiohttp.ClientResponse) -> None:
        """One answer."""
        self.answers[str(answer.status)] += 1
        if answer.status in REFUSALS and "Retry-After" not in answer.headers:
            self.no_retry_after += 1


Attack = Callable[[Orders, Spoils], Awaitable[None]]


def _session(orders: Orders) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=0, local_addr=(orders.source, 0))
    return aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=ANSWER_S))


async def _all(orders: Orders, one: Callable[[int], Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(orders.connections):
            group.create_task(one(number))  # type: ignore[arg-type]


async def _again_and_again(spoils: Spoils, step: Callable[[], Awaitable[None]]) -> None:
    """Until cancelled; what the victim does to the connection is noted."""
    while True:
        try:
            await step()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            spoils.answers[type(error).__name__] += 1
        await asyncio.sleep(PAUSE_S)


async def _post(orders: Orders, spoils: Spoils, bodies: list[bytes], path: str, headers: dict[str, str]) -> None:
    async with _session(orders) as session:

        async def one(number: int) -> None:
            turn = number

            async def step() -> None:
                nonlocal turn
                turn += 1
                body = bodies[turn % len(bodies)]
                async with session.post(orders.api + path, data=body, headers=headers) as answer:
                    await answer.read()
                    spoils.note(answer)

            await _again_and_again(spoils, step)

        await _all(orders, one)


async def junk(orders: Orders, spoils: Spoils) -> None:
    """Batches of well-formed entries under an enrolled key, with signatures of random bytes."""
    bodies = [goods.junk_batch(bytes.fromhex(orders.key), orders.issuer) for _ in range(4)]
    await _post(orders, spoils, bodies, "/v1/entries/batch?wait=none", {"Content-Type": goods.MSGPACK})


async def leave(orders: Orders, spoils: Spoils) -> None:
    """Most of a junk batch, then gone without a word; and again."""
    host, port = urlsplit(orders.api).hostname, urlsplit(orders.api).port
    body = goods.junk_batch(bytes.fromhex(orders.key), orders.issuer)
    head = f"POST /v1/entries/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: {goods.MSGPACK}\r\n"
    said = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[: len(body) * 9 // 10]

    async def one(number: int) -> None:
        async def step() -> None:
            async with asyncio.timeout(ANSWER_S):
                _, writer = await asyncio.open_connection(host, port, local_addr=(orders.source, 0))
                try:
                    writer.write(said)
                    await writer.drain()
                    spoils.answers["left"] += 1
                finally:
                    writer.transport.abort()

        await _again_and_again(spoils, step)

    await _all(orders, one)


async def flood(orders: Orders, spoils: Spoils) -> None:
    """An enrolled key's own, well-signed, large entries, new ones each time."""
    maker = goods.Maker(orders.genesis, bytes.fromhex(orders.key), orders.issuer)
    async with _session(orders) as session:

        async def one(number: int) -> None:
            async def step() -> None:
                body = maker.large_batch()
                url = f"{orders.api}/v1/entries/batch?wait=none"
                async with session.post(url, data=body, headers={"Content-Type": goods.MSGPACK}) as answer:
                    await answer.read()
                    spoils.note(answer)

            await _again_and_again(spoils, step)

        await _all(orders, one)


async def zipped(orders: Orders, spoils: Spoils) -> None:
    """Bodies that claim to be compressed, and are junk."""
    headers = {"Content-Type": goods.MSGPACK, "Content-Encoding": "gzip"}
    await _post(orders, spoils, [goods.NOISE], "/v1/entries", headers)


async def lists(orders: Orders, spoils: Spoils) -> None:
    """Batches in JSON of as many empty strings as the body may have bytes for."""
    many = b'{"entries":[' + b'"",' * (goods.JUNK_BYTES // 3) + b'""]}'
    few = b'{"entries":[' + b'"",' * 20_000 + b'""]}'
    long = b'{"entries":["' + b"\\/" * 500_000 + b'"]}'
    await _post(orders, spoils, [many, few, long], "/v1/entries/batch", {"Content-Type": "application/json"})


async def chunks(orders: Orders, spoils: Spoils) -> None:
    """Bodies in chunks of one byte each, for as long as they are taken."""
    host, port = urlsplit(orders.api).hostname, urlsplit(orders.api).port
    head = f"POST /v1/entries/batch HTTP/1.1\r\nHost: localhost\r\nContent-Type: {goods.MSGPACK}\r\n"
    said = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + b"1\r\nx\r\n" * 1_000_000

    async def one(number: int) -> None:
        async def step() -> None:
            reader, writer = await asyncio.open_connection(host, port, local_addr=(orders.source, 0))
            try:
                writer.write(said)
                async with asyncio.timeout(ANSWER_S):
                    spoils.answers[(await reader.readline())[9:12].decode()] += 1
            finally:
                writer.transport.abort()

        await _again_and_again(spoils, step)

    await _all(orders, one)


async def replay(orders: Orders, spoils: Spoils) -> None:
    """A batch that is decided already, again and again: each answer has all its receipts."""
    with open(orders.paths[0], "rb") as file:  # noqa: ASYNC230 - before the attack begins
        body = file.read()
    await _post(orders, spoils, [body], "/v1/entries/batch", {"Content-Type": goods.MSGPACK, "Accept": goods.MSGPACK})


async def ask(orders: Orders, spoils: Spoils) -> None:
    """The paths in turn, on each connection."""
    async with _session(orders) as session:

        async def one(number: int) -> None:
            turn = number

            async def step() -> None:
                nonlocal turn
                turn += 1
                async with session.get(orders.api + orders.paths[turn % len(orders.paths)]) as answer:
                    await answer.read()
                    spoils.note(answer)

            await _again_and_again(spoils, step)

        await _all(orders, one)


async def _raw(orders: Orders) -> socket.socket:
    """A connection that takes little at a time."""
    host, port = urlsplit(orders.api).hostname, urlsplit(orders.api).port
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.bind((orders.source, 0))
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, (host, port))
    return plain


async def deaf(orders: Orders, spoils: Spoils) -> None:
    """Ask for something large and never read; if hung up on, come back."""

    async def one(number: int) -> None:
        async def step() -> None:
            plain = await _raw(orders)
            try:
                head = f"GET {orders.paths[0]} HTTP/1.1\r\nHost: localhost\r\nAccept: {goods.MSGPACK}\r\n\r\n"
                await asyncio.get_running_loop().sock_sendall(plain, head.encode())
                spoils.answers["asked"] += 1
                while not _is_reset(plain):  # noqa: ASYNC110 - there is no event for a reader who does not read
                    await asyncio.sleep(DRIP_S)
                spoils.answers["hung up on"] += 1
            finally:
                plain.close()

        await _again_and_again(spoils, step)

    await _all(orders, one)


def _is_reset(plain: socket.socket) -> bool:
    """Whether the other end has aborted the connection; reads nothing."""
    return plain.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0 or plain.getsockopt(
        socket.IPPROTO_TCP, socket.TCP_INFO, 1
    ) in (b"\x07", b"\x08")  # TCP_CLOSE, TCP_CLOSE_WAIT of tcp(7)


async def drip(orders: Orders, spoils: Spoils) -> None:
    """Bodies of which one byte comes a second."""

    async def one(number: int) -> None:
        async def step() -> None:
            plain = await _raw(orders)
            loop = asyncio.get_running_loop()
            try:
                head = f"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: {goods.MSGPACK}\r\n"
                await loop.sock_sendall(plain, f"{head}Content-Length: 9000\r\n\r\n".encode())
                spoils.answers["asked"] += 1
                while not _is_reset(plain):
                    await asyncio.sleep(DRIP_S)
                    await loop.sock_sendall(plain, b"\x00")
                spoils.answers["hung up on"] += 1
            finally:
                plain.close()

        await _again_and_again(spoils, step)

    await _all(orders, one)


async def streams(orders: Orders, spoils: Spoils) -> None:
    """Event streams, held open."""
    async with _session(orders) as session:

        async def one(number: int) -> None:
            async def step() -> None:
                hours = aiohttp.ClientTimeout(total=3600)
                async with session.get(f"{orders.api}/v1/events", timeout=hours) as answer:
                    spoils.note(answer)
                    if answer.status == 200:
                        async for _ in answer.content:
                            pass

            await _again_and_again(spoils, step)

        await _all(orders, one)


async def lies(orders: Orders, spoils: Spoils) -> None:
    """A member's node that gossips entries which nobody admits."""
    await gossip(orders.genesis, orders.directory, orders.victims, spoils.answers)


async def fragments(orders: Orders, spoils: Spoils) -> None:
    """A member's node that sends empty fragments of one message."""
    await fragment(orders.genesis, orders.directory, orders.victims, spoils.answers)


async def heads(orders: Orders, spoils: Spoils) -> None:
    """Heads of 1 MB: 120 long lines, and the end of the head where there is a path to ask for."""
    host, port = urlsplit(orders.api).hostname, urlsplit(orders.api).port
    lines = b"".join(b"x%d: " % number + b"a" * 8_000 + b"\r\n" for number in range(120))
    first = f"POST /v1/entries HTTP/1.1\r\nHost: localhost\r\nContent-Type: {goods.MSGPACK}\r\nContent-Length: 9000\r\n"
    said = first.encode() + lines + (b"\r\n" if orders.paths else b"")

    async def one(number: int) -> None:
        async def step() -> None:
            reader, writer = await asyncio.open_connection(host, port, local_addr=(orders.source, 0))
            try:
                writer.write(said)
                await writer.drain()
                spoils.answers["sent"] += 1
                answer = await reader.read(64 * 1024)
                spoils.answers[answer[9:12].decode(errors="replace") or "hung up on"] += 1
            finally:
                writer.transport.abort()

        await _again_and_again(spoils, step)

    await _all(orders, one)


ATTACKS: dict[str, Attack] = {
    each.__name__: each
    for each in (junk, leave, flood, zipped, lists, chunks, replay, ask, deaf, drip, streams, lies, fragments, heads)
}


async def main() -> None:
    """Until standard input ends."""
    orders = Orders(**{**json.loads(sys.stdin.readline())})
    spoils = Spoils()
    work = asyncio.ensure_future(ATTACKS[orders.kind](orders, spoils))
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    print("ready", flush=True)
    await asyncio.wait((work, ended), return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    result = (await asyncio.gather(work, return_exceptions=True))[0]
    if isinstance(result, Exception):
        spoils.answers[f"attack ended: {result!r}"] += 1
    print(json.dumps({"answers": dict(spoils.answers), "no_retry_after": spoils.no_retry_after}))


if __name__ == "__main__":
    asyncio.run(main())
