"""What a decided action changes, which actions are refused, and from which height a change holds."""

from dataclasses import replace

import pytest
from tests.ledger.state.governing import NEW, NEXT, SMALL_ORDER, Fields, apply, cause_of, decide, node
from tests.support.chains import approved
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import InvalidBlock, InvalidEntry, KeyRefusal
from notarium_ledger.state.chain_state import advance
from notarium_ledger.state.governance import apply_entry, check_author
from notarium_ledger.state.registry import Registry


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
    voters = {b"mm1", b"mm2", b"mm3"}
    assert after.changes.keys() == {*gone, *voters, b"t"}, "touches none of its keys"
    assert after.changes[b"t"] == canonical.encode([5, 2, 1])
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
    for kind, reason in (
        ("enrol", "enrolled already, or was revoked"),
        ("revoke", "enrolled by a member that was removed"),
    ):
        with pytest.raises(InvalidEntry, match=reason):
            apply(registry, consortium, consortium.member_body(kind, 4, key=bytes(old.public)))
    registry, _ = apply(registry, consortium, consortium.member_body("enrol", 4, key=NEW))
    check_author(registry, consortium.entry(consortium.body(issuer="m4"), signer=key("new")))


def test_a_removed_member_s_proposals_go_with_it(consortium: Consortium, registry: Registry) -> None:
    """Also where it has no validator, so that the set and the other proposals stay."""
    fifth = {"type": "add-member", "id": "m4", "name": "Fifth", "key": bytes(key("fifth admin").public)}
    registry = decide(consortium, registry, fifth)
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    body = {"v": 1, "kind": "propose", "member": "m4", "number": 1, "action": action}
    registry, _ = apply_entry(registry, consortium.entry(body, key("fifth admin")), NEXT)
    other = consortium.entry(consortium.member_body("propose", 1, action=action))
    registry, _ = apply_entry(registry, other, NEXT)
    assert len(registry.proposals) == 2
    registry = decide(consortium, registry, {"type": "remove-member", "id": "m4"})
    assert registry.proposals.keys() == {other.id}


# What is refused


SECOND = key("test validator 2")
IMPOSSIBLE: list[tuple[str, Fields, str]] = [
    (
        "a member that is one",
        {"type": "add-member", "id": "m1", "name": "x", "key": NEW},
        "body.action.id: m1 is already a member; choose another id",
    ),
    (
        "a member's key of small order",
        {"type": "add-member", "id": "m9", "name": "x", "key": SMALL_ORDER},
        f"body.action.key: {SMALL_ORDER.hex()} is of small order or not canonical, "
        "so it is not a valid key; make another",
    ),
    (
        "remove a stranger",
        {"type": "remove-member", "id": "m9"},
        "body.action.id: m9 is not a member; look it up in the list of members",
    ),
    (
        "a stranger's node",
        {"type": "set-node", "node": node("m9")},
        "body.action.node.member: m9 is not a member; look it up in the list of members",
    ),
    (
        "a node key of small order",
        {"type": "set-node", "node": node(key=SMALL_ORDER)},
        f"body.action.node.key: {SMALL_ORDER.hex()} is of small order or not canonical, "
        "so it is not a valid key; make another",
    ),
    (
        "another member's node key",
        {"type": "set-node", "node": node("m1", key=bytes(SECOND.public))},
        f"body.action.node.key: {SECOND.public.hex()} is a node of m2; make another key for this node (keygen)",
    ),
    (
        "another node's certificate",
        {"type": "set-node", "node": node("m1", certificate=fake_certificate(SECOND))},
        f"body.action.node.certificate: is used by the node {SECOND.public.hex()} of m2; make another for this node "
        "(keygen)",
    ),
    (
        "remove no node",
        {"type": "remove-node", "key": NEW},
        f"body.action.key: {NEW.hex()} is not a node; look it up in the list of nodes",
    ),
    (
        "a parameter below its least",
        {"type": "set-parameter", "name": "max_entry_bytes", "value": 1023},
        "body.action.value: 1023 is not from 1024 to 65535, the limits of max_entry_bytes",
    ),
    (
        "a parameter above its greatest",
        {"type": "set-parameter", "name": "clock_precision_ms", "value": 60_001},
        "body.action.value: 60001 is not from 1 to 60000, the limits of clock_precision_ms",
    ),
]


@pytest.mark.parametrize(("name", "action", "error"), IMPOSSIBLE, ids=[each[0] for each in IMPOSSIBLE])
def test_the_impossible_is_not_even_proposed(
    consortium: Consortium, registry: Registry, name: str, action: Fields, error: str
) -> None:
    """The error names the field, what is there, and what to do."""
    with pytest.raises(InvalidEntry) as caught:
        apply(registry, consortium, consortium.member_body("propose", action=action))
    assert str(caught.value) == error


def test_the_last_validator_stays() -> None:
    consortium = Consortium(1)
    for action in (
        {"type": "remove-member", "id": "m0"},
        {"type": "remove-node", "key": bytes(consortium.validator_keys[0].public)},
        {"type": "set-node", "node": {**node("m0", "observer"), "key": bytes(consortium.validator_keys[0].public)}},
    ):
        with pytest.raises(InvalidEntry, match="0 validators"):
            apply(consortium.genesis.registry, consortium, consortium.member_body("propose", action=action))


# Fewer than four validators


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


# The height from which a change holds


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
