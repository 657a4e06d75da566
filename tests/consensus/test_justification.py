"""What a message must prove: each way to fail, one by one, against the engine itself."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.consensus.harness import GENESIS_TIME_MS, NOW_MS, Bench, Club

from notarium_consensus.effects import CheckBlock
from notarium_consensus.errors import InvalidMessage
from notarium_consensus.events import ProtocolViolation
from notarium_consensus.justification import check_proposal, check_round_change, highest_prepared, untimely
from notarium_consensus.messages import RoundChange
from notarium_ledger.types import Hash, PublicKey

CLUB = Club()
FRESH = CLUB.block(3, b"ok fresh")
LOW, HIGH = CLUB.block(1, b"ok low"), CLUB.block(2, b"ok high")
PREPARED_LOW = CLUB.prepares((0, 1, 2), 0, LOW)
PREPARED_HIGH = CLUB.prepares((0, 1, 2), 1, HIGH)


def changes(*claims: object, round_: int = 2) -> list:
    """Round changes of validators 0, 1, ... with these claims."""
    return [CLUB.signed_change(signer, round_, claim) for signer, claim in enumerate(claims)]


def foreign(block, **fields):
    return type(block)(replace(block.header, **fields), block.entries)


GOOD_PROPOSALS = {
    "fresh in round 0": CLUB.proposal(1, 0, LOW),
    "fresh, nothing prepared": CLUB.proposal(3, 2, FRESH, changes(None, None, None)),
    "the only prepared": CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), PREPARED_LOW),
    "the highest prepared": CLUB.proposal(3, 2, HIGH, changes((0, LOW), (1, HIGH), None), PREPARED_HIGH),
    "all four": CLUB.proposal(3, 2, HIGH, changes((0, LOW), (1, HIGH), None, None), PREPARED_HIGH),
}

BAD_PROPOSALS = {
    "round 0 with round changes": (CLUB.proposal(1, 0, LOW, changes(None, None, None)), "no justification"),
    "round 0 with prepares": (CLUB.proposal(1, 0, LOW, (), PREPARED_LOW), "no justification"),
    "round 0, block of another proposer": (CLUB.proposal(1, 0, HIGH), "names its proposer"),
    "round 1 without round changes": (CLUB.proposal(2, 1, HIGH), "0 round changes, 3 to 4 needed"),
    "one round change too few": (CLUB.proposal(3, 2, FRESH, changes(None, None)), "2 round changes"),
    "one signer twice": (CLUB.proposal(3, 2, FRESH, [*changes(None, None), changes(None)[0]]), "distinct"),
    "round changes of another round": (CLUB.proposal(3, 2, FRESH, changes(None, None, None, round_=3)), "another"),
    "fresh although one is prepared": (CLUB.proposal(3, 2, FRESH, changes(None, (0, LOW), None)), "not the block"),
    "not the highest": (CLUB.proposal(3, 2, LOW, changes((0, LOW), (1, HIGH), None), PREPARED_LOW), "not the block"),
    "without its prepares": (CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None)), "0 votes, 3 to 4 needed"),
    "round 1, without its prepares (mistake 4)": (
        CLUB.proposal(2, 1, LOW, changes(None, (0, LOW), None, round_=1)),
        "0 votes",
    ),
    "prepares of a lower round": (
        CLUB.proposal(3, 2, LOW, changes(None, (1, LOW), None), PREPARED_LOW),
        "not a PREPARE of the prepared",
    ),
    "prepares of another block": (
        CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), CLUB.prepares((0, 1, 2), 0, HIGH)),
        "not a PREPARE of the prepared",
    ),
    "commits for prepares": (
        CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), [CLUB.commit(n, 0, LOW) for n in range(3)]),
        "not a PREPARE of the prepared",
    ),
    "more prepares than validators": (
        CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), (*PREPARED_LOW, *PREPARED_LOW)),
        "6 votes, 3 to 4 needed",
    ),
    "more round changes than validators": (
        CLUB.proposal(3, 2, FRESH, [*changes(None, None, None), *changes(None, None)]),
        "5 round changes, 3 to 4 needed",
    ),
    "two prepares": (CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), PREPARED_LOW[:2]), "2 votes"),
    "one prepare twice": (
        CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), (*PREPARED_LOW[:2], PREPARED_LOW[1])),
        "distinct",
    ),
    "prepares, but nobody prepared": (
        CLUB.proposal(3, 2, LOW, changes(None, None, None), PREPARED_LOW),
        "no round change names",
    ),
    "prepared in this very round": (
        CLUB.proposal(3, 2, LOW, changes(None, (2, LOW), None), CLUB.prepares((0, 1, 2), 2, LOW)),
        "not below round 2",
    ),
    "another ledger": (CLUB.proposal(1, 0, foreign(LOW, genesis=Hash(bytes(32)))), "another ledger"),
    "another height": (CLUB.proposal(1, 0, foreign(LOW, height=2)), "2, not 1"),
    "another parent": (CLUB.proposal(1, 0, foreign(LOW, parent=Hash(bytes(32)))), "not the block decided before"),
    "another validator set": (CLUB.proposal(1, 0, foreign(LOW, validators=Hash(bytes(32)))), "validator set"),
    "unknown proposer": (CLUB.proposal(1, 0, foreign(LOW, proposer=PublicKey(bytes(32)))), "not a validator"),
    "no later than its parent": (CLUB.proposal(1, 0, foreign(LOW, time_ms=GENESIS_TIME_MS)), "not above the parent"),
}


@pytest.mark.parametrize("name", GOOD_PROPOSALS)
def test_justified_proposals(name):
    check_proposal(GOOD_PROPOSALS[name], CLUB.context())
    bench = Bench(own=None)
    bench.receive(GOOD_PROPOSALS[name])
    assert bench.of(CheckBlock) == [CheckBlock(GOOD_PROPOSALS[name].block)]
    assert bench.engine.round == GOOD_PROPOSALS[name].round


@pytest.mark.parametrize("name", BAD_PROPOSALS)
def test_unjustified_proposals_are_violations_and_move_nothing(name):
    proposal, reason = BAD_PROPOSALS[name]
    with pytest.raises(InvalidMessage, match=reason):
        check_proposal(proposal, CLUB.context())
    bench = Bench(own=None)
    bench.receive(proposal)
    assert len(bench.effects) == len(bench.events(ProtocolViolation)) == 1
    assert bench.engine.round == 0


SIGNED = CLUB.signed_change(1, 2, (0, LOW))
BAD_ROUND_CHANGES = {
    "to round 0": (CLUB.change(1, 0), "round 0"),
    "hash without block and prepares": (RoundChange(SIGNED, None, ()), "0 votes"),
    "another block": (RoundChange(SIGNED, HIGH, PREPARED_LOW), "not the prepared block"),
    "without prepares": (RoundChange(SIGNED, LOW, ()), "0 votes"),
    "block, but no prepared round": (RoundChange(CLUB.signed_change(1, 2), LOW, ()), "names no prepared round"),
    "prepares, but no prepared round": (RoundChange(CLUB.signed_change(1, 2), None, PREPARED_LOW), "names no prepared"),
    "prepared in the round it starts": (CLUB.change(1, 2, (2, LOW)), "not below"),
    "prepared in a later round": (CLUB.change(1, 2, (3, LOW)), "not below"),
    "too few prepares": (CLUB.change(1, 2, (0, LOW), by=(0, 1)), "2 votes"),
    "block of another height": (CLUB.change(1, 2, (0, foreign(LOW, height=9))), "9, not 1"),
}


def test_a_justified_round_change():
    check_round_change(CLUB.change(1, 2, (1, HIGH)), CLUB.context())


@pytest.mark.parametrize("name", BAD_ROUND_CHANGES)
def test_unjustified_round_changes_are_violations_and_do_not_count(name):
    change, reason = BAD_ROUND_CHANGES[name]
    with pytest.raises(InvalidMessage, match=reason):
        check_round_change(change, CLUB.context())
    bench = Bench(own=None)
    bench.receive(CLUB.change(2, 2), change)
    assert bench.engine.round == 0
    if change.round > 0:
        assert len(bench.events(ProtocolViolation)) == 1


def test_signatures_inside_a_justification_are_verified():
    """In round 1 as in any other (mistake 4)."""
    forged_prepare = replace(PREPARED_LOW[1], signature=PREPARED_LOW[0].signature)
    forged_change = replace(changes(None, None, None)[1], signature=SIGNED.signature)
    for message in (
        RoundChange(SIGNED, LOW, (PREPARED_LOW[0], forged_prepare, PREPARED_LOW[2])),
        CLUB.proposal(3, 2, LOW, changes(None, (0, LOW), None), (PREPARED_LOW[0], forged_prepare, PREPARED_LOW[2])),
        CLUB.proposal(3, 2, FRESH, [forged_change, *changes(None, None, None)[::2]]),
    ):
        bench = Bench(own=None)
        bench.receive(message)
        (violation,) = bench.events(ProtocolViolation)
        assert "signature" in violation.reason
        assert bench.engine.round == 0


def test_highest_prepared_is_by_round():
    assert highest_prepared(changes(None, (0, LOW), (1, HIGH), None)) == (1, HIGH.hash)
    assert highest_prepared(changes(None, None)) is None


def test_the_message_delay_grows_as_the_rounds_do():
    context = CLUB.context()
    for length_ms, delay_ms in ((1_000, 2_000), (2_000, 4_000), (60_000, 120_000), (3_600_000, 7_200_000)):
        assert untimely(NOW_MS - 500 - delay_ms, length_ms, context, NOW_MS) is None
        assert "behind" in (untimely(NOW_MS - 501 - delay_ms, length_ms, context, NOW_MS) or "")
    slow = replace(context, message_delay_ms=90_000)
    assert untimely(NOW_MS - 90_500, 1_000, slow, NOW_MS) is None, "the cap never shortens the configured delay"
    quick = replace(context, message_delay_ms=100)
    assert untimely(NOW_MS - 32_500, 32_000, quick, NOW_MS) is None, "a proposal may travel as long as its round"
