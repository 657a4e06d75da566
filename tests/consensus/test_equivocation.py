"""Who signs two things for one (height, round, kind) is convicted by its own signatures."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.consensus.harness import GENESIS, Bench, Club

from notarium_consensus.equivocation import Equivocation, conflict
from notarium_consensus.errors import InvalidEquivocation
from notarium_consensus.events import EquivocationDetected, ProtocolViolation
from notarium_consensus.inputs import CertificateSeen
from notarium_ledger.blocks.statements import StatementKind

CLUB = Club()
ONE, OTHER = CLUB.block(1, b"ok one"), CLUB.block(1, b"ok other")

PAIRS: dict[str, tuple[Any, Any]] = {
    "prepare": (CLUB.prepare(1, 0, ONE), CLUB.prepare(1, 0, OTHER)),
    "commit": (CLUB.commit(1, 0, ONE), CLUB.commit(1, 0, OTHER)),
    "proposal": (CLUB.proposal(1, 0, ONE), CLUB.proposal(1, 0, OTHER)),
    "round change": (CLUB.change(1, 1), CLUB.change(1, 1, (0, ONE), by=(1, 2, 3))),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_two_contents_in_one_slot_are_reported_once_with_a_proof_that_verifies(kind):
    bench = Bench(own=0)
    first, second = PAIRS[kind]
    bench.receive(first, second)
    (event,) = bench.events(EquivocationDetected)
    equivocation = Equivocation.decode(event.equivocation.encode())
    equivocation.verify()
    assert (equivocation.key, equivocation.height, equivocation.round) == (first.key, 1, first.round)
    assert equivocation.kind is first.kind
    assert equivocation.validators == CLUB.validators.hash
    assert bench.receive(second) == [], "reported once"


def test_the_order_of_arrival_does_not_change_the_equivocation():
    first, second = PAIRS["prepare"]
    there, back = (conflict(GENESIS, CLUB.validators.hash, *pair) for pair in ((first, second), (second, first)))
    assert there.encode() == back.encode()


def test_the_first_vote_counts_and_the_second_does_not():
    bench = Bench(own=0)
    bench.accept(CLUB.proposal(1, 0, ONE))
    bench.receive(*PAIRS["prepare"], CLUB.prepare(1, 0, ONE))
    assert bench.said() == []
    bench.receive(CLUB.prepare(2, 0, ONE))
    assert bench.said() == ["COMMIT"]


def test_the_same_content_signed_twice_is_no_equivocation():
    bench = Bench(own=0)
    first = PAIRS["prepare"][0]
    bench.receive(first)
    assert bench.receive(replace(first, signature=PAIRS["prepare"][1].signature)) == []


def test_what_others_show_is_compared_with_what_a_liar_told_us():
    """Validator 3 prepares ONE towards us and OTHER towards the rest, who lock OTHER and change the round with it."""
    told, shown = CLUB.prepare(3, 0, ONE), CLUB.change(1, 1, (0, OTHER), by=(1, 2, 3))
    again = CLUB.proposal(
        2, 1, OTHER, [CLUB.signed_change(0, 1), shown.signed, CLUB.signed_change(2, 1)], shown.prepares
    )
    for message in (shown, again):
        bench = Bench(own=0)
        bench.receive(told)
        bench.receive(message)
        (event,) = bench.events(EquivocationDetected)
        event.equivocation.verify()
        assert (event.equivocation.key, event.equivocation.kind) == (CLUB.keys[3].public, StatementKind.PREPARE)


def test_a_round_change_inside_a_proposal_is_compared_as_well():
    honest = CLUB.change(1, 1, (0, ONE), by=(1, 2, 3))
    told, shown = CLUB.change(3, 1), CLUB.change(3, 1, (0, ONE), by=(1, 2, 3))
    bench = Bench(own=0)
    bench.receive(told)
    changes = [CLUB.signed_change(0, 1), honest.signed, shown.signed]
    bench.receive(CLUB.proposal(2, 1, ONE, changes, honest.prepares))
    (event,) = bench.events(EquivocationDetected)
    event.equivocation.verify()
    assert (event.equivocation.key, event.equivocation.kind) == (CLUB.keys[3].public, StatementKind.ROUND_CHANGE)


def test_a_certificate_of_others_is_compared_with_the_commits_that_came():
    bench = Bench(own=0)
    bench.receive(CLUB.commit(3, 0, ONE), CLUB.commit(2, 1, ONE))
    bench.step(CertificateSeen(CLUB.decision(OTHER, (1, 2, 3)).certificate))
    (event,) = bench.events(EquivocationDetected)
    event.equivocation.verify()
    assert (event.equivocation.key, event.equivocation.kind) == (CLUB.keys[3].public, StatementKind.COMMIT)


def test_nobody_is_accused_by_what_agrees():
    bench = Bench(own=0)
    change = CLUB.change(1, 1, (0, ONE), by=(1, 2, 3))
    bench.receive(*CLUB.prepares((1, 2, 3), 0, ONE), change)
    assert bench.events(EquivocationDetected) == []
    bench.receive(CLUB.commit(3, 0, ONE))
    bench.step(CertificateSeen(CLUB.decision(ONE, (1, 2, 3)).certificate))
    assert bench.events(EquivocationDetected) == []


def test_the_second_vote_of_a_round_that_is_left_still_convicts():
    bench = Bench(own=0)
    bench.receive(PAIRS["prepare"][0])
    bench.receive(*(CLUB.change(signer, 1) for signer in (1, 2, 3)))
    assert bench.engine.round == 1
    bench.receive(PAIRS["prepare"][1])
    assert len(bench.events(EquivocationDetected)) == 1
    bench = Bench(own=0)
    bench.receive(CLUB.change(1, 1), CLUB.change(2, 2), CLUB.change(3, 2))
    assert bench.engine.round == 2
    bench.receive(PAIRS["round change"][1])
    assert len(bench.events(EquivocationDetected)) == 1


def test_a_forged_second_vote_accuses_only_who_hands_it_over():
    bench = Bench(own=0)
    first, second = PAIRS["prepare"]
    bench.receive(first)
    bench.receive(replace(second, signature=first.signature), peer=CLUB.keys[2].public)
    assert bench.events(EquivocationDetected) == []
    assert [violation.peer for violation in bench.events(ProtocolViolation)] == [CLUB.keys[2].public]


def test_votes_of_different_rounds_or_kinds_do_not_conflict():
    bench = Bench(own=0)
    bench.receive(CLUB.prepare(1, 0, ONE), CLUB.prepare(1, 1, OTHER), CLUB.commit(1, 0, OTHER))
    assert bench.events(EquivocationDetected) == []


GOOD = conflict(GENESIS, CLUB.validators.hash, *PAIRS["commit"])


@pytest.mark.parametrize(
    ("equivocation", "reason"),
    [
        (replace(GOOD, second=GOOD.first), "say the same"),
        (replace(GOOD, second=CLUB.commit(2, 0, OTHER)), "one validator"),
        (replace(GOOD, second=CLUB.commit(1, 1, OTHER)), "one validator"),
        (replace(GOOD, second=CLUB.prepare(1, 0, OTHER)), "different kinds"),
        (replace(GOOD, genesis=CLUB.validators.hash), "signature is invalid"),
        (replace(GOOD, validators=GENESIS), "signature is invalid"),
        (replace(GOOD, first=replace(GOOD.first, signature=GOOD.second.signature)), "first: signature is invalid"),
        (replace(GOOD, second=replace(GOOD.second, signature=GOOD.first.signature)), "second: signature is invalid"),
    ],
)
def test_equivocation_that_convicts_nobody(equivocation, reason):
    GOOD.verify()
    with pytest.raises(InvalidEquivocation, match=reason):
        equivocation.verify()


@pytest.mark.parametrize(
    "data", [b"", b"\x90", GOOD.encode()[:-1], replace(GOOD, first=GOOD.second, second=GOOD.first).encode()]
)
def test_malformed_equivocation(data):
    with pytest.raises(InvalidEquivocation):
        Equivocation.decode(data)


def vote_after(bench: Bench, block: Any) -> Any:
    """What a node says of validator 1's proposal, which it has checked."""
    bench.accept(CLUB.proposal(1, 0, block))
    return bench.sent()


def test_an_honest_key_is_accused_after_its_record_is_lost_unless_vote_from_says_otherwise():
    """As docs/threat-model.md says: a restored backup, and what keeps its operator out of it."""
    before = Bench(own=0)
    (first,) = vote_after(before, ONE)
    restarted = Bench(own=0, record=before.disk, record_height=1)
    assert restarted.sent() == [first], "with its record it says the same again, and of another block nothing"
    assert first not in vote_after(restarted, OTHER)
    (second,) = vote_after(Bench(own=0), OTHER)
    conflict(GENESIS, CLUB.validators.hash, first, second).verify()
    assert vote_after(Bench(own=0, vote_from=2), OTHER) == []
