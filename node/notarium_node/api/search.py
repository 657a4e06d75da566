"""GET /v1/search: the entries that name a digest, by the index alone, so that no entry is read for a row.

Anyone may name a known digest in thousands of entries. So a request examines a bounded number of them: a page can be
empty and yet have a `next`, where the filters match nothing among those.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from notarium_ledger.entries.commitment import MAX_TIME_MS, MEMBER_KINDS, RESEARCH_KINDS
from notarium_node.api.costly import CostlyReads
from notarium_node.api.problems import ApiProblem, ProblemType, parse_hash, parse_int
from notarium_store.layout import NamedBy
from notarium_store.store import Store

MAX_PAGE = 1000
MAX_EXAMINED = 1024
"""Rows of the index that one request examines."""
SLICE = 32
"""Rows in one turn of the event loop."""
MAX_NUMBER = 2**62
MAX_TEXT = 255
"""Characters of a filter; no institution or project has a longer name."""
KINDS = (*RESEARCH_KINDS, *MEMBER_KINDS)


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What was asked for. An empty filter matches everything."""

    digest: bytes
    issuer: str
    project: str
    kind: str
    since_ms: int
    """Decided at this time or later."""
    until_ms: int
    """Decided before this time."""

    @classmethod
    def of(cls, request: web.Request) -> SearchQuery:
        """Raises ApiProblem."""
        return cls(
            parse_hash(request.query.get("digest", ""), "digest"),
            _parse_text(request, "issuer"),
            _parse_text(request, "project"),
            _parse_kind(request),
            parse_int(request, "since_ms", 0, minimum=0, maximum=MAX_TIME_MS),
            parse_int(request, "until_ms", MAX_TIME_MS + 1, minimum=0, maximum=MAX_TIME_MS + 1),
        )

    def matches(self, row: NamedBy) -> bool:
        """Whether the entry is by this institution, in this project and of this kind."""
        return self.issuer in ("", row.issuer) and self.project in ("", row.project) and self.kind in ("", row.kind)


class Search:
    """The handler."""

    def __init__(self, store: Store, costly: CostlyReads) -> None:
        self._store = store
        self._costly = costly

    async def page(self, request: web.Request) -> web.Response:
        """Entries that name an artifact digest, in the order of the log."""
        wanted = SearchQuery.of(request)
        limit = parse_int(request, "limit", 100, minimum=1, maximum=MAX_PAGE)
        after = parse_int(request, "after", -1, minimum=-1, maximum=MAX_NUMBER)
        async with self._costly.turn(request):
            found, following = await self._find(wanted, limit, after)
        rows = [_row(each) for each in found]
        return web.json_response({"digest": wanted.digest.hex(), "entries": rows, "next": following})

    async def _find(self, wanted: SearchQuery, limit: int, after: int) -> tuple[list[NamedBy], int | None]:
        """What matches, and the log index after which the next page begins, or None at the end."""
        if wanted.since_ms:
            after = max(after, self._store.size_before(wanted.since_ms) - 1)
        end = self._store.size_before(wanted.until_ms) if wanted.until_ms <= MAX_TIME_MS else MAX_NUMBER
        found: list[NamedBy] = []
        for _ in range(0, MAX_EXAMINED, SLICE):
            rows = self._store.find(wanted.digest, SLICE, after)
            for row in rows:
                if row.index >= end:
                    return found, None
                if len(found) == limit:
                    return found, after
                after = row.index
                if wanted.matches(row):
                    found.append(row)
            if len(rows) < SLICE:
                return found, None
            await asyncio.sleep(0)
        return found, after


def _row(each: NamedBy) -> dict[str, Any]:
    row: dict[str, Any] = {"id": each.id.hex(), "index": each.index, "height": each.height, "kind": each.kind}
    named = {"issuer": each.issuer, "project": each.project}
    return {**row, **{name: value for name, value in named.items() if value}}


def _parse_text(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if len(text) > MAX_TEXT:
        detail = f"{name}: {len(text)} characters, at most {MAX_TEXT} are allowed"
        raise ApiProblem(ProblemType.MALFORMED, detail, field=name, limit=MAX_TEXT)
    return text


def _parse_kind(request: web.Request) -> str:
    kind = request.query.get("kind", "")
    if kind and kind not in KINDS:
        raise ApiProblem(ProblemType.MALFORMED, f"kind: not one of {', '.join(KINDS)}", field="kind")
    return kind
