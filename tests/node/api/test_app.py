"""The application: crowds are refused except by the operator's routes, and an error never leaves a handler."""

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from notarium_node.api.app import ALWAYS_ANSWERED, _Served, guarded
from notarium_node.api.problems import ApiProblem, ProblemType
from notarium_node.health.api_answers import CLIENT_LEFT, ApiAnswers
from notarium_node.http.pace import Ending
from notarium_node.http.places import Places
from notarium_node.refusals import Refusal, RefusalKind
from notarium_store.errors import HistoryIncomplete, StoreCorruption


async def well(request):
    return web.Response(text="well")


def raising(error):
    async def handle(request):
        raise error

    return handle


@pytest.fixture
def node() -> Any:
    """As much of a node as an answer to a missing block takes."""
    return SimpleNamespace(
        incomplete=lambda detail: Refusal(RefusalKind.HISTORY_INCOMPLETE, detail, retry_after_s=10),
        api_answers=ApiAnswers(),
    )


REQUEST = make_mocked_request("GET", "/v1/log")


def test_no_route_is_read_through_a_name_of_a_stranger(world):
    for path in (*ALWAYS_ANSWERED, "/v1/log", "/openapi.json"):
        world.node.call("GET", path, None, {"Host": "evil.example"}).problem(421, "wrong-host")


async def test_a_crowded_node_still_answers_its_operator(world):
    for path in ALWAYS_ANSWERED:
        assert world.node.get(path).status == 200


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ApiProblem(ProblemType.NOT_FOUND, "no entry"), 404),
        (HistoryIncomplete(Path("store"), "block 3", 2, 9), 503),
        (StoreCorruption(Path("store"), "bad checksum", 3), 500),
        (RuntimeError("a defect"), 500),
    ],
)
async def test_each_error_becomes_a_problem(node, error, status):
    with capture_logs() as logs:
        response = await guarded(node, raising(error))(REQUEST)
    assert (response.status, response.content_type) == (status, "application/problem+json")
    assert [each["log_level"] for each in logs] == (["error"] if status == 500 else [])
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    assert b"RuntimeError" not in response.body
    assert node.api_answers.refusals == {json.loads(response.body)["type"].rpartition(":")[2]: 1}


async def test_missing_blocks_are_named_and_the_remedy_is_given_once(node):
    error = HistoryIncomplete(Path("store"), "block 3", 2, 9)
    response = await guarded(node, raising(error))(REQUEST)
    assert isinstance(response, web.Response)
    assert isinstance(response.body, bytes)
    document = json.loads(response.body)
    assert "from 3 to 9" in document["detail"]
    assert "ask" not in document["detail"]


async def test_an_answer_of_aiohttp_and_a_lost_connection_pass(node):
    for error in (web.HTTPRequestEntityTooLarge(1, 2), ConnectionResetError()):
        with pytest.raises(type(error)):
            await guarded(node, raising(error))(REQUEST)


@pytest.mark.parametrize(
    ("path", "methods"),
    [("/v1/entries", "OPTIONS, POST"), ("/v1/log", "GET, HEAD, OPTIONS"), ("/metrics", "GET, HEAD, OPTIONS")],
)
def test_each_resource_says_its_methods(world, path, methods):
    answer = world.node.call("OPTIONS", path, None, {})
    assert (answer.status, answer.headers["allow"], answer.body) == (204, methods, b"")
    refused = world.node.call("DELETE", path, None, {})
    refused.problem(405, "method-not-allowed")
    assert refused.headers["allow"] == methods


@pytest.mark.parametrize(
    "line",
    ["OPTIONS * HTTP/1.1", "CONNECT evil.example:443 HTTP/1.1", "GET /nothing HTTP/1.1", "GET //v1/log HTTP/1.1"],
)
def test_what_no_route_takes_is_answered_with_a_problem(world, line):
    assert talk(world, f"{line}\r\nHost: localhost\r\nConnection: close\r\n\r\n")["status"] == 404


def test_http_0_9_is_not_answered_past_the_check_of_the_host(world):
    assert talk(world, "GET /v1/log\r\n\r\n")["status"] in (400, 421)


def talk(world, head):
    """The problem with which the node answers, and ends the connection."""
    with socket.create_connection(("127.0.0.1", world.node.port), timeout=10) as connection:
        connection.sendall(head.encode())
        said = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert b"application/problem+json" in said
    return json.loads(said.partition(b"\r\n\r\n")[2])


def test_head_is_get_without_the_body(world):
    for path in ("/v1/log", "/v1/blocks", "/healthz"):
        got, head = world.node.get(path), world.node.call("HEAD", path, None, {})
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
    assert world.node.call("HEAD", "/v1/nothing", None, {}).status == 404


def test_every_answer_has_the_headers_that_browsers_need(world):
    for path in ("/v1/log", "/nothing", "/healthz"):
        headers = world.node.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_connections_that_the_api_ends_are_counted(world):
    for reason in Ending:
        assert f'notarium_api_endings_total{{reason="{reason}"}}' in world.node.get("/metrics").body.decode()
    with socket.create_connection(("127.0.0.1", world.node.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00no HTTP\r\n\r\n")
        while connection.recv(65_536):
            pass
    text = world.node.get("/metrics").body.decode()
    assert 'notarium_api_endings_total{reason="not_http"} 0.0' not in text


def test_answers_are_counted_by_route_and_status(world):
    world.node.get("/v1/entries/zz")
    text = world.node.get("/metrics").body.decode()
    assert 'notarium_api_answers_total{route="/v1/entries/{id}",status="400"}' in text
    assert 'notarium_api_answer_seconds_count{route="/v1/entries/{id}"}' in text
    assert "zz" not in text


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (web.HTTPRequestEntityTooLarge(1, 2), 413),
        (ConnectionResetError(), CLIENT_LEFT),
        (asyncio.CancelledError(), CLIENT_LEFT),
        (ApiProblem(ProblemType.NOT_FOUND, "no entry"), 404),
    ],
)
async def test_an_answer_is_counted_however_it_ends(error, status):
    node: Any = SimpleNamespace(api_answers=ApiAnswers())
    guard: Any = Mock()
    with contextlib.suppress(type(error)):
        await _Served(node, guard, Places(1)).by(raising(error), "/v1/log")(REQUEST)
    assert node.api_answers.counts == {("/v1/log", status): 1}
    assert dict(node.api_answers.times["/v1/log"].buckets())["+Inf"] == 1
