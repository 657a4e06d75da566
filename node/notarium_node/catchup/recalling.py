"""Asking the other validators what this node has forgotten, and answering those that ask.

A node that does not remember what its key has signed may sign again only where it cannot have signed. Nobody knows that
but the others: `answers_needed` of them that remember must say how far the ledger is, after the loss was noticed, and
this node must be as far as they are (docs/adr/0015-a-lost-memory.md). This node itself is never one of them.

An answer is kept for as long as this node has forgotten: what it has signed it signed before it asked, so an answer
does not age. One that is ahead of this node counts when this node gets there.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

import structlog

from notarium_consensus.engine import Engine
from notarium_consensus.permission import answers_needed, do_answers_bind
from notarium_ledger.blocks.statements import SignedStatement
from notarium_ledger.signing import verify
from notarium_ledger.types import Hash, Height, PublicKey, Round
from notarium_node.driving.driver import Driver
from notarium_node.health.answers import RecallAnswers
from notarium_node.identity.recall import Recall
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import RecallAnswer
from notarium_store.store import Store

_log = structlog.get_logger("notarium.recall")

ASK_S = 2.0
"""A validator whose answer does not count is asked again after this time."""
ANSWER_S = 1.0
"""A peer gets at most one answer in this time."""
WORD_S = 10.0
"""The operator's word waits so long for the answers of the validators that are connected: they may be enough, and they
show in which rounds this node has signed."""
NONE_SEEN = Height(0)


@dataclass(slots=True)
class _Asking:
    """One loss of memory, from when it was noticed until this node may sign again."""

    nonce: bytes
    asked_s: dict[PublicKey, float] = field(default_factory=dict)
    """When each peer was asked last on its present connection."""
    asked_first_s: dict[PublicKey, float] = field(default_factory=dict)
    """When each peer was asked first."""
    answers: dict[PublicKey, RecallAnswer] = field(default_factory=dict)
    rounds: dict[Height, Round] = field(default_factory=dict)
    """The heights of signatures of ours that answers have shown, and the greatest round at each."""

    @property
    def seen(self) -> Height:
        """The greatest of these heights."""
        return max(self.rounds, default=NONE_SEEN)

    def see(self, said: SignedStatement) -> None:
        """An answer shows this signature of ours."""
        self.rounds[said.height] = max(self.rounds.get(said.height, said.round), said.round)


class MemoryAsker:
    """Asks as long as this node has forgotten, and ends that."""

    def __init__(
        self,
        own_key: PublicKey,
        *,
        network: PeerNetwork,
        store: Store,
        recall: Recall,
        driver: Driver,
        conduct: Conduct,
        is_caught_up: Callable[[], bool],
        clock: Callable[[], int],
    ) -> None:
        """`is_caught_up`: a quorum has reported its height, and no peer is further. `clock`: ms since 1970."""
        self._own_key = own_key
        self._network = network
        self._store = store
        self._recall = recall
        self._driver = driver
        self._conduct = conduct
        self._is_caught_up = is_caught_up
        self._clock = clock
        self._asking: _Asking | None = None
        self._losses = 0

    # What happens

    def tick(self) -> None:
        """Called periodically, and when a validator connects: ask, and see whether the answers are enough."""
        if self._recall.permission.remembers:
            self._asking = None
            return
        if self._asking is None:
            self._asking = _Asking(self._new_nonce())
            _log.warning(
                "this node does not remember what its key has signed: it asks the other validators",
                height=self._store.state.height,
                answers_needed=self.answers().needed,
            )
        self._ask(self._asking)
        self._review(self._asking)

    def on_disconnect(self, peer: PublicKey) -> None:
        """The peer is asked again as soon as it is back, unless its answer counts."""
        if self._asking is not None:
            self._asking.asked_s.pop(peer, None)

    def on_answer(self, peer: PublicKey, answer: RecallAnswer) -> None:
        """RECALLED. An answer to another question is ignored."""
        asking = self._asking
        if asking is None or answer.nonce != asking.nonce:
            return
        if answer.statement is not None and answer.statement.key != self._own_key:
            self._conduct.drop(peer, "protocol violation", "a statement of another key in its answer to a recall")
            return
        earlier = asking.answers.get(peer)
        if earlier is None or not earlier.remembers:
            asking.answers[peer] = answer
        self._review(asking)

    # What is known

    def answers(self) -> RecallAnswers:
        """Who has answered, for the operator: member names."""
        registry, asking, height = self._store.state.registry, self._asking, self._store.state.height
        found: dict[str, list[str]] = {"counted": [], "ahead": [], "forgot": [], "silent": [], "absent": []}
        for key in self._others():
            answer = None if asking is None else asking.answers.get(key)
            if answer is None:
                state = "silent" if self._network.is_connected(key) else "absent"
            elif not answer.remembers:
                state = "forgot"
            else:
                state = "ahead" if answer.height > height else "counted"
            found[state].append(registry.nodes[key].member)
        needed = answers_needed(registry.validators, self._own_key)
        is_early = asking is None or not self._have_answered(asking)
        return RecallAnswers(needed, **{state: tuple(members) for state, members in found.items()}, is_early=is_early)

    def _others(self) -> list[PublicKey]:
        validators = self._store.state.registry.validators.validators
        return [each.key for each in validators if each.key != self._own_key]

    # Steps

    def _new_nonce(self) -> bytes:
        # It must differ from all that this key has asked before; links are authenticated, so it need not be secret.
        self._losses += 1
        parts = (self._clock(), self._losses, self._store.state.height)
        return sha256(self._own_key + b"".join(each.to_bytes(8, "big") for each in parts)).digest()[: wire.NONCE_BYTES]

    def _ask(self, asking: _Asking) -> None:
        now = asyncio.get_running_loop().time()
        for peer in self._others():
            answer = asking.answers.get(peer)
            is_answered = answer is not None and answer.remembers
            is_due = now - asking.asked_s.get(peer, -math.inf) >= ASK_S
            if not is_answered and is_due and self._network.send(peer, wire.pack_recall(asking.nonce)):
                asking.asked_s[peer] = now
                asking.asked_first_s.setdefault(peer, now)

    def _review(self, asking: _Asking) -> None:
        self._read_statements(asking)
        permission, height = self._recall.permission, self._store.state.height
        if not permission.is_complete:
            return
        is_stated = permission.is_stated(height)
        is_bound = not is_stated or do_answers_bind(self._store.state.registry.validators, self._own_key)
        if self.answers().is_enough and is_bound:
            is_settled = self._driver.settle(asking.seen)
        elif is_stated and self._is_caught_up() and self._have_answered(asking):
            stated = permission.by_hand
            is_settled = self._driver.settle_by_word(None if stated is None else asking.rounds.get(stated))
        else:
            return
        if is_settled:
            self._asking = None

    def _have_answered(self, asking: _Asking) -> bool:
        """Whether all that are connected have answered in some way, or have had the time for it."""
        now = asyncio.get_running_loop().time()
        return all(
            peer in asking.answers or now - asking.asked_first_s.get(peer, now) >= WORD_S
            for peer in self._others()
            if self._network.is_connected(peer)
        )

    def _read_statements(self, asking: _Asking) -> None:
        """Of the answers that count now: what they show must be ours. Until then, its validator set may be unknown."""
        for peer, answer in list(asking.answers.items()):
            if answer.statement is None or answer.height > self._store.state.height:
                continue
            if self._is_ours(answer.statement):
                asking.see(answer.statement)
                asking.answers[peer] = RecallAnswer(answer.nonce, answer.height, answer.remembers, None)
            else:
                del asking.answers[peer]
                self._conduct.drop(peer, "protocol violation", "a false statement in its answer to a recall")

    def _is_ours(self, said: SignedStatement) -> bool:
        sets: list[Hash] = [each.validators.hash for each in reversed(self._store.handovers())]
        genesis = self._store.genesis
        for validators in (*sets, genesis.registry.validators.hash):
            if verify(self._own_key, said.statement.signed_bytes(genesis.hash, validators), said.signature):
                return True
        return False


class MemoryAnswerer:
    """Answers the peers that ask."""

    def __init__(self, network: PeerNetwork, store: Store, recall: Recall, engine: Engine) -> None:
        self._network = network
        self._store = store
        self._recall = recall
        self._engine = engine
        self._answered_s: dict[PublicKey, float] = {}

    def on_recall(self, peer: PublicKey, nonce: bytes) -> None:
        """RECALL. Not answered if the peer got an answer just now: it asks again."""
        now = asyncio.get_running_loop().time()
        if now - self._answered_s.get(peer, -math.inf) < ANSWER_S:
            return
        self._answered_s[peer] = now
        height = self._store.state.height
        # Below its fence this node knows no more of what it has signed than the peer does.
        permission = self._recall.permission.raised(self._engine.permission.fence)
        remembers = permission.allows(Height(height + 1))
        answer = RecallAnswer(nonce, height, remembers, self._engine.heard_of(peer))
        self._network.send(peer, wire.pack_recalled(answer))

    def on_disconnect(self, peer: PublicKey) -> None:
        """The peer may ask at once when it comes back."""
        self._answered_s.pop(peer, None)
