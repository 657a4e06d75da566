"""A node that catches up, with its real store, engine and runner, among peers that answer as they please."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from tests.node.drivers import make_driver
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium

from notarium_consensus.config import EngineConfig
from notarium_consensus.engine import Engine
from notarium_consensus.events import Event
from notarium_consensus.messages import Message, decode_message
from notarium_consensus.signing import KeySigner
from notarium_ledger.blocks.block import Decision
from notarium_ledger.entries.entry import Entry
from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.recalling import MemoryAsker
from notarium_node.catchup.serving import CatchUpServer
from notarium_node.catchup.sync import Sync, SyncSettings
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.verifier import Verifier
from notarium_node.entries.waiters import Waiters
from notarium_node.identity.recall import Recall
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork, wall_ms
from notarium_node.peers.tasks import PeerTasks
from notarium_node.peers.wire import HeightStatus, Kind, RecallAnswer, SnapshotPart
from notarium_store import Store

TICK_S = 0.02


class Ledger:
    """A chain that grows, and a store that has all of it."""

    def __init__(self, path: Path, consortium: Consortium | None = None) -> None:
        self.consortium = consortium or Consortium(4)
        self.store = Store.open(path, self.consortium.genesis)
        self.decisions: list[Decision] = []

    def grow(
        self, blocks: int, entries: Sequence[Entry] | None = None, signers: Sequence[PublicKey] | None = None
    ) -> None:
        """Decide so many blocks of one entry, or one of `entries`."""
        for _ in range(blocks):
            decision, transition = self.consortium.decide(
                self.store.state, entries or [self.consortium.entry()], signers=signers
            )
            self.store.commit(decision, transition)
            self.decisions.append(decision)


class Peer:
    """An honest validator that has the whole ledger. Others override what they say."""

    def __init__(self, key: PublicKey, ledger: Ledger) -> None:
        self.key = key
        self.ledger = ledger
        self.silent = False
        self.asked: list[tuple[Kind, int]] = []
        """What it was asked for: (kind, first height or offset)."""
        self._answers = FakeNetwork(key)
        self._tasks: list[asyncio.Task[None]] = []
        self.floods: list[str] = []
        tasks = SimpleNamespace(begin=lambda work: self._tasks.append(asyncio.ensure_future(work)))
        conduct = SimpleNamespace(drop=self._on_drop)
        self._server = CatchUpServer(
            ledger.store, cast(PeerNetwork, self._answers), cast(PeerTasks, tasks), cast(Conduct, conduct)
        )

    def _on_drop(self, peer: PublicKey, reason: str, detail: str) -> None:
        assert reason == "flood"
        self.floods.append(detail)

    def status(self) -> HeightStatus:
        state = self.ledger.store.state
        return HeightStatus(state.height, state.tip, state.height, state.height)

    async def hear(self, data: bytes) -> list[bytes]:
        """The answers to a message."""
        kind = Kind(data[0])
        if kind is Kind.GET_BLOCKS:
            first, most = wire.unpack_get_blocks(data[1:])
            self.asked.append((kind, first))
            return [] if self.silent else await self.blocks(first, most)
        if kind is Kind.GET_SNAPSHOT:
            height, offset = wire.unpack_get_snapshot(data[1:])
            self.asked.append((kind, offset))
            return [] if self.silent else self.snapshot(height, offset)
        if kind is Kind.RECALL:
            return [] if self.silent else self.recalled(wire.unpack_recall(data[1:]))
        return []

    async def blocks(self, first: Height, most: int) -> list[bytes]:
        self._server.on_get_blocks(self.key, first, most)
        await asyncio.gather(*self._tasks)
        return [data for _, data in self._answers.take()]

    def snapshot(self, height: Height, offset: int) -> list[bytes]:
        self._server.on_get_snapshot(self.key, height, offset)
        return [data for _, data in self._answers.take()]

    def recalled(self, nonce: bytes) -> list[bytes]:
        return [wire.pack_recalled(RecallAnswer(nonce, self.ledger.store.state.height, True, None))]

    def asked_for(self, kind: Kind) -> list[int]:
        return [first for each, first in self.asked if each is kind]


class Node:
    """One node's store, engine, runner and catch-up. `key_number`: which validator it is; None: an observer."""

    def __init__(
        self,
        path: Path,
        ledger: Ledger,
        key_number: int | None = 3,
        workers: int = 0,
        is_new: bool = False,
        vote_from: int | None = None,
        witnesses: bool = False,
        **settings: Any,
    ) -> None:
        """`witnesses`: the peers are all that there are; else there are others, unseen, that hold what these claim."""
        consortium = ledger.consortium
        self.ledger = ledger
        self.path = path
        self.store = Store.open(path, consortium.genesis)
        self.network = _Switch(self)
        self.mempool = Mempool(1000, 1 << 20)
        self.events: list[Event] = []
        self.decided: list[int] = []
        self.failures: list[Exception] = []
        self.verifier = Verifier(workers)
        self.key = None if key_number is None else consortium.validator_keys[key_number]
        own = PublicKey(bytes(32)) if self.key is None else self.key.public
        by_hand = None if vote_from is None else Height(vote_from)
        self.recall = Recall(None if self.key is None else own, self.store, is_new, by_hand)
        signer = None if self.key is None else KeySigner(self.key)
        self.engine = Engine(
            EngineConfig(consortium.genesis.hash, signer),
            self.recall.record,
            self.recall.record_height,
        )
        admission = Admission(
            lambda: self.store.state,
            self.store.is_decided,
            self.mempool,
            self.verifier,
            lambda fresh, source: None,
            lambda: 1,
        )
        self.waiters = Waiters()
        network = cast(PeerNetwork, self.network)
        self.driver = make_driver(
            own,
            self.engine,
            self.store,
            self.mempool,
            admission,
            network,
            self.waiters,
            self.events.append,
            self._on_decided,
            recall=self.recall,
        )
        self.watcher = asyncio.create_task(self._watch())
        follows = key_number is None
        self.sync = Sync(
            own,
            network=network,
            store=self.store,
            driver=self.driver,
            mempool=self.mempool,
            verifier=self.verifier,
            follows=lambda: follows,
            settings=SyncSettings(**settings),
        )
        self.asker = MemoryAsker(
            own,
            network=network,
            store=self.store,
            recall=self.recall,
            driver=self.driver,
            conduct=cast(Conduct, SimpleNamespace(drop=lambda peer, reason, detail: self.network.drop(peer, reason))),
            is_caught_up=self.sync.is_caught_up,
            clock=wall_ms,
        )
        self.network.on_disconnect = self.sync.on_disconnect
        self.peers: dict[PublicKey, Peer] = {}
        if not witnesses:
            self.sync._joiner._is_held = _held  # type: ignore[method-assign]
        self.driver.start()
        self.sync.start()
        self._tick()

    async def _watch(self) -> None:
        self.failures.append(await self.driver.failure())

    def _tick(self) -> None:
        """As the node's status timer does."""
        self.sync.poke()
        self.asker.tick()
        self.driver.review()
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _on_decided(self, decision: Decision, transition: object) -> None:
        self.decided.append(decision.height)
        self.sync.poke()

    def meet(self, *peers: Peer) -> None:
        """Connect, and hear how far they are."""
        for peer in peers:
            self.peers[peer.key] = peer
            self.network.links.add(peer.key)
            self.sync.on_connect(peer.key)
        self.hear_statuses()

    def part(self, peer: Peer) -> None:
        """The connection is lost."""
        self.network.links.discard(peer.key)
        self.sync.on_disconnect(peer.key)

    def hear_statuses(self) -> None:
        for key in [key for key in self.peers if key in self.network.links]:
            self.sync.on_status(key, self.peers[key].status())

    async def carry(self, peer: Peer, data: bytes) -> None:
        """A message to a peer, and its answers back."""
        for answer in await peer.hear(data):
            if peer.key not in self.network.links:
                return
            kind, payload = Kind(answer[0]), answer[1:]
            try:
                if kind is Kind.BLOCKS:
                    self.sync.on_blocks(peer.key, wire.unpack_list(payload, wire.MAX_BLOCKS))
                elif kind is Kind.SNAPSHOT:
                    self.sync.on_snapshot(peer.key, wire.unpack_snapshot(payload))
                elif kind is Kind.RECALLED:
                    self.asker.on_answer(peer.key, wire.unpack_recalled(payload))
            except wire.BadMessage as error:
                self.network.drop(peer.key, f"garbage: {error}")

    def said(self) -> list[Message]:
        """Consensus messages that it sent to the first of the others."""
        return [decode_message(data[1:]) for peer, data in self.network.heard if data[0] == Kind.CONSENSUS]

    async def reaches(self, height: int) -> None:
        await until(lambda: self.failures or self.store.state.height >= height)
        assert self.failures == []
        assert self.store.state.height == height

    async def completes(self) -> None:
        """It has all that the ledger has."""
        length = self.ledger.store.state.height
        await until(lambda: self.failures or (self.store.is_complete and self.store.state.height >= length))
        assert self.failures == []

    def stop(self) -> None:
        """As a crash would: nothing is saved."""
        self._timer.cancel()
        self.watcher.cancel()
        self.driver.stop()
        self.sync.stop()
        self.verifier.close()
        self.store.close()


async def _held(height: int, validators: object) -> bool:
    return True


class _Switch(FakeNetwork):
    """Carries what is said to peers that answer."""

    def __init__(self, node: Node) -> None:
        super().__init__()
        self._node = node
        self._carrying: set[asyncio.Task[None]] = set()
        self.heard: list[tuple[PublicKey, bytes]] = []
        self.updates = 0

    def send(self, peer: PublicKey, data: bytes, slot: object = None) -> bool:
        if not super().send(peer, data, slot):
            return False
        self.heard.append((peer, data))
        if peer in self._node.peers:
            task = asyncio.ensure_future(self._node.carry(self._node.peers[peer], data))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)
        return True

    def update_nodes(self, nodes: object) -> None:
        self.updates += 1


def no_snapshot() -> bytes:
    """Says that it has no snapshot."""
    return wire.pack_snapshot(SnapshotPart(Height(0), 0, 0, b""))
