"""Find the entries that name a digest, or refer to an entry: page by page, oldest first, each with a verified receipt.

Nothing that a node lists is believed. Each entry is proven, and digest, filters and order are checked on what is
proven. A node that ignores a filter, reorders or repeats is named, and another is asked for the page. Only what a node
leaves out cannot be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from notarium.errors import LyingNode, NotAnchored
from notarium.ledger_access.answers import Answer, VerifiedReceipt, read_hash
from notarium.ledger_access.failover import Failover, Request, in_parallel
from notarium.ledger_access.found import Found, Wanted

PAGE = 100
"""Entries asked for at a time."""
MOST_PAGES = 1_000
"""Pages of one call: where the filters match few entries among very many, most pages are empty."""
MOST_INDEX = 2**62
"""No log index is larger. An honest node would refuse one as `after`."""
CONCURRENT_REQUESTS = 4
"""How many receipts are fetched at the same time."""


class Finder:
    """Finds entries for a client."""

    def __init__(self, asker: Failover, prove: Callable[[bytes], Awaitable[VerifiedReceipt]]) -> None:
        """`prove`: the verified receipt of an id. Raises NotAnchored."""
        self._asker = asker
        self._prove = prove

    async def find(self, wanted: Wanted, limit: int, after: int) -> Found:
        """At most `limit` entries at log indices above `after`. Raises LyingNode where all nodes lie, Unreachable."""
        found: list[VerifiedReceipt] = []
        following: int | None = after
        for _ in range(MOST_PAGES):
            if following is None or len(found) >= limit:
                break
            page = await self._page(wanted, min(limit - len(found), PAGE), following)
            found += page.receipts
            following = page.next
        return Found(tuple(found), following)

    async def _page(self, wanted: Wanted, limit: int, after: int) -> Found:
        lies: list[LyingNode] = []
        for _ in self._asker.pool.urls:
            url, ids, following = await self._hits(wanted, limit, after)
            proven = await self._proven(ids)
            lies = [LyingNode(url, each) for each in _lies(wanted, ids, proven, after, following)]
            if not lies:
                return Found(tuple(each for each in proven if each is not None), following)
            for each in lies:
                self._asker.record_lie(each)
        raise lies[0]

    async def _hits(self, wanted: Wanted, limit: int, after: int) -> tuple[str, list[bytes], int | None]:
        """The node that answered, the ids that it lists, and where it says that the next page begins."""

        def judge(answer: Answer) -> tuple[str, list[bytes], int | None]:
            answer.expect(200)
            return answer.url, *read_hits(answer, wanted, limit, after)

        query = {**wanted.query(), "limit": str(limit), "after": str(after)}
        return await self._asker.ask(Request("GET", wanted.path, query=query), judge)

    async def _proven(self, ids: Sequence[bytes]) -> list[VerifiedReceipt | None]:
        """The receipts, with None where no node has one."""
        under_way = asyncio.Semaphore(CONCURRENT_REQUESTS)

        async def prove(id_: bytes) -> VerifiedReceipt | None:
            async with under_way:
                try:
                    return await self._prove(id_)
                except NotAnchored:
                    return None

        return await in_parallel([prove(each) for each in ids])


def read_hits(answer: Answer, wanted: Wanted, limit: int, after: int) -> tuple[list[bytes], int | None]:
    """The entry ids that a search found, and where the next page begins. Raises LyingNode.

    A page can be empty and yet have a next: a request examines a bounded number of entries.
    """
    said = answer.json_object()
    rows = said.get("entries")
    name = "id" if wanted.is_referred else "digest"
    if said.get(name) != wanted.value.hex() or not isinstance(rows, list) or len(rows) > limit:
        raise LyingNode(answer.url, "not the result of the search that was asked for")
    following = said.get("next")
    if following is not None and (type(following) is not int or not after < following <= MOST_INDEX):
        raise LyingNode(answer.url, "next: does not advance, or is no log index")
    return [read_hash(answer, row.get("id") if isinstance(row, dict) else None, "id") for row in rows], following


def _lies(
    wanted: Wanted, ids: Sequence[bytes], proven: Sequence[VerifiedReceipt | None], after: int, following: int | None
) -> list[str]:
    """What is wrong with a page."""
    lies: list[str] = []
    for id_, each in zip(ids, proven, strict=True):
        if each is None:
            lies.append(f"found {id_.hex()}, which no node can prove")
            continue
        reason = wanted.mismatch(each)
        if not reason and (each.index <= after or (following is not None and each.index > following)):
            reason = "out of the order of the log"
        after = max(after, each.index)
        if reason:
            lies.append(f"found {id_.hex()}, {reason}")
    return lies
