"""Who may say what, and what a member's word changes."""

from dataclasses import replace
from typing import Any

import pytest
from tests.support.chains import approved
from tests.support.consortium import Consortium, digest, fake_certificate, key

from notarium_ledger.errors import InvalidBlock, InvalidEntry, KeyNotPermitted, KeyRefusal
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.chain_state import advance
from notarium_ledger.state.governance import MAX_OPEN_PROPOSALS, apply_entry, check_author
from notarium_ledger.state.registry import Registry

Fields = dict[str, Any]
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
        registry, change = apply_entry(registry, consortium.entry(body))
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
            apply_entry(registry, consortium.entry(body, signer))
        assert caught.value.field == "key"
        assert cause_of(caught.value) is KeyRefusal.NOT_GOVERNANCE_KEY
    with pytest.raises(InvalidEntry) as caught:
        apply_entry(registry, consortium.entry({**body, "member": "m9"}, consortium.admin_keys[0]))
    assert caught.value.field == "body.member"


# Researchers' keys


def test_an_enrolled_key_may_speak_from_the_next_entry_on(consortium: Consortium, registry: Registry) -> None:
    new = key("new")
    entry = consortium.entry(consortium.body(issuer="m2"), signer=new)
    with pytest.raises(InvalidEntry, match="key: is not enrolled") as caught:
        apply_entry(registry, entry)
    assert cause_of(caught.value) is KeyRefusal.NOT_ENROLLED
    after, changes = apply(registry, consortium, consortium.member_body("enrol", 2, key=NEW))
    assert changes == [False]
    assert apply_entry(after, entry) == (after, False)
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
        apply_entry(after, consortium.entry())
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
    registry, change = apply_entry(registry, propose)
    assert not change
    assert registry.proposals[propose.id].approvals == {"m0"}
    registry, change = apply_entry(registry, votes[0])
    assert not change
    registry, change = apply_entry(registry, votes[0])
    assert not change, "one member's vote counts once"
    registry, change = apply_entry(registry, votes[1])
    assert change
    assert registry.parameters.max_block_entries == 5
    assert registry.proposals == {}
    with pytest.raises(InvalidEntry, match=r"body\.proposal: is not open"):
        apply_entry(registry, votes[2])


def test_a_vote_can_be_taken_back_and_so_can_a_proposal(consortium: Consortium, registry: Registry) -> None:
    propose, *votes = approved(consortium, 4, {"type": "remove-node", "key": bytes(consortium.observer_keys[0].public)})
    for entry in (propose, votes[0]):
        registry, _ = apply_entry(registry, entry)
    against = consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=False)
    registry, changes = apply(registry, consortium, against)
    assert changes == [False]
    assert registry.proposals[propose.id].approvals == {"m0"}
    registry, change = apply_entry(registry, votes[1])
    assert not change
    back = consortium.member_body("vote", 0, proposal=bytes(propose.id), approve=False)
    registry, changes = apply(registry, consortium, back)
    assert changes == [False]
    assert registry.proposals == {}


def test_members_without_a_validator_may_vote_but_do_not_count(registry: Registry) -> None:
    consortium = Consortium(4)
    small = {
        signer: record for signer, record in consortium.genesis.registry.nodes.items() if record.member in ("m0", "m1")
    }
    registry = replace(consortium.genesis.registry, nodes=small)
    assert registry.validators.quorum == 2
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose = consortium.entry(consortium.member_body("propose", 2, action=action))
    registry, change = apply_entry(registry, propose)
    assert not change
    for member, expected in ((3, False), (0, False), (1, True)):
        vote = consortium.member_body("vote", member, proposal=bytes(propose.id), approve=True)
        registry, changes = apply(registry, consortium, vote)
        assert changes == [expected]


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
    first = approved(consortium, 3, {"type": "remove-member", "id": "m3"})
    second = approved(consortium, 3, {"type": "remove-node", "key": bytes(consortium.validator_keys[3].public)})
    for entry in (*first[:2], *second[:2], first[2]):
        registry, _ = apply_entry(registry, entry)
    assert "m3" not in registry.members
    with pytest.raises(InvalidEntry, match="is not a node"):
        apply_entry(registry, second[2])


# What the actions do


def decide(consortium: Consortium, registry: Registry, action: Fields) -> Registry:
    for entry in approved(consortium, registry.validators.quorum, action):
        registry, change = apply_entry(registry, entry)
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


def test_a_removed_member_takes_nodes_and_keys_along(consortium: Consortium, registry: Registry) -> None:
    after = decide(consortium, registry, {"type": "remove-member", "id": "m0"})
    assert "m0" not in after.members
    assert all(each.member != "m0" for each in after.nodes.values())
    assert len(after.validators) == 3
    for number in (0, 4):
        entry = consortium.entry(consortium.body(issuer="m0"), signer=consortium.researcher_keys[number])
        with pytest.raises(InvalidEntry, match="was revoked"):
            check_author(after, entry)
    check_author(after, consortium.entry(consortium.body(issuer="m1"), signer=consortium.researcher_keys[1]))


def test_a_removed_member_s_proposals_and_approvals_go_with_it(consortium: Consortium, registry: Registry) -> None:
    def proposal(member: int, value: int) -> Fields:
        action = {"type": "set-parameter", "name": "max_block_entries", "value": value}
        return consortium.member_body("propose", member, action=action)

    of_m3, of_m1 = consortium.entry(proposal(3, 5)), consortium.entry(proposal(1, 6))
    for entry in (of_m3, of_m1):
        registry, _ = apply_entry(registry, entry)
    vote = consortium.member_body("vote", 3, proposal=bytes(of_m1.id), approve=True)
    registry, _ = apply(registry, consortium, vote)
    assert registry.proposals[of_m1.id].approvals == {"m1", "m3"}
    registry = decide(consortium, registry, {"type": "remove-member", "id": "m3"})
    assert registry.proposals.keys() == {of_m1.id}
    assert registry.proposals[of_m1.id].approvals == {"m1"}


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
