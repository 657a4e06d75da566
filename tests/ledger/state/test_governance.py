"""Who may say what, and what a member's word changes."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.chains import approved
from tests.support.consortium import Consortium, digest, fake_certificate, key

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidBlock, InvalidEntry, KeyNotPermitted, KeyRefusal
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import advance
from notarium_ledger.state.governance import apply_entry, check_author, without_expired
from notarium_ledger.state.registry import MAX_OPEN_PROPOSALS, Registry
from notarium_ledger.types import Height

Fields = dict[str, Any]
NEXT = Height(1)
"""The height of the next block."""
NEW = bytes(key("new").public)
SMALL_ORDER = bytes([1]) + bytes(31)


@pytest.fixture
def consortium() -> Consortium:
    return Consortium(4, observers=1, researchers=5)


@pytest.fixture
def registry(consortium: Consortium) -> Registry:
    return consortium.genesis.registry


def apply(registry: Registry, consortium: Consortium, *bodies: Fields) -> tuple[Registry, list[bool]]:
    changes = []
    for body in bodies:
        registry, change = apply_entry(registry, consortium.entry(body), NEXT)
        changes.append(change)
    return registry, changes


def cause_of(error: InvalidEntry) -> KeyRefusal | None:
    return error.cause if isinstance(error, KeyNotPermitted) else None


def node(member: str = "m1", role: str = "validator", label: str = "new", **over: Any) -> Fields:
    signer = key(label)
    return {
        "member": member,
        "role": role,
        "key": bytes(signer.public),
        "certificate": fake_certificate(signer),
        "address": "host:1",
        **over,
    }


# Who may speak


def test_a_researcher_speaks_for_the_own_institution_only(consortium: Consortium, registry: Registry) -> None:
    mine, theirs = consortium.researcher_keys[0], consortium.researcher_keys[1]
    check_author(registry, consortium.entry(consortium.body(issuer="m0"), signer=mine))
    check_author(registry, consortium.entry(consortium.body(issuer="m1"), signer=theirs))
    for issuer, signer, field in (
        ("m1", mine, "body.issuer"),
        ("m0", theirs, "body.issuer"),
        ("nobody", mine, "body.issuer"),
        ("m0", key("stranger"), "key"),
        ("m0", consortium.admin_keys[0], "key"),
        ("m0", consortium.validator_keys[0], "key"),
    ):
        with pytest.raises(InvalidEntry) as caught:
            check_author(registry, consortium.entry(consortium.body(issuer=issuer), signer=signer))
        assert caught.value.field == field


@pytest.mark.parametrize("kind", ["enrol", "revoke", "propose", "vote"])
def test_only_the_governance_key_speaks_for_a_member(consortium: Consortium, registry: Registry, kind: str) -> None:
    extra: dict[str, Fields] = {
        "enrol": {"key": NEW},
        "revoke": {"key": bytes(consortium.researcher.public)},
        "propose": {"action": {"type": "remove-member", "id": "m3"}},
        "vote": {"proposal": digest("p"), "approve": True},
    }
    body = consortium.member_body(kind, 0, **extra[kind])
    wrong: list[SigningKey] = [consortium.admin_keys[1], consortium.researcher, consortium.validator_keys[0]]
    for signer in wrong:
        with pytest.raises(InvalidEntry) as caught:
            apply_entry(registry, consortium.entry(body, signer), NEXT)
        assert caught.value.field == "key"
        assert cause_of(caught.value) is KeyRefusal.NOT_GOVERNANCE_KEY
    with pytest.raises(InvalidEntry) as caught:
        apply_entry(registry, consortium.entry({**body, "member": "m9"}, consortium.admin_keys[0]), NEXT)
    assert caught.value.field == "body.member"


# Researchers' keys


def test_an_enrolled_key_may_speak_from_the_next_entry_on(consortium: Consortium, registry: Registry) -> None:
    new = key("new")
    entry = consortium.entry(consortium.body(issuer="m2"), signer=new)
    with pytest.raises(InvalidEntry, match="key: is not enrolled") as caught:
        apply_entry(registry, entry, NEXT)
    assert cause_of(caught.value) is KeyRefusal.NOT_ENROLLED
    after, changes = apply(registry, consortium, consortium.member_body("enrol", 2, key=NEW))
    assert changes == [False]
    assert apply_entry(after, entry, NEXT) == (after, False)
    assert registry.researchers.keys() == {each.public for each in consortium.researcher_keys}, "changed in place"
    transition = advance(
        consortium.state,
        [consortium.entry(consortium.member_body("enrol", 2, key=NEW)), entry],
        1,
        consortium.validator_keys[0].public,
    )
    assert transition.state.registry == after


def test_a_revoked_key_never_speaks_again(consortium: Consortium, registry: Registry) -> None:
    mine = bytes(consortium.researcher.public)
    revoke = consortium.member_body("revoke", 0, key=mine)
    after, _ = apply(registry, consortium, revoke)
    with pytest.raises(InvalidEntry, match="key: was revoked") as refused:
        apply_entry(after, consortium.entry(), NEXT)
    assert cause_of(refused.value) is KeyRefusal.REVOKED
    for body, field in ((revoke, "body.key"), (consortium.member_body("enrol", 0, key=mine), "body.key")):
        with pytest.raises(InvalidEntry) as caught:
            apply(after, consortium, body)
        assert caught.value.field == field
    with pytest.raises(InvalidEntry, match="enrolled already, or was revoked"):
        apply(after, consortium, consortium.member_body("enrol", 3, key=mine))


@pytest.mark.parametrize(
    ("kind", "member", "public"),
    [
        ("enrol", 0, SMALL_ORDER),
        ("enrol", 0, bytes.fromhex("ee" + "ff" * 30 + "7f")),  # 1 as p + 1: not canonical
        ("enrol", 1, bytes(key("test researcher 0").public)),
        ("revoke", 1, bytes(key("test researcher 0").public)),
        ("revoke", 0, NEW),
    ],
)
def test_keys_that_cannot_be_enrolled_or_revoked(
    consortium: Consortium, registry: Registry, kind: str, member: int, public: bytes
) -> None:
    with pytest.raises(InvalidEntry) as caught:
        apply(registry, consortium, consortium.member_body(kind, member, key=public))
    assert caught.value.field == "body.key"


# Proposals and votes


def test_a_proposal_takes_effect_with_the_quorum_s_last_vote(consortium: Consortium, registry: Registry) -> None:
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose, *votes = approved(consortium, 4, action)
    assert registry.validators.quorum == 3
    registry, change = apply_entry(registry, propose, NEXT)
    assert not change
    assert registry.proposals[propose.id].approvals == {"m0"}
    registry, change = apply_entry(registry, votes[0], NEXT)
    assert not change
    with pytest.raises(InvalidEntry, match=f"{votes[0].body['member']} has approved this proposal already") as caught:
        apply_entry(registry, votes[0], NEXT)
    assert caught.value.field == "body.approve"
    registry, change = apply_entry(registry, votes[1], NEXT)
    assert change
    assert registry.parameters.max_block_entries == 5
    assert registry.proposals == {}
    with pytest.raises(InvalidEntry, match=r"body\.proposal: is not open"):
        apply_entry(registry, votes[2], NEXT)


def test_a_vote_can_be_taken_back_and_so_can_a_proposal(consortium: Consortium, registry: Registry) -> None:
    propose, *votes = approved(consortium, 4, {"type": "remove-node", "key": bytes(consortium.observer_keys[0].public)})
    for entry in (propose, votes[0]):
        registry, _ = apply_entry(registry, entry, NEXT)
    against = consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=False)
    registry, changes = apply(registry, consortium, against)
    assert changes == [False]
    assert registry.proposals[propose.id].approvals == {"m0"}
    with pytest.raises(InvalidEntry, match="m1 has not approved this proposal, so there is nothing to take back"):
        apply(registry, consortium, against)
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
        with pytest.raises(InvalidEntry, match="has no validator, so it has no vote") as caught:
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


IMPOSSIBLE: list[tuple[str, Fields, str]] = [
    ("a member that is one", {"type": "add-member", "id": "m1", "name": "x", "key": NEW}, "body.action.id"),
    (
        "a member's key of small order",
        {"type": "add-member", "id": "m9", "name": "x", "key": SMALL_ORDER},
        "body.action.key",
    ),
    ("remove a stranger", {"type": "remove-member", "id": "m9"}, "body.action.id"),
    ("a stranger's node", {"type": "set-node", "node": node("m9")}, "body.action.node.member"),
    ("a node key of small order", {"type": "set-node", "node": node(key=SMALL_ORDER)}, "body.action.node.key"),
    (
        "another member's node key",
        {"type": "set-node", "node": node("m1", key=bytes(key("test validator 2").public))},
        "body.action.node.key",
    ),
    (
        "another node's certificate",
        {"type": "set-node", "node": node("m1", certificate=fake_certificate(key("test validator 2")))},
        "body.action.node.certificate",
    ),
    ("remove no node", {"type": "remove-node", "key": NEW}, "body.action.key"),
    (
        "a parameter below its least",
        {"type": "set-parameter", "name": "max_entry_bytes", "value": 1023},
        "body.action.max_entry_bytes",
    ),
    (
        "a parameter above its greatest",
        {"type": "set-parameter", "name": "clock_precision_ms", "value": 60_001},
        "body.action.clock_precision_ms",
    ),
]


@pytest.mark.parametrize(("name", "action", "field"), IMPOSSIBLE, ids=[each[0] for each in IMPOSSIBLE])
def test_the_impossible_is_not_even_proposed(
    consortium: Consortium, registry: Registry, name: str, action: Fields, field: str
) -> None:
    with pytest.raises(InvalidEntry) as caught:
        apply(registry, consortium, consortium.member_body("propose", action=action))
    assert caught.value.field == field


def test_the_last_validator_stays() -> None:
    consortium = Consortium(1)
    for action in (
        {"type": "remove-member", "id": "m0"},
        {"type": "remove-node", "key": bytes(consortium.validator_keys[0].public)},
        {"type": "set-node", "node": {**node("m0", "observer"), "key": bytes(consortium.validator_keys[0].public)}},
    ):
        with pytest.raises(InvalidEntry, match="0 validators"):
            apply(consortium.genesis.registry, consortium, consortium.member_body("propose", action=action))


def test_what_became_impossible_is_told_with_the_last_vote(consortium: Consortium, registry: Registry) -> None:
    action = {"type": "remove-node", "key": bytes(consortium.observer_keys[0].public)}
    first, second = approved(consortium, 3, action), approved(consortium, 3, {**action, "below_four": False})
    for entry in (*first[:2], *second[:2], first[2]):
        registry, _ = apply_entry(registry, entry, NEXT)
    assert len(registry.nodes) == 4
    with pytest.raises(InvalidEntry, match="is not a node"):
        apply_entry(registry, second[2], NEXT)


# What the actions do


def decide(consortium: Consortium, registry: Registry, action: Fields) -> Registry:
    for entry in approved(consortium, registry.validators.quorum, action):
        registry, change = apply_entry(registry, entry, NEXT)
    assert change
    return registry


def test_a_new_member_gets_a_node_and_votes(consortium: Consortium, registry: Registry) -> None:
    registry = decide(consortium, registry, {"type": "add-member", "id": "m4", "name": "Fifth", "key": NEW})
    assert len(registry.validators) == 4
    registry = decide(consortium, registry, {"type": "set-node", "node": node("m4", label="fifth")})
    assert len(registry.validators) == 5
    assert registry.validators.member_of(bytes(key("fifth").public)) == "m4"


def test_a_member_has_one_validator_and_may_have_observers(consortium: Consortium, registry: Registry) -> None:
    after = decide(consortium, registry, {"type": "set-node", "node": node("m1", label="next")})
    assert len(after.validators) == 4
    assert consortium.validator_keys[1].public not in after.nodes
    after = decide(consortium, after, {"type": "set-node", "node": node("m1", "observer", "watcher")})
    assert len(after.validators) == 4
    assert len(after.nodes) == 6


def test_a_node_s_address_can_change_under_its_key(consortium: Consortium, registry: Registry) -> None:
    present = registry.nodes[consortium.validator_keys[2].public]
    moved = {
        "member": "m2",
        "role": "validator",
        "key": bytes(present.key),
        "certificate": present.certificate,
        "address": "elsewhere:2",
        "api": "https://elsewhere",
    }
    after = decide(consortium, registry, {"type": "set-node", "node": moved})
    assert after.nodes[present.key] == replace(present, address="elsewhere:2", api="https://elsewhere")
    assert after.validators == registry.validators


def test_a_removed_member_takes_nodes_and_keys_along() -> None:
    consortium = Consortium(5, researchers=6)
    registry = consortium.genesis.registry
    records = dict(registry.records())
    after = decide(consortium, registry, {"type": "remove-member", "id": "m0"})
    assert "m0" not in after.members
    assert all(each.member != "m0" for each in after.nodes.values())
    assert len(after.validators) == 4
    for number in (0, 5):
        public = consortium.researcher_keys[number].public
        entry = consortium.entry(consortium.body(issuer="m0"), signer=consortium.researcher_keys[number])
        with pytest.raises(InvalidEntry, match="was revoked") as caught:
            check_author(after, entry)
        assert cause_of(caught.value) is KeyRefusal.REVOKED
        assert after.owner(after.researchers[public]) is None
    check_author(after, consortium.entry(consortium.body(issuer="m1"), signer=consortium.researcher_keys[1]))
    gone = {b"mm0", b"n" + consortium.validator_keys[0].public}
    assert after.changes == {**dict.fromkeys(gone), b"t": canonical.encode([5, 2])}, "touches none of its keys"
    assert records.keys() - dict(after.records()).keys() == gone


def test_a_member_that_is_added_again_is_another_one() -> None:
    """Its old keys stay refused, and nobody can enrol them again."""
    consortium = Consortium(5, researchers=6)
    registry = decide(consortium, consortium.genesis.registry, {"type": "remove-member", "id": "m4"})
    action = {"type": "add-member", "id": "m4", "name": "Again", "key": bytes(consortium.admin_keys[4].public)}
    registry = decide(consortium, registry, action)
    assert [each.serial for each in registry.members.values()] == [0, 1, 2, 3, 5]
    old = consortium.researcher_keys[4]
    with pytest.raises(InvalidEntry, match="was revoked"):
        check_author(registry, consortium.entry(consortium.body(issuer="m4"), signer=old))
    for kind, reason in (("enrol", "enrolled already, or was revoked"), ("revoke", "is not enrolled for m4")):
        with pytest.raises(InvalidEntry, match=reason):
            apply(registry, consortium, consortium.member_body(kind, 4, key=bytes(old.public)))
    registry, _ = apply(registry, consortium, consortium.member_body("enrol", 4, key=NEW))
    check_author(registry, consortium.entry(consortium.body(issuer="m4"), signer=key("new")))


def test_a_removed_member_s_proposals_go_with_it(consortium: Consortium, registry: Registry) -> None:
    """Also where it has no validator, so that the set and the other proposals stay."""
    fifth = {"type": "add-member", "id": "m4", "name": "Fifth", "key": bytes(key("fifth admin").public)}
    registry = decide(consortium, registry, fifth)
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    body = {"v": 1, "kind": "propose", "member": "m4", "action": action}
    registry, _ = apply_entry(registry, consortium.entry(body, key("fifth admin")), NEXT)
    other = consortium.entry(consortium.member_body("propose", 1, action=action))
    registry, _ = apply_entry(registry, other, NEXT)
    assert len(registry.proposals) == 2
    registry = decide(consortium, registry, {"type": "remove-member", "id": "m4"})
    assert registry.proposals.keys() == {other.id}


# The life of a proposal


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


SHRINKING: list[tuple[str, Fields]] = [
    ("remove-member", {"type": "remove-member", "id": "m3"}),
    ("remove-node", {"type": "remove-node", "key": bytes(key("test validator 3").public)}),
    ("set-node", {"type": "set-node", "node": node("m3", "observer", key=bytes(key("test validator 3").public))}),
]


@pytest.mark.parametrize(("name", "action"), SHRINKING, ids=[each[0] for each in SHRINKING])
def test_below_four_validators_only_by_a_vote_that_says_so_and_more_than_the_quorum(
    consortium: Consortium, registry: Registry, name: str, action: Fields
) -> None:
    with pytest.raises(InvalidEntry, match=r"leaves 3 validators.*below_four = true, which needs 4 votes") as caught:
        apply(registry, consortium, consortium.member_body("propose", action=action))
    assert (caught.value.field, caught.value.limit) == ("body.action", 4)
    *three, fourth = approved(consortium, 4, {**action, "below_four": True})
    for entry in three:
        registry, change = apply_entry(registry, entry, NEXT)
        assert not change
    registry, change = apply_entry(registry, fourth, NEXT)
    assert change
    assert len(registry.validators) == 3
    again = consortium.member_body("propose", action={"type": "remove-member", "id": "m2"})
    with pytest.raises(InvalidEntry, match=r"leaves 2 validators.*needs 3 votes"):
        apply(registry, consortium, again)


def test_of_five_one_may_leave_by_an_ordinary_vote() -> None:
    consortium = Consortium(5)
    registry = decide(consortium, consortium.genesis.registry, {"type": "remove-member", "id": "m4"})
    assert len(registry.validators) == 4


def test_a_trial_may_grow_and_rotate_its_keys_below_four() -> None:
    consortium = Consortium(2)
    registry = decide(consortium, consortium.genesis.registry, {"type": "set-node", "node": node("m1", label="next")})
    registry = decide(consortium, registry, {"type": "add-member", "id": "m2", "name": "Third", "key": NEW})
    registry = decide(consortium, registry, {"type": "set-node", "node": node("m2", label="third")})
    assert len(registry.validators) == 3


# A change and the height from which it holds


def test_a_change_is_in_force_from_the_next_height_on(consortium: Consortium) -> None:
    state = consortium.state
    action = {"type": "set-node", "node": node("m1", label="next")}
    transition = consortium.decide(state, approved(consortium, 3, action))[1]
    assert transition.header.validators == state.registry.validators.hash
    assert transition.header.next_validators == transition.state.registry.validators.hash
    assert transition.header.validators != transition.header.next_validators
    with pytest.raises(InvalidBlock) as caught:
        advance(transition.state, [consortium.entry()], 1 << 42, consortium.validator_keys[1].public)
    assert caught.value.field == "header.proposer"
    later = advance(transition.state, [consortium.entry()], 1 << 42, key("next").public)
    assert later.header.validators == transition.header.next_validators
