"""GET: entries, receipts, blocks, proofs, members and status. Readers can check every answer themselves."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from aiohttp import web

from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import MEDIA_TYPE
from notarium_ledger.types import Hash, Height
from notarium_node.api.costly import CostlyReads, in_slices
from notarium_node.api.members import MembersList
from notarium_node.api.problems import ApiProblem, ProblemType, invalid_entry, parse_hash, parse_int
from notarium_node.api.shared import SharedAnswer
from notarium_node.api.submit import MAX_WAIT_MS, pending
from notarium_node.api.views import block_json, entry_json
from notarium_node.entries.admission import AdmissionStatus
from notarium_node.http.server import begin
from notarium_node.node import Node
from notarium_store.layout import StoredHeader

MAX_BLOCKS_PAGE = 200
"""Headers are read one by one: this many take the event loop 10 ms at most."""
MAX_NUMBER = 2**62


class Queries:
    """The handlers of requests that only read."""

    def __init__(self, node: Node, costly: CostlyReads) -> None:
        self._node = node
        self._costly = costly
        self._store = node.store
        self._members = MembersList(node.store)
        self._status = SharedAnswer(lambda: json.dumps(node.condition.status()).encode())

    async def entry(self, request: web.Request) -> web.Response:
        """One entry by its id."""
        entry_id = Hash(parse_hash(request.match_info["id"], "id"))
        waiting = self._node.mempool.get(entry_id)
        if waiting is not None:
            return web.json_response({**entry_json(waiting.raw), "status": AdmissionStatus.PENDING.value})
        found = self._store.entry_by_id(entry_id)
        if found is None:
            raise _no_entry(entry_id)
        raw, height, index = found
        if _wants_msgpack(request):
            return web.Response(body=raw, content_type="application/msgpack")
        stored = self._stored_header(height)
        position = {"index": index, "height": height, "time": iso_time(stored.header.time_ms)}
        return web.json_response({**entry_json(raw), "status": AdmissionStatus.DECIDED.value, **position})

    async def receipt(self, request: web.Request) -> web.Response:
        """The receipt file of one entry; waits up to wait_ms for a pending one."""
        entry_id = Hash(parse_hash(request.match_info["id"], "id"))
        wait_ms = parse_int(request, "wait_ms", 0, minimum=0, maximum=MAX_WAIT_MS)
        if entry_id in self._node.mempool:
            try:
                receipts = await self._node.waiters.wait_for([entry_id], wait_ms / 1000)
                await begin(request)  # Many may wait for the same entry.
            except InvalidEntry as error:
                raise invalid_entry(error, self._node.clock()) from error
            if entry_id not in receipts:
                return pending(entry_id)
        receipt = self._store.receipt(entry_id)
        if receipt is None:
            raise _no_entry(entry_id)
        return web.Response(body=receipt.encode_json(), content_type=MEDIA_TYPE)

    async def blocks(self, request: web.Request) -> web.Response:
        """Summaries of consecutive blocks."""
        first = parse_int(request, "from", 1, minimum=1, maximum=MAX_NUMBER)
        limit = parse_int(request, "limit", 100, minimum=1, maximum=MAX_BLOCKS_PAGE)
        last = min(first + limit - 1, self._store.state.height)
        async with self._costly.turn(request):
            rows = await in_slices(self._summary, map(Height, range(first, last + 1)))
        return web.json_response({"blocks": rows, "height": self._store.state.height})

    async def block(self, request: web.Request) -> web.Response:
        """One block: its summary, entry ids and signers, or the canonical decision."""
        text = request.match_info["height"]
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ApiProblem(ProblemType.MALFORMED, "height: not a positive integer", field="height")
        height = Height(int(text))
        if _wants_msgpack(request):
            data = self._store.decision_bytes(height)
            if data is None:
                raise _no_block(height)
            return web.Response(body=data, content_type="application/msgpack")
        async with self._costly.turn(request):
            decision = self._decision(height)
            ids = await in_slices(lambda raw: leaf_hash(raw).hex(), decision.block.entries)
        signers = [seal.key.hex() for seal in decision.certificate.seals]
        return web.json_response({**self._summary(height), "entry_ids": ids, "signers": signers})

    async def log(self, request: web.Request) -> web.Response:
        """Size and root of the log, now or at an earlier size."""
        size = parse_int(request, "size", self._size, minimum=0, maximum=self._size)
        return web.json_response({"size": size, "root": self._store.root(size).hex()})

    async def inclusion(self, request: web.Request) -> web.Response:
        """The proof that an entry is in the log at a given size."""
        size = parse_int(request, "size", self._size, minimum=1, maximum=max(self._size, 1))
        index = self._index(request)
        if not 0 <= index < size <= self._size:
            detail = f"no leaf {index} in a log of {min(size, self._size)} entries"
            raise ApiProblem(ProblemType.NOT_FOUND, detail, field="index")
        path = [each.hex() for each in self._store.inclusion(index, size)]
        leaf = self._store.node(0, index).hex()
        root = self._store.root(size).hex()
        return web.json_response({"index": index, "size": size, "leaf": leaf, "root": root, "path": path})

    async def consistency(self, request: web.Request) -> web.Response:
        """The proof that an earlier log is a prefix of a later one."""
        second = parse_int(request, "to", self._size, minimum=0, maximum=self._size)
        first = parse_int(request, "from", 0, minimum=0, maximum=second)
        return web.json_response(
            {
                "from": first,
                "to": second,
                "root_from": self._store.root(first).hex(),
                "root_to": self._store.root(second).hex(),
                "path": [each.hex() for each in self._store.consistency(first, second)],
            }
        )

    async def members(self, request: web.Request) -> web.Response:
        """The registry: who belongs, who votes, who may write."""
        return web.Response(body=await self._members.body(), content_type="application/json")

    async def genesis(self, request: web.Request) -> web.Response:
        """The genesis document. Clients pin its hash, so it may come from any node."""
        return web.Response(body=self._genesis, content_type="application/json")

    async def status(self, request: web.Request) -> web.Response:
        """The node's condition."""
        return web.Response(body=self._status.body(request), content_type="application/json")

    @cached_property
    def _genesis(self) -> bytes:
        return self._node.genesis.encode_json()

    @property
    def _size(self) -> int:
        return self._store.state.frontier.size

    def _index(self, request: web.Request) -> int:
        """The position in the log of the entry that the query names by id or by index."""
        if "id" in request.query:
            entry_id = Hash(parse_hash(request.query["id"], "id"))
            position = self._store.position(entry_id)
            if position is None:
                raise _no_entry(entry_id)
            return position[1]
        if "index" not in request.query:
            raise ApiProblem(ProblemType.MALFORMED, "index: name the entry by id or by index", field="index")
        return parse_int(request, "index", 0, minimum=0, maximum=MAX_NUMBER)

    def _summary(self, height: Height) -> dict[str, Any]:
        return block_json(self._stored_header(height))

    def _stored_header(self, height: Height) -> StoredHeader:
        stored = self._store.stored_header(height)
        if stored is None:
            raise _no_block(height)
        return stored

    def _decision(self, height: Height) -> Decision:
        decision = self._store.decision(height)
        if decision is None:
            raise _no_block(height)
        return decision


def _wants_msgpack(request: web.Request) -> bool:
    return "msgpack" in request.headers.get("Accept", "")


def _no_entry(entry_id: Hash) -> ApiProblem:
    detail = f"no entry {entry_id.hex()} on this node"
    return ApiProblem(ProblemType.NOT_FOUND, detail, field="id", remedy="Submit the entry, or ask another node.")


def _no_block(height: Height) -> ApiProblem:
    return ApiProblem(ProblemType.NOT_FOUND, f"no block at height {height}", field="height")
