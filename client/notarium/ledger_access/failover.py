"""Asks nodes one after another until one gives an answer that verifies, within a deadline.

Every request is safe to repeat: reads change nothing, and an entry has one id and one place in the log. So the rules
are simple. A node that cannot be reached, is busy or fails is not asked for a while, and the next one is. A node that
does not answer in the usual time is still waited for, but the next one is asked as well: the first good answer counts,
and the other requests are cancelled. A node whose
answer does not verify is recorded as a liar. A refusal cannot be proven, so it counts only when so many nodes refuse
that at least one of them is honest (or when there are no other nodes).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import aiohttp

from notarium.errors import LyingNode, NodeReport, NotariumError, NotDecided, QuotaUsedUp, Unreachable
from notarium.ledger_access import failures
from notarium.ledger_access.answers import AboveQuota, Answer, NodeFailed, NotYet, Refused, Unknown
from notarium.ledger_access.pool import NodePool

T = TypeVar("T")

ATTEMPT_S = 5.0
AT_ONCE = 3
"""How many nodes may be asked the same at one time."""
CONNECT_S = 2.0
FIRST_BACKOFF_S = 0.05
LONGEST_BACKOFF_S = 2.0
REFUSED_ROUNDS = 2
"""After this many rounds in which every node refused the connection, the client concludes that none is running."""
REFUSED_PAUSE_S = 1.0
"""Between those rounds: time for a node that is restarting."""
_JITTER = random.Random()  # noqa: S311
"""Of its own: a training with a seed must not get other numbers from `random` because it is anchored."""
ANSWER_LIMIT = 64 * 1024 * 1024
"""The most bytes of one answer that the client reads; the receipts of a whole batch are the largest."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, the same for every node."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    wait_name: str = ""
    """Query parameter for the milliseconds that the node may wait; "" for a request without waiting."""
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    writing: bool = False


class Failover:
    """Sends requests to the nodes of a pool over one session with kept-alive connections."""

    def __init__(
        self, pool: NodePool, *, refusals: int, timeout: float, attempt_timeout: float, connections: int
    ) -> None:
        """`refusals`: this many nodes must refuse before a refusal counts."""
        self.pool = pool
        self._refusals = refusals
        self._timeout = timeout
        self._attempt_timeout = attempt_timeout
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close all connections; the next request opens new ones."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(
        self,
        request: Request,
        judge: Callable[[Answer], T],
        *,
        within_s: float | None = None,
        rounds: int | None = None,
    ) -> T:
        """The first answer that `judge` accepts.

        `judge` returns the value of a good answer or raises the error in it. `within_s`: seconds for all attempts;
        `rounds`: how often to ask all nodes (default: until the deadline).
        Raises Rejected, NotAnchored, QuotaUsedUp, LyingNode (where all nodes lied), NotDecided or Unreachable.
        """
        now = asyncio.get_running_loop().time
        question = _Question(self.pool, self._refusals, request.writing)
        deadline = now() + (self._timeout if within_s is None else within_s)
        attempt = 0
        while True:
            if (found := await self._ask_each(question, request, judge, deadline)) is not None:
                return found.value
            question.end_round()
            attempt += 1
            pause = question.pause(attempt, now())
            if question.is_settled() or attempt == rounds or now() + pause >= deadline:
                raise question.failure()
            await asyncio.sleep(pause)

    async def _ask_each(
        self, question: _Question, request: Request, judge: Callable[[Answer], T], deadline: float
    ) -> _Found[T] | None:
        """The first good answer, or None. Asks the next node where the last one is slow or has failed."""
        now = asyncio.get_running_loop().time
        waiting = question.begin_round(now())
        under_way: dict[asyncio.Task[T], _Attempt] = {}
        try:
            while under_way or (waiting and now() < deadline):
                if waiting and len(under_way) < AT_ONCE and now() < deadline:
                    if under_way:
                        self.pool.asked_another()
                    attempt = _Attempt(waiting.pop(0), now())
                    under_way[asyncio.create_task(self._attempt(attempt.url, request, judge, deadline))] = attempt
                may_ask = bool(waiting) and len(under_way) < AT_ONCE
                share = (deadline - now()) / (len(waiting) + 1)
                patience = self.pool.patience_s(share, waiting=bool(request.wait_name)) if may_ask else None
                done, _ = await asyncio.wait(under_way, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                # A good answer counts even where a bad one came at the same moment.
                for task in sorted(done, key=lambda each: each.exception() is not None):
                    attempt = under_way.pop(task)
                    if (error := task.exception()) is None:
                        self._note_success(attempt, under_way.values(), request, now())
                        return _Found(task.result())
                    question.note(attempt.url, _expected(error), now())
                    if question.is_settled():
                        return None
            return None
        finally:
            await _cancel(under_way)

    async def _attempt(self, url: str, request: Request, judge: Callable[[Answer], T], deadline: float) -> T:
        return judge(await self.ask_node(url, request, deadline - asyncio.get_running_loop().time()))

    def _note_success(self, good: _Attempt, others: Iterable[_Attempt], request: Request, now: float) -> None:
        self.pool.succeeded(good.url)
        self.pool.answered(now - good.started, waiting=bool(request.wait_name))
        for each in others:
            if each.started < good.started:
                self.pool.hung(each.url, now)

    async def ask_node(self, url: str, request: Request, remaining: float | None = None) -> Answer:
        """One attempt with one node. Raises what aiohttp raises, or NodeFailed for an answer beyond the limit."""
        limit = self._attempt_timeout if remaining is None else min(self._attempt_timeout, remaining)
        query = dict(request.query)
        if request.wait_name:
            # Less than this side's own timeout, so that "not decided yet" arrives as an answer.
            query[request.wait_name] = str(max(1, int(limit * 900)))
        async with self._open_session().request(
            request.method,
            url + request.path,
            params=query,
            data=request.body,
            headers=request.headers,
            timeout=aiohttp.ClientTimeout(total=limit, sock_connect=CONNECT_S),
            allow_redirects=False,
        ) as response:
            body = await _read_all(response)
            return Answer(url, response.status, response.content_type, body, response.headers.get("Retry-After", ""))

    def record_lie(self, lie: LyingNode) -> None:
        """Record an answer that turned out to be wrong only later."""
        self.pool.lied(lie, asyncio.get_running_loop().time())

    def _open_session(self) -> aiohttp.ClientSession:
        # Opened by the first request, because aiohttp needs the running loop. aiohttp sets TCP_NODELAY by itself.
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=30.0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                # Proofs do not compress, and without unpacking there can be no decompression bomb.
                headers={"Accept-Encoding": "identity", "User-Agent": "notarium-client"},
                auto_decompress=False,
            )
        return self._session


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A request that one node was sent."""

    url: str
    started: float
    """By the loop's clock."""


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """A good answer, which may be None."""

    value: T


def _expected(error: BaseException) -> Exception:
    """`error`, where it says that a node gave no usable answer; anything else is raised."""
    if isinstance(error, NotariumError | aiohttp.ClientError | OSError | TimeoutError):
        return error
    raise error


async def _cancel(under_way: Iterable[asyncio.Task[T]]) -> None:
    """Cancel what is not needed any more, and wait until its connections are closed."""
    tasks = list(under_way)
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)


class _Question:
    """What the nodes have answered to one question so far."""

    def __init__(self, pool: NodePool, refusals: int, writing: bool) -> None:
        self._pool = pool
        self._refusals_needed = refusals
        self._writing = writing
        self._said: dict[str, str] = {}
        self._accepted: dict[str, str] = {}
        """By node, what it said: the nodes that have the entry, but no decision on it."""
        self._above_quota: dict[str, str] = {}
        """By node, what it said: the nodes whose latest answer was that a quota is used up."""
        self._refusals: list[NotariumError] = []
        self._unknown: dict[str, NotariumError] = {}
        self._lies: list[LyingNode] = []
        self._not_before: dict[str, float] = {}
        """By node that is busy, when it wants to be asked again (Retry-After)."""
        self.excluded: set[str] = set()
        """Nodes that are not asked this question again."""
        self._heard = False
        self._silent_rounds = 0

    def begin_round(self, now: float) -> list[str]:
        """The nodes to ask in this round, most promising first."""
        candidates = [each for each in self._pool.order(now, writing=self._writing) if each not in self.excluded]
        busy = {each for each in candidates if self._not_before.get(each, now) > now}
        # A busy node is running, also while it is left alone.
        self._heard = bool(busy)
        return [each for each in candidates if each not in busy]

    def end_round(self) -> None:
        """All nodes were asked, and none gave a good answer."""
        self._silent_rounds = 0 if self._heard else self._silent_rounds + 1

    def note(self, url: str, error: Exception, now: float) -> None:
        """Record why `url` gave no usable answer."""
        said = failures.describe(error, url)
        if isinstance(error, AboveQuota):
            self._above_quota[url] = said
        else:
            self._above_quota.pop(url, None)
        if isinstance(error, NotYet):
            self._accepted[url] = said
        elif isinstance(error, Refused):
            self._accepted.pop(url, None)
        elif url in self._accepted:
            said = f"{self._accepted[url]}; then: {said}"
        elif self._writing and _may_have_arrived(error):
            said += "; it may have what was sent"
        self._said[url] = said
        self._heard = self._heard or not _is_refused_connection(error)
        if isinstance(error, LyingNode):
            self._pool.lied(error, now)
            self._lies.append(error)
            self.excluded.add(url)
        elif isinstance(error, Refused):
            if error.read_only:
                self._pool.is_read_only(url)
            else:
                self._refusals.append(error.rejected)
            self.excluded.add(url)
        elif isinstance(error, Unknown):
            self._unknown[url] = error.error
        elif isinstance(error, NotYet):
            pass
        else:
            self._pool.failed(url, now)
            if isinstance(error, NodeFailed):
                self._not_before[url] = now + error.retry_after

    def is_settled(self) -> bool:
        """Whether asking again cannot change the outcome."""
        if len(self._refusals) >= self._refusals_needed or self._silent_rounds >= REFUSED_ROUNDS:
            return True
        return self.excluded >= set(self._pool.urls)

    def pause(self, attempt: int, now: float) -> float:
        """Seconds before the next round: doubling, with jitter so that clients do not return in step.

        Where all nodes are busy, the next round begins when the first of them wants to be asked again.
        """
        if self._silent_rounds:
            return REFUSED_PAUSE_S
        longest = min(FIRST_BACKOFF_S * 2**attempt, LONGEST_BACKOFF_S)
        wanted = [self._not_before.get(each, now) - now for each in self._pool.urls if each not in self.excluded]
        return max(_JITTER.uniform(longest / 2, longest), min(wanted, default=0.0))

    def failure(self) -> NotariumError:
        """The error that describes the outcome best."""
        if len(self._refusals) >= self._refusals_needed:
            return self._refusals[0]
        # Too few count as well, of both kinds, if no node has accepted the entry.
        if not self._accepted and len(self._above_quota) > len(self._refusals):
            soonest = sorted(self._above_quota, key=lambda url: self._not_before.get(url, 0.0))
            return QuotaUsedUp([NodeReport(url, self._above_quota[url]) for url in soonest])
        if not self._accepted and self._refusals:
            return self._refusals[0]
        if self._unknown:
            return next(iter(self._unknown.values()))
        if self._lies and len(self._lies) == len(self._said):
            return self._lies[0]
        reports = [NodeReport(url, said) for url, said in self._said.items()]
        if self._accepted:
            return NotDecided(reports, len(self._accepted), len(self._pool.urls))
        return Unreachable(reports)


def _is_refused_connection(error: Exception) -> bool:
    """Whether nothing listens there, which is known at once and seldom changes within seconds."""
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, ConnectionRefusedError)


def _may_have_arrived(error: Exception) -> bool:
    """Whether the request may have reached the node, although no answer came back."""
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return False
    return isinstance(error, TimeoutError | aiohttp.ClientConnectionError | aiohttp.ClientPayloadError)


async def _read_all(response: aiohttp.ClientResponse) -> bytes:
    if response.content_length is not None:
        if response.content_length > ANSWER_LIMIT:
            raise NodeFailed(f"an answer of {response.content_length} bytes, at most {ANSWER_LIMIT} are read")
        return await response.read()
    parts, size = [], 0
    while chunk := await response.content.read(65_536):
        size += len(chunk)
        if size > ANSWER_LIMIT:
            raise NodeFailed(f"an answer of more than {ANSWER_LIMIT} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def in_parallel(awaitables: Sequence[Awaitable[T]]) -> list[T]:
    """Results in order; the first error cancels the others."""
    tasks = [asyncio.ensure_future(each) for each in awaitables]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
