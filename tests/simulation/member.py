"""One simulated institution: the real Node on a simulated disk, clock and network, with a process that may die."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.simulation.costs import burden
from tests.simulation.leveldb import Disk
from tests.simulation.links import View
from tests.simulation.loop import WORLD, Crash, Life

from notarium_consensus.events import Event
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Height, PublicKey
from notarium_node.api.problems import ApiProblem
from notarium_node.api.submit import Submissions
from notarium_node.catchup.sync import SyncSettings
from notarium_node.node import Node
from notarium_node.peers.limits import PeerLimits
from notarium_node.settings import NodeSettings
from notarium_store import keys
from notarium_store.errors import StoreError
from notarium_store.layout import StoredState
from notarium_store.store import Store

if TYPE_CHECKING:
    from tests.simulation.world import World

SNAPSHOT_LAG = 2
"""Runs are short: who is three blocks behind joins by a snapshot."""
STATED_S = 0.2
"""An operator who wrote consensus.vote_from takes it out before a start that is so much later than the end of a process
which had noted it."""
CLIENT_WAIT_S = 20.0
"""How long a client waits for its receipt before it asks another node."""


class Member:
    """A node that keeps to the rules, whatever its machine and network do to it."""

    is_honest = True

    def __init__(self, world: World, number: int, key: SigningKey, record: NodeRecord, skew_ms: int) -> None:
        self.world = world
        self.number = number
        self.key = key
        self.record = record
        self.skew_ms = self.usual_skew_ms = skew_ms
        self.is_forgetful = False
        """Its disk has lost what it once held, or is about to; it notices that, or its operator states it. Until it
        signs again it is among the f faulty, though it keeps to the rules."""
        self.is_doomed = False
        """Its disk is about to be lost."""
        self.losses = 0
        """How often its disk has lost something."""
        self.is_clock_wrong = False
        self.trusted_from_s = 0.0
        """From then on nothing is on its way any more that its wrong clock has made."""
        self.disk = Disk(self._on_durable, self.checkpoint)
        self.life = Life(f"{record.member}-{number}")
        self.life.alive = False
        self.node: Node | None = None
        self.view: View | None = None
        self.vote_from: int | None = None
        """As its operator sets it after restoring a backup."""
        self._stated_s = math.inf
        """When it started with that."""
        self.starts = 0
        self._has_begun = False
        """Its disk has held something of consensus: the operator's mark of a new node is gone."""
        self.refuses_to_start = ""
        self._connected: set[int] = set()

    # ---- life ----------------------------------------------------------------------------------------------------

    @property
    def public(self) -> PublicKey:
        """Its name among peers."""
        return self.key.public

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.life.alive

    @property
    def height(self) -> int:
        """Decided and stored; 0 while it is down."""
        return 0 if self.node is None else self.node.store.state.height

    @property
    def height_on_disk(self) -> int:
        """As `height`, also while it is down."""
        stored = self.disk.data.get(keys.STATE)
        return 0 if stored is None else StoredState.decode(stored).height

    @property
    def is_validator(self) -> bool:
        """By its own registry, now."""
        return self.node is not None and self.public in self.node.store.state.registry.validators

    @property
    def is_in_registry(self) -> bool:
        """Whether the consortium still knows it, by what the most advanced honest node says."""
        return self.public in self.world.registry.nodes

    def start(self) -> None:
        """Start, or start again from what the disk has."""
        if self.life.alive:
            return
        self.life = Life(f"{self.record.member}-{self.number}")
        self.starts += 1
        if self.world.loop.now_s - self._stated_s > STATED_S:
            self.vote_from = None  # its operator takes the line out again: the node has noted what it said
        self._look_at_disk()
        self._connected.clear()
        self.world.note("start", self.number)
        self.run(self._start)
        if self.life.alive:
            for other in self.world.members:
                if other is not self and other.is_running:
                    self.world.links.connect_soon(self.number, other.number)

    def _start(self) -> None:
        world = self.world
        try:
            store = Store.open(world.paths[self.number], world.genesis, cache_bytes=0, write_buffer_bytes=1 << 16)
        except StoreError as error:
            self.refuses_to_start = str(error)
            if self.disk.is_full:  # as a supervisor would: it tries again later
                self.life.alive = False
                world.after(1.0, self.start)
                return
            raise
        node = self.make_node(store)
        self.node = node
        if world.costs is not None:
            burden(node, world.costs, world.loop, world.coverage)
        node.driver._on_event = self._heard(node.driver._on_event)
        node.driver.fail = self._failing(node.driver.fail)  # type: ignore[method-assign,assignment]
        world.loop.create_task(node.start())

    def _heard(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        def heard(event: Event) -> None:
            self.world.watch.reported(self, event)
            on_event(event)

        return heard

    def _failing(self, fail: Callable[[Exception], None]) -> Callable[[Exception], None]:
        def failing(error: Exception) -> None:
            fail(error)
            self.world.defect(self, error)

        return failing

    def decisions(self) -> Iterator[bytes]:
        """Its log, as stored."""
        if self.node is not None:
            store = self.node.store
            for height in range(1, self.height + 1):
                raw = store.decision_bytes(Height(height)) if store.has(height) else None
                if raw is not None:
                    yield raw

    def lacks(self) -> list[int]:
        """The heights up to its own whose blocks it has not: below a snapshot that it adopted."""
        return [] if self.node is None else [at for at in range(1, self.height + 1) if not self.node.store.has(at)]

    def make_node(self, store: Store) -> Node:
        """The node as notarium_node.service makes it."""

        def make_network(own: NodeRecord, genesis: bytes, seed: bytes, listen: object, nodes: Any, **rest: Any) -> View:
            self.view = View(self, own, nodes, **rest)
            return self.view

        record = store.state.registry.nodes.get(self.public, self.record)
        return Node(
            self.world.genesis,
            store,
            record,
            self.key,
            bytes(32),
            replace(
                settings(self.vote_from, self.world.snapshot_lag),
                is_new=not self._has_begun,
                block_entries=self.world.schedule.block_entries,
                block_bytes=self.world.schedule.block_bytes,
                mempool_bytes=max(8 << 20, 64 * self.world.schedule.block_bytes),
            ),
            clock=self.clock_ms,
            timer=lambda: self.clock_ms() / 1000,  # Its disks take no time.
            make_network=make_network,  # type: ignore[arg-type]  # a View is a PeerNetwork to whom it is given
        )

    def clock_ms(self) -> int:
        """This machine's clock; while the process computes, when that ends."""
        return self.world.now_ms + self.skew_ms + self.busy_ms

    @property
    def is_clock_trusted(self) -> bool:
        """Whether what it says of the time, and of others' times, is right."""
        return not self.is_clock_wrong and self.world.loop.now_s >= self.trusted_from_s

    @property
    def busy_ms(self) -> int:
        """How long its process computes, or stands still, from now on."""
        return max(0, int(1000 * (self.life.stopped_until_s - self.world.loop.now_s)))

    def die(self, restart_s: float | None = None) -> None:
        """SIGKILL or loss of power; started again after a while, if that is given."""
        if not self.life.alive:
            return
        world = self.world
        self.life.alive = False
        world.note("die", self.number)
        if self.node is not None:
            if self.vote_from is not None and self.node.engine.height > 0:  # it has noted what its operator said
                self._stated_s = min(self._stated_s, world.loop.now_s)
            world.watch.counted(self, self.node)
            world.ends(self)
        self.node = self.view = None
        self.disk.crash(world.random.randint(0, self.disk.unsynced))
        self._connected.clear()
        world.after(0.0, world.links.gone, self.number)
        if restart_s is not None:
            world.after(restart_s, self.start)

    def _look_at_disk(self) -> None:
        self._has_begun |= any(key[:1] in (keys.OWNER, keys.RECORD, keys.STATE) for key in self.disk.data)

    def checkpoint(self, where: str) -> None:
        """The process may die here."""
        if not self.life.alive:
            raise Crash
        world = self.world
        if world.crash_probability and world.random.random() < world.crash_probability:
            world.coverage["fault: crash " + where] += 1
            self.die(restart_s=world.random.uniform(0.01, 5.0))
            raise Crash

    def run(self, callback: Callable[..., object], *arguments: Any) -> None:
        """Call into the process, from outside."""
        loop = self.world.loop
        before, loop.owner = loop.owner, self.life
        try:
            callback(*arguments)
        except Crash:
            pass
        except Exception as error:
            loop.on_error(self.life, error)
        finally:
            loop.owner = before
        if before is not WORLD and not before.alive:
            raise Crash  # it died of what it set off elsewhere

    # ---- disk ----------------------------------------------------------------------------------------------------

    def _on_durable(self, puts: Any, deleted: Any) -> None:
        self.world.watch.wrote(self, puts, deleted)

    def backup(self) -> Mapping[bytes, bytes]:
        """A copy of the disk, as an operator takes one."""
        return dict(self.disk.data)

    def restore(self, data: Mapping[bytes, bytes], vote_from: int | None = None) -> None:
        """The disk is replaced while the process is down; `vote_from` as docs/operations.md prescribes."""
        self._look_at_disk()
        self.disk.replace(data)
        self.vote_from, self._stated_s = vote_from, math.inf
        self.is_forgetful, self.is_doomed = True, False
        self.losses += 1
        self.world.watch.rolled_back(self)

    # ---- network -------------------------------------------------------------------------------------------------

    def admits(self, other: Member) -> bool:
        """Whether it would take a connection with `other` now."""
        return self.view is not None and self.view.admits(other.public, self.world.loop.now_s)

    def network_connected(self, peer: PublicKey, number: int) -> None:
        """A connection came up."""
        first = not any(other in self._connected for other in self.world.holders[peer])
        self._connected.add(number)
        if first and self.view is not None:
            self.view.on_connect(peer)

    def network_disconnected(self, peer: PublicKey, number: int) -> None:
        """A connection broke."""
        self._connected.discard(number)
        if self.view is not None and not any(other in self._connected for other in self.world.holders[peer]):
            self.view.on_disconnect(peer)

    def receive(self, peer: PublicKey, data: bytes) -> None:
        """A message arrived."""
        if self.view is not None:
            self.view.on_message(peer, data)
            self.world.watch.delivered(self, data)

    def send(self, peer: PublicKey, data: bytes, slot: Hashable = None) -> bool:
        """Hand a message to the network. False if the peer is not connected. `slot`: as of PeerNetwork.send."""
        self.checkpoint("before a message")
        sent = False
        for number in self.world.holders.get(peer, ()):
            if self.world.links.is_up(self.number, number):
                if not sent:
                    self.world.watch.sent(self, data)
                sent = True
                self.world.links.carry(self.number, number, data, slot)
        return sent

    # ---- clients -------------------------------------------------------------------------------------------------

    def submit(self, raw: bytes, told: Callable[[str, bytes], None]) -> None:
        """A client's request: `told` gets "decided" and the receipt, or "pending" or "refused" and the reason.

        If the process dies meanwhile there is no answer, as for a client whose connection breaks.
        """
        if self.node is not None:
            self.world.loop.create_task(self._submit(self.node, raw, told))

    async def _submit(self, node: Node, raw: bytes, told: Callable[[str, bytes], None]) -> None:
        door = Submissions(node, 1 << 20, 60_000)
        try:
            outcome = (await door._admit([raw]))[0]
            if outcome.error is not None:
                told("refused", str(outcome.error).encode())
                return
            receipt = (await door._receipts([outcome], CLIENT_WAIT_S)).get(outcome.id)
        except ApiProblem as problem:
            told("refused", str(problem).encode())
            return
        if receipt is None:
            told("pending", b"")
        else:
            told("decided", receipt.encode_json())


def settings(vote_from: int | None, snapshot_lag: int) -> NodeSettings:
    """A node with the product's default times."""
    return NodeSettings(
        listen=("", 0),
        peer_limits=PeerLimits(),
        base_timeout_ms=1_000,
        max_timeout_ms=10_000,
        resend_ms=1_000,
        vote_from=vote_from,
        block_entries=20,
        block_bytes=1 << 20,
        mempool_entries=6_000,
        mempool_bytes=8 << 20,
        verify_workers=0,
        sync=SyncSettings(snapshot_lag=SNAPSHOT_LAG),
    )
