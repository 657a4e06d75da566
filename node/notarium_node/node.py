"""One institution's node: its parts put together, and how it is doing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import structlog

from notarium_consensus.config import EngineConfig
from notarium_consensus.engine import Engine
from notarium_consensus.errors import InvalidMessage, LaterVersion
from notarium_consensus.events import (
    EquivocationDetected,
    Event,
    OwnSignatureSeen,
    PeerAhead,
    PeerBehind,
    ProposalRejected,
    ProtocolViolation,
    RoundStarted,
)
from notarium_consensus.inputs import MessageReceived, PeerConnected
from notarium_consensus.messages import decode_message
from notarium_consensus.signing import KeySigner
from notarium_ledger.blocks.block import Decision
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import NodeRecord
from notarium_ledger.types import Height, PublicKey
from notarium_node.catchup.serving import CatchUpServer
from notarium_node.catchup.sync import Sync, SyncSettings
from notarium_node.driving.block_work import BlockTarget, BlockWork
from notarium_node.driving.chain import Chain
from notarium_node.driving.driver import Driver, wall_ms
from notarium_node.entries.admission import Admission, AdmissionStatus
from notarium_node.entries.gossip import Gossip
from notarium_node.entries.mempool import Mempool, MempoolFull
from notarium_node.entries.verifier import Verifier
from notarium_node.entries.waiters import Waiters
from notarium_node.equivocation.collection import Equivocations
from notarium_node.health.condition import Condition
from notarium_node.health.metrics import Metrics
from notarium_node.identity.recall import Recall
from notarium_node.peers import wire
from notarium_node.peers.limits import PeerLimits
from notarium_node.peers.network import DropReason, PeerNetwork
from notarium_node.refusals import Refusal, RefusalKind
from notarium_store.store import Store

_log = structlog.get_logger("notarium.node")

EVENTS = (
    *(each.__name__ for each in get_args(Event)),
    "misbehaviour",
    "later_version",
    "gossip_refused_full",
    "failed_task",
)
"""What a node counts for its metrics: reports of the consensus engine, and its own."""

STATUS_S = 0.5
"""How often peers are told our height, if it changed."""
STATUS_AGAIN_S = 5.0
"""And in any case: what was sent may have been dropped, and some do not vote before they have heard it."""
MAX_BLOCK_BYTES = 20 * 1024 * 1024
"""The largest block that any parameters allow, encoded."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What a node is made with."""

    listen: tuple[str, int]
    """Peer socket: host and port."""
    peer_limits: PeerLimits
    base_timeout_ms: int
    max_timeout_ms: int
    resend_ms: int
    vote_from: int
    """Nothing is signed below this height."""
    block_entries: int
    """What this node puts into a block at most, within what the consortium allows."""
    block_bytes: int
    mempool_entries: int
    mempool_bytes: int
    verify_workers: int
    """Threads for the signatures of new entries; 0: none, in slices in the event loop."""
    catch_up_workers: int = 0
    """Likewise for blocks and certificates that are fetched."""
    sync: SyncSettings = field(default_factory=SyncSettings)
    is_new: bool = False
    """This is the first start ever with this key: it has signed nothing."""


class Node:
    """Made with an open store; `start` connects it, `stop` ends it."""

    def __init__(
        self,
        genesis: Genesis,
        store: Store,
        own: NodeRecord,
        key: SigningKey,
        transport_seed: bytes,
        settings: NodeSettings,
        *,
        clock: Callable[[], int] = wall_ms,
        make_network: Callable[..., PeerNetwork] = PeerNetwork,
    ) -> None:
        """`clock` and `make_network` are this machine's, but for the simulator."""
        self.genesis = genesis
        self.store = store
        self.own = own
        self.mempool = Mempool(settings.mempool_entries, settings.mempool_bytes)
        self.waiters = Waiters()
        self.verifier = Verifier(settings.verify_workers)
        self.admission = Admission(lambda: store.state, store.is_decided, self.mempool, self.verifier, self._on_fresh)
        voting = own.role == "validator"
        self.recall = Recall(key.public if voting else None, store, settings.is_new, Height(settings.vote_from))
        self.engine = Engine(
            EngineConfig(
                genesis=genesis.hash,
                signer=KeySigner(key) if voting else None,
                base_timeout_ms=settings.base_timeout_ms,
                max_timeout_ms=settings.max_timeout_ms,
                resend_ms=settings.resend_ms,
                max_block_bytes=MAX_BLOCK_BYTES,
            ),
            self.recall.record,
            self.recall.record_height,
        )
        self.network = make_network(
            own,
            genesis.hash,
            transport_seed,
            settings.listen,
            store.state.registry.nodes,
            on_message=self._on_message,
            on_connect=self._on_connect,
            on_disconnect=self._on_disconnect,
            limits=settings.peer_limits,
        )
        self.gossip = Gossip(self.network, lambda: [each.key for each in self._validators()])
        target = BlockTarget(settings.block_entries, settings.block_bytes)
        self.chain = Chain(store, self.mempool, self.waiters, self.network, self._on_decided)
        self.driver = Driver(
            self.engine,
            store,
            self.recall,
            chain=self.chain,
            block_work=BlockWork(own.key, store, self.mempool, self.admission, self.waiters, target),
            mempool=self.mempool,
            network=self.network,
            gossip=self.gossip,
            on_event=self._on_event,
            clock=clock,
        )
        self.catch_up_verifier = Verifier(settings.catch_up_workers)
        self.sync = Sync(
            own.key, self.network, store, self.driver, self.mempool, self.catch_up_verifier, not voting, settings.sync
        )
        self.server = CatchUpServer(
            store, self.network, self._begin, lambda peer, detail: self._misbehaved(peer, "flood", detail)
        )
        self.equivocations = Equivocations(store, self.network, own.key, self._misbehaved, self._of_later_version)
        self.metrics = Metrics(self)
        self.condition = Condition(self)
        self.event_counts: Counter[str] = Counter(dict.fromkeys(EVENTS, 0))
        """Totals for metrics. What never happened yet is there with 0: rates begin at the first."""
        self._later_told: set[PublicKey] = set()
        self._followers: set[PublicKey] = set()
        self._status_timer: asyncio.TimerHandle | None = None
        self._told: wire.HeightStatus | None = None
        self._tell_again_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self.started = 0.0
        """On the monotonic clock; 0 before the start."""

    # Life

    async def start(self) -> None:
        """Listen for peers, dial them, take up consensus. Raises OSError where the port is taken."""
        await self.network.start()
        self.started = time.monotonic()
        self.driver.start()
        self.sync.start()
        self._tell_status()

    async def stop(self) -> None:
        """End in order. Nothing that was acknowledged is in memory only, so there is nothing to save."""
        self.driver.stop()
        self.sync.stop()
        if self._status_timer:
            self._status_timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.network.stop()
        self.verifier.close()
        self.catch_up_verifier.close()

    # Entries

    def refusal(self) -> Refusal | None:
        """Why no entry can be taken now, or None."""
        if self.own.role == "observer":
            nodes = self.store.state.registry.nodes.values()
            return Refusal(
                RefusalKind.READ_ONLY,
                "this node is an observer and takes no entries",
                remedy="Submit the entry to a validator.",
                validators=tuple(sorted(each.api for each in nodes if each.role == "validator" and each.api)),
            )
        if not self.store.is_complete:
            return self.incomplete("this node cannot decide yet whether an entry is in the log already")
        if self.driver.stalled:
            return Refusal(
                RefusalKind.BUSY, self.driver.stalled, remedy="Submit the entry to another node.", retry_after_s=10
            )
        return None

    def incomplete(self, detail: str) -> Refusal:
        """The answer to a request that needs blocks which this node is still fetching."""
        history, base = self.store.history.height, self.store.base or 0
        others = {
            each.api for each in self.store.state.registry.nodes.values() if each.api and each.key != self.own.key
        }
        return Refusal(
            RefusalKind.HISTORY_INCOMPLETE,
            detail,
            remedy="Ask another node, or ask this one again later.",
            retry_after_s=10,
            others=tuple(sorted(others)),
            progress={**self.sync.history_progress.figures(), "height": history, "target": base},
        )

    def _on_fresh(self, entries: Sequence[Entry]) -> None:
        self.gossip.add(entries)
        self.driver.work_pending()

    # Peers

    def _on_connect(self, peer: PublicKey) -> None:
        self.network.send(peer, self._status_message())
        self.equivocations.greet(peer)
        if peer in self.store.state.registry.validators:
            self.gossip.send_all(peer, self.mempool.oldest(wire.MAX_GOSSIP_ENTRIES))
            self.sync.on_connect(peer)
        self.driver.feed(PeerConnected(peer))

    def _on_disconnect(self, peer: PublicKey) -> None:
        self._followers.discard(peer)
        self.server.on_disconnect(peer)
        self._later_told.discard(peer)
        self.equivocations.forget(peer)
        self.sync.on_disconnect(peer)

    def _on_message(self, peer: PublicKey, data: bytes) -> None:
        """One message of an authenticated peer. Whatever it is, the node lives on."""
        try:
            if wire.is_of_later_version(data):
                self._of_later_version(peer, f"message of kind {data[0]}")
            else:
                self._dispatch(peer, data)
        except LaterVersion as error:
            self._of_later_version(peer, str(error))
        except (wire.BadMessage, InvalidMessage) as error:
            self._misbehaved(peer, "garbage", str(error))

    def _of_later_version(self, peer: PublicKey, detail: str) -> None:
        """No lie: while nodes are upgraded one by one, the new ones say what the old ones do not know."""
        self.event_counts["later_version"] += 1
        if peer not in self._later_told:
            self._later_told.add(peer)
            _log.warning(
                "a peer speaks a later version, what is unknown here is ignored",
                **self._name(peer),
                detail=detail,
                remedy="upgrade this node as well",
            )

    def _dispatch(self, peer: PublicKey, data: bytes) -> None:
        kind, payload = data[:1], data[1:]
        if kind == bytes((wire.Kind.CONSENSUS,)):
            self.driver.feed(MessageReceived(decode_message(payload), peer))
        elif kind == bytes((wire.Kind.ENTRIES,)):
            self._on_entries(peer, wire.unpack_list(payload, wire.MAX_GOSSIP_ENTRIES))
        elif kind == bytes((wire.Kind.STATUS,)):
            self.sync.on_status(peer, wire.unpack_status(payload))
        elif kind == bytes((wire.Kind.GET_BLOCKS,)):
            self.server.on_get_blocks(peer, *wire.unpack_get_blocks(payload))
        elif kind == bytes((wire.Kind.BLOCKS,)):
            self.sync.on_blocks(peer, wire.unpack_list(payload, wire.MAX_BLOCKS))
        elif kind == bytes((wire.Kind.FOLLOW,)) and not payload:
            self._followers.add(peer)
        elif kind == bytes((wire.Kind.EQUIVOCATIONS,)):
            self.equivocations.hear(peer, wire.unpack_list(payload, wire.MAX_EQUIVOCATIONS))
        elif kind == bytes((wire.Kind.GET_SNAPSHOT,)):
            self.server.on_get_snapshot(peer, *wire.unpack_get_snapshot(payload))
        elif kind == bytes((wire.Kind.SNAPSHOT,)):
            self.sync.on_snapshot(peer, wire.unpack_snapshot(payload))
        else:
            raise wire.BadMessage("unknown kind of message")

    def _on_entries(self, peer: PublicKey, raws: list[bytes]) -> None:
        if self.own.role != "validator" or not self.store.is_complete:
            return  # It would not know which of them are decided.
        self._begin(self._admit_gossip(peer, raws))

    async def _admit_gossip(self, peer: PublicKey, raws: list[bytes]) -> None:
        try:
            outcomes = await self.admission.admit(raws)
        except MempoolFull:
            # The peer keeps them and proposes them when its turn comes.
            self.event_counts["gossip_refused_full"] += 1
            return
        bad = next((each for each in outcomes if each.status is AdmissionStatus.REFUSED and each.malicious), None)
        if bad is not None:
            self._misbehaved(peer, "invalid entry", str(bad.error))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.event_counts["failed_task"] += 1
            _log.error("serving a peer failed", exc_info=error)

    def _misbehaved(self, peer: PublicKey, kind: DropReason, detail: str) -> None:
        self.event_counts["misbehaviour"] += 1
        _log.warning("a peer misbehaved", **self._name(peer), kind=kind, detail=detail)
        self.network.drop(peer, kind)

    # Consensus

    def _on_event(self, event: Event) -> None:
        self.event_counts[type(event).__name__] += 1
        match event:
            case ProtocolViolation():
                self._misbehaved(event.peer, "protocol violation", event.reason)
            case PeerBehind():
                self.network.send(event.peer, self._status_message())
            case PeerAhead():
                self.sync.on_hint(event.peer, event.height)
            case EquivocationDetected():
                self.equivocations.detect(event.equivocation)
            case OwnSignatureSeen() if self.event_counts["OwnSignatureSeen"] == 1:
                # Once: a validator that lost its disk finds its own seal in most blocks that it fetches.
                _log.error(
                    "another process or an earlier state of this disk signed with our key; not voting up to its height",
                    height=event.height,
                    remedy="make sure that the key is used by one node only",
                )
            case ProposalRejected():
                _log.warning(
                    "proposal rejected",
                    height=event.height,
                    round=event.round,
                    reason=event.reason,
                    **self._name(event.proposer),
                )
            case RoundStarted():
                if event.round > 0:
                    _log.warning("new round", height=event.height, round=event.round, reason=event.reason)

    def _on_decided(self, decision: Decision, transition: Transition) -> None:
        if self._followers:
            data = self.store.decision_bytes(decision.height)
            if data is not None:
                self.network.broadcast(wire.pack_list(wire.Kind.BLOCKS, [data]), self._followers)
        _log.debug("decided", height=decision.height, entries=len(transition.entries), round=decision.certificate.round)
        self.sync.poke()

    # Status

    def _tell_status(self) -> None:
        self._status_timer = asyncio.get_running_loop().call_later(STATUS_S, self._tell_status)
        status, now = self._status(), asyncio.get_running_loop().time()
        if status != self._told or now >= self._tell_again_at:
            self._told, self._tell_again_at = status, now + STATUS_AGAIN_S
            self.network.broadcast(wire.pack_status(status), list(self.store.state.registry.nodes))
        self.sync.poke()
        self.driver.review(self.sync.is_caught_up())
        if not self.driver.stalled:
            self.equivocations.look_again()
        self.condition.log_changes()

    def _status(self) -> wire.HeightStatus:
        state, history = self.store.state, self.store.history.height
        return wire.HeightStatus(state.height, state.tip, history, self.store.base or history)

    def _status_message(self) -> bytes:
        return wire.pack_status(self._status())

    def _validators(self) -> Sequence[Any]:
        return self.store.state.registry.validators.validators

    def _name(self, key: PublicKey) -> dict[str, str]:
        record = self.store.state.registry.nodes.get(key)
        return {"member": record.member if record else "unknown", "key": key.hex()[:16]}
