"""The oracle of justification fires on each way to spoil a proposal, a round change, or what a PREPARE answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.simulation import oracles as package
from tests.simulation.oracle_replay import (
    PREPARE,
    PROPOSAL,
    ROUND_CHANGE,
    UNSIGNED,
    Replay,
    violation,
)
from tests.support.consortium import digest, key

from notarium_consensus.messages import Proposal, RoundChange, encode_message
from notarium_ledger.blocks.statements import SignedRoundChange
from notarium_ledger.types import Hash, Round


def test_justification_proposal_without_enough_round_changes(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "not the round changes of a quorum"):
        replay.say(node, replace(proposal, round_changes=proposal.round_changes[:2]))


def test_justification_proposal_with_one_round_change_thrice(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "not the round changes of a quorum"):
        replay.say(node, replace(proposal, round_changes=proposal.round_changes[:1] * 3))


def test_justification_proposal_with_round_changes_of_another_round(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    others = tuple(replay.change(2, 2, each) for each in range(4) if each != node)
    with violation("justification", "round change for nothing in round 2"):
        replay.say(node, replace(proposal, round_changes=others))


def test_justification_proposal_of_another_block_than_the_highest_prepared(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    header = replace(proposal.block.header, time_ms=proposal.block.header.time_ms + 1)
    other = replay.sign(replace(proposal, block=replace(proposal.block, header=header)), replay.keys[node])
    with violation("justification", "not the highest prepared one"):
        replay.say(node, other)


def test_justification_proposal_without_its_prepares(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    with violation("justification", "2 distinct signers, 3 needed"):
        replay.say(node, replace(proposal, prepares=proposal.prepares[:2]))


def test_justification_proposal_out_of_turn(replay):
    node, proposal = replay.until_sent(1, PROPOSAL)
    other = (node + 1) % 4
    with violation("justification", "does not propose in that round"):
        replay.say(other, replay.sign(proposal, replay.keys[other]))


def test_justification_proposal_on_another_parent(replay):
    node, proposal = replay.until_sent(2, PROPOSAL)
    assert isinstance(proposal, Proposal)
    header = replace(proposal.block.header, parent=Hash(digest("other")))
    bad = replay.sign(replace(proposal, block=replace(proposal.block, header=header)), replay.keys[node])
    with violation("justification", "parent is not the block before"):
        replay.say(node, bad)


def _changed_header(proposal: Proposal, **fields: Any) -> Proposal:
    return replace(proposal, block=replace(proposal.block, header=replace(proposal.block.header, **fields)))


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("another ledger", lambda proposal: _changed_header(proposal, genesis=Hash(digest("other")))),
        ("time is not above", lambda proposal: _changed_header(proposal, time_ms=1)),
        ("names another proposer", lambda proposal: _changed_header(proposal, proposer=key("other").public)),
    ],
)
def test_justification_fresh_proposal(replay, reason, change):
    node, proposal = replay.until_sent(2, PROPOSAL)
    with violation("justification", reason):
        replay.say(node, replay.sign(change(proposal), replay.keys[node]))


def test_justification_in_round_0_has_none(replay):
    node, proposal = replay.until_sent(2, PROPOSAL)
    assert isinstance(proposal, Proposal)
    carried = replace(proposal, round_changes=(replay.change(2, 0, (node + 1) % 4),))
    with violation("justification", "in round 0"):
        replay.say(node, replay.sign(carried, replay.keys[node]))


def _with_changes(replay: Replay, make: Callable[[int], SignedRoundChange]) -> tuple[int, Proposal]:
    """The proposal of round 1, with the round changes of the others made again."""
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    own = [each for each in proposal.round_changes if each.key == replay.keys[node].public]
    return node, replace(proposal, round_changes=(*own, *[make(each) for each in range(4) if each != node]))


def test_justification_proposal_with_a_prepared_round_that_is_not_below(replay):
    claim = (Round(1), Hash(digest("any")))
    node, proposal = _with_changes(replay, lambda each: replay.change(2, 1, each, claim))
    with violation("justification", "prepared round 1 is not below"):
        replay.say(node, proposal)


def test_justification_proposal_with_a_round_change_that_nobody_signed(replay):
    node, proposal = _with_changes(replay, lambda each: replace(replay.change(2, 1, each), signature=UNSIGNED))
    with violation("justification", "has not signed"):
        replay.say(node, proposal)


def test_justification_fresh_proposal_of_round_1_that_names_its_signer_or_not(recording):
    """Where no round change names a prepared block, the proposer makes one of its own."""
    replay = Replay(recording)
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    liar = replay.keys[node]
    replay.oracles.knows_key(9, bytes(liar.public))
    changes = tuple(replay.change(2, 1, each) for each in range(4) if each != node)
    fresh = replace(_changed_header(proposal, proposer=liar.public), round_changes=changes, prepares=())
    justification = package.justification
    judged = [
        justification.fault(
            package.formats.read_message(encode_message(replay.sign(each, liar))),
            replay.oracles._chain,
            bytes(replay.genesis),
            replay.oracles._signatures,
        )
        for each in (fresh, _changed_header(fresh, proposer=replay.keys[(node + 1) % 4].public))
    ]
    assert judged == [None, "its fresh block names another proposer"]


def test_passes_a_round_change_that_names_its_block_by_the_hash(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    replay.say(node, replace(change, block=None))


def test_justification_round_change_with_another_block_than_it_names(recording, replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    _, proposal = Replay(recording).until_sent(1, PROPOSAL)
    assert isinstance(proposal, Proposal)
    with violation("justification"):
        replay.say(node, replace(change, block=proposal.block))


def test_justification_round_change_with_a_prepare_counted_twice(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    with violation("justification", "is counted twice"):
        replay.say(node, replace(change, prepares=(*change.prepares[:2], change.prepares[1])))


def test_justification_round_change_whose_prepared_round_is_not_below(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    assert change.signed.prepared is not None
    statement = replace(change.statement, prepared=(Round(1), change.signed.prepared[1]))
    same = replace(change.signed, statement=statement)
    with violation("justification", "prepared round 1 is not below"):
        replay.say(node, replay.sign(replace(change, signed=same), replay.keys[node]))


def test_justification_round_change_without_its_prepares(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    assert isinstance(change, RoundChange)
    with violation("justification", "distinct signers"):
        replay.say(node, replace(change, prepares=change.prepares[:2]))


def test_justification_prepare_without_a_justified_proposal(replay):
    node, _ = replay.until_sent(1, PREPARE)
    with violation("justification", "no justified proposal"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


@pytest.mark.parametrize("is_justified", [True, False])
def test_justification_of_a_liars_proposal_that_was_overheard(recording, is_justified):
    replay = Replay(recording)
    proposer, proposal = replay.until_sent(1, PROPOSAL)
    assert isinstance(proposal, Proposal)
    node = (proposer + 1) % 4
    said = proposal if is_justified else replace(proposal, signature=UNSIGNED)
    replay.oracles.overheard(b"\1" + b"\x99\1\1 nonsense")
    replay.oracles.overheard(b"\1" + encode_message(said))
    prepare = replay.vote(PREPARE, 1, 0, proposal.block_hash, node)
    if is_justified:
        replay.say(node, prepare)
        return
    with violation("justification", "no justified proposal"):
        replay.say(node, prepare)
