"""Catch-up: a node fetches what it lacks, in two tasks that never wait for each other:

    the live chain   blocks above the tip, with all signatures checked. A node more than `snapshot_lag` blocks behind
                     takes a snapshot first, so that it is at the tip within seconds, and then the blocks since.
    the history      the blocks below an adopted snapshot, from genesis on, until none is missing.

A peer's claimed height is a hint whom to ask and is never believed (consensus notes, mistake 8): each block is proven
by its own certificate. After an interruption, by a restart or a lost peer, catch-up continues from what is stored.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from notarium_ledger.blocks.block import Decision
from notarium_ledger.errors import LedgerError
from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.fetching import Fetched, Fetcher
from notarium_node.catchup.joining import Joiner
from notarium_node.catchup.lines import HistoryLine, LiveLine
from notarium_node.catchup.replay import CannotFollow, Lie, Line, Replayer
from notarium_node.driving.driver import Driver
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.verifier import Verifier
from notarium_node.health.progress import CatchUpProgress
from notarium_node.peers import wire
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import HeightStatus, SnapshotPart
from notarium_store.store import Store

_log = structlog.get_logger("notarium.sync")

GRACE_S = 0.25
"""A block that is one ahead is usually being decided right now: it is asked for only after this time."""
PUSH_S = 60.0
"""The same while something large arrives from the followed peer. On a thin line that is the block, and a request would
make it come twice."""
MAX_PUSHED = 256
"""Most pushed blocks that wait to be stored; further ones are requested later."""
MAX_PUSHED_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """How a node catches up."""

    snapshot_lag: int = 1_000
    """A node that is more blocks behind than this takes a snapshot first."""
    check_signatures: bool = True
    """Whether the authors' signatures in the history below a snapshot are verified too."""


class Sync:
    """Keeps one node at the tip, and its history complete."""

    def __init__(
        self,
        own_key: PublicKey,
        *,
        network: PeerNetwork,
        store: Store,
        driver: Driver,
        mempool: Mempool,
        verifier: Verifier,
        follows: Callable[[], bool],
        settings: SyncSettings,
    ) -> None:
        """`follows`: whether a validator pushes each decision to this node: it is an observer now."""
        self._own_key = own_key
        self._network = network
        self._store = store
        self._driver = driver
        self._follows = follows
        self._snapshot_lag = settings.snapshot_lag
        self._news = asyncio.Event()
        self._fetcher = Fetcher(network, self._news.set)
        self._replayer = Replayer(verifier)
        self._joiner = Joiner(
            self._fetcher,
            verifier,
            store.genesis,
            height=self._height,
            adopt=driver.adopt,
            slack=settings.snapshot_lag,
        )
        self._live = LiveLine(store, driver, mempool)
        self._history = HistoryLine(store, driver, settings.check_signatures)
        self._tasks: list[asyncio.Task[None]] = []
        self._pushed: deque[tuple[int, Fetched]] = deque()
        self._pushed_bytes = 0
        self._upstream: PublicKey | None = None
        self._has_fetched = False
        """Whether this node has fetched blocks since it last sent FOLLOW."""
        self._grace: tuple[int, float] | None = None
        """A height, and the time since which the next block is known to be decided."""
        self.obstacle = ""
        """Why one of the two tasks ended: the others' decisions need another version of this software, or ""."""
        self.live_progress = CatchUpProgress("catching up", _now_s)
        self.history_progress = CatchUpProgress("fetching the history", _now_s)

    # How far

    @property
    def liars(self) -> Mapping[PublicKey, str]:
        """The peers that were found lying since the start, and how. Nothing that they claim counts."""
        return self._fetcher.liars

    @property
    def claims(self) -> dict[PublicKey, HeightStatus]:
        """The last status of each connected peer."""
        return self._fetcher.claims

    @property
    def target(self) -> int:
        """The greatest height that a connected peer claims."""
        return next(iter(self._fetcher.heights), 0)

    @property
    def lag(self) -> int:
        """Blocks that peers claim to have and this node lacks."""
        return max(0, self.target - self._store.state.height)

    @property
    def claimed_lag(self) -> int:
        """The same without hints: a false status gets its sender dropped, but a false hint costs a liar nothing."""
        return max((claim.height for claim in self.claims.values()), default=0) - self._store.state.height

    def credible_lag(self, liars: int) -> int:
        """Blocks that this node lacks for certain, if at most `liars` peers make false claims."""
        heights = self._fetcher.heights
        return max(0, heights[liars] - self._store.state.height) if len(heights) > liars else 0

    def is_caught_up(self) -> bool:
        """Whether a quorum of validators, this node included, has reported its height, and no peer is further."""
        validators, claims = self._store.state.registry.validators, self.claims
        heard = sum(each.key == self._own_key or each.key in claims for each in validators.validators)
        return heard >= validators.quorum and self.claimed_lag <= 0

    def _height(self) -> int:
        return self._store.state.height

    # Life

    def start(self) -> None:
        """Start to fetch what is missing."""
        for name, work in (("live chain", self._keep_up()), ("history", self._fill_history())):
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    def stop(self) -> None:
        """Stop fetching."""
        self._fetcher.stop()
        for task in self._tasks:
            task.cancel()

    def poke(self) -> None:
        """Something changed: a decision was stored, or the disk may take writes again."""
        self._news.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, CannotFollow):
            self.obstacle = str(error)
            _log.error("this node cannot follow the ledger", task=task.get_name(), reason=self.obstacle)
        elif isinstance(error, Exception):
            self._driver.fail(error)

    # Peers

    def on_connect(self, peer: PublicKey) -> None:
        """A validator connected. An observer that follows none yet follows it."""
        if self._follows() and self._upstream is None and peer not in self._fetcher.liars:
            self._follow(peer)

    def on_disconnect(self, peer: PublicKey) -> None:
        """Forget what the peer claimed; follow another one if it was the followed one."""
        self._fetcher.on_disconnect(peer)
        if self._upstream == peer:
            self._upstream = None
            self.follow()

    def follow(self) -> None:
        """Follow the peer that is furthest, if this node is an observer that follows none."""
        others = [each for each in self.claims if self._network.is_connected(each)]
        if others and self._upstream is None and self._follows():
            self._follow(max(others, key=lambda each: self.claims[each].height))

    def on_status(self, peer: PublicKey, status: HeightStatus) -> None:
        """STATUS of a peer."""
        self._fetcher.on_status(peer, status)

    def on_hint(self, peer: PublicKey, height: Height) -> None:
        """A consensus message of a peer suggests that it has the block of `height`."""
        self._fetcher.on_hint(peer, height)

    def on_blocks(self, peer: PublicKey, items: list[bytes]) -> None:
        """Decisions: an answer, or pushed by the followed peer. Raises BadMessage if unreadable or unasked for."""
        first = _height(items[0]) if items else None
        if self._fetcher.on_blocks(peer, items, first):
            return
        if self._upstream != peer or first is None:
            raise wire.BadMessage("blocks that were not asked for")
        # Pushed, or a late answer: an earlier push was taken for it.
        last = first + len(items) - 1
        self._fetcher.on_hint(peer, Height(last))
        if first == self._following() and len(self._pushed) < MAX_PUSHED and self._pushed_bytes < MAX_PUSHED_BYTES:
            self._pushed.append((last, Fetched(peer, items)))
            self._pushed_bytes += sum(map(len, items))
            self._news.set()

    def on_snapshot(self, peer: PublicKey, part: SnapshotPart) -> None:
        """A part of a snapshot. Raises BadMessage if none was asked for."""
        if not self._fetcher.on_snapshot(peer, part):
            raise wire.BadMessage("a snapshot that was not asked for")

    def _following(self) -> int:
        """The height after the tip and the pushed blocks."""
        return 1 + max(self._store.state.height, self._pushed[-1][0] if self._pushed else 0)

    def _follow(self, peer: PublicKey) -> None:
        if self._network.send(peer, bytes((wire.Kind.FOLLOW,))):
            self._upstream, self._has_fetched = peer, False

    def _follow_again(self) -> None:
        """Called when this node is level after fetching: the followed peer may have stopped pushing."""
        if self._upstream is not None and self._follows():
            self._follow(self._upstream)

    # The live chain

    async def _keep_up(self) -> None:
        """Runs until it is cancelled: store what was pushed, join by a snapshot, or fetch blocks."""
        while True:
            self._news.clear()
            height, lag = self._store.state.height, self.lag
            if self._driver.stalled or (lag == 0 and not self._pushed):
                if self.live_progress.end() and not lag and self.claims:
                    _log.info("caught up", height=height)
                if lag == 0 and self._has_fetched:
                    self._follow_again()
                await self._news.wait()
            elif self._pushed:
                await self._take_pushed()
            elif lag == 1 and (grace_s := self._grace_s(height)) > 0:
                await self._pause(grace_s)
            else:
                self._has_fetched = True
                if not await self._join():
                    await self._extend(self._live, self._live_is_enough, lambda: self.target, self.live_progress)

    def _grace_s(self, height: int) -> float:
        """How long to wait before the block after `height` is requested."""
        if self._grace is None or self._grace[0] != height:
            self._grace = height, _now_s()
        is_pushed = self._upstream is not None and self._network.is_receiving(self._upstream)
        return min(GRACE_S, self._grace[1] + (PUSH_S if is_pushed else GRACE_S) - _now_s())

    async def _join(self) -> bool:
        """If this node is far behind, ask a peer for a snapshot. False if there is no peer to ask, or no need."""
        sources = self._snapshot_sources()
        if not sources:
            return False
        _log.info("joining by a snapshot", height=self._store.state.height, target=self.target)
        if await self._joiner.join(sources[0]):
            self._news.set()  # There is a history to fetch.
        return True

    def _snapshot_sources(self) -> list[PublicKey]:
        """Peers to ask for a snapshot, the best first; empty unless this node is far behind."""
        if self.lag <= self._snapshot_lag:
            return []
        return self._joiner.sources(self._store.state.height + self._snapshot_lag)

    async def _take_pushed(self) -> None:
        """Check and store the pushed blocks above the tip."""
        pushed = [fetched for last, fetched in self._pushed if last > self._store.state.height]
        self._pushed.clear()
        self._pushed_bytes = 0
        for fetched in pushed:
            if not await self._replay(self._live, fetched):
                return

    def _live_is_enough(self, following: int) -> bool:
        """Whether the block `following` is no longer needed from a peer, or something else is more urgent."""
        urgent = self._pushed or self._snapshot_sources()
        return self._store.state.height >= following or self.target < following or bool(urgent)

    # The history

    async def _fill_history(self) -> None:
        """Runs until it is cancelled: a node may fall far behind, and join by a snapshot, more than once."""
        while True:
            self._news.clear()
            if self._store.is_complete or self._driver.stalled:
                self.history_progress.end()
                await self._news.wait()
            else:
                await self._extend(self._history, self._history_is_enough, self._base, self.history_progress)

    def _base(self) -> int:
        return self._store.base or 0

    def _history_is_enough(self, following: int) -> bool:
        return self._store.history.height >= following

    # Both

    async def _extend(
        self, line: Line, is_enough: Callable[[int], bool], goal: Callable[[], int], progress: CatchUpProgress
    ) -> None:
        """Fetch and store blocks up to the goal. The next request is under way while an answer is checked."""
        following = line.state.height + 1
        request: asyncio.Task[Fetched] | None = self._ask(following, goal())
        try:
            while request is not None:
                progress.update(line.state.height, goal())
                fetched = await self._answer(request, lambda: is_enough(following))  # noqa: B023 - used at once
                if fetched is None:
                    return
                following += len(fetched.items)
                request = self._ask(following, goal()) if following <= goal() else None
                if not await self._replay(line, fetched) or (line is self._live and self._snapshot_sources()):
                    return
        finally:
            if request is not None:
                request.cancel()

    def _ask(self, first: int, last: int) -> asyncio.Task[Fetched]:
        task = asyncio.create_task(self._fetcher.blocks(first, last))
        task.add_done_callback(lambda _: self._news.set())
        return task

    async def _answer(self, request: asyncio.Task[Fetched], is_enough: Callable[[], bool]) -> Fetched | None:
        """The answer, or None once it is not needed any more."""
        while not request.done():
            self._news.clear()
            if is_enough() or self._driver.stalled:
                return None
            await self._news.wait()
        return request.result()

    async def _replay(self, line: Line, fetched: Fetched) -> bool:
        """Check and store. False: do not continue with what follows."""
        try:
            stored = await self._replayer.extend(line, fetched)
        except Lie as lie:
            self._pushed.clear()
            self._pushed_bytes = 0
            self._fetcher.lied(fetched.peer, str(lie))
            return False
        self._fetcher.delivered(fetched.peer)
        return stored

    async def _pause(self, seconds: float) -> None:
        """Wait until something changes, at most this long."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _height(item: bytes) -> int:
    """The height of an encoded decision. Raises BadMessage."""
    try:
        return Decision.decode(item).height
    except LedgerError as error:
        raise wire.BadMessage(str(error)) from error
