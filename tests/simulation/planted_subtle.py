"""More known mistakes: one check forgotten, in one place. Most show only among liars that try this very point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from tests.simulation.planted import Planted, Replacement
from tests.simulation.schemes import (
    BorrowedCertificate,
    FalseJustification,
    FalseLock,
    FalseWitness,
    HollowLock,
    Swapper,
    VoteForger,
)

from notarium_consensus import justification
from notarium_consensus.authentication import Authenticator
from notarium_consensus.engine import Engine
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.instance import Instance
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.errors import InvalidBlock
from notarium_ledger.signing import verify
from notarium_ledger.state import chain_state as ledger_state
from notarium_ledger.trust.equivocation import Equivocation
from notarium_node.driving import block_work as content
from notarium_node.equivocation.collection import Equivocations

# ---- locks ---------------------------------------------------------------------------------------------------------


def _restart_forgets_the_lock() -> list[Replacement]:
    restore = Instance.restore
    return [(Instance, "restore", lambda self, record: restore(self, replace(record, prepared=None)))]


def _pulled_along_it_forgets_the_lock() -> list[Replacement]:
    change_round = Instance._change_round

    def forgetful(self: Instance, round_: Any, reason: str) -> None:
        lock = self.prepared
        if reason != "timeout":
            self.prepared = None
        change_round(self, round_, reason)
        self.prepared = lock

    return [(Instance, "_change_round", forgetful)]


def _the_first_lock_stays() -> list[Replacement]:
    upon_prepare = Instance._upon_prepare

    def stubborn(self: Instance) -> bool:
        lock = self.prepared
        fired = upon_prepare(self)
        if lock is not None:
            self.prepared = lock
        return fired

    return [(Instance, "_upon_prepare", stubborn)]


def _wrong_copies_count() -> list[Replacement]:
    def trusting(self: Instance) -> Any:
        return self.inbox.round_changes.of_round(self.round) if self.round > 0 else []

    return [(Instance, "_usable_changes", trusting)]


def _relayed_blocks_accepted() -> list[Replacement]:
    def open_to_all(self: Engine, message: Any, peer: Any, instance: Any) -> None:
        if message.height == instance.context.height:
            instance.receive(message, peer)
        elif message.height < instance.context.height:
            self._receive_late(message, peer, instance)
        else:
            self._receive_early(message, peer, instance)

    return [(Engine, "_receive", open_to_all)]


# ---- what a message must prove -------------------------------------------------------------------------------------


def _signatures_unchecked(where: str) -> Callable[[], list[Replacement]]:
    def make() -> list[Replacement]:
        check = Authenticator.check

        def lenient(self: Authenticator, signed: Any, validators: Any, field: str) -> None:
            if field != where:
                check(self, signed, validators, field)

        return [(Authenticator, "check", lenient)]

    return make


def _remembered_without_what_it_signs() -> list[Replacement]:
    def check(self: Authenticator, signed: Any, validators: Any, field: str) -> None:
        said = signed.statement.signed_bytes(self._genesis, validators.hash)
        seen = signed.key + signed.signature
        if signed.key not in validators:
            raise InvalidMessage("is not a validator", field)
        if seen not in self._current and not verify(signed.key, said, signed.signature):
            raise InvalidMessage("signature is invalid", field)
        self._current.add(seen)

    return [(Authenticator, "check", check)]


def _lock_by(wrong: Callable[[Any, Any, Any, Any], bool], least: str) -> Callable[[], list[Replacement]]:
    """check_prepares with one check taken out: `wrong` judges (vote, height, round, block)."""

    def check(prepares: Any, height: Any, round_: Any, block: Any, validators: Any, field: str) -> None:
        justification._ascending(prepares, field)
        if len(prepares) < getattr(validators, least):
            raise InvalidMessage("too few", field)
        if any(vote.key not in validators or wrong(vote, height, round_, block) for vote in prepares):
            raise InvalidMessage("wrong vote", field)

    return lambda: [(justification, "check_prepares", check)]


_too_few_prepares = _lock_by(
    lambda vote, *subject: (vote.height, vote.round, vote.block_hash) != subject or vote.kind != StatementKind.PREPARE,
    "honest_minimum",
)
_prepares_of_another_round = _lock_by(
    lambda vote, height, _, block: (
        (vote.height, vote.block_hash) != (height, block) or vote.kind != StatementKind.PREPARE
    ),
    "quorum",
)


def _round_changes_of_other_rounds() -> list[Replacement]:
    check = justification._check_round_changes

    def lenient(proposal: Any, context: Any) -> None:
        changes = tuple(
            replace(change, statement=replace(change.statement, round=proposal.round))
            if change.prepared is None
            else change
            for change in proposal.round_changes
        )
        check(replace(proposal, round_changes=changes), context)

    return [(justification, "_check_round_changes", lenient)]


def _signers_not_distinct() -> list[Replacement]:
    return [(justification, "_ascending", lambda *_: None)]


def _fresh_in_anothers_name() -> list[Replacement]:
    return [(justification, "_fresh", lambda _: None)]


def _header_not_compared() -> list[Replacement]:
    def trusting(state: Any, block: Any, is_decided: Any, read: Any) -> Any:
        entries = [read(raw) for raw in block.entries]
        if any(is_decided(entry.id) for entry in entries):
            raise InvalidBlock("is in the log already", "entries")
        header = block.header
        made = ledger_state.advance(state, entries, header.time_ms, header.proposer)
        if made.header.tree_root != header.tree_root:
            raise InvalidBlock("tree root", "header.tree_root")
        return replace(made, header=header, state=replace(made.state, tip=block.hash))

    return [(content, "apply_block", trusting)]


# ---- certificates --------------------------------------------------------------------------------------------------


def _certificate_of_another_block() -> list[Replacement]:
    verify = QuorumCertificate.verify

    def lenient(self: QuorumCertificate, genesis: Any, validators: Any, height: Any, block: Any) -> None:
        verify(self, genesis, validators, self.height, self.block)

    return [(QuorumCertificate, "verify", lenient)]


def _certificate_of_too_few() -> list[Replacement]:
    verify = QuorumCertificate.verify

    def lenient(self: QuorumCertificate, genesis: Any, validators: Any, height: Any, block: Any) -> None:
        with patch.object(ValidatorSet, "quorum", property(lambda each: each.honest_minimum)):
            verify(self, genesis, validators, height, block)

    return [(QuorumCertificate, "verify", lenient)]


# ---- equivocation ------------------------------------------------------------------------------------------------


def _equivocation_believed() -> list[Replacement]:
    return [(Equivocation, "verify", lambda self: None)]


def _equivocation_not_passed_on() -> list[Replacement]:
    keep = Equivocations._keep

    def silent(self: Equivocations, equivocation: Any, source: Any) -> None:
        with patch.object(type(self._network), "is_connected", lambda *_: False):
            keep(self, equivocation, source)

    return [(Equivocations, "_keep", silent), (Equivocations, "greet", lambda *_: None)]


SUBTLE: tuple[Planted, ...] = (
    Planted("a restart forgets the lock", _restart_forgets_the_lock, "lock", 100),
    Planted(
        "a jump to a higher round forgets the lock",
        _pulled_along_it_forgets_the_lock,
        "lock",
        50,
        schedule="scheming",
    ),
    Planted("the first lock stays", _the_first_lock_stays, "lock", 800, schedule="scheming"),
    Planted(
        "wrong copies of a prepared block count",
        _wrong_copies_count,
        "liveness",
        100,
        schedule="blackouts",
        liars=(HollowLock,),
    ),
    Planted(
        "blocks accepted from those that pass them on", _relayed_blocks_accepted, "false report", 50, liars=(Swapper,)
    ),
    Planted(
        "signatures of a round change's prepares unchecked",
        _signatures_unchecked("round_change.prepares"),
        "justification|lock|persist before send",
        50,
        liars=(FalseLock,),
    ),
    Planted(
        "signatures of a proposal's round changes unchecked",
        _signatures_unchecked("proposal.round_changes"),
        "justification|lock",
        50,
        liars=(FalseJustification,),
    ),
    Planted(
        "signatures of a proposal's prepares unchecked",
        _signatures_unchecked("proposal.prepares"),
        "justification|lock",
        200,
        liars=(FalseJustification,),
    ),
    Planted(
        "signatures of votes unchecked",
        _signatures_unchecked("vote"),
        "prepared|certificate|signature",
        50,
        liars=(VoteForger,),
    ),
    Planted(
        "signatures remembered without what they sign",
        _remembered_without_what_it_signs,
        "prepared|certificate|justification|false report",
        50,
        liars=(VoteForger, FalseLock),
    ),
    Planted("f + 1 prepares are a lock", _too_few_prepares, "justification|lock", 50, liars=(FalseLock,)),
    Planted(
        "prepares of another round are a lock",
        _prepares_of_another_round,
        "justification|lock",
        400,
        schedule="blackouts",
        liars=(FalseLock,),
    ),
    Planted(
        "round changes of other rounds justify",
        _round_changes_of_other_rounds,
        "justification|lock",
        500,
        liars=(FalseJustification,),
    ),
    Planted(
        "a justification's signers are counted twice",
        _signers_not_distinct,
        "justification|lock",
        50,
        liars=(FalseJustification,),
    ),
    Planted(
        "a fresh block in another's name", _fresh_in_anothers_name, "justification", 50, liars=(FalseJustification,)
    ),
    Planted("headers not compared", _header_not_compared, ".", 100, liars=(FalseJustification,)),
    Planted(
        "certificates of another block believed",
        _certificate_of_another_block,
        "certificate|agreement",
        50,
        liars=(BorrowedCertificate,),
    ),
    Planted("certificates of f + 1 believed", _certificate_of_too_few, "certificate", 50, liars=(BorrowedCertificate,)),
    Planted("equivocation of peers unverified", _equivocation_believed, "false report", 50, liars=(FalseWitness,)),
    Planted("equivocation not passed on", _equivocation_not_passed_on, "equivocation", 100),
)
