"""A proposal and a vote have numbers: what a member says again is another entry, and no old one stands for it."""

from typing import Any

import pytest
from tests.ledger.state.governing import NEXT, apply, decide, node
from tests.support.chains import approved
from tests.support.consortium import Consortium

from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.state.governance import MAX_NUMBER_STEP, apply_entry
from notarium_ledger.state.registry import Registry


def test_an_approval_that_was_taken_back_is_given_again(consortium: Consortium, registry: Registry) -> None:
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose, first, *_ = approved(consortium, 2, action)

    def vote(member: int, approve: bool) -> Entry:
        body = consortium.member_body("vote", member, proposal=bytes(propose.id), approve=approve)
        return consortium.entry(body)

    entries = [propose, first, vote(1, False), vote(1, True), vote(2, True)]
    assert len({each.id for each in entries}) == 5, "each is an entry of its own, so none gets another's receipt"
    for entry in entries:
        registry, change = apply_entry(registry, entry, NEXT)
    assert change
    assert registry.parameters.max_block_entries == 5


def test_a_parameter_goes_back_to_an_earlier_value(consortium: Consortium, registry: Registry) -> None:
    before = registry.parameters.max_block_entries
    seen = set()
    for value in (5, before, 5):
        action = {"type": "set-parameter", "name": "max_block_entries", "value": value}
        for entry in approved(consortium, 3, action):
            assert entry.id not in seen
            seen.add(entry.id)
            registry, change = apply_entry(registry, entry, NEXT)
        assert change
        assert registry.parameters.max_block_entries == value


@pytest.mark.parametrize("kind", ["propose", "vote"])
@pytest.mark.parametrize("number", [1, 6, 7, 8 + MAX_NUMBER_STEP])
def test_a_number_that_does_not_come_next_is_refused_with_the_next_one(
    consortium: Consortium, registry: Registry, kind: str, number: int
) -> None:
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose = consortium.entry(consortium.member_body("propose", action=action, number=7))
    registry, _ = apply_entry(registry, propose, NEXT)
    said: dict[str, Any] = {"action": {**action, "value": 6}}
    if kind == "vote":
        said = {"proposal": bytes(propose.id), "approve": False}
    with pytest.raises(InvalidEntry, match=r"the last number of m0 is 7, so use 8$") as caught:
        apply(registry, consortium, consortium.member_body(kind, number=number, **said))
    assert (caught.value.field, caught.value.limit) == ("body.number", 7 + MAX_NUMBER_STEP)
    for good in (8, 7 + MAX_NUMBER_STEP):
        after, _ = apply(registry, consortium, consortium.member_body(kind, number=good, **said))
        assert after.members["m0"].number == good
    other, _ = apply(registry, consortium, consortium.member_body("propose", 1, number=1, action=action))
    assert (other.members["m0"].number, other.members["m1"].number) == (7, 1), "each member counts for itself"


def test_what_is_refused_uses_no_number(consortium: Consortium, registry: Registry) -> None:
    with pytest.raises(InvalidEntry, match="is not open"):
        apply(registry, consortium, consortium.member_body("vote", number=1, proposal=bytes(32), approve=True))
    assert registry.members["m0"].number == 0


def test_a_member_that_is_added_again_goes_on_above_its_old_numbers() -> None:
    consortium = Consortium(5)
    registry = consortium.genesis.registry
    said = {"action": {"type": "set-parameter", "name": "max_block_entries", "value": 5}}
    registry, _ = apply(registry, consortium, consortium.member_body("propose", 4, number=40, **said))
    registry = decide(consortium, registry, {"type": "remove-member", "id": "m4"})
    add = {"type": "add-member", "id": "m4", "name": "Again", "key": bytes(consortium.admin_keys[4].public)}
    registry = decide(consortium, registry, add)
    with pytest.raises(InvalidEntry, match="the last number of m4 is 40, so use 41"):
        apply(registry, consortium, consortium.member_body("propose", 4, number=40, **said))
    registry, _ = apply(registry, consortium, consortium.member_body("propose", 4, number=41, **said))
    assert registry.members["m4"].number == 41


# What changes nothing


def test_the_present_value_of_a_parameter_is_refused(consortium: Consortium, registry: Registry) -> None:
    for name, value in registry.parameters.to_value().items():
        action = {"type": "set-parameter", "name": name, "value": value}
        with pytest.raises(InvalidEntry, match=f"{name} is {value!r} already; nothing is left to do") as caught:
            apply(registry, consortium, consortium.member_body("propose", action=action))
        assert caught.value.field == "body.action.value"


def test_the_present_record_of_a_node_is_refused(consortium: Consortium, registry: Registry) -> None:
    for key, each in registry.nodes.items():
        record = node(each.member, each.role, key=bytes(key), certificate=each.certificate, address=each.address)
        with pytest.raises(InvalidEntry, match="exactly this record already; nothing is left to do") as caught:
            apply(registry, consortium, consortium.member_body("propose", action={"type": "set-node", "node": record}))
        assert caught.value.field == "body.action.node"
        for moved in ({"address": "elsewhere:1"}, {"api": "https://elsewhere"}, {"certificate": bytes(64)}):
            action = {"type": "set-node", "node": {**record, **moved}}
            apply(registry, consortium, consortium.member_body("propose", action=action))


def test_the_last_vote_for_what_is_so_already_is_refused(consortium: Consortium, registry: Registry) -> None:
    """Two proposals of one value: the second has nothing left to do once the first is in force."""
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    first, second = approved(consortium, 3, action), approved(consortium, 3, action)
    assert first[0].id != second[0].id
    for entry in (first[0], second[0]):
        registry, _ = apply_entry(registry, entry, NEXT)
    votes = [
        consortium.entry(consortium.member_body("vote", member, proposal=bytes(each[0].id), approve=True))
        for each in (first, second)
        for member in (1, 2)
    ]
    for vote in votes[:3]:
        registry, _ = apply_entry(registry, vote, NEXT)
    assert registry.parameters.max_block_entries == 5
    with pytest.raises(InvalidEntry, match="max_block_entries is 5 already"):
        apply_entry(registry, votes[3], NEXT)
