"""GET: entries, receipts, search, blocks, proofs, members, status. Everything a reader may check for herself."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from aiohttp import web

from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.entries.entry import decode_entry
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.trust.receipt import MEDIA_TYPE
from notarium_ledger.types import Hash, Height
from notarium_node.api.problems import ApiProblem, invalid_entry, parse_hash, parse_int
from notarium_node.api.submit import MAX_WAIT_MS, pending
from notarium_store.layout import StoredHeader

if TYPE_CHECKING:
    from notarium_node.node import Node

MAX_PAGE = 1000
MAX_BLOCKS_PAGE = 200
"""Headers are read one by one: 10 ms of the event loop at most."""


class Queries:
    """The handlers of all that only reads."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._store = node.store

    async def entry(self, request: web.Request) -> web.Response:
        """One entry by its id."""
        entry_id = Hash(parse_hash(request.match_info["id"], "id"))
        waiting = self._node.mempool.get(entry_id)
        if waiting is not None:
            return web.json_response({**_entry_json(waiting.raw), "status": "pending"})
        found = self._store.entry_by_id(entry_id)
        if found is None:
            raise _no_entry(entry_id)
        raw, height, index = found
        if "msgpack" in request.headers.get("Accept", ""):
            return web.Response(body=raw, content_type="application/msgpack")
        decision = self._decision(height)
        place = {"index": index, "height": height, "time": iso_time(decision.block.header.time_ms)}
        return web.json_response({**_entry_json(raw), "status": "decided", **place})

    async def receipt(self, request: web.Request) -> web.Response:
        """The receipt file of one entry; waits up to wait_ms for a pending one."""
        entry_id = Hash(parse_hash(request.match_info["id"], "id"))
        wait_ms = parse_int(request, "wait_ms", 0, 0, MAX_WAIT_MS)
        if entry_id in self._node.mempool:
            if wait_ms == 0:
                return pending(entry_id)
            waiter = self._node.waiters.wait([entry_id])
            try:
                async with asyncio.timeout(wait_ms / 1000):
                    await waiter.future
            except TimeoutError:
                return pending(entry_id)
            except InvalidEntry as error:
                raise invalid_entry(error) from error
            finally:
                self._node.waiters.leave(waiter)
        receipt = self._store.receipt(entry_id)
        if receipt is None:
            raise _no_entry(entry_id)
        return web.Response(body=receipt.encode_json(), content_type=MEDIA_TYPE)

    async def search(self, request: web.Request) -> web.Response:
        """Entries that name an artifact digest, in the order of the log."""
        digest = parse_hash(request.query.get("digest", ""), "digest")
        limit = parse_int(request, "limit", 100, 1, MAX_PAGE)
        after = parse_int(request, "after", -1, -1, 2**62)
        indices = self._store.find(digest, limit + 1, after)
        rows = []
        for index in indices[:limit]:
            raw = self._store.entry(index)
            body = decode_entry(raw).body
            entry_id = leaf_hash(raw)
            position = self._store.position(entry_id)
            height = position[0] if position else None
            names: dict[str, Any] = {name: body[name] for name in ("kind", "issuer", "project") if name in body}
            row: dict[str, Any] = {"id": entry_id.hex(), "index": index, "height": height, **names}
            rows.append(row)
        more = rows[-1]["index"] if len(indices) > limit else None
        return web.json_response({"digest": digest.hex(), "entries": rows, "next": more})

    async def blocks(self, request: web.Request) -> web.Response:
        """Summaries of consecutive blocks."""
        first = parse_int(request, "from", 1, 1, 2**62)
        limit = parse_int(request, "limit", 100, 1, MAX_BLOCKS_PAGE)
        last = min(first + limit - 1, self._store.state.height)
        rows = [self._summary(Height(height)) for height in range(first, last + 1)]
        return web.json_response({"blocks": rows, "height": self._store.state.height})

    async def block(self, request: web.Request) -> web.Response:
        """One block: its summary, entry ids and signers, or the canonical decision."""
        text = request.match_info["height"]
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise ApiProblem("malformed", "height: not a positive integer", field="height")
        height = Height(int(text))
        if "msgpack" in request.headers.get("Accept", ""):
            data = self._store.decision_bytes(height)
            if data is None:
                raise ApiProblem("not-found", f"no block at height {height}", field="height")
            return web.Response(body=data, content_type="application/msgpack")
        decision = self._decision(height)
        ids = [leaf_hash(raw).hex() for raw in decision.block.entries]
        signers = [seal.key.hex() for seal in decision.certificate.seals]
        return web.json_response({**self._summary(height), "entry_ids": ids, "signers": signers})

    async def log(self, request: web.Request) -> web.Response:
        """Size and root of the log, now or at an earlier size."""
        size = parse_int(request, "size", self._size, 0, self._size)
        return web.json_response({"size": size, "root": self._store.root(size).hex()})

    async def inclusion(self, request: web.Request) -> web.Response:
        """The proof that an entry is in the log of some size."""
        size = parse_int(request, "size", self._size, 1, max(self._size, 1))
        if "id" in request.query:
            entry_id = Hash(parse_hash(request.query["id"], "id"))
            position = self._store.position(entry_id)
            if position is None:
                raise _no_entry(entry_id)
            index = position[1]
        else:
            if "index" not in request.query:
                raise ApiProblem("malformed", "index: name the entry by id or by index", field="index")
            index = parse_int(request, "index", 0, 0, 2**62)
        if not 0 <= index < size <= self._size:
            raise ApiProblem("not-found", f"no leaf {index} in a log of {min(size, self._size)} entries", field="index")
        path = [each.hex() for each in self._store.inclusion(index, size)]
        leaf = self._store.node(0, index).hex()
        root = self._store.root(size).hex()
        return web.json_response({"index": index, "size": size, "leaf": leaf, "root": root, "path": path})

    async def consistency(self, request: web.Request) -> web.Response:
        """The proof that an earlier log is a prefix of a later one."""
        second = parse_int(request, "to", self._size, 0, self._size)
        first = parse_int(request, "from", 0, 0, second)
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
        registry = self._store.state.registry
        return web.json_response(
            {
                "height": self._store.state.height,
                "state_root": registry.hash.hex(),
                "members": [
                    {"id": each.id, "name": each.name, "key": each.key.hex()}
                    for _, each in sorted(registry.members.items())
                ],
                "nodes": [
                    {
                        "member": each.member,
                        "role": each.role,
                        "key": key.hex(),
                        "address": each.address,
                        "api": each.api,
                    }
                    for key, each in sorted(registry.nodes.items())
                ],
                "validators": [
                    {"member": each.member, "key": each.key.hex()} for each in registry.validators.validators
                ],
                "quorum": registry.validators.quorum,
                "parameters": registry.parameters.to_value(),
                "researchers": [
                    {"key": key.hex(), "member": each.member, "revoked": each.revoked}
                    for key, each in sorted(registry.researchers.items())
                ],
                "proposals": [
                    {
                        "id": key.hex(),
                        "member": each.member,
                        "action": _jsonable(dict(each.action)),
                        "approvals": sorted(each.approvals),
                    }
                    for key, each in sorted(registry.proposals.items())
                ],
            }
        )

    async def genesis(self, request: web.Request) -> web.Response:
        """The genesis document; its hash is pinned elsewhere, so it may come from anybody."""
        return web.Response(body=self._node.genesis.encode_json(), content_type="application/json")

    async def status(self, request: web.Request) -> web.Response:
        """How the node is."""
        return web.json_response(self._node.condition.status())

    @property
    def _size(self) -> int:
        return self._store.state.frontier.size

    def _summary(self, height: Height) -> dict[str, Any]:
        stored = self._store.stored_header(height)
        if stored is None:
            raise ApiProblem("not-found", f"no block at height {height}", field="height")
        return block_json(stored)

    def _decision(self, height: Height) -> Decision:
        decision = self._store.decision(height)
        if decision is None:
            raise ApiProblem("not-found", f"no block at height {height}", field="height")
        return decision


def block_json(stored: StoredHeader) -> dict[str, Any]:
    """A block's summary."""
    header = stored.header
    return {
        "height": header.height,
        "hash": header.hash.hex(),
        "parent": header.parent.hex(),
        "time": iso_time(header.time_ms),
        "proposer": header.proposer.hex(),
        "entries": header.tree_size - stored.first_index,
        "tree_size": header.tree_size,
        "tree_root": header.tree_root.hex(),
        "round": stored.certificate.round,
    }


def _entry_json(raw: bytes) -> dict[str, Any]:
    entry = decode_entry(raw)
    return {
        "id": entry.id.hex(),
        "author": entry.key.hex(),
        "kind": entry.kind,
        "body": _jsonable(entry.body),
        "entry": base64.b64encode(raw).decode(),
    }


def _jsonable(value: Any) -> Any:
    """Bytes as hex, the rest as it is."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _jsonable(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_jsonable(item) for item in value]
    return value


def _no_entry(entry_id: Hash) -> ApiProblem:
    return ApiProblem(
        "not-found", f"no entry {entry_id.hex()} here", field="id", remedy="submit it, or ask another node"
    )
