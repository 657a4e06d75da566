"""The oracles of what nodes say pass a recorded run of real engines and stores, and fire on each way to spoil it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.simulation.oracle_replay import (
    COMMIT,
    PREPARE,
    PROPOSAL,
    ROUND_CHANGE,
    UNSIGNED,
    Replay,
    prepared_name,
    slot,
    violation,
)
from tests.support.consortium import digest

from notarium_consensus.messages import Proposal, RoundChange, decode_message
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind, Vote, VoteStatement
from notarium_ledger.encoding import canonical
from notarium_ledger.types import Hash, Height, Round


def test_passes_the_recorded_run(replay):
    replay.end()
    replay.finish(pending=[])
    assert replay.oracles.height == 4
    assert not replay.oracles.rolled_back_nodes


def test_the_recorded_run_has_a_lock_a_justification_and_a_change_of_the_set(recording):
    sent = [decode_message(call.args[1][1:]) for call in recording.calls if call.method == "sent"]
    proposals = [each for each in sent if isinstance(each, Proposal) and each.round == 1]
    assert [(each.height, len(each.round_changes), len(each.prepares)) for each in proposals] == [(2, 3, 3)]
    assert recording.sets[3] != recording.sets[4]


def test_persist_before_send_of_what_is_not_on_disk(replay):
    node, message = replay.until_sent(1, PREPARE)
    replay.wrote(node, [(slot(message), b"")])
    with violation("persist before send", "not on its disk"):
        replay.say(node, message, keep=False)


@pytest.mark.parametrize("kind", [PROPOSAL, PREPARE, COMMIT])
def test_persist_before_send_when_the_write_of_a_kind_is_left_out(recording, kind):
    replay = Replay(recording)
    name = (1).to_bytes(8, "big") + bytes([0, kind])
    dropped = [call for call in recording.calls if call.method == "wrote" and call.args[1][0][0] == b"c" + name]
    assert dropped
    with violation("persist before send"):
        for call in recording.calls:
            if call not in dropped:
                replay.play(call)


def test_persist_before_send_when_the_disk_has_another_message(replay):
    node, message = replay.until_sent(1, PREPARE)
    replay.keep(node, replay.vote(PREPARE, 1, 0, digest("other"), node))
    with violation("persist before send", "not on its disk"):
        replay.say(node, message, keep=False)


def test_persist_before_send_of_the_prepared_block(recording):
    replay = Replay(recording)
    dropped = [call for call in recording.calls if call.method == "wrote" and call.args[1][0][0] == prepared_name(1)]
    assert dropped
    with violation("persist before send", "prepared block is not on disk"):
        for call in recording.calls:
            if call not in dropped:
                replay.play(call)


def test_persist_before_send_with_another_block_prepared(replay):
    node, commit = replay.until_sent(2, COMMIT)
    name = prepared_name(2)
    prepared: Any = canonical.decode(replay.disks[node][name])
    replay.wrote(node, [(name, canonical.encode([1, 7, prepared[2], prepared[3]]))])
    with violation("persist before send", "another block prepared"):
        replay.say(node, commit, keep=False)


def test_persist_before_send_of_an_own_signature_in_a_justification(replay):
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    own = replay.keys[node].public
    assert isinstance(proposal, Proposal)
    change = next(each for each in proposal.round_changes if each.key == own)
    contents = dict(replay.disks[node])
    del contents[b"c" + (2).to_bytes(8, "big") + bytes([change.round % 32, ROUND_CHANGE])]
    replay.oracles.rolled_back(node, contents)
    with violation("persist before send", "passes on its round change"):
        replay.say(node, proposal, keep=False)


def test_persist_before_send_deletes_the_record_of_an_undecided_height(replay):
    node, message = replay.until_sent(1, COMMIT)
    with violation("persist before send", "undecided height 1"):
        replay.wrote(node, [], [slot(message)])


def test_passes_a_message_on_its_way_while_its_height_is_decided(replay):
    node, message = replay.until_sent(1, COMMIT)
    replay.until("submitted")
    assert slot(message) not in replay.disks[node]
    replay.say(node, message, keep=False)


def test_prepared_without_a_quorum(replay):
    node, commit = replay.until_sent(1, COMMIT)
    prepared: Any = canonical.decode(replay.disks[node][prepared_name(1)])
    replay.wrote(node, [(prepared_name(1), canonical.encode([*prepared[:3], prepared[3][:2]]))])
    with violation("prepared", "2 distinct signers, 3 needed"):
        replay.say(node, commit, keep=False)


def test_prepared_by_prepares_of_another_round(replay):
    node, commit = replay.until_sent(1, COMMIT)
    prepared: Any = canonical.decode(replay.disks[node][prepared_name(1)])
    others = [replay.vote(PREPARE, 1, 1, commit.block_hash, each).to_value() for each in range(3)]
    replay.wrote(node, [(prepared_name(1), canonical.encode([*prepared[:3], others]))])
    with violation("prepared", "in round 1"):
        replay.say(node, commit, keep=False)


def test_double_vote_prepares(recording):
    replay = Replay(recording, hears_all=False)
    node, vote = replay.until_sent(1, PREPARE)
    replay.say(node, vote, keep=False)
    with violation("double vote", "node .* has said something else before its prepare"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


def test_double_vote_commits(replay):
    """Also where a quorum of liars has prepared the second block."""
    node, vote = replay.until_sent(1, COMMIT)
    replay.say(node, vote, keep=False)
    prepared: Any = canonical.decode(replay.disks[node][prepared_name(1)])
    block = Block.from_value(prepared[2])
    other = replace(block, header=replace(block.header, time_ms=block.header.time_ms + 1))
    prepares = [replay.vote(PREPARE, 1, 0, other.hash, each).to_value() for each in range(4)]
    replay.wrote(node, [(prepared_name(1), canonical.encode([1, 0, other.to_value(), prepares]))])
    with violation("double vote", "its commit"):
        replay.say(node, replay.vote(COMMIT, 1, 0, other.hash, node))


def test_double_vote_of_a_proposer(replay):
    node, proposal = replay.until_sent(1, PROPOSAL)
    replay.say(node, proposal, keep=False)
    assert isinstance(proposal, Proposal)
    block = replace(proposal.block, header=replace(proposal.block.header, time_ms=proposal.block.header.time_ms + 1))
    with violation("double vote"):
        replay.say(node, replay.sign(replace(proposal, block=block), replay.keys[node]))


def test_double_vote_after_the_disk_was_wiped(replay):
    node, vote = replay.until_sent(1, PREPARE)
    replay.say(node, vote, keep=False)
    replay.oracles.rolled_back(node, {})
    with violation("double vote"):
        replay.say(node, replay.vote(PREPARE, 1, 0, digest("other"), node))


def test_double_vote_inside_a_justification(replay):
    """The round change that a proposal brings says something else than the one that was sent."""
    node, proposal = replay.until_sent(2, PROPOSAL, 1)
    assert isinstance(proposal, Proposal)
    other = replay.change(2, 1, node)
    swapped = tuple(other if each.key == other.key else each for each in proposal.round_changes)
    replay.keep(node, RoundChange(other, None, ()))
    with violation("double vote", "round change for nothing"):
        replay.say(node, replace(proposal, round_changes=swapped))


def test_passes_a_round_change_of_a_node_that_has_committed_to_nothing(replay):
    node, _ = replay.until_sent(1, PREPARE)
    replay.say(node, RoundChange(replay.change(1, 1, node), None, ()))


def test_left_round(replay):
    node, prepare = replay.until_sent(2, PREPARE)
    replay.say(node, prepare, keep=False)
    replay.until_sent(2, PROPOSAL, 1)  # everybody has changed to round 1
    with violation("left round", "spoken in round 1"):
        replay.say(node, prepare, keep=False)


def test_left_round_of_the_node_that_sends_again_after_a_restart(replay):
    node, change = replay.until_sent(2, ROUND_CHANGE, 1)
    replay.say(node, change, keep=False)
    replay.oracles.rolled_back(node, replay.disks[node])
    assert not replay.oracles.rolled_back_nodes
    replay.say(node, change, keep=False)
    with violation("left round"):
        replay.say(node, replay.vote(PREPARE, 2, 0, digest("any"), node))


def test_lock_prepare_of_another_block_after_a_quorum_committed(replay):
    replay.until_sent(2, PREPARE, 1)
    with violation("lock", "another block is locked in round 0"):
        replay.say(0, replay.vote(PREPARE, 2, 1, digest("other"), 0))


def test_lock_counts_no_node_that_has_lost_its_disk(recording):
    replay = Replay(recording, hears_all=False)
    replay.until_sent(2, PREPARE, 1)
    for node in range(1, 4):
        replay.oracles.rolled_back(node, {})
    replay.say(0, replay.vote(PREPARE, 2, 1, digest("other"), 0))


def test_lock_forgotten_in_a_round_change(replay):
    node, _ = replay.until_sent(2, ROUND_CHANGE, 1)
    with violation("lock", "has committed in round 0"):
        replay.say(node, RoundChange(replay.change(2, 1, node), None, ()))


def test_forged_message_of_another_key(replay):
    node, prepare = replay.until_sent(1, PREPARE)
    with violation("forged"):
        replay.say((node + 1) % 4, prepare)


def test_signature_of_a_message(replay):
    node, prepare = replay.until_sent(1, PREPARE)
    with violation("signature"):
        replay.say(node, replace(prepare, signature=UNSIGNED))


def test_stranger_who_signs_after_it_was_replaced(replay):
    replay.until_sent(4, PREPARE)
    with violation("stranger"):
        replay.say(0, replay.vote(PREPARE, 4, 0, digest("any"), 0))


def test_chain_message_of_a_height_that_nobody_reached(replay):
    node, _ = replay.until_sent(1, PREPARE)
    vote = Vote(
        VoteStatement(StatementKind.PREPARE, Height(3), Round(0), Hash(digest("any"))),
        replay.keys[node].public,
        UNSIGNED,
    )
    with violation("chain", "height 3 is worked on"):
        replay.say(node, vote)


def test_malformed_message(replay):
    with violation("malformed"):
        replay.oracles.sent(0, b"\1\x93\1\2\3")


def test_status_and_blocks_that_are_true_pass_and_others_do_not(replay):
    replay.end()
    log = replay.recording.logs[0]
    tip = canonical.decode(log[3])[1][2]  # type: ignore[index]
    replay.oracles.sent(0, b"\3" + canonical.encode([4, tip]))
    replay.oracles.sent(0, b"\5" + canonical.encode(list(log)))
    replay.oracles.sent(0, b"\2 entries, which no oracle judges")
    with violation("chain", "claims a tip of height 3"):
        replay.oracles.sent(0, b"\3" + canonical.encode([3, tip]))
    replay.oracles.rolled_back(0, {})
    with violation("chain", "not on its disk"):
        replay.oracles.sent(0, b"\3" + canonical.encode([4, tip]))
    with violation("malformed"):
        replay.oracles.sent(0, b"\5" + canonical.encode([log[0][:-1]]))
    with violation("malformed", "node 0 sends"):
        replay.oracles.sent(0, b"\3" + b"\x92\1")
