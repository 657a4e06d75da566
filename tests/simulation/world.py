"""The simulated world: one clock, one queue of events, one seed. Nothing else decides what happens.

To grow it: other node behaviour is another subclass of Node (see `make_node`), other faults are other calls of
`World.schedule`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from random import Random

from tests.simulation.chain import GENESIS_TIME_MS, validator_keys, validator_set
from tests.simulation.checkers import Checkers
from tests.simulation.network import Conditions, Network
from tests.simulation.node import Crash, Node, default_config

from notarium_consensus.engine import EngineConfig

MAX_SKEW_MS = 200
MAX_EVENTS = 400_000


class World:
    """`size` validators, a network between them, clients that submit entries, and faults until they end."""

    def __init__(self, seed: int, size: int, observers: int = 0) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.now_ms = GENESIS_TIME_MS + 1_000
        self.network = Network(self.random)
        keys = validator_keys(size + observers)
        self.validators = validator_set(keys[:size])
        self.checkers = Checkers(self.validators)
        self.nodes = [self.make_node(number, key) for number, key in enumerate(keys)]
        self.by_key = {node.public: node for node in self.nodes}
        self.crash_probability = 0.0
        self.restarts = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self._entries = 0

    def make_node(self, number: int, key: object) -> Node:
        """One node, its clock off by at most MAX_SKEW_MS."""
        return Node(self, number, key, self.random.randint(-MAX_SKEW_MS, MAX_SKEW_MS))  # type: ignore[arg-type]

    def engine_config(self, node: Node) -> EngineConfig:
        """How a node's engine is configured."""
        return default_config(node)

    # ---- time --------------------------------------------------------------------------------------------------

    def schedule(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Run `action` after `delay_ms`."""
        self._sequence += 1
        heapq.heappush(self._queue, (self.now_ms + delay_ms, self._sequence, action))

    def run(self, duration_ms: int, until: Callable[[], bool] | None = None) -> bool:
        """Let time pass until the deadline, or until `until` holds (checked after each event). Whether it held."""
        deadline_ms = self.now_ms + duration_ms
        for _ in range(MAX_EVENTS):
            if until is not None and until():
                return True
            if not self._queue or self._queue[0][0] > deadline_ms:
                self.now_ms = deadline_ms
                return until is not None and until()
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
        raise RuntimeError(f"seed {self.seed}: {MAX_EVENTS} events: a storm")

    # ---- network and crashes -----------------------------------------------------------------------------------

    def send(self, sender: Node, receiver: Node, packet: object) -> None:
        """Give a packet to the network."""
        for delay_ms in self.network.arrivals_ms(sender.number, receiver.number):
            self.schedule(delay_ms, lambda: receiver.receive(packet, sender))

    def connected(self, node: Node) -> None:
        """`node` has started: connections to it come up."""
        for peer in self.nodes:
            if peer is not node and peer.engine is not None:
                self.schedule(self.random.randint(1, 50), lambda peer=peer: peer.connected(node))  # type: ignore[misc]

    def maybe_crash(self, node: Node) -> None:
        """Called before each effect: the process may die here."""
        if self.crash_probability and self.random.random() < self.crash_probability:
            raise Crash(f"node {node.number}")

    def crashed(self, node: Node) -> None:
        """It will be started again."""
        self.restarts += 1
        self.schedule(self.random.randint(10, 3_000), lambda: node.start() if node.engine is None else None)

    # ---- scenarios ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start all nodes."""
        for node in self.nodes:
            node.start()

    def submit(self, nodes: list[Node]) -> bytes:
        """A new entry, given to `nodes`."""
        self._entries += 1
        entry = f"ok {self._entries}".encode()
        self.checkers.submitted(entry)
        for node in nodes:
            node.submit(entry)
        return entry

    def trouble(self, duration_ms: int) -> None:
        """Random faults and work for a while; afterwards the network is good and all nodes are up."""
        end_ms = self.now_ms + duration_ms
        self.crash_probability = self.random.choice([0.0, 0.0005, 0.003, 0.01])
        self._new_conditions(end_ms)
        self._work(end_ms)
        self._accidents(end_ms)
        self.run(duration_ms)
        self.crash_probability = 0.0
        self.network.heal()
        self.run(3_100)  # longer than the longest restart

    def _new_conditions(self, end_ms: int) -> None:
        if self.now_ms >= end_ms:
            return
        draw = self.random
        self.network.conditions = Conditions(
            1, draw.choice([5, 50, 300, 1_500]), draw.choice([0.0, 0.05, 0.3]), draw.choice([0.0, 0.2])
        )
        self.network.groups = []
        if draw.random() < 0.5:
            numbers = list(range(len(self.nodes)))
            draw.shuffle(numbers)
            cut = draw.randint(0, len(numbers))
            self.network.groups = [set(numbers[:cut]), set(numbers[cut:])]
            if draw.random() < 0.3:
                self.network.groups[0].add(numbers[-1])  # one node reaches both sides
        self.schedule(draw.randint(200, 4_000), lambda: self._new_conditions(end_ms))

    def _work(self, end_ms: int) -> None:
        if self.now_ms >= end_ms:
            return
        members = self.nodes[: len(self.validators)]  # entries are not gossiped here, and an observer proposes nothing
        self.submit(self.random.sample(members, self.random.randint(1, len(members))))
        self.schedule(self.random.choice([1, 30, 300, 2_000]), lambda: self._work(end_ms))

    def _accidents(self, end_ms: int) -> None:
        if self.now_ms >= end_ms:
            return
        node = self.random.choice(self.nodes)
        if node.engine is not None and self.random.random() < 0.5:
            node.crash()
            self.crashed(node)
        self.schedule(self.random.randint(500, 6_000), lambda: self._accidents(end_ms))
