"""What is said about answers: errors fit one line, and a receipt does not print its bytes."""

import errno
import socket

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from tests.client.helpers import body, client_of

from notarium.errors import Unreachable
from notarium.ledger_access.answers import clean, describe
from notarium.ledger_access.blocking import BlockingClient


def connector_error(error: OSError) -> aiohttp.ClientConnectorError:
    key = ConnectionKey("node.example.org", 443, True, True, None, None, None)
    return aiohttp.ClientConnectorError(key, error)


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_NODATA])
def test_a_host_name_that_does_not_resolve_is_named(number):
    error = socket.gaierror(number, "Name or service not known")
    assert describe(connector_error(error)) == "the host name node.example.org does not resolve"
    dns = aiohttp.ClientConnectorDNSError(connector_error(error)._conn_key, error)
    assert describe(dns) == "the host name node.example.org does not resolve"


def test_other_connection_errors_say_what_the_system_says():
    refused = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 443)")
    assert describe(connector_error(refused)) == "connection refused"
    assert describe(TimeoutError()) == "no answer in time"


def test_a_client_reports_a_host_name_that_does_not_resolve(ledger, monkeypatch):
    def fail(host, *args, **kwargs):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with (
        BlockingClient(ledger.consortium.genesis, ["http://no-such-host.invalid"], timeout=10) as client,
        pytest.raises(Unreachable, match=r"the host name no-such-host\.invalid does not resolve"),
    ):
        client.receipt("ab" * 32)


def test_text_from_outside_is_one_bounded_line():
    assert clean("a\x1b[2J\nb\u202e") == "a [2J b"
    assert len(clean("x" * 10_000)) < 600


async def test_a_receipt_is_one_short_line_in_a_notebook(ledger, node):
    async with client_of(ledger, [node]) as client:
        receipt = await client.submit(body(ledger))
    assert repr(receipt).startswith(f"<VerifiedReceipt {receipt.id.hex()[:16]}… dataset · block 1 · #0 · ")
    assert len(repr(receipt)) < 120
