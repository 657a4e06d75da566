"""A node's API as the operator's commands use it."""

import asyncio
import contextlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.node.certificates import certificate

from notarium_ledger.encoding.json_file import iso_time
from notarium_node.config.reading import ConfigError
from notarium_node.operator.cli import output
from notarium_node.operator.node_api import NodeApi, NodeUnreachable, tables

STATUS = {
    "member": "inst-1", "height": 7, "ready": False, "reasons": ["no quorum", "late"],
    "mempool": {"entries": 3, "bytes": 900}, "peers": [{"member": "inst-2", "key": "ab" * 32, "lag": None}],
}  # fmt: skip


@contextlib.asynccontextmanager
async def answering(answer, status=200):
    async def handle(_request):
        return web.json_response(answer, status=status)

    application = web.Application()
    application.router.add_get("/v1/status", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_status_is_fetched_and_shown(capsys):
    async with answering(STATUS) as url:
        assert await NodeApi(url + "/").status() == STATUS
    for table in tables(STATUS):
        output.out.print(table)
    out = capsys.readouterr().out
    for part in ("inst-1", "no quorum", "3 entries, 900 bytes", "inst-2", "abababababab", "no"):
        assert part in out


def test_a_ledger_without_a_block_has_no_time_yet(capsys):
    for table in tables({"height": 0, "time": iso_time(0)}):
        output.out.print(table)
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [["height", "0"], ["time", "-"]]
    for table in tables({"height": 1, "time": iso_time(1)}):
        output.out.print(table)
    assert "1970-01-01T00:00:00.001Z" in capsys.readouterr().out


@pytest.mark.parametrize(("answer", "code"), [([], 200), ({}, 500)])
async def test_an_answer_that_is_no_status_counts_as_unreachable(answer, code):
    async with answering(answer, code) as url:
        with pytest.raises(NodeUnreachable, match="is this a Notarium node's API"):
            await NodeApi(url).status()


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_certificate_that_does_not_load_is_named(content, tmp_path):
    path = tmp_path / "api.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"api\.tls_certificate .*api\.pem does not load"):
        await NodeApi("https://127.0.0.1:1", path).status()


@contextlib.asynccontextmanager
async def speaking_tls(folder):
    """A port that speaks TLS with a certificate of no known authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = folder / "api.pem"
    issued = certificate(key, datetime.now(UTC) + timedelta(days=30))
    pem.write_bytes(issued + key.private_bytes(serialization.Encoding.PEM, *plain))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("named", "remedy"),
    [
        (None, "name its authority's PEM file in SSL_CERT_FILE"),
        ("none.pem", "SSL_CERT_FILE names none.pem, which does not exist"),
    ],
)
async def test_a_certificate_of_no_known_authority_is_not_a_node_that_does_not_run(
    named, remedy, tmp_path, monkeypatch
):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with speaking_tls(tmp_path) as url:
        if named:
            monkeypatch.setenv("SSL_CERT_FILE", named)
        with pytest.raises(NodeUnreachable) as got:
            await NodeApi(url).status()
    assert "is not trusted" in str(got.value)
    assert str(got.value).endswith(remedy)
