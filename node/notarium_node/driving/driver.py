"""Drives the consensus engine: performs its effects in order (persist, then send, then apply).

Everything happens in the event loop, one step at a time. block_work.py builds and checks blocks, chain.py stores
decisions, and pacing.py decides when a block is due. When the disk refuses a write, the driver keeps the effects from
that one on, and the node is silent until the write succeeds: it must not vote for what it could not remember. Decisions
that the others make in the meantime come by catch-up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import structlog

from notarium_consensus import effects as fx
from notarium_consensus import inputs
from notarium_consensus.effects import Effect, Timer
from notarium_consensus.engine import Engine
from notarium_consensus.events import Event, OwnSignatureSeen, RoundStarted
from notarium_consensus.permission import Permission
from notarium_ledger.blocks.block import Decision, Header
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height, Round
from notarium_node.driving.block_work import BlockWork
from notarium_node.driving.chain import Chain
from notarium_node.driving.outgoing import Outgoing
from notarium_node.driving.pacing import Pacing
from notarium_node.entries.gossip import Gossip
from notarium_node.entries.mempool import Mempool
from notarium_node.identity.recall import Recall
from notarium_node.peers.network import PeerNetwork, wall_ms
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.store import Part, Store

_log = structlog.get_logger("notarium.driver")

RETRY_S = 1.0
"""After a failed write the driver waits so long before it tries again."""
IGNORED_WHILE_STALLED = inputs.MessageReceived | inputs.WorkPending | inputs.PeerConnected | inputs.Reachable
"""A stalled node does not collect these: they would grow without bound, and all of them come again."""
GOSSIP_AGAIN, GOSSIP_AGAIN_BYTES = 256, 64 * 1024
"""The oldest entries are sent once more in a new round; the rest follows when these are decided. One is enough to make
a block due at a peer, and large ones would take the line from the round's proposal: a block of 2 MiB sent to three
peers in each round is 25 seconds of a line of 2 Mbit/s."""


class Driver:
    """One engine with its disk, its peers and its clock."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        recall: Recall,
        *,
        chain: Chain,
        block_work: BlockWork,
        mempool: Mempool,
        network: PeerNetwork,
        gossip: Gossip,
        on_event: Callable[[Event], None],
        clock: Callable[[], int] = wall_ms,
    ) -> None:
        """`recall`: what the store shows of our signatures. `on_event`: called for each report of the engine."""
        self._engine = engine
        self._store = store
        self._recall = recall
        self._chain = chain
        self._block_work = block_work
        self._mempool = mempool
        self._network = network
        self._outgoing = Outgoing(network)
        self._gossip = gossip
        self._on_event = on_event
        self._clock = clock
        self._pacing = Pacing(mempool, block_work.target.entries)
        self._given: Permission | None = None
        """What the engine was given last."""
        self._inputs: deque[inputs.Input] = deque()
        self._effects: deque[Effect] = deque()
        self._running = False
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._stopped = False
        self._failed = asyncio.Event()
        self._failure: Exception | None = None
        self.stalled = ""
        """Why the node does not vote at the moment, for the operator; "" when it does."""

    # Life

    def start(self) -> None:
        """Begin at the height after the stored tip."""
        self._begin()
        self.feed(self._advance())
        self.work_pending()

    def _begin(self) -> None:
        """Nothing is signed before the store knows whose memory it holds."""
        try:
            self._recall.begin()
        except StoreError as error:
            self._stall(str(error))

    def stop(self) -> None:
        """Perform no more effects. All that was promised is on the disk already."""
        self._stopped = True
        self._cancel_timers()
        if self._retry is not None:
            self._retry.cancel()
        self._pacing.stop()
        self._block_work.stop()

    def fail(self, error: Exception) -> None:
        """Stop after a defect, or because the store is damaged: to go on in an unknown state is not safe."""
        _log.critical("the node stops after an unexpected error in consensus", exc_info=error)
        self.stop()
        if self._failure is None:
            self._failure = error
        self._failed.set()

    async def failure(self) -> Exception:
        """Wait until the driver cannot go on; returns why."""
        while self._failure is None:
            await self._failed.wait()
        return self._failure

    # Inputs

    def work_pending(self) -> None:
        """Report to the engine that a block is due, if one is."""
        if self._pacing.is_due():
            self.feed(inputs.WorkPending())

    def peers_changed(self) -> None:
        """A peer connected or disconnected."""
        self.feed(inputs.Reachable(frozenset(self._network.connected)))

    def feed(self, event: inputs.Input) -> None:
        """Give an input to the engine and perform its effects; re-entrant calls are queued."""
        if self.stalled and isinstance(event, IGNORED_WHILE_STALLED):
            return
        self._inputs.append(event)
        if not self._running:
            self._run()

    def _run(self) -> None:
        self._running = True
        try:
            while not self._stopped and not self.stalled:
                if self._effects:
                    self._perform_next()
                elif self._inputs:
                    self._step(self._inputs.popleft())
                else:
                    break
        except Exception as error:
            self.fail(error)
        finally:
            self._running = False

    def _step(self, event: inputs.Input) -> None:
        if isinstance(event, inputs.Advance):
            # What happened since it was queued counts, too: this node may have learned that it has forgotten.
            self._given = self._recall.permission
            event = replace(event, permission=self._given)
        height, voted = self._engine.height, self._engine.is_voting
        self._effects.extend(self._engine.step(event, self._clock()))
        begins = self._engine.is_voting and not voted
        if isinstance(event, inputs.Advance) and (self._engine.height != height or begins):
            # The engine has forgotten its verdicts: they were about an earlier tip, or given while history was missing.
            # Where it only stops to sign, it still knows them, and may decide such a block.
            self._block_work.forget()

    # Effects

    def _perform_next(self) -> None:
        effect = self._effects[0]
        try:
            if isinstance(effect, fx.Persist):
                self._persist()
                return
            self._perform(effect)
        except StoreError as error:
            self._stall(str(error))
            return
        self._effects.popleft()

    def _persist(self) -> None:
        """Consecutive writes share one fsync."""
        batch: list[fx.Persist] = []
        for effect in self._effects:
            if not isinstance(effect, fx.Persist):
                break
            batch.append(effect)
        for height, group in groupby(batch, key=lambda each: each.height):
            self._store.put_records(height, [(each.key, each.value) for each in group])
        for _ in batch:
            self._effects.popleft()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case fx.Broadcast():
                validators = self._store.state.registry.validators.validators
                self._outgoing.broadcast(effect.message, [each.key for each in validators])
            case fx.Send():
                self._outgoing.send(effect.peer, effect.message)
            case fx.SetTimer():
                self._set_timer(effect.timer, effect.at_ms)
            case fx.RequestBlock():
                self.feed(self._block_work.build(effect, self._clock()))
            case fx.CheckBlock():
                self._block_work.check(effect, self)
            case fx.Decide():
                self._decide(effect.decision)
            case fx.Report():
                if isinstance(effect.event, OwnSignatureSeen):
                    self._recall.lose()  # The engine's fence covers what was seen. There may be more, so ask.
                self._on_event(effect.event)
                if isinstance(effect.event, RoundStarted) and effect.event.round > 0:
                    # A block is due here, but maybe not there: the others may lack the entries that wait here.
                    self._gossip_again()
            case _:
                raise TypeError(f"unknown effect {effect!r}")

    def _set_timer(self, timer: Timer, at_ms: int) -> None:
        old = self._timers.pop(timer, None)
        if old:
            old.cancel()
        delay_s = max(0, at_ms - self._clock()) / 1000
        self._timers[timer] = asyncio.get_running_loop().call_later(delay_s, self._expire, timer)

    def _expire(self, timer: Timer) -> None:
        self._timers.pop(timer, None)
        self.feed(inputs.TimerExpired(timer))

    def _cancel_timers(self) -> None:
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def _gossip_again(self) -> None:
        waiting = self._mempool.oldest(GOSSIP_AGAIN, GOSSIP_AGAIN_BYTES)
        if waiting:
            self._gossip.again(waiting)

    # Decisions

    def _decide(self, decision: Decision) -> None:
        self._extend([(decision, self._block_work.transition(decision.block.hash))])

    def _extend(self, parts: Sequence[Part]) -> None:
        last = parts[-1][1]
        changes = [each.height for each, _ in parts if _changes_set(each.block.header)]
        self._recall.before_reaching(last.state.height, self._engine.permission.fence, changes)
        self._chain.extend(parts)
        self._block_work.drop_invalid(self._clock())
        self._pacing.after_block(len(last.entries), self.work_pending)
        self._leave_height()
        self.work_pending()

    def _leave_height(self) -> None:
        """The tip has moved: forget what was under way for the height before."""
        self._cancel_timers()
        self.feed(self._advance())

    def _advance(self) -> inputs.Advance:
        return self._chain.next_height(self._recall.permission)

    # Blocks that the others decided

    def take(self, parts: Sequence[Part]) -> bool:
        """Store blocks that follow the tip, certified and checked, and go on after the last. False: not now."""
        height = self._store.state.height
        news = [each for each in parts if each[0].height > height]
        return self._attempt(lambda: self._take(news)) if news else True

    def adopt(self, snapshot: Snapshot) -> bool:
        """Go on from a verified snapshot above the tip. The node does not vote until the blocks below are here too."""
        return self._attempt(lambda: self._adopt(snapshot))

    def backfill(self, parts: Sequence[Part]) -> bool:
        """Store blocks that follow the history, certified and checked. False: not now."""
        return self._attempt(lambda: self._backfill(parts))

    def review(self) -> None:
        """Vote from now on, if nothing prevents it any more."""
        if not self._is_granted() and self._recall.permission.is_granted:
            self._attempt(self._grant)

    def settle(self, seen: Height) -> bool:
        """This node need not remember any more what it has signed below its new fence. False: not now.

        `seen`: the greatest height of a signature of ours that others have shown; 0: they show none.
        """
        return self._attempt(lambda: self._settle(lambda: self._recall.settle(seen)))

    def settle_by_word(self, left: Round | None) -> bool:
        """The same by the operator's word alone. `left`: see Recall.settle_by_word."""
        return self._attempt(lambda: self._settle(lambda: self._recall.settle_by_word(left)))

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Run `work`, which writes, outside a step. The disk may refuse; a defect ends the node."""
        if self._engine.height == 0 or self._stopped or self.stalled:
            return False  # Not started yet, or stopped.
        try:
            work()
        except StoreCorruption as error:
            self.fail(error)
        except StoreError as error:
            self._stall(str(error))
        except Exception as error:
            self.fail(error)
        else:
            return True
        return False

    def _take(self, parts: Sequence[Part]) -> None:
        self.feed(inputs.CertificateSeen(parts[0][0].certificate))
        self._watch(decision.certificate for decision, _ in parts)
        self._extend(parts)

    def _adopt(self, snapshot: Snapshot) -> None:
        decided, tip = snapshot.decided, self._store.state.height
        self._recall.before_adopting()
        certificates = (decided.certificate, *(each.certificate for each in decided.handovers))
        self._watch(each for each in certificates if each.height > tip)
        changes = [each.header.height for each in decided.handovers if each.header.height > tip]
        if _changes_set(decided.header):
            changes.append(snapshot.height)
        self._recall.before_reaching(snapshot.height, self._engine.permission.fence, changes)
        if self._chain.adopt(snapshot):
            self._leave_height()
            self._recall.adopted()

    def _backfill(self, parts: Sequence[Part]) -> None:
        self._watch(decision.certificate for decision, _ in parts if decision.height != self._recall.unrecorded)
        self._chain.backfill(parts)
        if self._store.is_complete:
            self._block_work.drop_invalid(self._clock())
            _log.info("the history is complete", height=self._store.state.height)

    # May this node sign?

    def _settle(self, write: Callable[[], None]) -> None:
        write()
        _log.warning(
            "this node does not remember what its key has signed and does not vote for some blocks",
            height=self._store.state.height,
            votes_from=self._recall.permission.regained,
        )
        self._grant()

    def _grant(self) -> None:
        self.feed(self._advance())
        self.work_pending()

    def _is_granted(self) -> bool:
        """Whether the last Advance allowed the engine to sign."""
        return self._given is not None and self._given.is_granted

    def _watch(self, certificates: Iterable[QuorumCertificate]) -> None:
        """Look for seals of our own that we do not remember."""
        remembers = self._recall.permission.remembers
        seen = self._recall.own_seal(certificates, self._engine) if remembers else None
        if seen is not None:
            self._on_event(OwnSignatureSeen(seen))
            self._recall.lose()

    # Disk trouble

    def _stall(self, reason: str) -> None:
        if not self.stalled:
            _log.error("the node stopped voting: its disk refuses writes", reason=reason)
        self.stalled = reason
        self._retry = asyncio.get_running_loop().call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        try:
            self._store.recover()
        except StoreCorruption as error:
            self.fail(error)
            return
        except StoreError as error:
            self._stall(str(error))
            return
        self.stalled = ""
        self._begin()
        self._run()
        if not self.stalled:
            _log.info("the node votes again: its disk accepts writes")
            self.peers_changed()
            self.work_pending()


def _changes_set(header: Header) -> bool:
    return header.next_validators != header.validators
