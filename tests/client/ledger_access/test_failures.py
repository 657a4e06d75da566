"""Why a node gave no usable answer, in one line, with the remedy."""

import asyncio
import contextlib
import datetime
import errno
import socket
import ssl

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from notarium.errors import Unreachable
from notarium.ledger_access.blocking import BlockingClient
from notarium.ledger_access.client import Client
from notarium.ledger_access.failures import describe


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


def certificate(folder, *, name="localhost", days=30):
    """A self-signed certificate and its key in one PEM file, as an institution without a public authority has."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, end - datetime.timedelta(days=90), end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return pem


@contextlib.asynccontextmanager
async def tls_port(pem):
    """A port of localhost that speaks TLS with this certificate; the port's number."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def problem_of(ledger, url):
    async with Client(ledger.consortium.genesis, [url], timeout=5) as client:
        [found] = await client.status()
    return found.problem


@pytest.mark.parametrize(
    ("trusted", "name", "days", "problem"),
    [
        (
            False, "localhost", 30,
            "its certificate is not trusted (self-signed or from an unknown authority). "
            "Set SSL_CERT_FILE to the institution's CA certificate.",
        ),
        (True, "other.example.org", 30, "its certificate is for another host name. "),
        (True, "localhost", -1, "its certificate has expired or is not valid yet. "),
    ],
)  # fmt: skip
async def test_a_certificate_that_does_not_verify_is_named_with_its_remedy(
    ledger, tmp_path, monkeypatch, trusted, name, days, problem
):
    pem = certificate(tmp_path, name=name, days=days)
    if trusted:
        context = ssl.create_default_context(cafile=pem)
        monkeypatch.setattr(aiohttp.connector, "_SSL_CONTEXT_VERIFIED", context)
    async with tls_port(pem) as port:
        assert (await problem_of(ledger, f"https://localhost:{port}")).startswith(problem)


async def test_http_and_https_taken_for_each_other_are_named(ledger, tmp_path, node):
    async with tls_port(certificate(tmp_path)) as port:
        assert await problem_of(ledger, f"http://localhost:{port}") == (
            "it closed the connection without an answer. If it uses TLS, its address begins with https://."
        )
    problem = await problem_of(ledger, node.url.replace("http://", "https://"))
    assert problem.startswith("no TLS connection: ")
    assert problem.endswith(". If it does not use TLS, its address begins with http://.")
    assert describe(aiohttp.ServerDisconnectedError(), "https://node") == "Server disconnected"
