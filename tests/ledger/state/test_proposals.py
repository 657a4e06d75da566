"""Proposals and votes: what decides one, and when it ends without a decision."""

import pytest
from tests.ledger.state.governing import NEW, NEXT, Fields, apply, decide, node
from tests.support.chains import approved
from tests.support.consortium import Consortium

from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.state.governance import apply_entry, without_expired
from notarium_ledger.state.registry import MAX_OPEN_PROPOSALS, Registry
from notarium_ledger.types import Height


def test_a_proposal_takes_effect_with_the_quorum_s_last_vote(consortium: Consortium, registry: Registry) -> None:
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose, *votes = approved(consortium, 4, action)
    assert registry.validators.quorum == 3
    registry, change = apply_entry(registry, propose, NEXT)
    assert not change
    assert registry.proposals[propose.id].approvals == {"m0"}
    registry, change = apply_entry(registry, votes[0], NEXT)
    assert not change
    again = consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=True)
    with pytest.raises(
        InvalidEntry, match=f"m1 has approved {propose.id.hex()} already, and its vote counts"
    ) as caught:
        apply(registry, consortium, again)
    assert caught.value.field == "body.approve"
    registry, change = apply_entry(registry, votes[1], NEXT)
    assert change
    assert registry.parameters.max_block_entries == 5
    assert registry.proposals == {}
    with pytest.raises(
        InvalidEntry, match=rf"body\.proposal: {propose.id.hex()} is not open.*: compare the id; propose it again"
    ):
        apply_entry(registry, votes[2], NEXT)


def test_a_vote_can_be_taken_back_and_so_can_a_proposal(consortium: Consortium, registry: Registry) -> None:
    propose, *votes = approved(consortium, 4, {"type": "remove-node", "key": bytes(consortium.observer_keys[0].public)})
    for entry in (propose, votes[0]):
        registry, _ = apply_entry(registry, entry, NEXT)
    against = consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=False)
    registry, changes = apply(registry, consortium, against)
    assert changes == [False]
    assert registry.proposals[propose.id].approvals == {"m0"}
    with pytest.raises(InvalidEntry, match=f"m1 has not approved {propose.id.hex()}, so there is nothing to take back"):
        apply(registry, consortium, consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=False))
    registry, change = apply_entry(registry, votes[1], NEXT)
    assert not change
    back = consortium.member_body("vote", 0, proposal=bytes(propose.id), approve=False)
    registry, changes = apply(registry, consortium, back)
    assert changes == [False]
    assert registry.proposals == {}


def test_members_without_a_validator_may_propose_and_have_no_vote(consortium: Consortium, registry: Registry) -> None:
    registry = registry.with_nodes((), [key for key, each in registry.nodes.items() if each.member in ("m2", "m3")])
    assert registry.validators.quorum == 2
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose = consortium.entry(consortium.member_body("propose", 2, action=action))
    registry, change = apply_entry(registry, propose, NEXT)
    assert (change, registry.proposals[propose.id].approvals) == (False, frozenset())

    def vote(member: int, approve: bool = True) -> Fields:
        return consortium.member_body("vote", member, proposal=bytes(propose.id), approve=approve)

    for member, approve in ((3, True), (3, False), (2, True)):
        with pytest.raises(InvalidEntry, match="has no validator, so it has no vote; set one first") as caught:
            apply(registry, consortium, vote(member, approve))
        assert caught.value.field == "body.member"
    withdrawn, changes = apply(registry, consortium, vote(2, approve=False))
    assert (withdrawn.proposals, changes) == ({}, [False])
    _, changes = apply(registry, consortium, vote(0), vote(1))
    assert changes == [False, True]


def test_with_one_validator_a_proposal_takes_effect_at_once() -> None:
    consortium = Consortium(1)
    action = {"type": "add-member", "id": "m1", "name": "Second", "key": NEW}
    registry, changes = apply(consortium.genesis.registry, consortium, consortium.member_body("propose", action=action))
    assert changes == [True]
    assert registry.members["m1"].key == NEW


def test_no_member_s_open_proposals_shut_the_others_up(consortium: Consortium, registry: Registry) -> None:
    def proposal(value: int) -> Fields:
        action = {"type": "set-parameter", "name": "max_block_entries", "value": value}
        return consortium.member_body("propose", action=action)

    registry, _ = apply(registry, consortium, *(proposal(1 + number) for number in range(MAX_OPEN_PROPOSALS)))
    with pytest.raises(InvalidEntry, match="16 proposals of m0 are open"):
        apply(registry, consortium, proposal(1000))
    others, _ = apply(registry, consortium, {**proposal(1000), "member": "m1"})
    assert len(others.proposals) == MAX_OPEN_PROPOSALS + 1


def test_the_last_vote_shows_what_became_impossible(consortium: Consortium, registry: Registry) -> None:
    action = {"type": "remove-node", "key": bytes(consortium.observer_keys[0].public)}
    first, second = approved(consortium, 3, action), approved(consortium, 3, {**action, "below_four": False})
    for entry in (*first[:2], *second[:2], first[2]):
        registry, _ = apply_entry(registry, entry, NEXT)
    assert len(registry.nodes) == 4
    with pytest.raises(InvalidEntry, match="is not a node"):
        apply_entry(registry, second[2], NEXT)


# The end of a proposal


def test_approvals_do_not_outlive_the_set_that_gave_them() -> None:
    """Seven validators, Q = 5: three approve the removal of m6. Once three others have left, Q = 3 of the four."""
    consortium = Consortium(7)
    registry = consortium.genesis.registry
    bad, *votes = approved(consortium, 3, {"type": "remove-member", "id": "m6"})
    for entry in (bad, *votes):
        registry, change = apply_entry(registry, entry, NEXT)
        assert not change
    for gone in (3, 4, 5):
        action = {"type": "remove-member", "id": f"m{gone}"}
        proposal = consortium.entry(consortium.member_body("propose", 0, action=action))
        registry, change = apply_entry(registry, proposal, NEXT)
        for member in (1, 2, 6, 5, 4):
            if not change:
                vote = consortium.member_body("vote", member, proposal=bytes(proposal.id), approve=True)
                registry, change = apply_entry(registry, consortium.entry(vote), NEXT)
        assert change
        assert registry.proposals == {}
    with pytest.raises(InvalidEntry, match=r"is not open.*lapsed"):
        apply(registry, consortium, consortium.member_body("vote", 0, proposal=bytes(bad.id), approve=True))


def test_what_leaves_the_validators_as_they_are_lets_the_others_stay_open(
    consortium: Consortium, registry: Registry
) -> None:
    other = approved(consortium, 2, {"type": "set-parameter", "name": "max_block_entries", "value": 5})
    for entry in other:
        registry, _ = apply_entry(registry, entry, NEXT)
    present = registry.nodes[consortium.validator_keys[2].public]
    moved = node("m2", key=bytes(present.key), certificate=present.certificate, address="elsewhere:2")
    for action in (
        {"type": "set-parameter", "name": "max_block_bytes", "value": 65_536},
        {"type": "add-member", "id": "m4", "name": "Fifth", "key": NEW},
        {"type": "set-node", "node": moved},
    ):
        registry = decide(consortium, registry, action)
        assert registry.proposals[other[0].id].approvals == {"m0", "m1"}
    registry = decide(consortium, registry, {"type": "set-node", "node": node("m4", label="fifth")})
    assert registry.proposals == {}


def test_a_proposal_expires() -> None:
    consortium = Consortium(4, proposal_blocks=100)
    registry = consortium.genesis.registry
    propose, *votes = approved(consortium, 3, {"type": "set-parameter", "name": "max_block_entries", "value": 5})
    registry, _ = apply_entry(registry, propose, Height(7))
    assert registry.proposals[propose.id].expires == 107
    assert without_expired(registry, Height(107)) == registry
    assert without_expired(registry, Height(108)).proposals == {}
    after, _ = apply_entry(registry, votes[0], Height(107))
    after, change = apply_entry(after, votes[1], Height(107))
    assert change
    with pytest.raises(InvalidEntry, match=r"is not open.*expired"):
        apply_entry(registry, votes[0], Height(108))


def test_expired_proposals_do_not_count_among_the_open_ones() -> None:
    consortium = Consortium(4, proposal_blocks=100)

    def proposal(value: int) -> Entry:
        action = {"type": "set-parameter", "name": "max_block_entries", "value": value}
        return consortium.entry(consortium.member_body("propose", action=action))

    registry = consortium.genesis.registry
    for number in range(MAX_OPEN_PROPOSALS):
        registry, _ = apply_entry(registry, proposal(1 + number), Height(1))
    with pytest.raises(InvalidEntry, match="16 proposals of m0 are open"):
        apply_entry(registry, proposal(1000), Height(101))
    assert apply_entry(registry, proposal(1000), Height(102))
