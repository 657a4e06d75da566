"""RFC 9457 problem details: every refusal names the field, the limit and, where there is one, the remedy."""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import web

from notarium_ledger.errors import InvalidEntry

MEDIA_TYPE = "application/problem+json"
_LIMIT = re.compile(r"at most ([0-9]+) allowed")
_INTEGER = re.compile(r"-?[0-9]{1,19}")

TITLES = {
    "malformed": (400, "The request cannot be read"),
    "invalid-entry": (422, "The entry is not valid"),
    "unknown-key": (403, "The key may not write to this ledger"),
    "read-only": (403, "An observer takes no entries"),
    "not-found": (404, "There is no such thing on this ledger"),
    "too-large": (413, "The request is too large"),
    "unsupported-media-type": (415, "The request has no known form"),
    "busy": (503, "The node cannot take entries now"),
    "history-incomplete": (503, "The node is still fetching older blocks"),
    "internal": (500, "The node failed at this request"),
}


class ApiProblem(Exception):
    """Raised by a handler, answered as problem details."""

    def __init__(self, name: str, detail: str, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.name = name
        self.detail = detail
        self.headers = headers
        self.more = more

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        status, title = TITLES[self.name]
        return {
            "type": f"urn:notarium:problem:{self.name}",
            "title": title,
            "status": status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.Response(
            status=TITLES[self.name][0],
            body=json.dumps(self.document()).encode(),
            content_type=MEDIA_TYPE,
            headers=self.headers,
        )


def invalid_entry(error: InvalidEntry, malformed: bool = False) -> ApiProblem:
    """The problem for an entry that was refused; `malformed`: by its bytes alone, whatever the registry says."""
    if error.field == "key" and not malformed:
        return ApiProblem(
            "unknown-key", str(error), field="key", remedy="ask your institution's administrator to enrol it"
        )
    if error.field == "entry" and (limit := _LIMIT.search(error.reason)):
        return ApiProblem("too-large", str(error), field="entry", limit=int(limit[1]))
    return ApiProblem("invalid-entry", str(error), field=error.field or "entry")


def parse_hash(text: str, name: str) -> bytes:
    """32 bytes in hex from a path or a query. Raises Problem."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32 or len(text) != 64:
        raise ApiProblem("malformed", f"{name}: not 64 hex digits", field=name)
    return value


def parse_int(request: web.BaseRequest, name: str, default: int, minimum: int, maximum: int) -> int:
    """An integer from the query. Raises Problem."""
    text = request.query.get(name)
    if text is None:
        return default
    value = int(text) if _INTEGER.fullmatch(text) else minimum - 1
    if not minimum <= value <= maximum:
        raise ApiProblem("malformed", f"{name}: not an integer from {minimum} to {maximum}", field=name, limit=maximum)
    return value
