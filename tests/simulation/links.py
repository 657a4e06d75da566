"""The network between simulated nodes, and each node's view of it with the methods of PeerNetwork.

Links are connections: they come up, break, and come up again. Consensus messages, entries and heights may in addition
be lost, doubled and overtaken by others, which TCP would not allow but the protocol must bear; catch-up's questions
and answers keep their order, as TCP guarantees. In a partition all of these are lost, also if the connection outlives
it; equivocation, which is sent once a connection, comes then, as TCP would bring it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

from tests.simulation.lines import Lines
from tests.simulation.loop import WORLD

from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.peers.limits import Penalties
from notarium_node.peers.wire import Kind

if TYPE_CHECKING:
    from tests.simulation.member import Member
    from tests.simulation.world import World

UNORDERED = frozenset((Kind.CONSENSUS, Kind.ENTRIES, Kind.STATUS))
SURE = Kind.EQUIVOCATIONS
RECONNECT_S = (0.05, 1.5)
"""How long after a break a link stands again, if it can."""
RETRANSMISSION_S = 0.3
SILENCE_S = (0.5, 9.0)
"""After how long a partition is noticed: the real link gives a silent peer up after nine seconds."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How bad the network is."""

    min_delay_s: float = 0.001
    max_delay_s: float = 0.020
    loss: float = 0.0
    """Probability that a message is lost."""
    duplication: float = 0.0
    """Probability that a message comes twice."""


GOOD = Conditions()


@dataclass(slots=True)
class Links:
    """Who reaches whom, and how long it takes."""

    world: World
    random: Random
    conditions: Conditions = GOOD
    walls: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    """By name, the (sender, receiver) directions in which nothing passes."""
    slow_s: dict[int, float] = field(default_factory=dict)
    """By node, by how much whatever it sends and receives is late."""
    up: dict[tuple[int, int], int] = field(default_factory=dict)
    """(lower, higher number) to the serial number of the connection that stands."""
    serial: int = 0
    arrivals_s: dict[tuple[int, int], float] = field(default_factory=dict)
    """When the last ordered message of a direction arrives."""
    lines: Lines | None = None
    """None: a message takes no time for its length."""

    # ---- connections ---------------------------------------------------------------------------------------------

    def is_up(self, one: int, other: int) -> bool:
        """Whether a connection stands."""
        return ((one, other) if one < other else (other, one)) in self.up

    def connect_soon(self, one: int, other: int, delay_s: float | None = None) -> None:
        """Try to connect after a while, again and again as long as it fails and both live."""
        delay = self.random.uniform(*RECONNECT_S) if delay_s is None else delay_s
        self.world.after(delay, self._connect, min(one, other), max(one, other))

    def _connect(self, low: int, high: int) -> None:
        first, second = self.world.members[low], self.world.members[high]
        if (low, high) in self.up or not first.is_running or not second.is_running:
            return  # whoever starts tries again
        if max(first.life.stopped_until_s, second.life.stopped_until_s) > self.world.loop.now_s:
            self.connect_soon(low, high, 1.0)  # nobody answers the handshake
            return
        if (
            self.is_blocked(low, high)
            or self.is_blocked(high, low)
            or not (first.admits(second) and second.admits(first))
        ):
            self.connect_soon(low, high, 1.0)
            return
        self.serial += 1
        self.up[low, high] = self.serial
        self.world.note("connects", low, f"with {high}")
        for member, peer in ((first, second), (second, first)):
            if (low, high) in self.up:  # the first may have died of it
                member.run(member.network_connected, peer.public, peer.number)

    def cut(self, one: int, other: int, reconnect: bool = True) -> None:
        """Break the connection; both sides notice."""
        pair = (min(one, other), max(one, other))
        if self.up.pop(pair, None) is None:
            return
        self._empty(pair)
        self.world.note("disconnects", pair[0], f"from {pair[1]}")
        for number, peer in (pair, pair[::-1]):
            self._tell_gone(self.world.members[number], self.world.members[peer])
        if reconnect:
            self.connect_soon(*pair)

    def gone(self, number: int) -> None:
        """A process died: its connections break, which its peers notice at once (the kernel closes them)."""
        for pair in [pair for pair in self.up if number in pair]:
            del self.up[pair]
            self._empty(pair)
            peer = pair[0] if pair[1] == number else pair[1]
            self._tell_gone(self.world.members[peer], self.world.members[number])

    def _empty(self, pair: tuple[int, int]) -> None:
        if self.lines is not None:
            self.lines.end(pair)

    def _tell_gone(self, member: Member, peer: Member) -> None:
        """A stopped process hears of it when it goes on."""
        life, loop = member.life, self.world.loop
        if life.alive and life.stopped_until_s > loop.now_s:
            loop.schedule(life, life.stopped_until_s, member.network_disconnected, peer.public, peer.number)
        elif life.alive:
            member.run(member.network_disconnected, peer.public, peer.number)

    def is_blocked(self, sender: int, receiver: int) -> bool:
        """Whether nothing passes in this direction."""
        return bool(self.walls) and any((sender, receiver) in wall for wall in self.walls.values())

    def block(self, name: str, pairs: Iterable[tuple[int, int]]) -> None:
        """Replace the wall `name`: connections through it break when the silence is noticed."""
        self.walls[name] = set(pairs)
        for pair in sorted(self.walls[name]):
            self.world.after(self.random.uniform(*SILENCE_S), self._notice, pair)

    def _notice(self, pair: tuple[int, int]) -> None:
        if self.is_blocked(*pair):
            self.cut(*pair)

    def heal(self) -> None:
        """Back to a good network."""
        self.conditions = GOOD
        self.walls.clear()
        self.slow_s.clear()

    # ---- messages ------------------------------------------------------------------------------------------------

    def carry(self, sender: int, receiver: int, data: bytes, slot: Hashable = None) -> None:
        """Bring `data` to the other end of the connection, or lose it. `slot`: as of PeerNetwork.send."""
        pair = (min(sender, receiver), max(sender, receiver))
        connection = self.up.get(pair)
        if connection is None:
            return
        draw, conditions = self.random, self.conditions
        copies, late_s = 1, 0.0
        ordered = data[0] not in UNORDERED
        if conditions.loss and draw.random() < conditions.loss:
            copies, late_s = (1, RETRANSMISSION_S) if ordered else (0, 0.0)
        elif conditions.duplication and not ordered and draw.random() < conditions.duplication:
            copies = 2
        if self.is_blocked(sender, receiver):
            self._bring_later(pair, connection, sender, receiver, data)
            return
        if self.slow_s:
            late_s += self.slow_s.get(sender, 0.0) + self.slow_s.get(receiver, 0.0)
        if data[0] == Kind.BLOCKS and self.world.schedule.history_s:
            late_s += draw.uniform(0.0, self.world.schedule.history_s)
        lines, loop = self.lines, self.world.loop
        starts_s = self.world.members[sender].life.stopped_until_s
        if lines is None:
            self._arrive(pair, sender, data, copies, late_s, max(loop.now_s, starts_s))
            return

        def hand_over() -> None:
            if self.up.get(pair) == connection:
                lines.send((sender, receiver), data, slot, left)

        def left(at_s: float) -> None:
            self._arrive(pair, sender, data, copies, late_s, at_s)

        if starts_s > loop.now_s:
            loop.schedule(WORLD, starts_s, hand_over)  # its process is busy still
        else:
            hand_over()

    def _arrive(
        self, pair: tuple[int, int], sender: int, data: bytes, copies: int, late_s: float, leaves_s: float
    ) -> None:
        """It has left its sender at `leaves_s`."""
        conditions, connection = self.conditions, self.up[pair]
        receiver = pair[0] if pair[1] == sender else pair[1]
        ordered = data[0] not in UNORDERED
        span = conditions.max_delay_s - conditions.min_delay_s
        for _ in range(copies):
            at_s = leaves_s + late_s + conditions.min_delay_s + self.random.random() * span
            if ordered:
                at_s = max(at_s, self.arrivals_s.get((sender, receiver), 0.0))
                self.arrivals_s[sender, receiver] = at_s
            self.world.loop.schedule(WORLD, at_s, self._deliver, pair, connection, sender, receiver, data)

    def _deliver(self, pair: tuple[int, int], connection: int, sender: int, receiver: int, data: bytes) -> None:
        if self.up.get(pair) != connection:
            return
        if self.is_blocked(sender, receiver):
            self._bring_later(pair, connection, sender, receiver, data)
            return
        member = self.world.members[receiver]
        life = member.life
        if life.stopped_until_s > self.world.loop.now_s:
            self.world.loop.schedule(
                WORLD, life.stopped_until_s, self._deliver, pair, connection, sender, receiver, data
            )
        elif life.alive:
            member.run(member.receive, self.world.members[sender].public, data)

    def _bring_later(self, pair: tuple[int, int], connection: int, sender: int, receiver: int, data: bytes) -> None:
        """What must come as long as the connection stands is tried again; the rest is lost."""
        if data[0] == SURE:
            at_s = self.world.loop.now_s + RETRANSMISSION_S
            self.world.loop.schedule(WORLD, at_s, self._deliver, pair, connection, sender, receiver, data)


class View:
    """One node's network: what PeerNetwork offers to a Node."""

    def __init__(
        self, member: Member, own: NodeRecord, nodes: Mapping[PublicKey, NodeRecord], **callbacks: Any
    ) -> None:
        self._member = member
        self._world = member.world
        self._own = own
        self._nodes = nodes
        self.on_message: Callable[[PublicKey, bytes], None] = callbacks["on_message"]
        self.on_connect: Callable[[PublicKey], None] = callbacks["on_connect"]
        self.on_disconnect: Callable[[PublicKey], None] = callbacks["on_disconnect"]
        self._penalties = Penalties(600.0)
        self.counters: Counter[str] = Counter()
        self.dropped: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.port = 0
        self.address_doubt = ""

    async def start(self) -> None:
        """Connections come up in their time."""

    async def stop(self) -> None:
        """Nothing to close."""

    def update_nodes(self, nodes: Mapping[PublicKey, NodeRecord]) -> None:
        """The registry changed: who left is parted with, who came may connect."""
        before, self._nodes = self._nodes, nodes
        for key in before:
            if key not in nodes:
                self._part(key)
        for key in nodes:
            if key not in before:
                for number in self._world.holders.get(key, ()):
                    self._world.links.connect_soon(self._member.number, number)

    def admits(self, peer: PublicKey, now_s: float) -> bool:
        """Whether a connection with `peer` is welcome now."""
        return peer in self._nodes and not self._penalties.remaining_s(peer, now_s)

    def send(self, peer: PublicKey, data: bytes, slot: Hashable = None) -> bool:
        """One message; False if it is not connected. `slot`: as of PeerNetwork.send."""
        return self._member.send(peer, data, slot)

    def broadcast(self, data: bytes, to: Iterable[PublicKey], slot: Hashable = None) -> None:
        """One message to each."""
        for peer in to:
            if peer != self._own.key:
                self._member.send(peer, data, slot)

    def is_connected(self, peer: PublicKey) -> bool:
        """Whether a connection stands."""
        own, links = self._member.number, self._world.links
        return any(links.is_up(own, number) for number in self._world.holders.get(peer, ()))

    def is_refused_by(self, peer: PublicKey) -> bool:
        """No node here refuses one that its registry lacks."""
        return False

    @property
    def connected(self) -> Mapping[PublicKey, object]:
        """Who is connected."""
        return {key: None for key in self._world.holders if self.is_connected(key)}

    def queue_bytes(self, peer: PublicKey) -> int:
        """What waits for a thin line; without one the network takes all at once."""
        lines, own = self._world.links.lines, self._member.number
        if lines is None:
            return 0
        return sum(lines.waiting_bytes((own, number)) for number in self._world.holders.get(peer, ()))

    def received_bytes(self, peer: PublicKey) -> int:
        """Of large messages on thin lines, which arrive in pieces."""
        lines, own = self._world.links.lines, self._member.number
        if lines is None:
            return 0
        return sum(lines.arrived_bytes((number, own)) for number in self._world.holders.get(peer, ()))

    def is_receiving(self, peer: PublicKey) -> bool:
        """Whether a large message is on its way over a thin line, and its first piece has come."""
        lines, own = self._world.links.lines, self._member.number
        return lines is not None and any(
            lines.is_arriving((number, own)) for number in self._world.holders.get(peer, ())
        )

    def clock_offsets(self) -> list[int]:
        """Not compared here."""
        return []

    def drop(self, peer: PublicKey, reason: str, ban_s: float = 1.0) -> None:
        """`peer` misbehaved: its connection breaks and it is refused for a while."""
        self.dropped[reason] += 1
        self._penalties.strike(peer, ban_s, self._world.loop.now_s)
        self._world.watch.dropped(self._member, peer, reason)
        self._part(peer)

    def _part(self, peer: PublicKey) -> None:
        for number in self._world.holders.get(peer, ()):
            self._world.links.cut(self._member.number, number)
