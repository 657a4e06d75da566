"""Whatever is sent, the node answers with a described refusal and lives on."""

import os
import random
import socket

import pytest
from tests.node.http_api import MSGPACK, check_described

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_batch, sign_entry

SEED = 2026
ROUNDS = 500


@pytest.fixture(scope="module")
def samples(world):
    """Valid bodies to spoil, as (path, content type, body)."""
    single = sign_entry(world.researcher, world.genesis.hash, world.body())
    signed = sign_batch(world.researcher, world.genesis.hash, [world.body() for _ in range(3)])
    return [
        ("/v1/entries", MSGPACK, single),
        ("/v1/entries", MSGPACK, signed[1]),
        ("/v1/entries/batch", MSGPACK, canonical.encode(list(signed))),
        ("/v1/entries", "application/json", b'{"entry": "' + canonical.encode([1]).hex().encode() + b'"}'),
        ("/v1/entries/batch", "application/json", b'{"entries": ["AAAA", "AAAA"]}'),
    ]


def spoil(draw, body):
    """A few flipped bits, a cut, an insertion, or plain rubbish."""
    spoiled = bytearray(body)
    how = draw.randrange(5)
    if how == 0:
        return draw.randbytes(draw.randrange(600))
    if how == 1:
        return bytes(spoiled[: draw.randrange(len(spoiled))])
    if how == 2:
        at = draw.randrange(len(spoiled))
        spoiled[at:at] = draw.randbytes(draw.randrange(1, 9))
    for _ in range(draw.randrange(1, 4)):
        spoiled[draw.randrange(len(spoiled))] ^= 1 << draw.randrange(8)
    return bytes(spoiled)


def test_spoiled_bodies_are_refused_and_the_node_lives_on(world, samples):
    draw = random.Random(SEED)
    size = world.node.get("/v1/log").json["size"]
    for number in range(ROUNDS):
        path, content_type, body = draw.choice(samples)
        answer = world.node.post(path, spoil(draw, body), content_type)  # Holds the answer against the description.
        assert 400 <= answer.status < 500, (SEED, number, answer)
        assert answer.json["type"].startswith("urn:notarium:problem:")
    assert world.node.get("/v1/log").json["size"] == size
    assert world.node.get("/readyz").json["ready"]
    whole = samples[0]
    assert world.node.post(*whole[::2]).status == 200


def test_spoiled_paths_and_queries_never_break_the_node(world):
    draw = random.Random(SEED)
    paths = ["/v1/entries/", "/v1/receipts/", "/v1/search?digest=", "/v1/blocks/", "/v1/blocks?from=", "/v1/log?size="]
    paths += ["/v1/proofs/inclusion?index=", "/v1/proofs/consistency?from=0&to=", "/v1/%", "/"]
    alphabet = "0123456789abcdef-+._%?&=/ABC~'\"<>*"
    for _ in range(300):
        tail = "".join(draw.choice(alphabet) for _ in range(draw.randrange(80)))
        answer = world.node.get(draw.choice(paths) + tail)
        assert answer.status in (200, 202, 400, 404), answer


def test_broken_http_is_answered_or_cut_and_the_node_lives_on(world):
    pieces = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS to a plain port
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /v1/entries HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nContent-Type: application/msgpack\r\n\r\nabc",
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
        b"\x00" * 5000,
        os.urandom(5000),
    ]
    for piece in pieces:
        with socket.create_connection(("127.0.0.1", world.node.port), 5) as connection:
            connection.sendall(piece)
    answer = world.node.get("/readyz")
    assert answer.json["ready"]
    check_described("GET", "/readyz", answer)
