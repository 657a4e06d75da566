"""GET /v1/search and /v1/references/{id}: the entries that name a digest, or refer to an entry.

Both answer by the index alone, so that no entry is read for a row.

Anyone may name a known digest in thousands of entries. So a request examines a bounded number of them: a page can be
empty and yet have a `next`, where the filters match nothing among those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from notarium_ledger.entries.commitment import MAX_TIME_MS, MEMBER_KINDS, RELATIONS, RESEARCH_KINDS
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

Scan = Callable[[bytes, int, int], list[NamedBy]]
"""Rows of one index for a value: at most so many, above a log index."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries were asked for. An empty filter matches everything."""

    issuer: str
    project: str
    kind: str
    since_ms: int
    """Decided at this time or later."""
    until_ms: int
    """Decided before this time."""
    relation: str
    """Of references."""

    @classmethod
    def of(cls, request: web.Request) -> Filters:
        """Raises ApiProblem."""
        return cls(
            _parse_text(request, "issuer"),
            _parse_text(request, "project"),
            _parse_choice(request, "kind", KINDS),
            parse_int(request, "since_ms", 0, minimum=0, maximum=MAX_TIME_MS),
            parse_int(request, "until_ms", MAX_TIME_MS + 1, minimum=0, maximum=MAX_TIME_MS + 1),
            _parse_choice(request, "rel", RELATIONS),
        )

    def matches(self, row: NamedBy) -> bool:
        """Whether the entry is by this institution, in this project, of this kind, and refers like this."""
        asked = ((self.issuer, row.issuer), (self.project, row.project), (self.kind, row.kind))
        return all(each in ("", said) for each, said in asked) and (not self.relation or self.relation in row.relations)


class Search:
    """The handlers."""

    def __init__(self, store: Store, costly: CostlyReads) -> None:
        self._store = store
        self._costly = costly

    async def page(self, request: web.Request) -> web.Response:
        """Entries that name an artifact digest, in the order of the log."""
        digest = parse_hash(request.query.get("digest", ""), "digest")
        return await self._page(request, "digest", digest, self._store.find)

    async def references(self, request: web.Request) -> web.Response:
        """Entries that refer to an entry, in the order of the log."""
        id_ = parse_hash(request.match_info["id"], "id")
        return await self._page(request, "id", id_, self._store.references)

    async def _page(self, request: web.Request, name: str, value: bytes, scan: Scan) -> web.Response:
        wanted = Filters.of(request)
        limit = parse_int(request, "limit", 100, minimum=1, maximum=MAX_PAGE)
        after = parse_int(request, "after", -1, minimum=-1, maximum=MAX_NUMBER)
        async with self._costly.turn(request):
            found, following = await self._find(partial(scan, value), wanted, limit, after)
        rows = [_row(each) for each in found]
        return web.json_response({name: value.hex(), "entries": rows, "next": following})

    async def _find(
        self, scan: Callable[[int, int], list[NamedBy]], wanted: Filters, limit: int, after: int
    ) -> tuple[list[NamedBy], int | None]:
        """What matches, and the log index after which the next page begins, or None at the end."""
        if wanted.since_ms:
            after = max(after, self._store.size_before(wanted.since_ms) - 1)
        end = self._store.size_before(wanted.until_ms) if wanted.until_ms <= MAX_TIME_MS else MAX_NUMBER
        found: list[NamedBy] = []
        for _ in range(0, MAX_EXAMINED, SLICE):
            rows = scan(SLICE, after)
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
    row |= {name: value for name, value in named.items() if value}
    return {**row, "relations": list(each.relations)} if each.relations else row


def _parse_text(request: web.Request, name: str) -> str:
    text = request.query.get(name, "")
    if len(text) > MAX_TEXT:
        detail = f"{name}: {len(text)} characters, at most {MAX_TEXT} are allowed"
        raise ApiProblem(ProblemType.MALFORMED, detail, field=name, limit=MAX_TEXT)
    return text


def _parse_choice(request: web.Request, name: str, known: Sequence[str]) -> str:
    chosen = request.query.get(name, "")
    if chosen and chosen not in known:
        raise ApiProblem(ProblemType.MALFORMED, f"{name}: not one of {', '.join(known)}", field=name)
    return chosen
