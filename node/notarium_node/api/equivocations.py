"""GET /v1/equivocations: proofs that a validator signed two different things."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from notarium_ledger.trust.equivocation_file import MEDIA_TYPE, describe
from notarium_ledger.types import Hash
from notarium_node.api.costly import CostlyReads, in_slices
from notarium_node.api.problems import ApiProblem, ProblemType, parse_hash, parse_int
from notarium_node.equivocation.collection import KeptEquivocation
from notarium_node.node import Node

MAX_PAGE = 1000


class EquivocationQueries:
    """The handlers."""

    def __init__(self, node: Node, costly: CostlyReads) -> None:
        self._node = node
        self._costly = costly

    async def listed(self, request: web.Request) -> web.Response:
        """All equivocations, in the order in which this node learned of them."""
        limit = parse_int(request, "limit", 100, minimum=1, maximum=MAX_PAGE)
        after = parse_int(request, "after", 0, minimum=0, maximum=2**62)
        found = self._node.equivocations.page(after, limit + 1)
        async with self._costly.turn(request):
            rows = await in_slices(_row, found[:limit])
        return web.json_response({"equivocations": rows, "next": rows[-1]["number"] if len(found) > limit else None})

    async def file(self, request: web.Request) -> web.Response:
        """One equivocation as a file that can be verified without any node."""
        id_ = Hash(parse_hash(request.match_info["id"], "id"))
        held = self._node.equivocations.get(id_)
        if held is None:
            raise ApiProblem(
                ProblemType.NOT_FOUND,
                f"no equivocation {id_.hex()} on this node",
                field="id",
                remedy="List the equivocations at /v1/equivocations.",
            )
        file = self._node.equivocations.file(held)
        if file is None:
            missing = held.equivocation.height - 1
            raise ApiProblem(
                ProblemType.BUSY,
                f"block {missing}, which proves whose key it is, has not been fetched yet",
                remedy="Ask again later, or ask another node.",
                retry_after_s=10,
            )
        return web.Response(body=file.encode_json(), content_type=MEDIA_TYPE)


def _row(each: KeptEquivocation) -> dict[str, Any]:
    return {"number": each.number, **describe(each.equivocation, each.member)}
