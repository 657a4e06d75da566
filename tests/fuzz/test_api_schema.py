"""The HTTP API of a real node, asked by its own description, rightly and wrongly; every answer is held against it.

More requests: NOTARIUM_API_EXAMPLES=1000, or `make fuzz`.
"""

import copy
import http.client
import json
import os
import random
import socket
import zlib

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from tests.fuzz.mutations import spoil
from tests.fuzz.targets import by_name
from tests.node.http_api import PROBLEM

from notarium_ledger.entries.entry import sign_entry
from notarium_node.api.openapi import document
from notarium_node.api.submit import ENTRY_TYPES

EXAMPLES = int(os.environ.get("NOTARIUM_API_EXAMPLES", "12"))
TIMEOUT_S = 30
STREAM = "/v1/events"
NOT_OURS = [
    # What fits the schema of a body is hardly ever an entry that somebody enrolled has signed: 422 and 403 are right.
    "positive_data_acceptance",
    # There are no accounts.
    "ignored_auth",
]

schema = schemathesis.openapi.from_dict(document())
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
# A batch of too many entries is refused with 413.
schema.config.checks.negative_data_rejection.expected_statuses = [
    *schema.config.checks.negative_data_rejection.expected_statuses,
    "413",
]
uploads = [*by_name("entry").seeds, *by_name("http: batch as msgpack").seeds]
for media_type in ENTRY_TYPES:
    schemathesis.openapi.media_type(
        media_type, st.integers(0, 2**64).map(lambda seed: spoil(random.Random(seed), uploads, "msgpack", 100_000))
    )
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def some_entries(world):
    """Something to read."""
    for _ in range(3):
        assert world.node.submit(sign_entry(world.researcher, world.genesis.hash, world.body())).status == 200


@pytest.mark.parametrize("node", ["validator", "observer"])
@schema.exclude(path=STREAM).parametrize()
@many
def test_every_answer_is_as_described(case, world, node):
    response = case.call(base_url=address(world, node), timeout=TIMEOUT_S)
    case.validate_response(response, excluded_checks=CHECKS.get_by_names(NOT_OURS))
    if case.method != "HEAD":
        check_problem(response.status_code, response.headers.get("content-type", [""])[0], response.content)


@schema.include(path=STREAM).parametrize()
@many
def test_a_stream_begins_as_described_or_is_refused(case, world):
    arguments = case.as_transport_kwargs(base_url=address(world, "validator"))
    with requests.request(**arguments, stream=True, timeout=TIMEOUT_S) as response:
        assert response.status_code in (200, 204, 400, 404, 405), response.status_code
        if response.status_code == 200:
            assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        elif case.method != "HEAD":
            check_problem(response.status_code, response.headers.get("content-type", ""), response.content)


def check_problem(status, content_type, body):
    """A refusal is a problem document that names the field."""
    if status < 400:
        return
    assert content_type.partition(";")[0] == PROBLEM, (status, content_type, body)
    problem = json.loads(body)
    assert problem["status"] == status
    assert problem["detail"]
    if status in (400, 413, 415, 422):
        assert problem.get("field") or problem.get("errors"), problem


@pytest.mark.parametrize("path", ["/v1/entries", "/v1/entries/batch"])
@pytest.mark.parametrize("coding", ["gzip", "deflate", "GZIP", "br", "bogus"])
def test_compressed_bodies_are_refused_unread(world, path, coding):
    """8 KiB are 8 MiB then, of which neither the body's limit nor the budget for bodies that arrive slowly knows."""
    answer = world.node.post(path, zlib.compress(bytes(8 << 20), 9), **{"Content-Encoding": coding})
    problem = answer.problem(415, "unsupported-media-type")
    assert problem["field"] == "Content-Encoding"
    assert problem["remedy"]
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/log HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9000,
        b"GET /v1/entries/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x",
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: abc",
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999",
        b"POST /v1/entries HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"GET /v1/log HTTP/1.1\r\nHost : x",
        b"GET /v1/log HTTQ/1.1\r\nHost: x",
    ],
)
def test_a_head_that_is_no_http_is_answered_with_a_problem(world, head):
    with socket.create_connection(("127.0.0.1", world.node.port), TIMEOUT_S) as connection:
        connection.sendall(head + b"\r\n\r\n{}")
        response = http.client.HTTPResponse(connection)
        response.begin()
        check_problem(response.status, response.headers["content-type"], response.read())
        assert response.status == 400


def test_the_checks_can_fail(world):
    """An answer without a field that the description promises, and a status that it does not know."""
    for change in ("field", "status"):
        other = copy.deepcopy(document())
        if change == "field":
            other["components"]["schemas"]["Log"]["required"].append("missing")
        else:
            other["paths"]["/v1/log"]["get"]["responses"] = {"404": {"description": "nothing else"}}
        case = schemathesis.openapi.from_dict(other)["/v1/log"]["GET"].Case()
        with pytest.raises(FailureGroup):
            case.validate_response(case.call(base_url=address(world, "validator"), timeout=TIMEOUT_S))


def address(world, node):
    return f"http://127.0.0.1:{(world.node if node == 'validator' else world.observer).port}"
