"""TLS handshakes that do not end: few of an address, short, and no hindrance to others."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.node.certificates import certificate
from tests.node.parts import until
from tests.node.peering import both_loops

from notarium_node.http import tls_site
from notarium_node.http.pace import Ending
from notarium_node.http.places import Places
from notarium_node.http.server import HardenedAppRunner
from notarium_node.http.tls_site import TlsSite

event_loop_policy = both_loops
pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture:DeprecationWarning")

STRANGER = "127.0.0.2"


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    key = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = certificate(key, datetime.now(UTC) + timedelta(days=1)) + key.private_bytes(
        serialization.Encoding.PEM, *plain
    )
    path.write_bytes(pem)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(path)
    return made


class Site:
    """What a test sees of it."""

    def __init__(self, port: int, endings: Counter[Ending], addresses: list[str]) -> None:
        self.port = port
        self.endings = endings
        self.addresses = addresses
        """Of clients that were answered."""

    async def ask(self) -> str:
        """An honest request, on a connection of its own."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://127.0.0.1:{self.port}/", ssl=False) as answer,
        ):
            return await answer.text()

    async def silent(self, source: str = STRANGER) -> asyncio.StreamReader:
        """A connection that never says anything."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        reader.writer = writer  # type: ignore[attr-defined] # Kept open as long as the reader.
        return reader


Serving = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def serving(context):
    @asynccontextmanager
    async def serve(host="127.0.0.1", port=0, exempt=()):
        addresses, endings = list[str](), Counter[Ending]()

        async def answer(request: web.Request) -> web.Response:
            addresses.append(request.remote or "")
            return web.Response(text="here")

        app = web.Application()
        app.router.add_get("/", answer)
        runner = HardenedAppRunner(app, places=Places(100), endings=endings, access_log=None)
        await runner.setup()
        try:
            site = TlsSite(runner, host, port, ssl_context=context, exempt=exempt, endings=endings)
            await site.start()
            yield Site(runner.addresses[0][1], endings, addresses)
        finally:
            await runner.cleanup()

    return serve


async def is_open(reader: asyncio.StreamReader) -> bool:
    try:
        async with asyncio.timeout(0.05):
            return await reader.read(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


async def test_an_honest_client_is_answered_and_counts_as_its_address(serving: Serving):
    async with serving() as site:
        assert [await site.ask() for _ in range(3)] == ["here"] * 3
        assert (site.addresses, site.endings) == (["127.0.0.1"] * 3, {})


async def test_the_oldest_handshakes_of_an_address_that_has_too_many_are_ended(serving: Serving, monkeypatch):
    monkeypatch.setattr(tls_site, "MOST_OF_ONE", 3)
    async with serving() as site:
        neighbour = await site.silent("127.0.0.3")
        held = [await site.silent() for _ in range(8)]
        await until(lambda: site.endings[Ending.NO_TLS] == 5)
        assert [await is_open(each) for each in held] == [False] * 5 + [True] * 3
        assert await is_open(neighbour)
        assert await site.ask() == "here"
        assert site.endings == {Ending.NO_TLS: 5}


async def test_all_together_are_bounded_and_a_newcomer_takes_the_place_of_the_oldest(serving: Serving, monkeypatch):
    monkeypatch.setattr(tls_site, "MOST", 4)
    monkeypatch.setattr(tls_site, "MOST_OF_ONE", 3)
    async with serving() as site:
        held = [await site.silent(f"127.0.0.{2 + number // 2}") for number in range(6)]
        await until(lambda: site.endings[Ending.NO_TLS] == 2)
        assert [await is_open(each) for each in held] == [False] * 2 + [True] * 4
        assert [await site.ask() for _ in range(3)] == ["here"] * 3


async def test_own_proxies_have_no_limit(serving: Serving, monkeypatch):
    monkeypatch.setattr(tls_site, "MOST_OF_ONE", 1)
    async with serving(exempt=(STRANGER,)) as site:
        held = [await site.silent() for _ in range(4)]
        assert await site.ask() == "here"
        assert all([await is_open(each) for each in held])


async def test_a_handshake_that_lasts_too_long_or_is_none_is_ended(serving: Serving, monkeypatch):
    monkeypatch.setattr(tls_site, "HANDSHAKE_S", 0.1)
    async with serving() as site:
        silent, junk = await site.silent(), await site.silent()
        junk.writer.write(b"GET / HTTP/1.1\r\n\r\n")  # type: ignore[attr-defined]
        await until(lambda: site.endings[Ending.NO_TLS] == 2, timeout_s=20)
        assert [await is_open(each) for each in (silent, junk)] == [False, False]
        assert await site.ask() == "here"


async def test_what_is_ended_leaves_no_file_open(serving: Serving, monkeypatch):
    monkeypatch.setattr(tls_site, "MOST_OF_ONE", 2)
    async with serving() as site:
        held = [await site.silent() for _ in range(40)]
        await until(lambda: site.endings[Ending.NO_TLS] == 38)
        for each in held[:38]:
            assert not await is_open(each)
            each.writer.transport.abort()  # type: ignore[attr-defined]
        # A descriptor that is used again must not belong to a handshake that has ended.
        assert [await site.ask() for _ in range(20)] == ["here"] * 20


async def test_others_have_their_turn_while_many_connect(serving: Serving, monkeypatch):
    turn, accepted = 0, list[int]()

    def address_of(*said: object) -> str:
        accepted.append(turn)
        return STRANGER

    async with serving() as site:
        monkeypatch.setattr(tls_site, "address_of", address_of)
        held = [socket.create_connection(("127.0.0.1", site.port)) for _ in range(20)]
        while len(accepted) < len(held):
            turn += 1
            await asyncio.sleep(0)
        for each in held:
            each.close()
    assert len(set(accepted)) == len(held), "several were accepted in one turn of the event loop"


async def test_the_end_of_the_site_ends_the_handshakes(serving: Serving):
    async with serving() as site:
        silent = await site.silent()
        await site.ask()
    assert not await is_open(silent)


async def test_a_taken_port_is_an_error_and_all_addresses_are_served(serving: Serving):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        async with serving(port=taken.getsockname()[1]):
            pass
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    async with serving(host="", port=port) as site:
        assert await site.ask() == "here"
