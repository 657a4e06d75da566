"""One simulated node: the runner's duties, done with a fake disk and network.

persist, then send, then apply; a crash may come before any effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.chain import GENESIS, build, content_fault, tip_of
from tests.simulation.checkers import SafetyViolation
from tests.simulation.disk import Disk

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
)
from notarium_consensus.engine import Engine, EngineConfig
from notarium_consensus.events import PeerAhead, PeerBehind
from notarium_consensus.inputs import (
    Advance,
    BlockBuilt,
    BlockChecked,
    DecisionReceived,
    Input,
    MessageReceived,
    PeerConnected,
    TimerExpired,
    WorkPending,
)
from notarium_consensus.messages import Message, decode_message, encode_message
from notarium_ledger.block import Decision
from notarium_ledger.signing import SigningKey
from notarium_ledger.types import Hash, Height, PublicKey

if TYPE_CHECKING:
    from tests.simulation.world import World

STATUS_MS = 2_000
"""How often a node tells its height to all."""
BLOCK_ENTRIES = 20
DECISIONS_A_REPLY = 50


class Crash(Exception):
    """The process dies here."""


class Node:
    """A validator, or (key not in the set) an observer."""

    def __init__(self, world: World, number: int, key: SigningKey, skew_ms: int) -> None:
        self.world = world
        self.number = number
        self.key = key
        self.skew_ms = skew_ms
        self.disk = Disk()
        self.mempool: dict[bytes, None] = {}
        self.engine: Engine | None = None
        self._followable: set[Hash] = set()
        """Blocks built or checked in this life and height: only of these does a runner know the resulting state."""
        self.life = 0
        """Counts starts, so that timers and answers of an earlier life do not reach a later one."""

    @property
    def height(self) -> Height:
        """Decided and stored."""
        return Height(len(self.disk.decisions))

    @property
    def public(self) -> PublicKey:
        """Its identity among peers."""
        return self.key.public

    # ---- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, or start again from what the disk has."""
        self.life += 1
        self._followable.clear()
        record, height = self.disk.latest_record()
        self.engine = Engine(self.world.engine_config(self), record, height)
        self._try(self._advance)
        self._later(self.world.random.randint(1, STATUS_MS), self._status)
        self.world.connected(self)

    def crash(self) -> None:
        """Lose memory and whatever the disk had not synced."""
        self.engine = None
        self.mempool.clear()
        self.disk.crash()

    def _try(self, action: object, *arguments: object) -> None:
        try:
            action(*arguments)  # type: ignore[operator]
        except Crash:
            self.crash()
            self.world.crashed(self)

    def _later(self, delay_ms: int, action: object, *arguments: object) -> None:
        life = self.life

        def run() -> None:
            if self.engine is not None and self.life == life:
                self._try(action, *arguments)

        self.world.schedule(delay_ms, run)

    # ---- from outside ------------------------------------------------------------------------------------------

    def submit(self, entry: bytes) -> None:
        """A client's or gossiped entry."""
        if self.engine is not None and entry not in self.world.checkers.entries:
            self.mempool[entry] = None
            self._try(self.feed, WorkPending())

    def connected(self, peer: Node) -> None:
        """A connection to `peer` stands."""
        if self.engine is not None:
            self._try(self.feed, PeerConnected(peer.public))

    def receive(self, packet: object, peer: Node) -> None:
        """A packet: encoded message, list of decisions, or a peer's height."""
        if self.engine is None:
            return
        if isinstance(packet, bytes):
            self._try(self.feed, MessageReceived(decode_message(packet), peer.public))
        elif isinstance(packet, list):
            for decision in packet:
                if self.engine is not None:
                    self._try(self.feed, DecisionReceived(decision, peer.public))
        elif isinstance(packet, int) and packet < self.height:
            self._send_decisions(peer, packet + 1)
        elif isinstance(packet, int) and packet > self.height:
            self.world.send(self, peer, int(self.height))

    # ---- the runner --------------------------------------------------------------------------------------------

    def feed(self, event: Input) -> None:
        """One step and its effects, in order."""
        if self.engine is None:
            return
        for effect in self.engine.step(event, self.world.now_ms + self.skew_ms):
            self.world.maybe_crash(self)
            self._perform(effect)

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, Persist):
            self.disk.write(effect.height, effect.key, effect.value)
            self.world.maybe_crash(self)
            self.disk.sync()
        elif isinstance(effect, Broadcast):
            for peer in self.world.nodes:
                if peer is not self:
                    self._send(peer, effect.message)
        elif isinstance(effect, Send):
            self._send(self.world.by_key[effect.peer], effect.message)
        elif isinstance(effect, SetTimer):
            delay_ms = max(0, effect.at_ms - self.world.now_ms - self.skew_ms)
            self._later(delay_ms, self.feed, TimerExpired(effect.timer))
        elif isinstance(effect, RequestBlock):
            self._later(self.world.random.randint(0, 5), self._build, effect)
        elif isinstance(effect, CheckBlock):
            fault = content_fault(tip_of(self.disk.decisions), effect.block)
            if fault is None:
                self._followable.add(effect.block.hash)
            answer = BlockChecked(effect.block.hash, fault is None, fault or "")
            self._later(self.world.random.randint(0, 5), self.feed, answer)
        elif isinstance(effect, Decide):
            self._decide(effect.decision)
        elif isinstance(effect, Report):
            self.world.checkers.reported(self.number, effect.event)
            if isinstance(effect.event, PeerBehind):
                self._send_decisions(self.world.by_key[effect.event.peer], effect.event.height)
            elif isinstance(effect.event, PeerAhead):
                self.world.send(self, self.world.by_key[effect.event.peer], int(self.height))

    def _send(self, peer: Node, message: Message) -> None:
        self.world.checkers.sent(self.number, message, self.disk)
        self.world.send(self, peer, encode_message(message))

    def _build(self, request: RequestBlock) -> None:
        entries = list(self.mempool)[:BLOCK_ENTRIES]
        block = None
        if entries and request.height == self.height + 1:
            time_ms = max(self.world.now_ms + self.skew_ms, request.earliest_time_ms)
            block = build(tip_of(self.disk.decisions), entries, time_ms, self.public, self.world.validators)
            self._followable.add(block.hash)
        self.feed(BlockBuilt(request.height, request.round, block))

    def _decide(self, decision: Decision) -> None:
        self.world.checkers.decided(self.number, decision)
        if decision.block.hash not in self._followable:
            raise SafetyViolation(f"node {self.number} decides a block that it has not checked since its start")
        self._followable.clear()
        self.disk.decide(decision)
        self.world.maybe_crash(self)
        for entry in decision.block.entries:
            self.mempool.pop(entry, None)
        self._later(0, self._advance)

    def _advance(self) -> None:
        tip = tip_of(self.disk.decisions)
        self.feed(
            Advance(
                Height(tip.height + 1),
                tip.hash,
                tip.time_ms,
                self.world.validators,
                precision_ms=500,
                message_delay_ms=2_000,
            )
        )
        if self.mempool:
            self.feed(WorkPending())

    def _status(self) -> None:
        for peer in self.world.nodes:
            if peer is not self:
                self.world.send(self, peer, int(self.height))
        self._later(STATUS_MS, self._status)

    def _send_decisions(self, peer: Node, height: int) -> None:
        decisions = self.disk.decisions[height - 1 : height - 1 + DECISIONS_A_REPLY]
        if decisions:
            self.world.send(self, peer, decisions)


def default_config(node: Node) -> EngineConfig:
    """Short times, so that a simulated minute holds many rounds."""
    return EngineConfig(GENESIS, node.key, base_timeout_ms=500, max_timeout_ms=8_000, resend_ms=500)
