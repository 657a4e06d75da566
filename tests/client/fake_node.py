"""A node for the client's tests: real sockets, real proofs, and faults on demand.

Entries are decided with the keys of a test consortium, so what the client verifies is verified for real.
Several `FakeNode`s may share one `FakeLedger`, as the nodes of one consortium do.
"""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Self

from aiohttp import web
from tests.support.consortium import Consortium

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import Body, artifact_digests, referred_entries
from notarium_ledger.entries.entry import Entry, decode_entry, verify_signature
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.log import frontier as tree
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import check_admissible
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.receipt import MEDIA_TYPE, Receipt
from notarium_ledger.trust.receipt_batch import encode_receipts


class FakeLedger:
    """The chain that the fake nodes of one consortium share."""

    def __init__(self, consortium: Consortium | None = None) -> None:
        self.consortium = consortium or Consortium(4, observers=1)
        self.state = self.consortium.state
        self.entries: list[Entry] = []
        self.decided: dict[bytes, Receipt] = {}
        self.blocks: list[list[Entry]] = []
        self.nodes: dict[tuple[int, int], bytes] = {}
        self.lock = threading.Lock()

    def submit(self, raws: list[bytes]) -> list[Receipt]:
        """Decide what is new in one block; receipts in order. Raises InvalidEntry."""
        with self.lock:
            fresh: dict[bytes, Entry] = {}
            for number, raw in enumerate(raws):
                if leaf_hash(raw) in self.decided:
                    continue
                try:
                    entry = decode_entry(raw)
                    verify_signature(entry, self.consortium.genesis.hash)
                    check_admissible(self.state, entry, self.state.time_ms + 1)
                except InvalidEntry as error:
                    raise InvalidEntry(error.reason, f"entries[{number}].{error.field}") from error
                fresh.setdefault(entry.id, entry)
            if fresh:
                self._decide(list(fresh.values()))
            return [self.decided[leaf_hash(raw)] for raw in raws]

    def _decide(self, entries: list[Entry]) -> None:
        decision, transition = self.consortium.decide(self.state, entries)
        self.state = transition.state
        for level, index, value in transition.nodes:
            self.nodes[level, index] = value
        decided = DecidedHeader(decision.block.header, decision.certificate, ())
        for number, entry in enumerate(entries):
            index = transition.first_index + number
            path = tree.inclusion_path(lambda level, at: self.nodes[level, at], index, self.state.frontier.size)
            self.decided[entry.id] = Receipt(entry.raw, index, tuple(path), decided)
        self.entries += entries
        self.blocks.append(entries)


class FakeNode:
    """One HTTP server on a free port, in a thread of its own, so that blocking clients can be tested too."""

    def __init__(self, ledger: FakeLedger, role: str = "validator") -> None:
        self.ledger = ledger
        self.role = role
        self.url = ""
        self.requests: list[str] = []
        """"METHOD /path" of every request."""
        self.fault: Callable[[web.Request], Awaitable[web.StreamResponse | None]] | None = None
        """Answers instead of the node, unless it returns None."""
        self.tamper: Callable[[Receipt], Receipt] | None = None
        """Changes a receipt before it is sent."""
        self.pending = 0
        """So many submissions are answered with "not decided yet"."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start(0))
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def stop(self) -> None:
        """Refuse connections from now on."""
        if self._runner is not None:
            self._call(self._runner.cleanup())
            self._runner = None

    def start_again(self) -> None:
        """Listen on the same port as before."""
        self._call(self._start(int(self.url.rpartition(":")[2])))

    def _call(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _start(self, port: int) -> None:
        app = web.Application(middlewares=[self._faults], client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/entries", self._post_entry)
        app.router.add_post("/v1/entries/batch", self._post_batch)
        app.router.add_get("/v1/receipts/{id}", self._get_receipt)
        app.router.add_get("/v1/search", self._search)
        app.router.add_get("/v1/references/{id}", self._references)
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/v1/members", self._members)
        app.router.add_get("/v1/blocks/{height}", self._block)
        app.router.add_get("/v1/proofs/consistency", self._consistency)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    @web.middleware
    async def _faults(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        if self.fault is not None:
            answer = await self.fault(request)
            if answer is not None:
                return answer
        return await handler(request)

    async def _post_entry(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if self.role == "observer":
            return problem(403, "read-only", "this node is an observer", validators=[])
        try:
            [receipt] = self.ledger.submit([raw])
        except InvalidEntry as error:
            name = "unknown-key" if "enrolled" in error.reason else "invalid-entry"
            return problem(403 if name == "unknown-key" else 422, name, error.reason, field=error.field)
        if self.pending > 0:
            self.pending -= 1
            return web.json_response({"id": leaf_hash(raw).hex(), "status": "pending"}, status=202)
        return self._receipt_file(receipt)

    async def _post_batch(self, request: web.Request) -> web.Response:
        raws: Any = canonical.decode(await request.read())
        try:
            receipts: list[Receipt | None] = list(map(self._sent, self.ledger.submit(raws)))
        except InvalidEntry as error:
            rows = [{"position": 0, "field": error.field, "detail": error.reason}]
            return problem(422, "invalid-entry", "an entry is invalid", errors=rows)
        status = 200
        if self.pending > 0:
            self.pending -= 1
            status = 202
            receipts[::2] = [None] * len(receipts[::2])
        return web.Response(body=encode_receipts(receipts), content_type="application/msgpack", status=status)

    async def _get_receipt(self, request: web.Request) -> web.Response:
        receipt = self.ledger.decided.get(bytes.fromhex(request.match_info["id"]))
        return self._receipt_file(receipt) if receipt else problem(404, "not-found", "unknown entry")

    async def _search(self, request: web.Request) -> web.Response:
        digest = bytes.fromhex(request.query["digest"])
        return self._page(request, "digest", digest, lambda body: digest in artifact_digests(body))

    async def _references(self, request: web.Request) -> web.Response:
        id_, rel = bytes.fromhex(request.match_info["id"]), request.query.get("rel")

        def matches(body: Body) -> bool:
            relations = referred_entries(body).get(id_, [])
            return bool(relations) and rel in (None, *relations)

        return self._page(request, "id", id_, matches)

    def _page(self, request: web.Request, name: str, value: bytes, matches: Callable[[Body], bool]) -> web.Response:
        query, limit = request.query, int(request.query["limit"])
        after, times = int(query["after"]), (int(query.get("since_ms", 0)), int(query.get("until_ms", 2**60)))
        found = [
            receipt
            for entry in self.ledger.entries
            if matches(entry.body)
            and all(query.get(each, entry.body[each]) == entry.body[each] for each in ("kind", "issuer", "project"))
            and (receipt := self.ledger.decided[entry.id]).index > after
            and times[0] <= receipt.decided.header.time_ms < times[1]
        ]
        rows = [{"id": leaf_hash(each.entry).hex()} for each in found[:limit]]
        following = found[limit - 1].index if len(found) > limit else None
        return web.json_response({name: value.hex(), "entries": rows, "next": following})

    async def _status(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "genesis": self.ledger.consortium.genesis.hash.hex(),
                "member": "m0",
                "role": self.role,
                "height": self.ledger.state.height,
                "ready": True,
                "reasons": [],
            }
        )

    async def _members(self, request: web.Request) -> web.Response:
        state = self.ledger.state
        validators = [{"member": each.member, "key": each.key.hex()} for each in state.registry.validators.validators]
        return web.json_response(
            {"validators": validators, "state_root": state.registry.hash.hex(), "height": state.height}
        )

    async def _block(self, request: web.Request) -> web.Response:
        entries = self.ledger.blocks[int(request.match_info["height"]) - 1]
        return web.json_response({"entries": len(entries), "entry_ids": [each.id.hex() for each in entries]})

    async def _consistency(self, request: web.Request) -> web.Response:
        first, second = int(request.query["from"]), int(request.query["to"])
        path = tree.consistency_path(lambda level, at: self.ledger.nodes[level, at], first, second)
        return web.json_response({"from": first, "to": second, "path": [each.hex() for each in path]})

    def _sent(self, receipt: Receipt) -> Receipt:
        return self.tamper(receipt) if self.tamper else receipt

    def _receipt_file(self, receipt: Receipt) -> web.Response:
        return web.Response(body=self._sent(receipt).encode_json(), content_type=MEDIA_TYPE)


def problem(status: int, name: str, detail: str, **more: Any) -> web.Response:
    """Problem details as a node sends them."""
    document = {"type": f"urn:notarium:problem:{name}", "title": name, "status": status, "detail": detail, **more}
    return web.Response(
        text=json.dumps(document),
        status=status,
        content_type="application/problem+json",
        headers={"Retry-After": "1"} if status in (429, 503) else {},
    )


def flip_path(receipt: Receipt) -> Receipt:
    """The receipt with one bit of its inclusion path flipped (or with a path where there was none)."""
    if not receipt.path:
        return replace(receipt, path=(leaf_hash(b"nobody"),))
    first = bytes([receipt.path[0][0] ^ 1]) + receipt.path[0][1:]
    return replace(receipt, path=(type(receipt.path[0])(first), *receipt.path[1:]))


def b64(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()
