"""POST /v1/entries and /v1/entries/batch: take entries, wait for their decision, answer with receipts."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aiohttp import web

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import MAX_BATCH, MAX_ENTRY_BYTES, decode_entry
from notarium_ledger.errors import InvalidEntry, NotCanonical
from notarium_ledger.trust.receipt import MEDIA_TYPE, Receipt, ReceiptEncoder
from notarium_ledger.trust.receipt_batch import encode_receipts
from notarium_ledger.types import Hash
from notarium_node.api.problems import ApiProblem, invalid_entry, parse_int
from notarium_node.entries.admission import AdmissionStatus, Outcome
from notarium_node.entries.mempool import MempoolFull

if TYPE_CHECKING:
    from notarium_node.node import Node

ENTRY_TYPES = ("application/msgpack", "application/vnd.notarium.entry.v1+msgpack", "application/octet-stream")
MAX_WAIT_MS = 60_000
DEFAULT_WAIT_MS = 10_000
READ_S = 20.0
"""How long a request's body may take to arrive."""
ONE_ENTRY_BYTES = 128 * 1024
"""The body of a single entry, base64 in JSON included."""
_BATCH_ITEMS = 65_536
"""Values (value_count.py) in a batch: far more than entries are allowed, so that whoever sends too many is told."""
MAX_READING_BYTES = 64 * 1024 * 1024
"""Larger bodies that are arriving at the same time, all together; one alone may always."""


class Submissions:
    """The handlers; `max_request_bytes` bounds a body."""

    def __init__(self, node: Node, max_request_bytes: int, max_wait_ms: int) -> None:
        self._node = node
        self._max_request_bytes = max_request_bytes
        self._max_wait_s = max_wait_ms / 1000
        self._encoder = ReceiptEncoder()
        self._reading = 0

    async def one(self, request: web.Request) -> web.StreamResponse:
        """One entry in; its receipt out (200), or 202 when it is not decided in time."""
        wait_s = min(_wait_s(request), self._max_wait_s)
        raw = await self._read_one(request)
        outcome = (await self._admit([raw]))[0]
        if outcome.error is not None:
            raise invalid_entry(outcome.error, malformed=outcome.malicious)
        receipts = await self._receipts([outcome], wait_s)
        receipt = receipts.get(outcome.id)
        if receipt is None:
            return pending(outcome.id)
        entry = outcome.entry or decode_entry(receipt.entry)
        return web.Response(body=self._encoder.encode(receipt, entry), content_type=MEDIA_TYPE)

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """1 to 4,096 entries in, all or none; receipts out in the same order."""
        wait_s = min(_wait_s(request), self._max_wait_s)
        raws = await self._read_many(request)
        outcomes = await self._admit(raws)
        errors = [
            {"position": position, "field": each.error.field, "detail": str(each.error)}
            for position, each in enumerate(outcomes)
            if each.error is not None
        ]
        if errors:
            raise ApiProblem(
                "invalid-entry",
                f"{len(errors)} of {len(outcomes)} entries are not valid; none was taken",
                errors=errors[:100],
            )
        receipts = await self._receipts(outcomes, wait_s)
        found = [receipts.get(each.id) for each in outcomes]
        status = 200 if None not in found else 202
        if "msgpack" in request.headers.get("Accept", ""):
            return web.Response(status=status, body=encode_receipts(found), content_type="application/msgpack")
        results = [_row(outcome, receipt) for outcome, receipt in zip(outcomes, found, strict=True)]
        return web.json_response({"results": results}, status=status)

    async def _admit(self, raws: Sequence[bytes]) -> list[Outcome]:
        refusal = self._node.refusal()
        if refusal:
            raise refusal
        try:
            return await self._node.admission.admit(raws, all_or_none=True)
        except MempoolFull as error:
            raise ApiProblem("busy", str(error), headers={"Retry-After": "1"}, remedy="submit again later") from error

    async def _receipts(self, outcomes: Sequence[Outcome], wait_s: float) -> dict[Hash, Receipt]:
        """Receipts of what is decided, or is within `wait_s` seconds."""
        node = self._node
        found: dict[Hash, Receipt] = {}
        waiting: list[Hash] = []
        for each in outcomes:
            if each.id in node.mempool:
                waiting.append(each.id)
                continue
            receipt = node.store.receipt(each.id)
            if receipt is not None:
                found[each.id] = receipt
        if not waiting or wait_s <= 0:
            return found
        waiter = node.waiters.wait(waiting)
        try:
            async with asyncio.timeout(wait_s):
                await waiter.future
        except TimeoutError:
            pass  # The answer says which are pending.
        except InvalidEntry as error:
            raise invalid_entry(error) from error
        finally:
            node.waiters.leave(waiter)
        found.update(waiter.receipts)
        return found

    async def _read_one(self, request: web.Request) -> bytes:
        if request.content_type == "application/json":
            return _base64(await self._member(request, ONE_ENTRY_BYTES, "entry", str), "entry")
        if request.content_type not in ENTRY_TYPES:
            raise _unsupported(request)
        raw = await self._body(request, ONE_ENTRY_BYTES)
        if len(raw) > MAX_ENTRY_BYTES:
            raise ApiProblem(
                "too-large",
                f"entry: {len(raw)} bytes, at most {MAX_ENTRY_BYTES} allowed",
                field="entry",
                limit=MAX_ENTRY_BYTES,
            )
        return raw

    async def _read_many(self, request: web.Request) -> list[bytes]:
        raws: list[Any]
        if request.content_type == "application/json":
            items = await self._member(request, self._max_request_bytes, "entries", list)
            raws = [_base64(item, f"entries[{number}]") for number, item in enumerate(items)]
        elif request.content_type in ENTRY_TYPES:
            try:
                value = canonical.decode(await self._body(request, self._max_request_bytes), _BATCH_ITEMS)
            except NotCanonical as error:
                raise ApiProblem("malformed", f"entries: {error.reason}", field="entries") from error
            if not isinstance(value, list):
                raise ApiProblem("malformed", "entries: not a list of byte strings", field="entries")
            raws = value
        else:
            raise _unsupported(request)
        if not 1 <= len(raws) <= MAX_BATCH:
            raise ApiProblem(
                "too-large" if raws else "malformed",
                f"entries: {len(raws)}, 1 to {MAX_BATCH} allowed",
                field="entries",
                limit=MAX_BATCH,
            )
        return [_entry_bytes(raw, number) for number, raw in enumerate(raws)]

    async def _member(self, request: web.Request, limit: int, name: str, kind: type) -> Any:
        """The one member of the JSON object in the body. Raises Problem."""
        body = await self._body(request, limit)
        # Nothing in such a body holds brackets, for base64 has none; and each of them could be a list in memory.
        document: Any = None
        if body.count(b"[") + body.count(b"{") <= 2:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError) as error:
                raise ApiProblem("malformed", f"the body is not JSON: {error}", field="body") from error
        if not isinstance(document, dict) or set(document) != {name} or not isinstance(document[name], kind):
            raise ApiProblem("malformed", f'the body is not {{"{name}": ...}}', field=name)
        return document[name]

    async def _body(self, request: web.Request, limit: int) -> bytes:
        """The whole body. Large ones share a budget, so that many slow senders cannot fill the memory."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            # Eight kilobytes of it can be eight megabytes, of which neither the length nor the budget knows.
            raise ApiProblem(
                "unsupported-media-type",
                f"Content-Encoding {request.headers['Content-Encoding'][:40]}: bodies are taken uncompressed only",
                headers={"Accept-Encoding": "identity"},
                field="Content-Encoding",
                remedy="send it uncompressed",
            )
        length = request.content_length
        if length is not None and length > limit:
            raise self._too_large(limit)
        share = limit if length is None else length
        share = 0 if share <= ONE_ENTRY_BYTES else share
        if self._reading and self._reading + share > MAX_READING_BYTES:
            raise ApiProblem(
                "busy",
                f"{MAX_READING_BYTES} bytes of large requests are arriving already",
                headers={"Retry-After": "1"},
                remedy="submit again later, or to another node",
            )
        self._reading += share
        try:
            if request.content.is_eof():  # Has arrived already, as small ones have: nothing to wait for.
                body = await request.read()
            else:
                async with asyncio.timeout(READ_S):
                    body = await request.read()
        except TimeoutError as error:
            raise ApiProblem("malformed", f"the body did not arrive within {READ_S:.0f} s", field="body") from error
        except web.HTTPRequestEntityTooLarge as error:
            raise self._too_large(limit) from error
        except web.RequestPayloadError as error:
            raise ApiProblem("malformed", f"the body cannot be read: {error}", field="body") from error
        finally:
            self._reading -= share
        if len(body) > limit:
            raise self._too_large(limit)
        return body

    def _too_large(self, limit: int) -> ApiProblem:
        return ApiProblem(
            "too-large",
            f"the body is larger than {limit} bytes",
            field="body",
            limit=limit,
            remedy="send smaller batches",
        )


def pending(entry_id: Hash) -> web.Response:
    """202: taken, not decided yet, so not acknowledged."""
    return web.json_response(
        {"id": entry_id.hex(), "status": "pending"},
        status=202,
        headers={"Location": f"/v1/receipts/{entry_id.hex()}"},
    )


def _row(outcome: Outcome, receipt: Receipt | None) -> dict[str, Any]:
    if receipt is None:
        return {"id": outcome.id.hex(), "status": "pending"}
    height = receipt.decided.header.height
    return {"id": outcome.id.hex(), "status": AdmissionStatus.DECIDED.value, "index": receipt.index, "height": height}


def _wait_s(request: web.Request) -> float:
    wait = request.query.get("wait", "decided")
    if wait not in ("decided", "none"):
        raise ApiProblem("malformed", "wait: neither decided nor none", field="wait")
    timeout_ms = parse_int(request, "timeout_ms", DEFAULT_WAIT_MS, 0, MAX_WAIT_MS)
    return timeout_ms / 1000 if wait == "decided" else 0.0


def _base64(text: Any, name: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error) as error:
        raise ApiProblem("malformed", f"{name}: not base64", field=name) from error


def _entry_bytes(raw: Any, number: int) -> bytes:
    if type(raw) is not bytes:
        raise ApiProblem("malformed", f"entries[{number}]: not bytes", field=f"entries[{number}]")
    return raw


def _unsupported(request: web.Request) -> ApiProblem:
    return ApiProblem(
        "unsupported-media-type",
        f"{request.content_type}: send application/msgpack or application/json",
        field="Content-Type",
    )
