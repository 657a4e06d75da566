"""What the oracles hear: all that honest nodes write, send, answer and complain of passes here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tests.simulation.holdings import messages_held, most_blocks, most_messages, most_own_messages
from tests.simulation.oracles import Oracles, SafetyViolation
from tests.simulation.oracles.authority import Rights
from tests.simulation.signatures import verifier

from notarium_consensus.events import (
    EquivocationDetected,
    Event,
    OwnSignatureSeen,
    ProposalRejected,
    ProtocolViolation,
    RoundStarted,
)
from notarium_consensus.phase import Phase
from notarium_ledger.blocks.statements import Vote
from notarium_ledger.types import Hash, PublicKey
from notarium_node.node import Node
from notarium_node.peers.wire import Kind
from notarium_node.routing import peers as routing
from notarium_store import keys

if TYPE_CHECKING:
    from tests.simulation.leveldb import Item
    from tests.simulation.member import Member
    from tests.simulation.world import World

ROUNDS_KEPT = 2
SETTLED_S = 30.0
"""So long after the last fault what was late has arrived: a network without lines and costs is good then."""
NO_ACCUSATION = frozenset(("catch-up",))
"""Reasons for a drop that say no more than "too slow"."""


class Watch:
    """The oracles of one run, and what they do not see: whom nodes accuse, and what they count."""

    def __init__(self, world: World) -> None:
        self._world = world
        genesis = world.genesis
        self._verify = verifier()
        self._oracles = Oracles(
            genesis.hash,
            [(each.member, each.key) for each in genesis.registry.validators.validators],
            genesis.created_ms,
            node_keys={},
            verify=self._verify,
            max_delay_ms=10_000,
            genesis_state_root=genesis.registry.hash,
            messages_limit=most_messages(len(genesis.registry.validators)),
            liveness_ms=60_000,
            hears_all=True,
            rights=Rights.of_records(dict(genesis.registry.records())),
        )
        self.acknowledged: dict[Hash, bytes] = {}
        self._honest_keys: set[PublicKey] = set()
        self._votes: dict[tuple[object, ...], Hash] = {}
        self._convicted: set[tuple[object, ...]] = set()
        self.sends = 0
        self.highest_round = 0

    @property
    def height(self) -> int:
        """How far the furthest honest node is."""
        return self._oracles.height

    # ---- what the simulator arranges -----------------------------------------------------------------------------

    def joined(self, member: Member) -> None:
        """A member of the cast."""
        if member.is_honest:
            self._honest_keys.add(member.public)
            self._oracles.knows_key(member.number, member.public)

    def knows_set(self, validators: Sequence[tuple[str, bytes]]) -> None:
        """Validators that a vote may bring."""
        self._oracles.knows_set(validators)

    def submitted(self, raw: bytes) -> None:
        """Some client has made an entry."""
        self._oracles.submitted(raw, self._world.clocks_ms()[0], self._world.now_ms)

    def has_room(self, raw: bytes) -> bool:
        """Whether the day of an entry's member holds it, on top of what is decided."""
        return self._oracles.has_room(raw, self._world.now_ms)

    def allow(self, liveness_s: float) -> None:
        """So long after the last fault the ledger may take to go on."""
        self._oracles.liveness_ms = int(1000 * liveness_s)

    # ---- what nodes do -------------------------------------------------------------------------------------------

    def wrote(self, member: Member, puts: Sequence[Item], deleted: Sequence[bytes]) -> None:
        """A batch is durable. At a liar, too: a certificate that it has is true, and others may take its snapshot."""
        world = self._world
        self._judge(self._oracles.wrote, member.number, puts, deleted, world.clocks_ms(), world.now_ms)
        if member.node is not None and any(key[:1] == keys.HEADER for key, _ in puts):
            self.memory(member, member.node)  # it holds all that came of the height that it decides

    def rolled_back(self, member: Member) -> None:
        """A disk was replaced, as its node or its operator knows: that excuses nothing (docs/threat-model.md)."""
        if member.is_honest:
            self._judge(self._oracles.rolled_back, member.number, dict(member.disk.data), True)

    def sent(self, member: Member, data: bytes) -> None:
        """A message is handed to the network."""
        self.sends += 1
        if member.is_honest:
            self._judge(self._oracles.sent, member.number, data)
            if data[0] == Kind.CONSENSUS and not member.is_doomed:
                member.is_forgetful = False
        else:
            self._judge(self._oracles.overheard, data)

    def delivered(self, member: Member, data: bytes) -> None:
        """An honest node has dealt with a message: of two votes for two blocks in its present round it must speak."""
        node = member.node
        if data[0] != Kind.CONSENSUS or node is None or not member.is_honest or node.driver.stalled:
            return
        message = routing.decode_message(data[1:])  # type: ignore[attr-defined]  # the shared one
        engine = node.engine
        if not isinstance(message, Vote) or message.key in self._honest_keys:
            return
        if (message.height, message.round) != (engine.height, engine.round) or engine.phase is Phase.DECIDED:
            return
        validators = node.store.state.registry.validators
        if message.key not in validators or not self._verify(
            message.key, message.statement.signed_bytes(self._world.genesis.hash, validators.hash), message.signature
        ):
            return
        slot = (member.life, message.key, message.height, message.kind)
        first = self._votes.setdefault((*slot, message.round), message.block_hash)
        if first != message.block_hash and slot not in self._convicted:
            self._world.fail(
                SafetyViolation(f"equivocation: node {member.number} keeps silent about two votes: {message}")
            )

    def memory(self, member: Member, node: Node) -> None:
        """No signer may occupy more than the current and the highest round's message of a kind (design, Agreement)."""
        instance = node.engine._instance
        if instance is None or not member.is_honest:
            return
        counts, blocks = messages_held(node.engine)
        size = len(node.store.state.registry.validators)
        own, most = counts.pop(member.public, 0), most_blocks(size)
        for key, count in counts.items():
            self._judge(self._oracles.memory, member.number, key.hex()[:8], count)
        if own > most_own_messages(size) or len(blocks) > most:
            self._world.fail(
                SafetyViolation(
                    f"memory: node {member.number} holds {own} messages of its own and {len(blocks)} blocks; "
                    f"{most_own_messages(size)} and {most} are allowed"
                )
            )
        kept = instance.inbox
        for keeper in (kept.proposals, kept.prepares, kept.commits, kept.round_changes):
            for key, held in keeper._by_signer.items():
                if len(held) > ROUNDS_KEPT:
                    self._world.fail(
                        SafetyViolation(f"memory: node {member.number} keeps {len(held)} rounds of {key!r}")
                    )

    def receipt(self, member: Member, id_: Hash, receipt: bytes) -> None:
        """A client hears that its entry is decided."""
        too_many_lost = self._world.faulty > self._world.tolerated
        self._judge(self._oracles.acknowledged, member.number, id_, receipt, too_many_lost=too_many_lost)
        self.acknowledged[id_] = receipt

    def dropped(self, member: Member, peer: PublicKey, reason: str) -> None:
        """`member` breaks with `peer` for what it did."""
        self._world.coverage[f"dropped for {reason}"] += 1
        if reason not in NO_ACCUSATION:
            self._accused(member, peer, reason)

    def reported(self, member: Member, event: Event) -> None:
        """The engine of `member` says something."""
        world = self._world
        world.coverage[f"event: {type(event).__name__}"] += 1
        if isinstance(event, RoundStarted):
            world.coverage[f"round: {_reason(event)}"] += 1
            self.highest_round = max(self.highest_round, event.round)
        elif isinstance(event, EquivocationDetected):
            equivocation = event.equivocation
            self._convicted.add((member.life, equivocation.key, equivocation.height, equivocation.kind))
            self._accused(member, equivocation.key, "equivocation")
        elif isinstance(event, ProtocolViolation):
            self._accused(member, event.peer, event.reason)
        elif isinstance(event, ProposalRejected) and self._is_blame(member, event):
            self._accused(member, event.proposer, event.reason)
        elif isinstance(event, OwnSignatureSeen) and member.is_honest and not member.losses:
            self._world.fail(
                SafetyViolation(f"false report: node {member.number} finds a signature of its own that it forgot")
            )

    def _is_blame(self, member: Member, event: ProposalRejected) -> bool:
        """Whether the rejection says that the proposer did wrong, and not the network, or a clock among the f.

        Content is the proposer's own. So is a time ahead of an honest clock, whatever the parent's time was: it has to
        wait (docs/consensus.md, "Time"). An old time may be the doing of a network in trouble, of a thin line, or of
        machines that are busy.
        """
        world = self._world
        if event.reason.startswith("content"):
            return True
        proposers = [world.members[number] for number in world.holders.get(event.proposer, ())]
        if not member.is_clock_trusted or not all(each.is_clock_trusted for each in proposers):
            return False
        if "ahead" in event.reason:
            return True
        is_slow = world.is_troubled or world.links.lines is not None or world.costs is not None
        return not is_slow and world.loop.now_s > world.peace_s + SETTLED_S

    def _accused(self, member: Member, peer: PublicKey, reason: str) -> None:
        if not member.is_honest:
            return
        holders = [self._world.members[number] for number in self._world.holders.get(peer, ())]
        is_honest = all(holder.is_honest for holder in holders)
        self._world.note("accuses", member.number, f"{[h.number for h in holders]} of {reason}")
        self._judge(self._oracles.accused, member.number, peer, is_honest)

    def counted(self, member: Member, node: Node) -> None:
        """A process ends: nothing in it may have failed silently, nor grown."""
        self.memory(member, node)
        if member.is_honest and node.event_counts["failed_task"]:
            self._world.fail(SafetyViolation(f"defect: a task of node {member.number} failed"))

    def finish(self, ended_ms: int, pending: Sequence[Hash]) -> None:
        """The end: compare the logs of all."""
        world = self._world
        logs, may_lack = {}, {}
        for member in world.honest:
            if member.node is not None:
                self.counted(member, member.node)
                logs[member.number] = member.decisions()
                if not member.is_in_registry:
                    may_lack[member.number] = member.lacks()
        self._oracles.finish(logs, ended_ms, world.now_ms, pending, may_lack)

    def _judge(self, oracle: Callable[..., object], *arguments: object, **named: object) -> None:
        try:
            oracle(*arguments, **named)
        except Exception as error:  # also an oracle's own: the product, which calls, must not get it and live on
            self._world.fail(error)


def _reason(event: RoundStarted) -> str:
    return event.reason if event.round == 0 or not event.reason[:1].isdigit() else "f+1 were ahead"
