"""GET /v1/equivocations: who signed two different things, with the proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from notarium_ledger.trust.equivocation_file import MEDIA_TYPE, describe
from notarium_ledger.types import Hash
from notarium_node.api.problems import ApiProblem, parse_hash, parse_int

if TYPE_CHECKING:
    from notarium_node.node import Node

MAX_PAGE = 1000


class EquivocationQueries:
    """The handlers."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def listed(self, request: web.Request) -> web.Response:
        """All equivocations, in the order in which this node learned of it."""
        limit = parse_int(request, "limit", 100, 1, MAX_PAGE)
        after = parse_int(request, "after", 0, 0, 2**62)
        found = self._node.equivocations.page(after, limit + 1)
        rows = [{"number": each.number, **describe(each.equivocation, each.member)} for each in found[:limit]]
        return web.json_response({"equivocations": rows, "next": rows[-1]["number"] if len(found) > limit else None})

    async def file(self, request: web.Request) -> web.Response:
        """One piece as the file that needs no node to be checked."""
        id_ = Hash(parse_hash(request.match_info["id"], "id"))
        accusation = self._node.equivocations.get(id_)
        if accusation is None:
            raise ApiProblem(
                "not-found", f"no equivocation {id_.hex()} here", field="id", remedy="see /v1/equivocations"
            )
        file = self._node.equivocations.file(accusation)
        if file is None:
            raise ApiProblem(
                "busy",
                f"block {accusation.equivocation.height - 1}, which proves whose key it is, has not been fetched yet",
                headers={"Retry-After": "10"},
                remedy="ask again later, or another node",
            )
        return web.Response(body=file.encode_json(), content_type=MEDIA_TYPE)
