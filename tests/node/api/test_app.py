"""The application: crowds are refused except by the operator's routes, and an error never leaves a handler."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from structlog.testing import capture_logs

from notarium_node.api.app import ALWAYS_ANSWERED, guarded, limited
from notarium_node.api.problems import ApiProblem, ProblemType
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
    return SimpleNamespace(incomplete=lambda detail: Refusal(RefusalKind.HISTORY_INCOMPLETE, detail, retry_after_s=10))


REQUEST = make_mocked_request("GET", "/v1/log")


async def test_above_the_limit_a_connection_is_refused_and_closed():
    open_connections = 2
    handler = limited(well, lambda: open_connections, 2)
    assert (await handler(REQUEST)).status == 200
    open_connections = 3
    with pytest.raises(ApiProblem) as caught:
        await handler(REQUEST)
    assert caught.value.kind is ProblemType.BUSY
    assert caught.value.more["limit"] == 2
    assert caught.value.headers == {"Retry-After": "1", "Connection": "close"}


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
