"""Known mistakes, planted one at a time, to see that the simulator finds them: `make simulate-planted`.

Each is a small change of the product that somebody has made somewhere (numbers: the mistakes of docs/consensus.md).
`caught` is the oracle, or the oracles, one of which must speak within `within` seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tests.simulation.byzantine import (
    BadJustification,
    Behaviour,
    Flooder,
    InvalidContent,
    SelfCertifier,
    WrongTime,
)
from tests.simulation.catch_up_lies import BadGossip

from notarium_consensus import height_state, inbox, instance, justification, own_messages
from notarium_consensus.inbox import Inbox
from notarium_consensus.instance import Instance
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.phase import Phase
from notarium_consensus.step_effects import StepEffects
from notarium_consensus.votes import RoundKeeper, VoteKeeper
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.state.chain_state import advance
from notarium_node.api.submit import Submissions
from notarium_node.catchup.fetching import Fetcher
from notarium_node.driving import block_work as content
from notarium_node.entries import admission
from notarium_node.entries.verifier import Verifier
from notarium_store.database import Database
from notarium_store.store import Store

Replacement = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Planted:
    """One mistake."""

    name: str
    replacements: Callable[[], list[Replacement]]
    """(object, attribute, what to put there)."""
    caught: str
    """Regular expression for the message."""
    within: int
    """Seeds, from 1 on."""
    size: int = 4
    schedule: str = "small"
    liars: tuple[type[Behaviour], ...] = ()
    """How members lie, where only a certain lie brings the mistake to light; else as each seed draws it."""

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within it the product makes this mistake."""
        patches = [patch.object(*replacement) for replacement in self.replacements()]
        for each in patches:
            each.start()
        try:
            yield
        finally:
            for each in patches:
                each.stop()


# ---- quorums and certificates --------------------------------------------------------------------------------------


def _quorum_off_by_one() -> list[Replacement]:
    return [(ValidatorSet, "quorum", property(lambda self: max(1, -(-2 * len(self) // 3) - 1)))]


def _certificate_mixes_rounds() -> list[Replacement]:
    add = VoteKeeper.add

    def mixing(self: VoteKeeper, message: Any, current: Any) -> Any:
        evicted = add(self, message, current)
        voters = {
            vote.key: vote
            for (_, block), signers in self._tally.items()
            if block == message.block_hash
            for vote in signers.values()
        }
        if len(voters) >= self._quorum:
            self._tally[message.round, message.block_hash] = voters
            self.complete[message.round, message.block_hash] = None
        return evicted

    return [(VoteKeeper, "add", mixing)]


def _unsigned_certificates() -> list[Replacement]:
    return [(QuorumCertificate, "verify", lambda self, *_: None)]


def _signer_counted_twice() -> list[Replacement]:
    verify = QuorumCertificate.verify

    def lenient(self: QuorumCertificate, genesis: Any, validators: Any, height: Any, block: Any) -> None:
        distinct = tuple({seal.key: seal for seal in self.seals}[key] for key in sorted({s.key for s in self.seals}))
        if len(self.seals) >= validators.quorum:
            small = QuorumCertificate(self.height, self.round, self.block, distinct)
            with patch.object(ValidatorSet, "quorum", property(lambda _: len(distinct))):
                verify(small, genesis, validators, height, block)
        else:
            verify(self, genesis, validators, height, block)

    return [(QuorumCertificate, "verify", lenient)]


def _votes_of_any_block() -> list[Replacement]:
    add = VoteKeeper.add

    def blind(self: VoteKeeper, message: Any, current: Any) -> Any:
        evicted = add(self, message, current)
        voters = {
            vote.key: vote
            for (round_, _), signers in self._tally.items()
            if round_ == message.round
            for vote in signers.values()
        }
        if len(voters) >= self._quorum:
            self.complete[message.round, message.block_hash] = None
        return evicted

    return [(VoteKeeper, "add", blind)]


# ---- rounds and locks ----------------------------------------------------------------------------------------------


def _round_one_unjustified() -> list[Replacement]:
    check = justification.check_proposal

    def lenient(proposal: Any, context: Any) -> None:
        if proposal.round == 1:
            justification.check_header(proposal.block, context)
        else:
            check(proposal, context)

    return [(inbox, "check_proposal", lenient)]


def _no_justification_at_all() -> list[Replacement]:
    return [(inbox, "check_proposal", lambda proposal, context: justification.check_header(proposal.block, context))]


def _fresh_block_in_spite_of_a_lock() -> list[Replacement]:
    return [
        (instance, "highest_prepared", lambda changes: None),
        (justification, "highest_prepared", lambda changes: None),
    ]


def _lowest_prepared_wins() -> list[Replacement]:
    def lowest(changes: Any) -> Any:
        claims = [change.prepared for change in changes if change.prepared is not None]
        return min(claims, key=lambda claim: claim[0], default=None)

    return [(instance, "highest_prepared", lowest), (justification, "highest_prepared", lowest)]


def _prepared_round_not_below() -> list[Replacement]:
    change_round = OwnMessages.change_round

    def same_round(self: OwnMessages, round_: Any, prepared: Any) -> Any:
        if prepared is not None:
            prepared = type(prepared)(round_, prepared.block, prepared.prepares)
        return change_round(self, round_, prepared)

    return [(OwnMessages, "change_round", same_round), (justification, "_below", lambda *_: None)]


def _votes_in_left_rounds() -> list[Replacement]:
    def keep_voting(self: Instance, round_: Any) -> None:
        if round_ == self.round and self.due and self.phase is not Phase.DECIDED:
            message = self.own.change_round(type(round_)(round_ + 1), self.prepared)
            if message is not None:
                self.inbox.admit_own(message, self.round)
            self._run()

    return [(Instance, "round_timeout", keep_voting)]


def _time_checked_again() -> list[Replacement]:
    return [(height_state, "is_fresh", lambda proposal: True)]


def _time_never_checked() -> list[Replacement]:
    return [(height_state, "untimely", lambda *_: None)]


def _nobody_asks_for_blocks() -> list[Replacement]:
    return [(Fetcher, "_ask", lambda *_: None)]


def _anybody_proposes() -> list[Replacement]:
    admit = Inbox.admit_proposal

    def open_to_all(self: Inbox, proposal: Any, current: Any) -> bool:
        with patch.object(ValidatorSet, "proposer", lambda *_: proposal.key):
            return admit(self, proposal, current)

    return [(Inbox, "admit_proposal", open_to_all)]


def _equivocation_ignored() -> list[Replacement]:
    return [(Inbox, "_report_equivocation", lambda self, known, other: None)]


def _votes_without_bound() -> list[Replacement]:
    def greedy(self: RoundKeeper, message: Any, current: Any) -> None:
        self._by_signer.setdefault(message.key, {}).setdefault(message.round, message)

    return [(RoundKeeper, "add", greedy), (RoundKeeper, "wants", lambda *_: True)]


# ---- memory of what was said ---------------------------------------------------------------------------------------


def _prepare_not_persisted() -> list[Replacement]:
    send = OwnMessages._send

    def careless(self: OwnMessages, message: Any) -> None:
        send(self, message)
        if message.kind is StatementKind.PREPARE:
            self._effects._persists.pop()

    return [(OwnMessages, "_send", careless)]


def _sent_before_persisted() -> list[Replacement]:
    def eager(self: Any) -> Any:
        effects = self._rest + self._persists
        self._persists, self._rest = [], []
        return effects

    return [(StepEffects, "take", eager)]


def _commit_without_its_block() -> list[Replacement]:
    return [(own_messages, "PREPARED_KEY", b"another")]


def _amnesia() -> list[Replacement]:
    return [(Instance, "restore", lambda self, record: None)]


def _writes_not_synced() -> list[Replacement]:
    write = Database.write

    class Lazy:
        def __init__(self, db: Any) -> None:
            self._db = db

        def __getattr__(self, name: str) -> Any:
            return getattr(self._db, name)

        def write_batch(self, sync: bool = False) -> Any:
            return self._db.write_batch(sync=False)

    def lazy(self: Database, items: Any, deleted: Any = ()) -> None:
        if not isinstance(self._db, Lazy):
            self._db = Lazy(self._db)  # type: ignore[assignment]
        write(self, items, deleted)

    return [(Database, "write", lazy)]


def _fence_ignored() -> list[Replacement]:
    init = Instance.__init__

    def eager(self: Instance, context: Any, config: Any, authenticator: Any, effects: Any, _: Any) -> None:
        init(self, context, config, authenticator, effects, True)

    return [(Instance, "__init__", eager)]


# ---- the ledger ----------------------------------------------------------------------------------------------------


def _acknowledged_when_admitted() -> list[Replacement]:
    receipts = Submissions._receipts

    async def hasty(self: Submissions, outcomes: Any, wait_s: float) -> Any:
        for outcome in outcomes:
            if outcome.entry is not None and not self._node.store.is_decided(outcome.id):
                return {outcome.id: _Promise()}
        return await receipts(self, outcomes, wait_s)

    return [(Submissions, "_receipts", hasty)]


class _Promise:
    """A receipt of nothing."""

    def encode_json(self) -> bytes:
        """No proof."""
        return b"{}"


def _answered_before_stored() -> list[Replacement]:
    commit = Store.commit_many

    def late(self: Store, parts: Any) -> None:
        path, self._db.write = self._db.write, lambda items, deleted=(): None  # type: ignore[method-assign]
        try:
            commit(self, parts)
        finally:
            self._db.write = path  # type: ignore[method-assign]

    return [(Store, "commit_many", late)]


def _decided_entries_again() -> list[Replacement]:
    return [(Store, "is_decided", lambda self, id_: False)]


def _entry_signatures_unchecked() -> list[Replacement]:
    async def trusting(self: Verifier, checks: Any) -> Any:
        return dict.fromkeys(checks, True)

    return [(Verifier, "check", trusting), (admission, "check_admissible", lambda *_: None)]


def _content_unchecked() -> list[Replacement]:
    def trusting(state: Any, block: Any, is_decided: Any, read: Any) -> Any:
        entries = [read(raw) for raw in block.entries]
        return advance(state, entries, block.header.time_ms, block.header.proposer)

    return [(content, "apply_block", trusting)]


PLANTED: tuple[Planted, ...] = (
    Planted("quorum off by one", _quorum_off_by_one, "prepared|certificate|agreement|justification", 20),
    Planted("certificate mixes rounds", _certificate_mixes_rounds, "prepared|certificate", 100),
    Planted(
        "certificates unverified in catch-up",
        _unsigned_certificates,
        "certificate|agreement|chain",
        200,
        liars=(SelfCertifier,),
    ),
    Planted(
        "duplicate signer counted twice", _signer_counted_twice, "certificate|agreement", 200, liars=(SelfCertifier,)
    ),
    Planted("votes counted for any block", _votes_of_any_block, "prepared|certificate|agreement", 100),
    Planted(
        "justification not checked in round 1",
        _round_one_unjustified,
        "justification|unjustified|lock",
        200,
        liars=(BadJustification,),
    ),
    Planted(
        "justification never checked",
        _no_justification_at_all,
        "justification|unjustified|lock",
        200,
        liars=(BadJustification,),
    ),
    Planted("fresh block in spite of a lock", _fresh_block_in_spite_of_a_lock, ".", 50),
    Planted("lowest prepared round wins", _lowest_prepared_wins, ".", 1_000),
    Planted("prepared round not below round", _prepared_round_not_below, ".", 100),
    Planted("votes in a round it has left", _votes_in_left_rounds, "left|round", 50),
    Planted(
        "time checked again on re-proposal", _time_checked_again, "liveness|time|false report", 50, schedule="apart"
    ),
    Planted("time never checked", _time_never_checked, "time", 100, liars=(WrongTime,)),
    Planted("a node that is behind never asks", _nobody_asks_for_blocks, "liveness", 100),
    Planted("anybody proposes", _anybody_proposes, ".", 200, liars=(BadJustification,)),
    Planted("equivocation ignored", _equivocation_ignored, "equivocation", 100),
    Planted("votes kept without bound", _votes_without_bound, "memory", 100, liars=(Flooder,)),
    Planted("prepare not persisted", _prepare_not_persisted, "persist before send", 5),
    Planted("sent before persisted", _sent_before_persisted, "persist before send", 5),
    Planted("commit without its block on disk", _commit_without_its_block, "persist before send", 5),
    Planted("restart forgets what was said", _amnesia, "double vote|left|false report", 100),
    Planted("writes not synced", _writes_not_synced, "persist before send|lost|chain", 5),
    Planted("fence of a restored backup ignored", _fence_ignored, "double vote|left round|lock", 50, schedule="wipes"),
    Planted("acknowledged when admitted", _acknowledged_when_admitted, "lost", 5),
    Planted("answered before stored", _answered_before_stored, "lost|chain", 5),
    Planted("decided entries accepted again", _decided_entries_again, "duplicate|content", 100),
    Planted("entry signatures unchecked", _entry_signatures_unchecked, "liveness", 50, liars=(BadGossip,)),
    Planted("block content unchecked", _content_unchecked, ".", 200, liars=(InvalidContent,)),
)
