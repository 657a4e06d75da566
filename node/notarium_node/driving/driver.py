"""Drives the consensus engine: performs its effects in order, persist, then send, then apply.

Everything happens in the event loop, one step at a time. Blocks are built and checked in content.py. When the disk
refuses a write, the effects from that one on are kept and the node falls silent (it votes for nothing it could not
remember) until the write succeeds; what is decided meanwhile comes by catch-up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby

import structlog

from notarium_consensus import effects as fx
from notarium_consensus import inputs
from notarium_consensus.effects import Effect, Timer
from notarium_consensus.engine import Engine
from notarium_consensus.events import Event, OwnSignatureSeen, RoundStarted
from notarium_consensus.messages import encode_message
from notarium_ledger.blocks.block import Decision
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import PublicKey
from notarium_node.driving.block_work import BlockTarget, BlockWork
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.waiters import Waiters
from notarium_node.identity.recall import Recall
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.store import Part, Store

_log = structlog.get_logger("notarium.driver")

RETRY_S = 1.0
"""How long after a failed write the disk is tried again."""
UNHEARD_WHILE_STALLED = inputs.MessageReceived | inputs.WorkPending | inputs.PeerConnected
"""A stalled node does not collect these: they would grow without bound, and all of them come again."""
BUSY_ENTRIES = 8
"""A block of so many entries came from several senders at once."""
LINGER_S = 0.020
GOSSIP_AGAIN = 256
"""The oldest entries sent once more in a new round; the rest follows when these are decided."""
CONSENSUS = bytes((Kind.CONSENSUS,))


def wall_ms() -> int:
    """Milliseconds since 1970, by this machine's clock."""
    return time.time_ns() // 1_000_000


class Driver:
    """One engine, its store, its peers and its mempool."""

    def __init__(
        self,
        own_key: PublicKey,
        engine: Engine,
        store: Store,
        mempool: Mempool,
        admission: Admission,
        network: PeerNetwork,
        waiters: Waiters,
        on_event: Callable[[Event], None],
        on_decided: Callable[[Decision, Transition], None],
        target: BlockTarget,
        clock: Callable[[], int] = wall_ms,
        recall: Recall | None = None,
    ) -> None:
        """`recall`: what this node knows of its own past; without one it signs as the engine sees fit."""
        self._engine = engine
        self._store = store
        self._mempool = mempool
        self._network = network
        self._waiters = waiters
        self._on_event = on_event
        self._on_decided = on_decided
        self._target = target
        self._clock = clock
        self._recall = recall or Recall(None, store)
        self._signs = False
        self._remembered = store.history.height + 1
        """The one height above the stored history at which we may have signed; its record may be gone by now."""
        self._inputs: deque[inputs.Input] = deque()
        self._effects: deque[Effect] = deque()
        self._running = False
        self._timers: dict[Timer, asyncio.TimerHandle] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._linger: asyncio.TimerHandle | None = None
        self._expected = 0
        self._content = BlockWork(own_key, store, mempool, admission, waiters, target, self.feed, self.fail)
        self._stopped = False
        self.stalled = ""
        """Why the node does not vote at the moment, for the operator; "" when it does."""
        self.decided = 0
        """Blocks decided since the start."""

    caught_up: Callable[[], bool] = staticmethod(lambda: True)
    """Set by the node: whether we have heard from a quorum how far it is, and are as far."""

    # Inputs

    def start(self) -> None:
        """Begin at the height after the stored tip."""
        try:
            self._recall.begin()
        except StoreError as error:
            self._stall(str(error))
        self.feed(self._advance())
        self.work_pending()

    def stop(self) -> None:
        """Perform nothing more. What was promised is on disk already."""
        self._stopped = True
        for handle in (*self._timers.values(), self._retry, self._linger):
            if handle is not None:
                handle.cancel()
        self._content.stop()

    def work_pending(self) -> None:
        """Tell the engine that a block is due, if one is: at once when idle, under load when it will be a full one.

        The senders of the last block's entries have just got their answers and are sending the next ones. Waiting a
        moment for as many, beside what waits already, makes fewer and larger blocks of the same work.
        """
        if self._linger is not None and len(self._mempool) >= self._expected:
            self._linger.cancel()
            self._linger = None
        if self._linger is None and len(self._mempool):
            self.feed(inputs.WorkPending())

    def _linger_after(self, entries: int) -> None:
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None
        self._expected = min(entries + len(self._mempool), self._target.entries)
        if entries >= BUSY_ENTRIES and len(self._mempool) < self._expected:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._end_linger)

    def _end_linger(self) -> None:
        self._linger = None
        self.work_pending()

    def feed(self, event: inputs.Input) -> None:
        """Hand an input to the engine and perform what it wants; re-entrant calls queue up."""
        if self.stalled and isinstance(event, UNHEARD_WHILE_STALLED):
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
                    self._effects.extend(self._engine.step(self._inputs.popleft(), self._clock()))
                else:
                    break
        except Exception as error:
            self.fail(error)
        finally:
            self._running = False

    def fail(self, error: Exception) -> None:
        """A defect, or a damaged store. Ending is safe at any moment, going on in an unknown state is not."""
        _log.critical("the node ends: an unexpected error in consensus", exc_info=error)
        self.stop()
        self.on_failure(error)

    on_failure: Callable[[Exception], None] = staticmethod(lambda error: None)
    """Set by the service: ends the process."""

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
                data = CONSENSUS + encode_message(effect.message)
                self._network.broadcast(data, [each.key for each in validators])
            case fx.Send():
                self._network.send(effect.peer, CONSENSUS + encode_message(effect.message))
            case fx.SetTimer():
                self._set_timer(effect.timer, effect.at_ms)
            case fx.RequestBlock():
                self._content.build(effect, self._clock())
            case fx.CheckBlock():
                self._content.check(effect.block)
            case fx.Decide():
                self._decide(effect.decision)
            case fx.Report():
                self._on_event(effect.event)
                if isinstance(effect.event, RoundStarted) and effect.event.round > 0:
                    # The others may lack what we hold: a block is due here, but maybe not there.
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

    def _gossip_again(self) -> None:
        waiting = self._mempool.oldest(GOSSIP_AGAIN)
        if waiting:
            self.on_gossip(waiting)

    on_gossip: Callable[[Iterable[Entry]], None] = staticmethod(lambda entries: None)
    """Set by the service: sends entries to the other validators."""

    # Decisions

    def _decide(self, decision: Decision) -> None:
        self._store_decisions([(decision, self._content.transition(decision.block.hash))])

    def _store_decisions(self, parts: Sequence[Part]) -> None:
        """Store, then tell: nobody hears of a decision that is not on disk."""
        before, last = self._store.state, parts[-1][1]
        self._recall.before_reaching(last.state.height, self._engine.vote_from)
        self._store.commit_many(parts)
        self.decided += len(parts)
        self._content.forget()
        for _, transition in parts:
            self._mempool.remove(entry.id for entry in transition.entries)
        self._cancel_timers()
        for _, transition in parts:
            self._answer(transition)
        if last.state.registry.nodes is not before.registry.nodes:
            self._network.update_nodes(last.state.registry.nodes)
        for decision, transition in parts:
            self._on_decided(decision, transition)
            self._waiters.announce(decision, transition)
        self._linger_after(len(last.entries))
        self.feed(self._advance())
        self.work_pending()

    def _answer(self, transition: Transition) -> None:
        for entry in transition.entries:
            if self._waiters.is_awaited(entry.id):
                try:
                    receipt = self._store.receipt(entry.id)
                except StoreError as error:
                    # The decision stands; who waits hears "pending" and asks again.
                    _log.error("no receipt for a decided entry", entry=entry.id.hex(), error=str(error))
                    return
                if receipt is not None:
                    self._waiters.resolve(entry.id, receipt)

    def _advance(self) -> inputs.Advance:
        state = self._store.state
        self._signs = self._may_sign()
        parameters = state.registry.parameters
        return inputs.Advance(
            height=type(state.height)(state.height + 1),
            parent_hash=state.tip,
            parent_time_ms=state.time_ms,
            validators=state.registry.validators,
            precision_ms=parameters.clock_precision_ms,
            message_delay_ms=parameters.message_delay_ms,
            may_sign=self._signs,
            vote_from=self._recall.vote_from,
        )

    def _cancel_timers(self) -> None:
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    # Blocks that were decided without us

    def take(self, parts: Sequence[Part]) -> bool:
        """Store blocks that follow the tip, certified and checked, and go on after the last. False: not now."""
        height = self._store.state.height
        news = [each for each in parts if each[0].height > height]
        return self._attempt(lambda: self._take(news)) if news else True

    def adopt(self, snapshot: Snapshot) -> bool:
        """Go on from a verified snapshot above the tip, without a vote until the blocks below are here too."""
        return self._attempt(lambda: self._adopt(snapshot))

    def backfill(self, parts: Sequence[Part]) -> bool:
        """Store blocks that follow the history, certified and checked. False: not now."""
        return self._attempt(lambda: self._backfill(parts))

    def review(self) -> None:
        """Vote from now on, if nothing speaks against it any more."""
        if not self._signs:
            self._attempt(self._review)

    def _attempt(self, work: Callable[[], None]) -> bool:
        """Something that writes, asked for from outside a step. The disk may refuse; a defect ends the node."""
        if self._engine.height == 0 or self._stopped or self.stalled:
            return False  # Not begun yet, or not going on.
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
        self._store_decisions(parts)

    def _adopt(self, snapshot: Snapshot) -> None:
        decided, tip = snapshot.decided, self._store.state.height
        self._remembered = self._store.history.height + 1
        certificates = (decided.certificate, *(each.certificate for each in decided.handovers))
        self._watch(each for each in certificates if each.height > tip)
        self._recall.before_reaching(snapshot.height, self._engine.vote_from)
        if not self._store.adopt(snapshot):
            return
        self._content.forget()
        self._cancel_timers()
        self._network.update_nodes(self._store.state.registry.nodes)
        self.feed(self._advance())

    def _backfill(self, parts: Sequence[Part]) -> None:
        self._watch(decision.certificate for decision, _ in parts if decision.height != self._remembered)
        self._store.backfill(parts)
        for _, transition in parts:
            self._mempool.remove(entry.id for entry in transition.entries)
            self._answer(transition)
        if self._store.is_complete:
            _log.info("the history is complete", height=self._store.state.height)
            self._review()

    def _review(self) -> None:
        if self._store.is_complete and not self._recall.settled and self.caught_up():
            self._recall.settle()
            if self._recall.vote_from > inputs.NO_FENCE:
                _log.warning(
                    "this node does not remember what its key has signed: it is silent for some blocks",
                    height=self._store.state.height,
                    votes_from=self._recall.vote_from,
                )
        if self._may_sign() and not self._signs:
            self.feed(self._advance())
            self.work_pending()

    def _may_sign(self) -> bool:
        return self._store.is_complete and self._recall.settled

    def _watch(self, certificates: Iterable[QuorumCertificate]) -> None:
        """Look for seals of ours that we do not remember."""
        seen = self._recall.own_seal(certificates, self._engine) if self._recall.settled else None
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
        self._run()
        if not self.stalled:
            _log.info("the node votes again: its disk takes writes")
            self.work_pending()
