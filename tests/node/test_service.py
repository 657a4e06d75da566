"""What the process needs of its machine, which node it is, and how its API answers what is not HTTP."""

import asyncio
import contextlib
import resource
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs
from tests.node.certificates import certificate

from notarium_node import service
from notarium_node.config.reading import load_config
from notarium_node.http import tls_site
from notarium_node.identity.card import read_card
from notarium_node.node import Node
from notarium_node.operator.setup import NodeDescription, make_keys
from notarium_node.service import allow_open_files, find_own
from notarium_node.startup import Check, StartupError, load_genesis
from notarium_store.store import Store


@pytest.fixture
def few_files():
    """A machine that begins with few open files and allows more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def soft():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_as_many_files_may_be_open_as_the_bounds_of_the_node_need(few_files):
    with capture_logs() as logs:
        allow_open_files(600)
        assert soft() == 600
        allow_open_files(550)
        assert soft() == 600  # Never less than it is.
    assert logs == []


def test_a_machine_that_allows_too_few_is_logged(monkeypatch):
    limits = [(256, 900)]
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: limits.append(new))
    with capture_logs() as logs:
        allow_open_files(1000)
    assert limits[-1] == (900, 900)
    assert [(each["log_level"], each["allowed"], each["needed"]) for each in logs] == [("warning", 900, 1000)]


def test_a_node_is_who_the_registry_or_its_card_says_and_nobody_else(ready, ceremony, tmp_path):
    config = load_config(ceremony[0] / "n1" / "node.toml", {})
    genesis = load_genesis(config)
    made = make_keys(tmp_path / "late", NodeDescription("late", "Late", "validator", "late.example:1"))
    late = read_card(made.card).node
    with Store.open(tmp_path / "store", genesis) as store:
        for record in genesis.registry.nodes.values():
            assert find_own(store, config, record.key) == record
        with pytest.raises(StartupError, match="is not in the registry") as caught:
            find_own(store, config, late.key)
        assert caught.value.findings[0].check is Check.IDENTITY
        made.card.replace(config.node.data_dir / made.card.name)
        assert find_own(store, config, late.key) == late


def test_the_api_answers_what_is_not_http_with_a_problem(world):
    with socket.create_connection(("127.0.0.1", world.node.port), timeout=10) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        received = b""
        while part := connection.recv(65_536):
            received += part
    assert b" 400 " in received.splitlines()[0]
    assert b"urn:notarium:problem:malformed" in received


def ask(world, path, headers):
    """The answer to a request with exactly these header lines."""
    lines = [f"GET {path} HTTP/1.1", "Connection: close", *headers, "", ""]
    with socket.create_connection(("127.0.0.1", world.node.port), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode())
        received = b""
        while part := connection.recv(65_536):
            received += part
    return received


def test_the_longest_search_of_a_browser_behind_proxies_is_within_the_bounds_of_a_head(world):
    name = quote("\U0001d54f" * 255)
    number = 2**62
    path = (
        f"/v1/search?digest={'ab' * 32}&issuer={name}&project={name}&kind=preregistration"
        f"&since_ms={10**14}&until_ms={10**14}&limit=1000&after={number}"
    )
    assert 6_300 < len(path) < 6_400
    browser = [
        "Host: localhost",
        f"Cookie: session={'c' * 4_000}",
        *(f"X-Forwarded-{n}: {'x' * 60}" for n in range(50)),
    ]
    assert b" 200 " in ask(world, path, browser).splitlines()[0]


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/log?" + "x" * 8_200, []),
        ("/v1/log", ["X: " + "x" * 5_200]),
        ("/v1/log", [f"X-{n}: x" for n in range(64)]),
        ("/v1/log", [f"X-{n}: {'x' * 4_000}" for n in range(5)]),
    ],
    ids=["path", "line", "lines", "all"],
)
def test_longer_heads_are_refused_with_a_problem(world, path, headers):
    answer = ask(world, path, ["Host: localhost", *headers])
    assert b" 400 " in answer.splitlines()[0]
    assert b"urn:notarium:problem:malformed" in answer


@pytest.fixture
def config(ready, monkeypatch):
    """Of a node that gets SIGTERM as soon as it runs, and that leaves this process's limits and collector alone."""
    stopping = asyncio.Event()
    stopping.set()
    monkeypatch.setattr(service, "_on_signals", lambda: stopping)
    monkeypatch.setattr(service, "allow_open_files", lambda needed: None)
    monkeypatch.setattr(service, "_relax_garbage_collector", lambda: None)
    return load_config(Path(ready), {})


async def test_a_node_that_is_told_to_stop_ends_without_an_error(config):
    with capture_logs() as logs:
        await service.run(config)
    assert logs[-1]["event"] == "node stopped"


@pytest.fixture
def with_certificate(config, tmp_path):
    """The configuration with a certificate of the API that expires in so many days."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    files = tmp_path / "api.pem", tmp_path / "api.key"
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *plain))
    api = config.api.model_copy(update={"tls_certificate": files[0], "tls_key": files[1]})

    def make(days):
        files[0].write_bytes(certificate(key, now + timedelta(days=days)))
        return config.model_copy(update={"api": api})

    return make


async def test_a_certificate_that_expires_soon_or_has_expired_is_reported_from_the_start_on(with_certificate):
    for days, text in ((10, "expires in 9 days"), (-1, "has expired at")):
        with capture_logs() as logs:
            await service.run(with_certificate(days))
        [line] = [each for each in logs if each["event"] == "the API's certificate expires"]
        assert text in line["text"]


async def test_the_api_of_a_node_ends_handshakes_of_which_an_address_has_too_many(with_certificate, monkeypatch):
    monkeypatch.setattr(tls_site, "MOST_OF_ONE", 1)
    stopping = asyncio.Event()
    monkeypatch.setattr(service, "_on_signals", lambda: stopping)
    config = with_certificate(10)
    running = asyncio.create_task(service.run(config))
    async with aiohttp.ClientSession() as session:

        async def is_alive():
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"https://127.0.0.1:{config.api.port}/healthz", ssl=False) as answer:
                    return answer.status == 200

        async with asyncio.timeout(30):
            while not await is_alive():
                assert not running.done()
                await asyncio.sleep(0.01)
            silent = [await asyncio.open_connection("127.0.0.1", config.api.port) for _ in range(2)]
            with contextlib.suppress(ConnectionError):
                assert await silent[0][0].read() == b""
            assert await is_alive()
            stopping.set()
            await running
    for _, writer in silent:
        writer.transport.abort()


async def test_a_defect_ends_the_process_with_an_error_also_while_the_node_stops(config, monkeypatch):
    stop = Node.stop

    async def failing(self):
        self.driver.fail(ZeroDivisionError("planted"))
        await stop(self)

    monkeypatch.setattr(Node, "stop", failing)
    with pytest.raises(service.NodeCrashed, match="planted"):
        await service.run(config)


@pytest.mark.parametrize("section", ["peer", "api"])
async def test_a_port_that_is_taken_after_the_checks_is_named_with_the_remedy(config, section):
    port = getattr(config, section).port
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(StartupError, match=f"{section}.port {port} is taken by pid .* choose another port"),
    ):
        await service.run(config)


async def test_a_vote_from_that_stays_is_noted_and_ignored_after_a_later_loss_of_the_store(config, ready):
    stated = load_config(Path(ready), {"NOTARIUM_NODE_CONSENSUS__VOTE_FROM": "7"})
    for _ in range(2):
        with capture_logs() as logs:
            await service.run(stated)
        assert not [each for each in logs if "is ignored" in each["event"]], "the first start, and a restart"
    assert stated.node.vote_from_note.read_text() == "7\n"
    shutil.rmtree(stated.node.store_dir)
    for _ in range(2):
        with capture_logs() as logs:
            await service.run(stated)
        [ignored] = [each for each in logs if "is ignored" in each["event"]]
        assert "consensus.vote_from = 7 is ignored" in ignored["event"], "after the loss, and at a restart"
    stated.node.vote_from_note.unlink()
    for _ in range(2):
        with capture_logs() as logs:
            await service.run(stated)
        assert not [each for each in logs if "is ignored" in each["event"]], (
            "the operator has withdrawn the earlier word"
        )
