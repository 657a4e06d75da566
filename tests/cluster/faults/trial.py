"""One fault put to a network at work: before, during, after, and the judgement.

calm      the network decides under load
fault     it is made and held; the network goes on, where a quorum is left, or stands still
again     the first block above the highest at the fault's end
level     every node has passed that height
verdict   the load ends, all nodes agree; everything is recomputed from bytes (checks.py)
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256

import aiohttp
from tests.cluster.crowd import Cluster
from tests.cluster.faults import checks, history
from tests.cluster.faults.assembly import Assembly
from tests.cluster.faults.checks import Checker
from tests.cluster.faults.ground import Ground, Host
from tests.cluster.faults.load import Load
from tests.cluster.faults.table import Row
from tests.cluster.faults.watch import Watch
from tests.cluster.faults.weather import Sky
from tests.simulation.oracles import formats

from notarium import Client
from notarium_node.demo.local_network import LocalNode, NetworkError

CALM_S = 3.0
CALM_LIMIT_S = 20.0
AGAIN_LIMIT_S = 15.0
"""A ledger with its quorum back must decide within this time; a node's start is a part of it."""
LEVEL_LIMIT_S = 45.0
"""A cut-off node: its peers dial again every five seconds at least, and a connection under way may take ten more."""
PAUSE_LIMIT_S = 8.0
"""With a quorum left: some round time-outs in a row, for silent proposers are passed over one by one."""
IN_FLIGHT_S = 1.5
"""What was under way when the quorum went may still be decided, and the watch is a little late."""
VOTES_LIMIT_S = 45.0
TELL_EVERY_S = 4.0
FEW = 10
"""So many blocks are decided by the running network; more are written before it starts."""
FETCHES = 8
"""Blocks fetched from one node at a time."""
FRESH = 25
"""Receipts fetched again from each node, beside those that came with the acknowledgement."""


@dataclass(slots=True)
class Trial:
    """A network on its ground, loaded and watched."""

    cluster: Cluster
    ground: Ground
    sky: Sky
    row: Row
    say: Callable[[str], None]
    load: Load = field(init=False)
    assembly: Assembly = field(init=False)
    watch: Watch = field(init=False)
    began: float = 0.0
    ended: float = 0.0

    def __post_init__(self) -> None:
        self.load = Load(self.cluster)
        self.assembly = Assembly(self.cluster, self.load)
        self.watch = Watch(self.cluster.validators)

    @property
    def nodes(self) -> list[LocalNode]:
        """All are validators; node i is at host i."""
        return self.cluster.validators

    @property
    def hosts(self) -> list[Host]:
        """Of the nodes; strangers' hosts come behind."""
        return self.ground.hosts

    async def founded(
        self,
        blocks: int | Iterable[Sequence[bytes]],
        nodes: Sequence[LocalNode] | None = None,
        begin_ms: int | None = None,
    ) -> None:
        """The network runs on a ledger of exactly these blocks, or of so many, and nobody submits anything.

        With `Trial` opened by `start=False`. `nodes`: those to submit through from now on. `begin_ms`: the time of the
        first block.
        """
        network, few, height = self.cluster.network, [], 0
        if isinstance(blocks, int) and blocks <= FEW and begin_ms is None:
            few, height = [self.cluster.entry() for _ in range(blocks)], blocks
        else:
            each = ([self.cluster.entry()] for _ in range(blocks)) if isinstance(blocks, int) else blocks
            began = time.monotonic()
            height = (await asyncio.to_thread(history.write, network, each, begin_ms)).height
            self.say(f"{height} blocks written in {time.monotonic() - began:.0f} s")
        network.start()
        if begin_ms is None:
            await asyncio.to_thread(network.wait_ready)
        else:
            # Until that time nothing can be decided, and no node says that it is ready.
            for node in self.nodes:
                await asyncio.to_thread(network.wait_until, partial(_has_peers, node, len(self.nodes) - 1), node.name)
        self.watch.start()
        self.load.pause()
        self.load.start(self.nodes if nodes is None else nodes)
        async with Client(network.genesis, [self.nodes[0].api]) as client:
            for entry in few:
                await self.load.submit(client, [entry])
        await self.until(
            lambda: all(self.watch.heights.get(node.name) == height for node in self.nodes), "all nodes to be level", 10
        )

    async def calm(self, nodes: Sequence[LocalNode] | None = None) -> None:
        """The load begins, through these nodes (default: all), and is answered."""
        self.watch.start()
        self.load.start(self.nodes if nodes is None else nodes)
        await self.until(lambda: self.load.promises, "the first entry to be acknowledged", CALM_LIMIT_S)
        await asyncio.sleep(CALM_S)

    @asynccontextmanager
    async def fault(self) -> AsyncIterator[None]:
        """What happens within is the fault; leaving it ends it."""
        self.began = time.monotonic()
        yield
        self.ended = time.monotonic()
        self.row.fault_s = self.ended - self.began

    async def hold(self, seconds: float, what: str) -> None:
        """Let the fault last, and say how it goes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            await asyncio.sleep(min(TELL_EVERY_S, left))
            self.load.check()
            heights = " ".join(str(self.watch.heights.get(node.name, 0)) for node in self.nodes)
            self.say(f"{what}; {len(self.load.promises)} entries acknowledged, blocks {heights}")

    async def kill(self, *nodes: LocalNode) -> None:
        """SIGKILL for all of them at one moment."""
        for node in nodes:
            assert node.process is not None
            os.kill(node.process.pid, signal.SIGKILL)
        for node in nodes:
            await asyncio.to_thread(node.kill)  # Reaps the process.

    async def votes(self, node: LocalNode, limit_s: float = VOTES_LIMIT_S) -> float:
        """Wait until it signs; how many seconds that took. The load makes the blocks that it has to let pass."""

        def is_voting() -> bool:
            try:
                return bool(node.status()["voting"])
            except NetworkError:
                return False

        began = time.monotonic()
        while not await asyncio.to_thread(is_voting):
            self.load.check()
            if time.monotonic() - began > limit_s:
                raise AssertionError(f"{node.name} does not vote after {limit_s:.0f} s: {reasons_of(node)}")
            await asyncio.sleep(0.1)
        return time.monotonic() - began

    async def is_needed(self, node: LocalNode, away: LocalNode) -> None:
        """Its vote counts: without `away` a quorum needs it, and blocks are decided."""
        await self.kill(away)
        top, since = self.watch.highest, time.monotonic()
        took = await self.until(
            lambda: self.watch.passed_at(top + 1, since), f"{node.name}'s vote to make a quorum", LEVEL_LIMIT_S
        )
        self.say(f"without {away.name}, {node.name}'s vote makes the quorum: decided after {took:.1f} s")
        away.start()
        await asyncio.to_thread(self.cluster.network.wait_ready, [away])

    async def size_of(self, height: int) -> int:
        """How many bytes of entries a block has, at the first node."""
        async with aiohttp.ClientSession(headers={"Accept": "application/msgpack"}) as session:
            raw = await _block(session, self.nodes[0], height)
        return sum(map(len, formats.read_decision(raw).entries))

    async def until(self, condition: Callable[[], object], what: str, limit_s: float) -> float:
        """Wait, no longer than the limit; how many seconds it took."""
        began = time.monotonic()
        while not condition():
            self.load.check()
            waited = time.monotonic() - began
            if waited > limit_s:
                raise AssertionError(f"waited {limit_s:.0f} s for {what} without success; heights {self.watch.heights}")
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    async def recover(
        self, *, goes_on: bool | None, nodes: Sequence[LocalNode] | None = None, again_s: float = AGAIN_LIMIT_S
    ) -> None:
        """The fault is over: was the network as it should be while it lasted, and how soon is it well again?

        `goes_on`: whether it had to go on deciding, or could not, or either (None). `nodes`: who must become level.
        """
        row, watch, watched = self.row, self.watch, self.nodes if nodes is None else nodes
        row.during = self.load.between(self.began, self.ended)
        row.pause_s = watch.longest_pause_s(self.began, self.ended)
        row.went_on = watch.height_at(self.ended) > watch.height_at(self.began + IN_FLIGHT_S)
        top = watch.highest
        await self.until(
            lambda: watch.passed_at(top, self.ended), "a block to be decided after the fault", LEVEL_LIMIT_S
        )
        first = watch.passed_at(top, self.ended)
        assert first is not None
        row.again_s = first - self.ended
        self.say(f"deciding again {row.again_s:.1f} s after the fault")

        def level() -> bool:
            return all(watch.passed_at(top, self.ended, node) is not None for node in watched)

        await self.until(level, "all nodes to be level again", LEVEL_LIMIT_S)
        row.level_s = max(watch.passed_at(top, self.ended, node) or 0.0 for node in watched) - self.ended
        self.say(f"all nodes level {row.level_s:.1f} s after the fault")
        assert row.again_s <= again_s, f"deciding again took {row.again_s:.1f} s, at most {again_s:.0f} allowed"
        if goes_on is True:
            assert row.went_on, "a quorum was left, yet nothing was decided"
            assert row.pause_s <= PAUSE_LIMIT_S, f"nothing was decided for {row.pause_s:.1f} s though a quorum was left"
        elif goes_on is False:
            assert not row.went_on, "blocks were decided without a quorum"

    async def verdict(self, nodes: Sequence[LocalNode] | None = None, left_behind: Sequence[LocalNode] = ()) -> None:
        """Everything that was promised is kept, on each of these nodes (default: all), by independent checks.

        `left_behind`: nodes that run and need not be level; what they have must agree with the others.
        """
        judged = list(self.nodes if nodes is None else nodes)
        await self.load.stop()
        await self.watch.stop()
        await asyncio.to_thread(self.cluster.settle, judged)
        document = json.loads(self.cluster.network.genesis_file.read_text())
        checker = Checker(document)
        chains, promises, row = {}, self.load.promises, self.row
        row.acknowledged = len(promises)
        for node in judged:
            decisions = await decisions_of(node)
            chains[node.name] = checker.chain(decisions, now_ms=time.time_ns() // 1_000_000)
        prefixes = {
            node.name: checker.chain(await decisions_of(node), now_ms=time.time_ns() // 1_000_000)
            for node in left_behind
        }
        checks.same_blocks({**chains, **prefixes})
        for chain in chains.values():
            log = [entry for block in chain for entry in block.entries]
            row.lost = max(row.lost, checks.lost((promise.entry for promise in promises), log))
            row.twice = max(row.twice, checks.twice(log))
        assert row.lost == 0, f"{row.lost} acknowledged entries are not in the log"
        assert row.twice == 0, f"{row.twice} entries are in the log more than once"
        for promise in promises:
            checker.receipt(promise.receipt, log)
        row.receipts = len(promises)
        for node in judged:
            fresh = await receipts_of(node, [each.entry for each in promises[:: max(1, len(promises) // FRESH)]])
            for file in fresh:
                checker.receipt(file, log)
            row.receipts += len(fresh)
        row.blocks = len(chain)
        row.rounds = max(block.round for block in chain)
        await asyncio.to_thread(self.cluster.check_honesty, judged)
        for node in judged:
            assert "handler failed" not in node.log.read_text(errors="replace"), f"{node.name} logged a failure"
        self.say(
            f"{row.acknowledged} acknowledged entries are once in each of {len(judged)} logs of {row.blocks} blocks; "
            f"{row.receipts} receipts hold"
        )


def reasons_of(node: LocalNode) -> list[str]:
    """Why it is not ready, in its own words, with what else it wants its operator to know."""
    try:
        return [*node.get("/readyz")["reasons"], *node.status()["notes"]]
    except NetworkError as error:
        return [str(error)]


async def decisions_of(node: LocalNode) -> list[bytes]:
    """All decisions of a node, as its bytes."""
    under_way = asyncio.Semaphore(FETCHES)
    async with aiohttp.ClientSession(headers={"Accept": "application/msgpack"}) as session:

        async def fetch(height: int) -> bytes:
            async with under_way:
                return await _block(session, node, height)

        last = (await asyncio.to_thread(node.status))["height"]
        return await asyncio.gather(*(fetch(height) for height in range(1, last + 1)))


async def _block(session: aiohttp.ClientSession, node: LocalNode, height: int) -> bytes:
    """The bytes of a decision. A wiped node may fetch its history in the background, so it has its time."""
    deadline = time.monotonic() + LEVEL_LIMIT_S
    while True:
        async with session.get(f"{node.api}/v1/blocks/{height}") as answer:
            if answer.status == 200:
                return await answer.read()
            missing = answer.status in (404, 503) and time.monotonic() < deadline
            assert missing, f"{node.name}: block {height}: HTTP {answer.status}"
        await asyncio.sleep(0.1)


async def receipts_of(node: LocalNode, entries: Sequence[bytes]) -> list[bytes]:
    """Receipt files that a node makes now."""
    files = []
    async with aiohttp.ClientSession() as session:
        for entry in entries:
            id_ = sha256(b"\0" + entry).hexdigest()
            async with session.get(f"{node.api}/v1/receipts/{id_}") as answer:
                assert answer.status == 200, f"{node.name}: receipt of {id_}: HTTP {answer.status}"
                files.append(await answer.read())
    return files


def _has_peers(node: LocalNode, count: int) -> bool:
    """Whether it is connected to so many."""
    return sum(bool(each["connected"]) for each in node.status()["peers"]) == count
