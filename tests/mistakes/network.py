"""Real engines on a network that a test commands: nothing random, one clock, every message can be held back.

A node performs its effects as the runner does (record, then send, then apply), checks content by the toy ledger's
rules and keeps what it decided. Whoever has decided answers a hint (PeerBehind, PeerAhead) with decisions, and who gets
them checks certificate and content before it goes on, as in catch-up (node/notarium_node/replay.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable

from tests.consensus.harness import GENESIS, NOW_MS, PRECISION_MS
from tests.simulation.chain import Tip, build, content_fault, validator_keys, validator_set

from notarium_consensus.effects import (
    Broadcast,
    CheckBlock,
    Decide,
    Effect,
    Persist,
    Report,
    RequestBlock,
    Send,
    SetTimer,
    Timer,
)
from notarium_consensus.engine import Engine, EngineConfig
from notarium_consensus.events import Event, PeerAhead, PeerBehind
from notarium_consensus.inputs import (
    Advance,
    BlockBuilt,
    BlockChecked,
    Input,
    MessageReceived,
    PeerConnected,
    Reachable,
    TimerExpired,
    WorkPending,
)
from notarium_consensus.messages import Message, decode_message, encode_message
from notarium_consensus.signing import KeySigner
from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.errors import InvalidCertificate
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height

LATENCY_MS = 5
MAX_EVENTS = 200_000


class Net:
    """`size` validators, numbered in the order of their keys; validator (height + round) mod n proposes."""

    def __init__(self, size: int, delay_ms: int = 2_000, **config: int) -> None:
        self.keys = validator_keys(size)
        genesis_set = validator_set(self.keys)
        self.set_of: Callable[[int], ValidatorSet] = lambda height: genesis_set
        """The validator set of a height."""
        self.now_ms = NOW_MS
        self.delay_ms = delay_ms
        self.latency_ms = LATENCY_MS
        self.config = config
        self.drop: Callable[[int, int, Message], bool] = lambda sender, receiver, message: False
        """Whether a message from sender to receiver is lost."""
        self.silent: set[int] = set()
        """Nodes that neither send nor hear anything."""
        self.sent: list[tuple[int, Message]] = []
        """All that was ever handed to the network, once for each send."""
        self.reported: list[tuple[int, Event]] = []
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._sequence = 0
        self.nodes = [Member(self, number, key) for number, key in enumerate(self.keys)]

    def start(self) -> None:
        """All begin at height 1."""
        for node in self.nodes:
            node.advance()

    def work(self, entry: bytes = b"ok", at: Iterable[int] | None = None) -> None:
        """An entry waits at these nodes (all)."""
        for number in range(len(self.nodes)) if at is None else at:
            self.nodes[number].submit(entry)

    def later(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Run `action` after `delay_ms`."""
        self._sequence += 1
        heapq.heappush(self._queue, (self.now_ms + max(0, delay_ms), self._sequence, action))

    def run(self, duration_ms: int, until: Callable[[], bool] = lambda: False) -> bool:
        """Let time pass until it is over or `until` holds. Whether it held."""
        end_ms = self.now_ms + duration_ms
        for _ in range(MAX_EVENTS):
            if until():
                return True
            if not self._queue or self._queue[0][0] > end_ms:
                self.now_ms = end_ms
                return until()
            self.now_ms, _, action = heapq.heappop(self._queue)
            action()
        raise AssertionError(f"{MAX_EVENTS} events: a storm")

    def send(self, sender: int, receiver: int, message: Message) -> None:
        """Give a message to the network; also for liars."""
        self.sent.append((sender, message))
        if sender in self.silent or receiver in self.silent or self.drop(sender, receiver, message):
            return
        data, peer = encode_message(message), self.keys[sender].public

        def arrive() -> None:
            if receiver not in self.silent:
                self.nodes[receiver].feed(MessageReceived(decode_message(data), peer))

        self.later(self.latency_ms, arrive)

    def reconnect(self) -> None:
        """Connections between all come up."""
        for node in self.nodes:
            for peer in self.nodes:
                if peer is not node and not {peer.number, node.number} & self.silent:
                    node.feed(PeerConnected(peer.key.public))

    def connections(self, cut: Iterable[tuple[int, int]] = ()) -> None:
        """Every node sees who is connected with it: all that are not silent, except over the links `cut`."""
        lost = {frozenset(pair) for pair in cut}
        for node in self.nodes:
            others = (each for each in self.nodes if each is not node and each.number not in self.silent)
            there = [each for each in others if {each.number, node.number} not in lost]
            node.feed(Reachable(frozenset(each.key.public for each in there)))

    def hand_decisions(self, sender: int, receiver: int, first: int) -> None:
        """Catch-up: what `sender` has decided from height `first` on."""
        if {sender, receiver} & self.silent:
            return
        decisions = self.nodes[sender].decisions[first - 1 :]

        def arrive() -> None:
            for decision in decisions:
                self.nodes[receiver].take(decision)

        self.later(self.latency_ms, arrive)

    def heights(self, numbers: Iterable[int] | None = None) -> list[int]:
        """Blocks decided by these nodes (all)."""
        chosen = range(len(self.nodes)) if numbers is None else numbers
        return [len(self.nodes[number].decisions) for number in chosen]

    def agreed(self, height: int = 1) -> Hash | None:
        """The block that is decided at `height`, None if no block is decided there. Fails if there are two."""
        hashes = {node.decisions[height - 1].block.hash for node in self.nodes if len(node.decisions) >= height}
        assert len(hashes) <= 1, f"two blocks are decided at height {height}"
        return hashes.pop() if hashes else None


class Member:
    """One validator: an engine and what its runner would do."""

    def __init__(self, net: Net, number: int, key: SigningKey) -> None:
        self.net = net
        self.number = number
        self.key = key
        self.skew_ms = 0
        self.record: dict[bytes, bytes] = {}
        self.decisions: list[Decision] = []
        self.waiting: list[bytes] = []
        self.timers: dict[Timer, int] = {}
        self.engine = Engine(EngineConfig(GENESIS, KeySigner(key), **net.config), {}, None)

    @property
    def now_ms(self) -> int:
        """This node's clock."""
        return self.net.now_ms + self.skew_ms

    @property
    def tip(self) -> Tip:
        """What the next block builds on."""
        tip = Tip.genesis()
        for decision in self.decisions:
            tip = tip.after(decision.block)
        return tip

    def submit(self, entry: bytes) -> None:
        """An entry waits here."""
        self.waiting.append(entry)
        self.feed(WorkPending())

    def advance(self) -> None:
        """Work on the height after the last decided one, unless it does already."""
        tip = self.tip
        if self.engine.height > tip.height:
            return
        validators = self.net.set_of(tip.height + 1)
        self.record = {}
        self.feed(Advance(Height(tip.height + 1), tip.hash, tip.time_ms, validators, PRECISION_MS, self.net.delay_ms))
        if self.waiting:
            self.feed(WorkPending())

    def take(self, decision: Decision) -> None:
        """A block that others decided: if it comes next, with a valid certificate and content, go on after it."""
        tip, block = self.tip, decision.block
        if (decision.height, block.header.parent) != (tip.height + 1, tip.hash) or content_fault(tip, block):
            return
        try:
            decision.certificate.verify(GENESIS, self.net.set_of(decision.height), decision.height, block.hash)
        except InvalidCertificate:
            return
        self._keep(decision)
        self.advance()

    def expire(self, timer: Timer) -> None:
        """A timer that the engine set."""
        self.timers.pop(timer, None)
        self.feed(TimerExpired(timer))

    def feed(self, event: Input) -> None:
        """One step and its effects, in order."""
        for effect in self.engine.step(event, self.now_ms):
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        net = self.net
        if isinstance(effect, Persist):
            self.record[effect.key] = effect.value
        elif isinstance(effect, Broadcast):
            for peer in net.nodes:
                if peer is not self:
                    net.send(self.number, peer.number, effect.message)
        elif isinstance(effect, Send):
            receiver = next(node.number for node in net.nodes if node.key.public == effect.peer)
            net.send(self.number, receiver, effect.message)
        elif isinstance(effect, SetTimer):
            self._set_timer(effect.timer, effect.at_ms)
        elif isinstance(effect, RequestBlock):
            net.later(0, lambda: self._build(effect))
        elif isinstance(effect, CheckBlock):
            fault = content_fault(self.tip, effect.block)
            answer = BlockChecked(effect.block.hash, fault is None, fault or "")
            net.later(0, lambda: self.feed(answer))
        elif isinstance(effect, Decide):
            self._decide(effect.decision)
        elif isinstance(effect, Report):
            self._hear(effect.event)

    def _set_timer(self, timer: Timer, at_ms: int) -> None:
        self.timers[timer] = at_ms

        def run() -> None:
            if self.timers.get(timer) == at_ms:
                self.expire(timer)

        self.net.later(at_ms - self.now_ms, run)

    def _build(self, request: RequestBlock) -> None:
        block = None
        tip = self.tip
        if self.waiting and request.height == tip.height + 1:
            time_ms = max(self.now_ms, request.earliest_time_ms)
            block = build(tip, self.waiting, time_ms, self.key.public, self.net.set_of(request.height))
        self.feed(BlockBuilt(request.height, request.round, block))

    def _decide(self, decision: Decision) -> None:
        self._keep(decision)
        self.net.later(0, self.advance)

    def _keep(self, decision: Decision) -> None:
        self.decisions.append(decision)
        self.waiting = [entry for entry in self.waiting if entry not in decision.block.entries]
        self.timers.clear()

    def _hear(self, event: Event) -> None:
        net = self.net
        net.reported.append((self.number, event))
        if isinstance(event, PeerBehind | PeerAhead):
            peer = next(node.number for node in net.nodes if node.key.public == event.peer)
            if isinstance(event, PeerBehind):
                net.hand_decisions(self.number, peer, event.height)
            else:
                net.hand_decisions(peer, self.number, len(self.decisions) + 1)
