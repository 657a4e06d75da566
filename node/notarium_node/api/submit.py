"""POST /v1/entries and /v1/entries/batch: take entries, wait for their decision, answer with their receipts."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from notarium_ledger.encoding import canonical
from notarium_ledger.encoding.json_file import parse_json
from notarium_ledger.entries.entry import MAX_BATCH, MAX_ENTRY_BYTES, decode_entry
from notarium_ledger.errors import InvalidEntry, NotCanonical, QuotaExceeded
from notarium_ledger.trust.receipt import MEDIA_TYPE, Receipt, ReceiptEncoder
from notarium_ledger.trust.receipt_batch import encode_receipts
from notarium_ledger.types import Hash
from notarium_node.api.batch_answer import receipts_that_fit
from notarium_node.api.junk import BadSignatures
from notarium_node.api.problems import ApiProblem, ProblemType, full, invalid_entry, parse_int, refused
from notarium_node.entries.admission import AdmissionStatus, Outcome
from notarium_node.entries.mempool import MempoolFull
from notarium_node.http.places import Places
from notarium_node.http.server import begin
from notarium_node.http.turns import FairTurns
from notarium_node.node import Node

ENTRY_TYPES = ("application/msgpack", "application/vnd.notarium.entry.v1+msgpack", "application/octet-stream")
MAX_WAIT_MS = 60_000
DEFAULT_WAIT_MS = 10_000
READ_S = 20.0
"""How long the body of a request may take to arrive."""
ONE_ENTRY_BYTES = 128 * 1024
"""Limit of the body of a single entry, which may be base64 in JSON."""
JSON_BATCH_BYTES = 1024 * 1024
"""Limit of a batch in JSON. A parser of JSON cannot be interrupted: it takes the event loop 10 ms for so many bytes."""
_BATCH_VALUES = MAX_BATCH + 1
"""Values (value_count.py) of the largest batch: its entries, and their list."""
RECEIPTS = 16
"""Receipts made in one turn of the event loop: 4 ms."""
AT_WORK = 2
"""Batches that are checked, or whose receipts are made, at the same time; others wait. In one turn of the event loop
each takes its slice, so votes wait for so many slices, however many batches there are. Two, so that one is read while
threads check the signatures of the other."""
MAX_BODIES_BYTES = 32 * 1024 * 1024
"""Sum of the larger batches that are received, checked and answered at the same time, half of it of one address. With
what is made of it, junk takes four times its size, and a valid batch up to twelve times (measured)."""
MAX_SMALL_BODIES_BYTES = 16 * 1024 * 1024
"""The same for batches of at most ONE_ENTRY_BYTES: large ones leave them their room."""


class Submissions:
    """The handlers; `max_request_bytes` bounds a body."""

    def __init__(
        self,
        node: Node,
        max_request_bytes: int,
        max_wait_ms: int,
        address: Callable[[web.BaseRequest], str] = lambda request: "",
    ) -> None:
        """`address`: of the client, for its part of the bodies."""
        self._node = node
        self._max_request_bytes = max_request_bytes
        self._max_wait_s = max_wait_ms / 1000
        self._address = address
        self._encoder = ReceiptEncoder()
        self._bodies = Places(max(MAX_BODIES_BYTES, 4 * max_request_bytes))
        self._small_bodies = Places(MAX_SMALL_BODIES_BYTES)
        self._turns = FairTurns(AT_WORK)
        self._bad_signatures = BadSignatures(address)

    async def one(self, request: web.Request) -> web.StreamResponse:
        """Takes one entry; answers with its receipt (200), or with 202 where it is not decided in time."""
        wait_s = min(_wait_s(request), self._max_wait_s)
        raw = await self._read_one(request)
        outcomes = await self._admit([raw])
        self._bad_signatures.note(request, outcomes)
        outcome = outcomes[0]
        if outcome.error is not None:
            raise invalid_entry(outcome.error, self._node.clock())
        receipts = await self._receipts([outcome], wait_s)
        receipt = receipts.get(outcome.id)
        if receipt is None:
            return pending(outcome.id)
        entry = outcome.entry or decode_entry(receipt.entry)
        return web.Response(body=self._encoder.encode(receipt, entry), content_type=MEDIA_TYPE)

    async def batch(self, request: web.Request) -> web.StreamResponse:
        """Takes 1 to 4,096 entries, all or none; answers with their receipts in the same order."""
        wait_s = min(_wait_s(request), self._max_wait_s)
        size = self._size(request, self._max_request_bytes)
        is_small, address = size <= ONE_ENTRY_BYTES, self._address(request)
        places = self._small_bodies if is_small else self._bodies
        if not is_small:
            self._bad_signatures.check(request)  # Before its body is read.
        if (held := places.take(address, size)) is not None:
            raise full(held, f"bytes of {'small' if is_small else 'large'} batches", places)
        try:
            return await self._batch(request, wait_s)
        finally:
            places.release(address, size)

    async def _batch(self, request: web.Request, wait_s: float) -> web.StreamResponse:
        decode, body = await self._read_many(request)
        async with self._turn(request):
            raws = decode(body)
            self._bad_signatures.check(request, len(raws))  # Others of its address may have been at fault meanwhile.
            outcomes = await self._admit(raws)
            self._bad_signatures.note(request, outcomes)
            decided = await self._decided(outcomes)
        quota = next((each.error for each in outcomes if isinstance(each.error, QuotaExceeded)), None)
        errors = [
            {"position": position, "field": each.error.field, "detail": str(each.error)}
            for position, each in enumerate(outcomes)
            if each.error is not None and not isinstance(each.error, QuotaExceeded)
        ]
        if errors:
            raise ApiProblem(
                ProblemType.INVALID_ENTRY,
                f"{len(errors)} of the first {len(outcomes)} entries are not valid; none of {len(raws)} was accepted",
                errors=errors[:100],
            )
        if quota is not None:  # These are valid, and the client keeps them.
            raise invalid_entry(quota, self._node.clock())
        receipts = await self._receipts(outcomes, wait_s, decided)
        found = [receipts.get(each.id) for each in outcomes]
        is_packed = "msgpack" in request.headers.get("Accept", "")
        if is_packed:
            found = receipts_that_fit(found)
        status = 200 if None not in found else 202
        if is_packed:
            return web.Response(status=status, body=encode_receipts(found), content_type="application/msgpack")
        results = [_row(outcome, receipt) for outcome, receipt in zip(outcomes, found, strict=True)]
        return web.json_response({"results": results}, status=status)

    async def _admit(self, raws: Sequence[bytes]) -> list[Outcome]:
        refusal = self._node.refusal()
        if refusal is not None:
            raise refused(refusal)
        try:
            return await self._node.admission.admit(raws, all_or_none=True)
        except MempoolFull as error:
            raise ApiProblem(ProblemType.BUSY, str(error), remedy=error.remedy, retry_after_s=1) from error

    @asynccontextmanager
    async def _turn(self, request: web.Request) -> AsyncIterator[None]:
        """Wait until fewer than AT_WORK batches are at work, and it is the turn of this address.

        Raises ConnectionResetError if the client left meanwhile.
        """
        async with self._turns.turn(self._address(request)):
            if request.transport is None:
                raise ConnectionResetError("the client left")
            yield

    async def _decided(self, outcomes: Sequence[Outcome]) -> dict[Hash, Receipt]:
        """Receipts of the entries that are decided already."""
        found: dict[Hash, Receipt] = {}
        decided = [each.id for each in outcomes if each.error is None and each.id not in self._node.mempool]
        for start in range(0, len(decided), RECEIPTS):
            self._add_receipts(decided[start : start + RECEIPTS], found)
            await asyncio.sleep(0)  # Votes must not wait for the receipts of a batch that was decided already.
        return found

    async def _receipts(
        self, outcomes: Sequence[Outcome], wait_s: float, found: dict[Hash, Receipt] | None = None
    ) -> dict[Hash, Receipt]:
        """Receipts of the entries that are decided already or within `wait_s` seconds; those in `found` are known."""
        node = self._node
        found = {} if found is None else found
        # Without an await from here to the wait: what is decided in between would not be noticed.
        waiting = [each.id for each in outcomes if each.id in node.mempool]
        waits = set(waiting)
        self._add_receipts([each.id for each in outcomes if each.id not in found and each.id not in waits], found)
        if not waiting or wait_s <= 0:
            return found
        try:
            found.update(await node.waiters.wait_for(waiting, wait_s))
        except InvalidEntry as error:
            raise invalid_entry(error, self._node.clock()) from error
        return found

    def _add_receipts(self, ids: Sequence[Hash], found: dict[Hash, Receipt]) -> None:
        for each in ids:
            receipt = self._node.store.receipt(each)
            if receipt is not None:
                found[each] = receipt

    async def _read_one(self, request: web.Request) -> bytes:
        if _media_type(request) == "application/json":
            text = _json_member(await self._body(request, ONE_ENTRY_BYTES), "entry", str, most=1)
            return _base64(text, "entry")
        if _media_type(request) not in ENTRY_TYPES:
            raise _unsupported(request)
        raw = await self._body(request, ONE_ENTRY_BYTES)
        if len(raw) > MAX_ENTRY_BYTES:
            raise ApiProblem(
                ProblemType.TOO_LARGE,
                f"entry: {len(raw)} bytes, at most {MAX_ENTRY_BYTES} allowed",
                field="entry",
                limit=MAX_ENTRY_BYTES,
            )
        return raw

    async def _read_many(self, request: web.Request) -> tuple[Callable[[bytes], list[bytes]], bytes]:
        """The body of a batch, and what decodes it when its turn has come."""
        if _media_type(request) == "application/json":
            limit = min(JSON_BATCH_BYTES, self._max_request_bytes)
            return _batch_in_json, await self._body(request, limit, "Send smaller batches, or application/msgpack.")
        if _media_type(request) in ENTRY_TYPES:
            return _batch_in_msgpack, await self._body(request, self._max_request_bytes)
        raise _unsupported(request)

    async def _body(self, request: web.Request, limit: int, remedy: str = "Send smaller batches.") -> bytes:
        """The whole body. Raises ApiProblem."""
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            # Eight compressed kilobytes can become eight megabytes, which neither the length nor the budget shows.
            raise ApiProblem(
                ProblemType.UNSUPPORTED_MEDIA_TYPE,
                f"Content-Encoding {request.headers['Content-Encoding'][:40]}: compressed bodies are not accepted",
                remedy="Send the body uncompressed.",
                headers={"Accept-Encoding": "identity"},
                field="Content-Encoding",
            )
        self._size(request, limit, remedy)
        try:
            if request.content.is_eof():  # Small bodies have arrived already: nothing to wait for.
                body = await request.read()
            else:
                async with asyncio.timeout(READ_S):
                    body = await request.read()
                await begin(request)  # The bodies of many may have arrived at the same moment.
        except TimeoutError as error:
            raise ApiProblem(
                ProblemType.MALFORMED, f"the body did not arrive within {READ_S:.0f} s", field="body"
            ) from error
        except web.HTTPRequestEntityTooLarge as error:
            raise _too_large(limit, remedy) from error
        except web.RequestPayloadError as error:
            raise ApiProblem(ProblemType.MALFORMED, f"the body cannot be read: {error}", field="body") from error
        if len(body) > limit:
            raise _too_large(limit, remedy)
        return body

    def _size(self, request: web.Request, limit: int, remedy: str = "Send smaller batches.") -> int:
        """As announced; without that, the limit. Raises ApiProblem where it exceeds the limit."""
        length = request.content_length
        if length is not None and length > limit:
            raise _too_large(limit, remedy)
        return limit if length is None else length


def _too_large(limit: int, remedy: str) -> ApiProblem:
    detail = f"the body is larger than {limit} bytes"
    return ApiProblem(ProblemType.TOO_LARGE, detail, field="body", limit=limit, remedy=remedy)


def pending(entry_id: Hash) -> web.Response:
    """202: accepted, but not decided yet, so not acknowledged."""
    return web.json_response(
        {"id": entry_id.hex(), "status": AdmissionStatus.PENDING.value},
        status=202,
        headers={"Location": f"/v1/receipts/{entry_id.hex()}"},
    )


def _row(outcome: Outcome, receipt: Receipt | None) -> dict[str, Any]:
    if receipt is None:
        return {"id": outcome.id.hex(), "status": AdmissionStatus.PENDING.value}
    height = receipt.decided.header.height
    return {"id": outcome.id.hex(), "status": AdmissionStatus.DECIDED.value, "index": receipt.index, "height": height}


def _wait_s(request: web.Request) -> float:
    wait = request.query.get("wait", "decided")
    if wait not in ("decided", "none"):
        raise ApiProblem(ProblemType.MALFORMED, "wait: must be decided or none", field="wait")
    timeout_ms = parse_int(request, "timeout_ms", DEFAULT_WAIT_MS, minimum=0, maximum=MAX_WAIT_MS)
    return timeout_ms / 1000 if wait == "decided" else 0.0


def _batch_in_msgpack(body: bytes) -> list[bytes]:
    """Raises ApiProblem."""
    try:
        raws = canonical.decode(body, _BATCH_VALUES)
    except NotCanonical as error:
        if error.limit == _BATCH_VALUES:
            raise _wrong_count("too many", ProblemType.TOO_LARGE) from error
        raise ApiProblem(ProblemType.MALFORMED, f"entries: {error.reason}", field="entries") from error
    if not isinstance(raws, list):
        raise ApiProblem(ProblemType.MALFORMED, "entries: not a list of byte strings", field="entries")
    if not raws:
        raise _wrong_count("none", ProblemType.MALFORMED)
    return [_entry_bytes(raw, number) for number, raw in enumerate(raws)]


def _batch_in_json(body: bytes) -> list[bytes]:
    """Raises ApiProblem."""
    items = _json_member(body, "entries", list, most=MAX_BATCH)
    if not items:
        raise _wrong_count("none", ProblemType.MALFORMED)
    return [_base64(item, "entries", number) for number, item in enumerate(items)]


def _wrong_count(found: str, kind: ProblemType) -> ApiProblem:
    return ApiProblem(kind, f"entries: {found}, 1 to {MAX_BATCH} allowed", field="entries", limit=MAX_BATCH)


def _json_member(body: bytes, name: str, kind: type, most: int) -> Any:
    """The one member of the JSON object in the body, with at most `most` strings. Raises ApiProblem.

    Base64 has neither commas nor brackets, so their number bounds what a parser would make of the body.
    """
    if body.count(b",") >= most > 1:
        raise _wrong_count("too many", ProblemType.TOO_LARGE)
    document: Any = None
    if body.count(b",") < most and body.count(b"[") + body.count(b"{") <= 2:
        try:
            document = parse_json(body)
        except (ValueError, RecursionError) as error:
            raise ApiProblem(ProblemType.MALFORMED, f"the body is not JSON: {error}", field="body") from error
    if not isinstance(document, dict) or set(document) != {name} or not isinstance(document[name], kind):
        raise ApiProblem(ProblemType.MALFORMED, f'the body is not {{"{name}": ...}}', field=name)
    return document[name]


def _base64(text: Any, name: str, number: int | None = None) -> bytes:
    """`number`: its position in a batch."""
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (AttributeError, UnicodeEncodeError, binascii.Error) as error:
        field = name if number is None else f"{name}[{number}]"
        raise ApiProblem(ProblemType.MALFORMED, f"{field}: not base64", field=field) from error


def _entry_bytes(raw: Any, number: int) -> bytes:
    if type(raw) is not bytes:
        raise ApiProblem(ProblemType.MALFORMED, f"entries[{number}]: not bytes", field=f"entries[{number}]")
    return raw


def _media_type(request: web.Request) -> str:
    """Of the body, as the client has named it: a form of any web page can send a body without a type."""
    return request.content_type if "Content-Type" in request.headers else ""


def _unsupported(request: web.Request) -> ApiProblem:
    return ApiProblem(
        ProblemType.UNSUPPORTED_MEDIA_TYPE,
        f"{_media_type(request)[:100] or 'a body without a type'} is not accepted",
        remedy="Send application/msgpack or application/json.",
        field="Content-Type",
    )
