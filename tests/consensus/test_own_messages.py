"""Each slot is signed once, recorded before it is sent, and only while signing is allowed."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import GENESIS, Club

from notarium_consensus.authentication import Authenticator
from notarium_consensus.dispatch import Dispatch
from notarium_consensus.effects import Broadcast, Persist, Report
from notarium_consensus.events import SigningRefused
from notarium_consensus.inbox import Inbox
from notarium_consensus.justification import Prepared
from notarium_consensus.messages import encode_message, signed_part
from notarium_consensus.own_messages import OwnMessages
from notarium_consensus.signing import KeySigner, Signer
from notarium_consensus.signing_record import (
    PREPARED_KEY,
    PROPOSAL_KEY,
    SigningRecord,
    encode_prepared,
    encode_statement,
    slot_key,
)
from notarium_consensus.step_effects import StepEffects
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.signing import SigningKey

CLUB = Club()
BLOCK, OTHER = CLUB.block(1), CLUB.block(1, b"ok another")
PREPARE, COMMIT = StatementKind.PREPARE, StatementKind.COMMIT


class Parts:
    """The messages of validator 0, with what they are made of."""

    def __init__(self) -> None:
        key = CLUB.keys[0]
        self.effects = StepEffects()
        self.authenticator = Authenticator(GENESIS, key.public)
        inbox = Inbox(CLUB.context(), self.authenticator, self.effects)
        self.dispatch = Dispatch(CLUB.context(), key.public, inbox, self.effects)
        self.own = self.signed_by(KeySigner(key))

    def signed_by(self, signer: Signer | None) -> OwnMessages:
        return OwnMessages(CLUB.context(), signer, self.authenticator, self.effects, self.dispatch)


@pytest.fixture
def parts() -> Parts:
    made = Parts()
    made.own.allow()
    return made


def test_the_signed_part_of_a_message_is_recorded_and_then_the_message_sent(parts: Parts):
    vote = parts.own.vote(PREPARE, 0, BLOCK.hash)
    assert vote == CLUB.prepare(0, 0, BLOCK)
    assert parts.effects.take() == [Persist(1, slot_key(0, PREPARE), encode_statement(vote)), Broadcast(vote)]
    change = parts.own.change_round(1, None)
    assert change == CLUB.change(0, 1)
    slot = Persist(1, slot_key(1, StatementKind.ROUND_CHANGE), encode_statement(change.signed))
    assert parts.effects.take() == [slot, Broadcast(change)]


def test_a_proposal_is_recorded_whole_and_the_prepared_block_before_its_commit(parts: Parts):
    proposal = parts.own.propose(4, BLOCK, (), ())
    assert proposal == CLUB.proposal(0, 4, BLOCK)
    slot = Persist(1, slot_key(4, StatementKind.PROPOSAL), encode_statement(signed_part(proposal)))
    assert parts.effects.take() == [Persist(1, PROPOSAL_KEY, encode_message(proposal)), slot, Broadcast(proposal)]
    lock = Prepared(4, BLOCK, CLUB.prepares((0, 1, 2), 4, BLOCK))
    commit = parts.own.commit(lock)
    slot = Persist(1, slot_key(4, COMMIT), encode_statement(commit))
    assert parts.effects.take() == [Persist(1, PREPARED_KEY, encode_prepared(lock)), slot, Broadcast(commit)]
    assert parts.own.lock == lock


def test_a_refusal_of_the_signer_is_reported_once_for_each_kind():
    class Refuses(KeySigner):
        def sign(self, statement, genesis, validators):
            return None

    parts = Parts()
    own = parts.signed_by(Refuses(CLUB.keys[0]))
    own.allow()
    for round_ in (0, 1):
        assert own.vote(PREPARE, round_, BLOCK.hash) is None
    assert own.change_round(1, None) is None
    refused = [SigningRefused(1, 0, PREPARE), SigningRefused(1, 1, StatementKind.ROUND_CHANGE)]
    assert parts.effects.take() == [Report(event) for event in refused]


def test_a_slot_is_signed_once(parts: Parts):
    assert parts.own.vote(PREPARE, 0, BLOCK.hash) is not None
    parts.effects.take()
    assert parts.own.vote(PREPARE, 0, OTHER.hash) is None
    assert parts.own.vote(PREPARE, 0, BLOCK.hash) is None, "not even the same again: the recorded bytes are sent"
    assert parts.effects.take() == []
    assert parts.own.vote(COMMIT, 0, BLOCK.hash) is not None
    assert parts.own.vote(PREPARE, 1, OTHER.hash) is not None
    assert parts.own.has_signed(1, PREPARE)
    assert not parts.own.has_signed(1, COMMIT)


def test_nothing_is_signed_before_it_is_allowed_and_after_it_is_forbidden():
    parts = Parts()
    assert parts.own.vote(PREPARE, 0, BLOCK.hash) is None
    parts.own.allow()
    assert parts.own.vote(PREPARE, 0, BLOCK.hash) is not None
    parts.own.forbid()
    assert parts.own.change_round(1, None) is None


def test_an_unknown_signature_of_ours_stops_signing_in_the_same_step(parts: Parts):
    parts.authenticator.check(CLUB.commit(0, 0, OTHER), CLUB.validators, "vote")
    assert parts.own.vote(PREPARE, 0, BLOCK.hash) is None
    assert parts.effects.take() == []


def test_an_observer_and_a_stranger_are_never_allowed():
    stranger = SigningKey(b"a stranger's key".ljust(32))
    for signer in (None, KeySigner(stranger)):
        parts = Parts()
        own = parts.signed_by(signer)
        own.allow()
        assert not own.may_sign
        assert own.vote(PREPARE, 0, BLOCK.hash) is None


def test_recorded_messages_take_their_slots_and_those_of_another_key_do_not(parts: Parts):
    record = SigningRecord((CLUB.prepare(0, 0, BLOCK), CLUB.prepare(1, 1, BLOCK)), None, None, 1)
    assert parts.own.restore(record) == [CLUB.prepare(0, 0, BLOCK)]
    assert parts.own.vote(PREPARE, 0, OTHER.hash) is None
    assert parts.own.vote(PREPARE, 1, OTHER.hash) is not None
    parts.authenticator.check(CLUB.prepare(0, 0, BLOCK), CLUB.validators, "vote")
    assert parts.authenticator.own_seen is None, "it is in the record"


def test_a_recorded_round_change_is_whole_only_if_the_lock_is_the_one_that_it_claims(parts: Parts):
    change = CLUB.change(0, 2, (0, BLOCK))
    lock = Prepared(0, BLOCK, change.prepares)
    assert parts.own.restore(SigningRecord((change.signed,), None, lock, 1)) == [change]
    assert parts.own.of_round(2) == [change]
    later = Prepared(2, BLOCK, CLUB.prepares((0, 1, 2), 2, BLOCK))
    own = Parts().own
    assert own.restore(SigningRecord((change.signed,), None, later, 1)) == []
    assert (own.of_round(2), own.latest_round) == ([], 2)


def test_a_recorded_proposal_counts_only_with_its_slot(parts: Parts):
    proposal = CLUB.proposal(0, 4, BLOCK)
    assert parts.own.restore(SigningRecord((), proposal, None, 1)) == []
    assert parts.own.restore(SigningRecord((signed_part(proposal),), proposal, None, 1)) == [proposal]
    assert parts.own.propose(4, OTHER, (), ()) is None


def test_the_messages_of_a_round_are_sent_again_in_an_order_that_makes_sense(parts: Parts):
    for kind in (COMMIT, PREPARE):
        parts.own.vote(kind, 1, BLOCK.hash)
    parts.own.propose(1, BLOCK, (), ())
    parts.own.change_round(1, None)
    assert [message.kind.name for message in parts.own.of_round(1)] == ["ROUND_CHANGE", "PROPOSAL", "PREPARE", "COMMIT"]
