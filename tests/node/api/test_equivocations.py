"""The answers about equivocations where a node has none, has one, or lacks a block."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_node.api.costly import CostlyReads
from notarium_node.api.equivocations import EquivocationQueries
from notarium_node.api.problems import ApiProblem, ProblemType

CONSORTIUM = Consortium(4)
HELD = SimpleNamespace(number=3, equivocation=lie(CONSORTIUM, CONSORTIUM.validator_keys[0]), member="m0")


def queries(held, file=None) -> EquivocationQueries:
    found = {each.equivocation.id: each for each in held}
    collection = SimpleNamespace(
        page=lambda after, limit: [each for each in held if each.number > after][:limit],
        get=found.get,
        file=lambda _: file,
    )
    node: Any = SimpleNamespace(equivocations=collection)
    return EquivocationQueries(node, CostlyReads(lambda _: "a"))


async def body(answer) -> bytes:
    """What a handler answers."""
    content = (await answer).body
    assert isinstance(content, bytes)
    return content


def request(id_=None, query=""):
    return make_mocked_request("GET", f"/v1/equivocations{query}", match_info={} if id_ is None else {"id": id_})


async def test_a_page_ends_with_the_number_to_continue_after():
    second = SimpleNamespace(number=4, equivocation=HELD.equivocation, member="m0")
    answer = json.loads(await body(queries([HELD, second]).listed(request(query="?limit=1"))))
    assert ([each["number"] for each in answer["equivocations"]], answer["next"]) == ([3], 3)
    answer = json.loads(await body(queries([HELD, second]).listed(request(query="?after=3"))))
    assert ([each["number"] for each in answer["equivocations"]], answer["next"]) == ([4], None)


async def test_one_is_a_file_that_verifies():
    file = EquivocationFile(HELD.equivocation, CONSORTIUM.genesis.registry.validators, None)
    answer = await body(queries([HELD], file).file(request(HELD.equivocation.id.hex())))
    EquivocationFile.decode_json(answer).verify(CONSORTIUM.genesis)


async def test_an_unknown_one_and_a_missing_block_are_different_problems():
    id_ = HELD.equivocation.id.hex()
    with pytest.raises(ApiProblem) as unknown:
        await queries([]).file(request(id_))
    assert unknown.value.kind is ProblemType.NOT_FOUND
    with pytest.raises(ApiProblem) as unfetched:
        await queries([HELD]).file(request(id_))
    assert unfetched.value.kind is ProblemType.BUSY
    assert unfetched.value.headers["Retry-After"] == "10"
    assert f"block {HELD.equivocation.height - 1}" in unfetched.value.detail
