"""Real nodes in one process: store, runner, engine, mempool and catch-up as they are, on a network of callbacks.

A liar is a `Puppet`: it has a place in the registry and a connection to everybody, and says what the test makes it say.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.node.parts import until
from tests.support.consortium import Consortium

from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.node import Node
from notarium_node.peers import wire
from notarium_node.peers.limits import PeerLimits
from notarium_node.settings import NodeSettings
from notarium_store import Store

RECONNECT_S = 0.05
"""How soon two that were parted meet again, ban or not."""
WAIT_S = 20.0
"""How long a test waits for what must come; shortened where it must not."""


async def eventually(condition: Callable[[], object]) -> None:
    """Wait until `condition()`. Fails after WAIT_S."""
    try:
        await until(condition, WAIT_S)
    except TimeoutError:
        raise AssertionError(f"did not come true within {WAIT_S} s") from None


def fresh(path: Path) -> Path:
    """A new directory in `path`: a test is run again with its mistake planted."""
    made = path / f"run{len(list(path.iterdir()))}"
    made.mkdir()
    return made


def status(height: int) -> bytes:
    """A node's that has all blocks up to `height`, by its own words."""
    return wire.pack_status(wire.HeightStatus(Height(height), Hash(bytes(32)), Height(height), Height(height)))


class View:
    """One node's PeerNetwork: the methods that a Node uses."""

    def __init__(self, cluster: Cluster, own: NodeRecord, **callbacks: Any) -> None:
        self.cluster, self.own = cluster, own
        self.on_message: Callable[[PublicKey, bytes], None] = callbacks["on_message"]
        self.on_connect: Callable[[PublicKey], None] = callbacks["on_connect"]
        self.on_disconnect: Callable[[PublicKey], None] = callbacks["on_disconnect"]
        self.links: dict[PublicKey, None] = {}
        self.running = False
        self.counters: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.dropped_peers: list[tuple[PublicKey, str]] = []
        self.port = 0
        self.address_doubt = ""

    async def start(self) -> None:
        self.running = True
        self.cluster.views[self.own.key] = self
        for other in list(self.cluster.views.values()):
            self.cluster.connect(self, other)

    async def stop(self) -> None:
        self.running = False
        self.cluster.views.pop(self.own.key, None)
        for peer in list(self.links):
            self.cluster.part(self.own.key, peer)

    def update_nodes(self, nodes: Mapping[PublicKey, NodeRecord]) -> None:
        """The registry changed: nobody's link here depends on it."""

    @property
    def connected(self) -> Mapping[PublicKey, Any]:
        return {peer: SimpleNamespace(clock_offset_ms=None, queue_bytes=0, queue_age_s=0.0) for peer in self.links}

    def is_connected(self, peer: PublicKey) -> bool:
        return peer in self.links

    def is_refused_by(self, peer: PublicKey) -> bool:
        return False

    def queue_bytes(self, peer: PublicKey) -> int:
        return 0

    def received_bytes(self, peer: PublicKey) -> int:
        return 0

    def is_receiving(self, peer: PublicKey) -> bool:
        return False

    def clock_offsets(self) -> list[int]:
        return []

    def send(self, peer: PublicKey, data: bytes, slot: object = None) -> bool:
        other = self.cluster.views.get(peer)
        if peer not in self.links or other is None:
            return False
        if self.cluster.passes(self.own.key, peer, data):
            asyncio.get_running_loop().call_soon(other.hear, self.own.key, data)
        return True

    def broadcast(self, data: bytes, to: Iterable[PublicKey], slot: object = None) -> None:
        for peer in to:
            if peer != self.own.key:
                self.send(peer, data)

    def hear(self, peer: PublicKey, data: bytes) -> None:
        if self.running and peer in self.links:
            self.on_message(peer, data)

    def drop(self, peer: PublicKey, reason: str, ban_s: float = 1.0) -> None:
        self.dropped[reason] += 1
        self.dropped_peers.append((peer, reason))
        self.cluster.part(self.own.key, peer)
        self.cluster.reconnect_later(self.own.key, peer)


class Puppet:
    """A validator of the registry that runs nothing."""

    def __init__(self, cluster: Cluster, number: int) -> None:
        self.key = cluster.keys[number]
        self.heard: list[tuple[PublicKey, bytes]] = []
        self.answer: Callable[[PublicKey, bytes], None] = lambda peer, data: None
        record = cluster.consortium.genesis.registry.nodes[self.key.public]
        self.view = View(
            cluster,
            record,
            on_message=self._hear,
            on_connect=lambda peer: None,
            on_disconnect=lambda peer: None,
        )

    def _hear(self, peer: PublicKey, data: bytes) -> None:
        self.heard.append((peer, data))
        self.answer(peer, data)

    def tell_all(self, data: bytes) -> None:
        """To everybody it is connected to."""
        self.view.broadcast(data, list(self.view.links))


class Cluster:
    """`size` validators in the order of their keys."""

    def __init__(self, path: Path, size: int, **over: Any) -> None:
        self.path = path
        self.consortium = Consortium(size)
        self.keys: list[SigningKey] = sorted(self.consortium.validator_keys, key=lambda key: key.public)
        self.views: dict[PublicKey, View] = {}
        self.nodes: dict[int, Node] = {}
        self.puppets: dict[int, Puppet] = {}
        self.passes: Callable[[PublicKey, PublicKey, bytes], bool] = lambda sender, receiver, data: True
        self.over = over
        self._lives: Counter[int] = Counter()
        self._stated: dict[int, int] = {}
        """What each operator has said last, as in the data directory: it is not lost with the store."""
        self.records = dict(self.consortium.genesis.registry.nodes)
        """As on the nodes' cards: a test that adds a node adds its key to `keys` and its record here."""

    # ---- links -------------------------------------------------------------------------------------------------

    def connect(self, one: View, other: View) -> None:
        """Both learn of it, unless they are connected already."""
        if one is other or other.own.key in one.links or not one.running or not other.running:
            return
        one.links[other.own.key] = None
        other.links[one.own.key] = None
        one.on_connect(other.own.key)
        if one.own.key in other.links:
            other.on_connect(one.own.key)

    def part(self, one: PublicKey, other: PublicKey) -> None:
        """End the connection; both sides notice."""
        for own, peer in ((one, other), (other, one)):
            view = self.views.get(own)
            if view is not None and peer in view.links:
                del view.links[peer]
                view.on_disconnect(peer)

    def reconnect_later(self, one: PublicKey, other: PublicKey) -> None:
        def again() -> None:
            if one in self.views and other in self.views:
                self.connect(self.views[one], self.views[other])

        asyncio.get_running_loop().call_later(RECONNECT_S, again)

    # ---- nodes -------------------------------------------------------------------------------------------------

    def directory(self, number: int) -> Path:
        """Of a node's store."""
        return self.path / f"node{number}"

    async def start(self, *numbers: int, **over: Any) -> None:
        """Start these nodes on what is in their directories, with the settings `over`; the first time they are new."""
        for number in numbers:
            genesis = self.consortium.genesis
            store = Store.open(self.directory(number), genesis)
            key = self.keys[number]
            settings: dict[str, Any] = {
                "listen": ("", 0),
                "peer_limits": PeerLimits(),
                "base_timeout_ms": 300,
                "max_timeout_ms": 1_000,
                "resend_ms": 200,
                "vote_from": None,
                "block_entries": 100,
                "block_bytes": 1 << 20,
                "mempool_entries": 1_000,
                "mempool_bytes": 1 << 25,
                "verify_workers": 0,
                "is_new": not self._lives[number],
                **self.over,
                **over,
            }
            settings.setdefault("vote_from_noted", self._stated.get(number))
            if settings["vote_from"] is not None:
                self._stated[number] = settings["vote_from"]
            self._lives[number] += 1
            node = Node(
                genesis,
                store,
                self.records[key.public],
                key,
                bytes(32),
                NodeSettings(**settings),
                make_network=self._make_view,  # type: ignore[arg-type]  # what a Node uses of a PeerNetwork
            )
            self.nodes[number] = node
            await node.start()

    def _make_view(self, own: NodeRecord, *arguments: Any, limits: Any = None, **callbacks: Any) -> View:
        return View(self, own, **callbacks)

    async def stop(self, *numbers: int) -> None:
        """Stop these nodes; their stores stay."""
        for number in numbers:
            node = self.nodes.pop(number)
            await node.stop()
            node.store.close()

    def lose(self, number: int) -> None:
        """The disk of a stopped node is gone."""
        self.directory(number).rename(self.path / f"lost{number}-{self._lives[number]}")

    async def puppet(self, number: int) -> Puppet:
        """Put a puppet in this validator's place."""
        puppet = Puppet(self, number)
        self.puppets[number] = puppet
        await puppet.view.start()
        return puppet

    def view(self, number: int) -> View:
        """A node's side of the network."""
        return self.views[self.keys[number].public]

    # ---- work --------------------------------------------------------------------------------------------------

    async def submit(self, number: int, entry: Entry | None = None) -> Entry:
        """Give node `number` an entry."""
        entry = entry or self.consortium.entry()
        (outcome,) = await self.nodes[number].admission.admit([entry.raw])
        assert outcome.error is None, outcome.error
        return entry

    async def decided(self, entry: Entry, *numbers: int) -> None:
        """Wait until these nodes (all) have it in their logs."""
        chosen = numbers or tuple(self.nodes)
        await eventually(lambda: all(self.nodes[number].store.is_decided(entry.id) for number in chosen))

    def heights(self) -> dict[int, int]:
        """Decided blocks of each node that runs."""
        return {number: node.store.state.height for number, node in self.nodes.items()}

    def proposer(self) -> int:
        """Of round 0 of the height after the tip; the nodes must be level."""
        node = next(iter(self.nodes.values()))
        state = node.store.state
        key = state.registry.validators.proposer(Height(state.height + 1), Round(0))
        return next(number for number, each in enumerate(self.keys) if each.public == key)

    def agree(self) -> None:
        """No two nodes that run have different blocks at one height."""
        for height in range(1, max(self.heights().values()) + 1):
            found = [node.store.decision(height) for node in self.nodes.values()]  # type: ignore[arg-type]
            assert len({decision.block.hash for decision in found if decision is not None}) <= 1


@asynccontextmanager
async def cluster(path: Path, size: int = 4, run: Iterable[int] | None = None, **over: Any) -> AsyncIterator[Cluster]:
    """A cluster of which the nodes `run` (all) are started; stopped in the end."""
    made = Cluster(path, size, **over)
    try:
        await made.start(*(range(size) if run is None else run))
        yield made
    finally:
        for puppet in made.puppets.values():
            await puppet.view.stop()
        await made.stop(*list(made.nodes))
