"""One institution's node: its parts, how they are connected, and its life from start to stop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from notarium_consensus.engine import Engine
from notarium_ledger.blocks.block import Decision
from notarium_ledger.entries.entry import Entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import NodeRecord, Registry
from notarium_ledger.types import Height
from notarium_node.catchup.announcing import HeightAnnouncer
from notarium_node.catchup.followers import Followers
from notarium_node.catchup.recalling import MemoryAnswerer, MemoryAsker
from notarium_node.catchup.serving import CatchUpServer
from notarium_node.catchup.sync import Sync
from notarium_node.driving.block_work import BlockWork
from notarium_node.driving.chain import Chain
from notarium_node.driving.driver import GOSSIP_AGAIN, GOSSIP_AGAIN_BYTES, Driver
from notarium_node.entries.admission import Admission, Source
from notarium_node.entries.gossip import Gossip
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.receiving import GossipReceiver
from notarium_node.entries.verifier import Verifier
from notarium_node.entries.waiters import Waiters
from notarium_node.equivocation.collection import Equivocations
from notarium_node.health.api_answers import ApiAnswers
from notarium_node.health.arrivals import Arrivals
from notarium_node.health.condition import Condition
from notarium_node.health.events import new_event_counts
from notarium_node.health.histogram import Histogram
from notarium_node.health.metrics import Metrics
from notarium_node.health.registry_log import RegistryLog
from notarium_node.health.write_times import WriteTimes
from notarium_node.http.pace import Ending
from notarium_node.identity.recall import Recall
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork, wall_ms
from notarium_node.peers.tasks import PeerTasks
from notarium_node.refusals import Refusal, RefusalKind
from notarium_node.routing.peers import PeerRouter
from notarium_node.routing.reports import ReportRouter
from notarium_node.settings import NodeSettings
from notarium_store.store import Store

_log = structlog.get_logger("notarium.node")

TICK_S = 0.5
"""How often the node looks at what makes no event: its peers are sent a changed height, pending work is tried again."""
LATE_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Bounds of the histogram of how late that was."""
PASS_ON_S = 10.0
"""A node that cannot propose sends the oldest entries that wait there again after this time."""


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
        timer: Callable[[], float] = time.perf_counter,
        make_network: Callable[..., PeerNetwork] = PeerNetwork,
    ) -> None:
        """`clock`, `timer` and `make_network` are those of this machine; the simulator has its own."""
        self.genesis = genesis
        self.store = store
        self._own = own
        self._role = own.role
        self.clock = clock
        self.round_lengths_ms = settings.base_timeout_ms, settings.max_timeout_ms
        self.write_times = WriteTimes(timer)
        store.time_writes(self.write_times.timed)
        self.event_counts = new_event_counts()
        self.api_answers = ApiAnswers()
        self.api_certificate_expires_ms = settings.api_certificate_expires_ms
        self.api_endings: Counter[Ending] = Counter(dict.fromkeys(Ending, 0))
        self.started = 0.0  # On the monotonic clock; 0 before the start.
        self._ticker: asyncio.TimerHandle | None = None
        self.loop_late = Histogram(LATE_S)
        """How late the event loop called `_tick`: all else was as late then, votes too."""
        self._passed_on_s: float | None = None
        self._make_entries(settings, timer)
        self._make_engine(key, settings)
        self.network = make_network(
            own,
            genesis.hash,
            transport_seed,
            settings.listen,
            store.state.registry.nodes,
            on_message=lambda peer, data: self._peers.hear(peer, data),
            on_connect=lambda peer: self._peers.connected(peer),
            on_disconnect=lambda peer: self._peers.disconnected(peer),
            limits=settings.peer_limits,
        )
        self._make_peers()
        self._make_driver(settings)
        self._make_catch_up(settings)
        self._make_recalling(clock)
        self.condition = Condition(self, lambda: asyncio.get_running_loop().time())
        self.metrics = Metrics(self, self.condition)
        self._registry_log = RegistryLog(store.state)
        self._make_routes()

    def _make_entries(self, settings: NodeSettings, timer: Callable[[], float]) -> None:
        """What entries pass on their way to a block."""
        store = self.store
        self.mempool = Mempool(settings.mempool_entries, settings.mempool_bytes)
        self.arrivals = Arrivals(timer, self.mempool, lambda: len(self.mempool))
        self.waiters = Waiters()
        self.verifier = Verifier(settings.verify_workers)
        self.admission = Admission(
            lambda: store.state, store.is_decided, self.mempool, self.verifier, self._on_fresh, self.clock
        )

    def _make_engine(self, key: SigningKey, settings: NodeSettings) -> None:
        """Consensus, and the memory of what this node has signed."""
        by_hand = None if settings.vote_from is None else Height(settings.vote_from)
        # An observer, too: it may be voted in. Whether it votes is a matter of the validator set.
        self.recall = Recall(key.public, self.store, settings.is_new, by_hand, settings.vote_from_noted)
        config = settings.engine_config(self.genesis.hash, key)
        self.engine = Engine(config, self.recall.record, self.recall.record_height)

    def _make_peers(self) -> None:
        """What is exchanged with peers besides consensus and blocks."""
        self.conduct = Conduct(self.network, self._registry, self.event_counts)
        self.tasks = PeerTasks(self.event_counts)
        self.gossip = Gossip(self.network, lambda: [each.key for each in self._registry().validators.validators])
        self.gossip_receiver = GossipReceiver(
            lambda: self.is_validator,
            self.store,
            self.admission,
            conduct=self.conduct,
            tasks=self.tasks,
            counts=self.event_counts,
            is_caught_up=lambda: self.sync.is_caught_up(),
        )
        self.equivocations = Equivocations(self.store, self.network, self.own.key, self.conduct)

    def _make_driver(self, settings: NodeSettings) -> None:
        """What performs the effects of consensus and stores the decisions."""
        store, mempool, waiters = self.store, self.mempool, self.waiters
        self.chain = Chain(store, mempool, waiters, self.network, self._on_decided)
        self.driver = Driver(
            self.engine,
            store,
            self.recall,
            chain=self.chain,
            block_work=BlockWork(self.own.key, store, mempool, self.admission, waiters, settings.block_target),
            mempool=mempool,
            network=self.network,
            gossip=self.gossip,
            on_event=lambda event: self._reports.hear(event),
            clock=self.clock,
        )

    def _make_catch_up(self, settings: NodeSettings) -> None:
        """The fetching of missing blocks, and the serving of peers that lack some."""
        self.catch_up_verifier = Verifier(settings.catch_up_workers)
        self.sync = Sync(
            self.own.key,
            network=self.network,
            store=self.store,
            driver=self.driver,
            mempool=self.mempool,
            verifier=self.catch_up_verifier,
            follows=lambda: not self.is_validator,
            settings=settings.sync,
        )
        self.catch_up_server = CatchUpServer(self.store, self.network, self.tasks, self.conduct)
        self.followers = Followers(self.store, self.network)
        self.announcer = HeightAnnouncer(self.store, self.network, lambda: self.condition.ability())

    def _make_recalling(self, clock: Callable[[], int]) -> None:
        """What is asked of the others where this node has forgotten, and what it answers them."""
        self.memory_answerer = MemoryAnswerer(self.network, self.store, self.recall, self.engine)
        self.memory_asker = MemoryAsker(
            self.own.key,
            network=self.network,
            store=self.store,
            recall=self.recall,
            driver=self.driver,
            conduct=self.conduct,
            is_caught_up=self.sync.is_caught_up,
            clock=clock,
        )

    def _make_routes(self) -> None:
        """Which part deals with a message of a peer, and with a report of the engine."""
        self._peers: PeerRouter = PeerRouter(
            self.store,
            driver=self.driver,
            entries=self.gossip_receiver,
            sync=self.sync,
            catch_up_server=self.catch_up_server,
            followers=self.followers,
            memory_asker=self.memory_asker,
            memory_answerer=self.memory_answerer,
            equivocations=self.equivocations,
            conduct=self.conduct,
            announcer=self.announcer,
            gossip=self.gossip,
            mempool=self.mempool,
        )
        self._reports: ReportRouter = ReportRouter(
            self.announcer, self.sync, self.equivocations, conduct=self.conduct, counts=self.event_counts
        )

    # Life

    async def start(self) -> None:
        """Listen for peers, dial them and begin consensus. Raises OSError if the port is taken."""
        await self.network.start()
        self.started = time.monotonic()
        self.driver.start()
        self.sync.start()
        self._tick()

    async def stop(self) -> None:
        """Stop the parts in order. All that was acknowledged is on disk already, so there is nothing to save."""
        self.driver.stop()
        self.sync.stop()
        if self._ticker:
            self._ticker.cancel()
        await self.tasks.stop()
        await self.network.stop()
        self.verifier.close()
        self.catch_up_verifier.close()

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        if self._ticker is not None:
            self.loop_late.add(loop.time() - self._ticker.when())
        self._ticker = loop.call_later(TICK_S, self._tick)
        self.announcer.announce()
        self.sync.poke()
        self.memory_asker.tick()
        self.driver.review()
        self._registry_log.see(self.store.state)  # A snapshot is no decision.
        self._notice_role()
        self._pass_on()
        if not self.driver.stalled:
            self.equivocations.retry()
        self.condition.look()

    # Who this node is

    @property
    def own(self) -> NodeRecord:
        """This node's record, as its registry has it now; the last known one while the registry has none."""
        self._own = self._registry().nodes.get(self._own.key, self._own)
        return self._own

    @property
    def is_validator(self) -> bool:
        """Whether its role is to vote, by the registry after the last block."""
        return self.own.role == "validator"

    def _notice_role(self) -> None:
        """A vote may change the role at any block. All else asks for the role when it matters."""
        role = self.own.role
        if role != self._role:
            _log.warning("this node has another role now", role=role, before=self._role, height=self.store.state.height)
            self._role = role
            self.sync.follow()
            self.driver.work_pending()

    # Entries

    def _pass_on(self) -> None:
        """A node that does not sign at this height proposes nothing: what waits here goes to those that do.

        Most of it they have already. They may have had no room for the rest, or no connection. A node that was voted
        out sends all of it once.
        """
        if self.engine.is_voting or not len(self.mempool):
            self._passed_on_s = None
            return
        now = asyncio.get_running_loop().time()
        if self._passed_on_s is None and self.own.key not in self._registry().validators:
            _log.warning("entries wait here that only others can bring into a block", entries=len(self.mempool))
            self.gossip.add(self.mempool.oldest(len(self.mempool)))
        elif self._passed_on_s is None or now - self._passed_on_s >= PASS_ON_S:
            self.gossip.again(self.mempool.oldest(GOSSIP_AGAIN, GOSSIP_AGAIN_BYTES))
        else:
            return
        self._passed_on_s = now

    def refusal(self) -> Refusal | None:
        """Why no entry can be taken now, or None."""
        nodes = self._registry().nodes
        is_registered = self.own.key in nodes
        if not self.is_validator or not is_registered:
            reason = "an observer" if is_registered else "not in the registry"
            return Refusal(
                RefusalKind.READ_ONLY,
                f"this node is {reason} and takes no entries",
                remedy="Submit the entry to a validator.",
                validators=tuple(sorted(each.api for each in nodes.values() if each.role == "validator" and each.api)),
            )
        if not self.store.is_complete:
            return self.incomplete("this node does not know yet whether an entry is in the log already")
        if self.driver.stalled:
            return Refusal(
                RefusalKind.BUSY, self.driver.stalled, remedy="Submit the entry to another node.", retry_after_s=10
            )
        return None

    def incomplete(self, detail: str) -> Refusal:
        """The answer to a request that needs blocks which this node is still fetching."""
        history, base = self.store.history.height, self.store.base or 0
        others = {each.api for each in self._registry().nodes.values() if each.api and each.key != self.own.key}
        return Refusal(
            RefusalKind.HISTORY_INCOMPLETE,
            detail,
            remedy="Ask another node, or ask this one again later.",
            retry_after_s=10,
            others=tuple(sorted(others)),
            progress={**self.sync.history_progress.figures(), "height": history, "target": base},
        )

    # What happens, and what the node does then

    def _on_fresh(self, entries: Sequence[Entry], source: Source) -> None:
        """Entries were verified and added to the mempool."""
        self.arrivals.note(each.id for each in entries)
        if source is Source.CLIENT:
            self.gossip.add(entries)
        self.driver.work_pending()

    def _on_decided(self, decision: Decision, transition: Transition) -> None:
        """A decision is on disk."""
        self.arrivals.decided(each.id for each in transition.entries)
        self._registry_log.see(transition.state)
        self.followers.push(decision.height)
        _log.debug("decided", height=decision.height, entries=len(transition.entries), round=decision.certificate.round)
        self.sync.poke()

    def _registry(self) -> Registry:
        return self.store.state.registry
