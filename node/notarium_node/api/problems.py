"""RFC 9457 problem details: every refusal names the field, the limit and, where there is one, the remedy."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any

from aiohttp import web

from notarium_ledger.errors import InvalidEntry, KeyNotPermitted, KeyRefusal, QuotaExceeded
from notarium_node.http.places import Held, Places
from notarium_node.refusals import Refusal, RefusalKind

MEDIA_TYPE = "application/problem+json"
_INTEGER = re.compile(r"-?[0-9]{1,19}")


class ProblemType(StrEnum):
    """What went wrong. A problem's `type` is the URN `urn:notarium:problem:<value>`."""

    MALFORMED = "malformed"
    INVALID_ENTRY = "invalid-entry"
    UNKNOWN_KEY = "unknown-key"
    READ_ONLY = "read-only"
    NOT_FOUND = "not-found"
    LENGTH_REQUIRED = "length-required"
    TOO_LARGE = "too-large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    BUSY = "busy"
    TOO_MANY = "too-many"
    QUOTA = "quota"
    BAD_SIGNATURES = "bad-signatures"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    WRONG_HOST = "wrong-host"
    CROSS_SITE = "cross-site"
    HISTORY_INCOMPLETE = "history-incomplete"
    INTERNAL = "internal"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return _ANSWERS[self][0]

    @property
    def summary(self) -> str:
        """The problem's title, the same for every problem of this type."""
        return _ANSWERS[self][1]


_ANSWERS = {
    ProblemType.MALFORMED: (400, "The request cannot be read"),
    ProblemType.INVALID_ENTRY: (422, "The entry is not valid"),
    ProblemType.UNKNOWN_KEY: (403, "The key may not write to this ledger"),
    ProblemType.READ_ONLY: (403, "An observer takes no entries"),
    ProblemType.NOT_FOUND: (404, "Not found on this ledger"),
    ProblemType.LENGTH_REQUIRED: (411, "The request does not say its length"),
    ProblemType.TOO_LARGE: (413, "The request is too large"),
    ProblemType.UNSUPPORTED_MEDIA_TYPE: (415, "Unsupported media type"),
    ProblemType.BUSY: (503, "The node cannot take this request now"),
    ProblemType.TOO_MANY: (429, "This address has its part already"),
    ProblemType.QUOTA: (429, "The key or its member has used up its quota"),
    ProblemType.BAD_SIGNATURES: (429, "This address has sent too many bad signatures"),
    ProblemType.METHOD_NOT_ALLOWED: (405, "Not a method of this resource"),
    ProblemType.WRONG_HOST: (421, "This node does not have that name"),
    ProblemType.CROSS_SITE: (403, "A page of another site may not submit"),
    ProblemType.HISTORY_INCOMPLETE: (503, "The node is still fetching older blocks"),
    ProblemType.INTERNAL: (500, "The node failed on this request"),
}


class ApiProblem(Exception):
    """Raised by a handler, answered as problem details."""

    def __init__(
        self,
        kind: ProblemType,
        detail: str,
        *,
        remedy: str = "",
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        """`remedy`: an instruction, as a sentence. `more`: further members of the document, such as field and limit."""
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        if retry_after_s is not None:
            self.headers["Retry-After"] = str(retry_after_s)
        self.more = more
        if remedy:
            self.more["remedy"] = remedy

    def document(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "type": f"urn:notarium:problem:{self.kind}",
            "title": self.kind.summary,
            "status": self.kind.status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> web.Response:
        """The HTTP answer."""
        return web.Response(
            status=self.kind.status,
            body=json.dumps(self.document()).encode(),
            content_type=MEDIA_TYPE,
            headers=self.headers,
        )


def full(held: Held, what: str, places: Places, retry_after_s: int = 1) -> ApiProblem:
    """The problem where a limit of clients is reached; `what` they hold, in the plural."""
    if held is Held.BY_ADDRESS:
        kind, limit, wait = ProblemType.TOO_MANY, places.most_of_one, "Wait for your own requests"
        said = f"your address has as many as one address may have ({limit})"
    else:
        kind, limit, wait = ProblemType.BUSY, places.most, "Try again later"
        said = f"{places.taken} of {limit} are taken"
    remedy = f"{wait}, or ask another node."
    return ApiProblem(kind, f"{what}: {said}", remedy=remedy, retry_after_s=retry_after_s, limit=limit)


def refused(refusal: Refusal) -> ApiProblem:
    """The problem for what the node refuses."""
    more: dict[str, Any] = {}
    match refusal.kind:
        case RefusalKind.READ_ONLY:
            kind = ProblemType.READ_ONLY
            more["validators"] = list(refusal.validators)
        case RefusalKind.BUSY:
            kind = ProblemType.BUSY
        case RefusalKind.HISTORY_INCOMPLETE:
            kind = ProblemType.HISTORY_INCOMPLETE
            more["others"] = list(refusal.others)
    if refusal.progress is not None:
        more["progress"] = dict(refusal.progress)
    return ApiProblem(kind, refusal.detail, remedy=refusal.remedy, retry_after_s=refusal.retry_after_s, **more)


_KEY_REMEDIES = {
    KeyRefusal.NOT_ENROLLED: "Ask your institution's administrator to enrol this key.",
    # A revoked key is never enrolled again.
    KeyRefusal.REVOKED: "Make a new key and have it enrolled: see the researchers' guide.",
    KeyRefusal.NOT_GOVERNANCE_KEY: "Use the governance key of that member.",
}


def invalid_entry(error: InvalidEntry, now_ms: int) -> ApiProblem:
    """The problem for an entry that was refused. `now_ms`: milliseconds since 1970."""
    if isinstance(error, QuotaExceeded):
        wait_s = max(1, -(-(error.until_ms - now_ms) // 1000))
        return ApiProblem(ProblemType.QUOTA, str(error), field=error.field, limit=error.limit, retry_after_s=wait_s)
    if isinstance(error, KeyNotPermitted):
        return ApiProblem(ProblemType.UNKNOWN_KEY, str(error), field="key", remedy=_KEY_REMEDIES[error.cause])
    if error.field == "entry" and error.limit is not None:
        return ApiProblem(ProblemType.TOO_LARGE, str(error), field="entry", limit=error.limit)
    limit: dict[str, Any] = {} if error.limit is None else {"limit": error.limit}
    return ApiProblem(ProblemType.INVALID_ENTRY, str(error), field=error.field or "entry", **limit)


def bad_request(detail: str) -> web.Response:
    """The answer to bytes that are not an HTTP request."""
    return ApiProblem(ProblemType.MALFORMED, f"request: {detail}", field="request").response()


def parse_hash(text: str, name: str) -> bytes:
    """32 bytes in hex from a path or a query. Raises ApiProblem."""
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 32 or len(text) != 64:
        raise ApiProblem(ProblemType.MALFORMED, f"{name}: not 64 hex digits", field=name)
    return value


def parse_int(request: web.BaseRequest, name: str, default: int, *, minimum: int, maximum: int) -> int:
    """An integer from the query. Raises ApiProblem."""
    text = request.query.get(name)
    if text is None:
        return default
    value = int(text) if _INTEGER.fullmatch(text) else minimum - 1
    if not minimum <= value <= maximum:
        raise ApiProblem(
            ProblemType.MALFORMED, f"{name}: not an integer from {minimum} to {maximum}", field=name, limit=maximum
        )
    return value
