"""Laws of the registry that hold after any entries, whoever sends them in whatever order."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.consortium import Consortium, fake_certificate, key

from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.state import capacity
from notarium_ledger.state.capacity import check_capacity
from notarium_ledger.state.governance import apply_entry, without_expired
from notarium_ledger.state.registry import MAX_OPEN_PROPOSALS, Registry
from notarium_ledger.types import Height

MEMBERS = 5
FEW_KEYS = 16
"""In place of half a million, so that the limit is met."""
CONSORTIUM = Consortium(MEMBERS, researchers=3, max_member_keys=3, proposal_blocks=100)
MEMBER = st.integers(0, MEMBERS - 1)
LABEL = st.integers(0, 9).map(lambda number: key(f"law {number}"))


def _node(member: int, role: str, signer: Any) -> dict[str, Any]:
    return {
        "member": f"m{member}",
        "role": role,
        "key": bytes(signer.public),
        "certificate": fake_certificate(signer),
        "address": "a:1",
    }


SIGNERS = st.sampled_from([*CONSORTIUM.validator_keys, *(key(f"law {number}") for number in range(4))])
FLAG = st.sampled_from([{}, {"below_four": True}, {"below_four": False}])
ACTIONS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.builds(lambda number, flag: {"type": "remove-member", "id": f"m{number}", **flag}, MEMBER, FLAG),
    MEMBER.map(
        lambda number: {
            "type": "add-member",
            "id": f"m{number}",
            "name": "Again",
            "key": bytes(CONSORTIUM.admin_keys[number].public),
        }
    ),
    st.builds(
        lambda number, role, signer, flag: {"type": "set-node", "node": _node(number, role, signer), **flag},
        MEMBER,
        st.sampled_from(["validator", "observer"]),
        SIGNERS,
        FLAG,
    ),
    st.builds(lambda signer, flag: {"type": "remove-node", "key": bytes(signer.public), **flag}, SIGNERS, FLAG),
    st.integers(1, 9).map(lambda value: {"type": "set-parameter", "name": "max_member_keys", "value": value}),
    st.integers(100, 200).map(lambda value: {"type": "set-parameter", "name": "proposal_blocks", "value": value}),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("enrol"), MEMBER, LABEL),
        st.tuples(st.just("revoke"), MEMBER, LABEL),
        st.tuples(st.just("propose"), MEMBER, ACTIONS),
        st.tuples(st.just("decide"), MEMBER, ACTIONS),
        st.tuples(st.just("vote"), MEMBER, st.tuples(st.integers(0, 50), st.booleans())),
        st.tuples(st.just("blocks"), MEMBER, st.sampled_from([1, 99, 100, 101])),
    ),
    max_size=25,
)


class Ledger:
    """The registry and what is checked after each entry."""

    def __init__(self) -> None:
        self.registry = CONSORTIUM.genesis.registry
        self.height = Height(1)
        self.number = 0

    def say(self, kind: str, member: int, **fields: Any) -> Entry | None:
        """One entry, if it is permitted."""
        if kind in ("propose", "vote"):
            speaker = self.registry.members.get(f"m{member}")
            fields["number"] = fields.get("number", speaker.number + 1 if speaker else 1)
        entry = CONSORTIUM.entry(CONSORTIUM.member_body(kind, member, **fields))
        before = self.registry
        try:
            self.registry, changed = apply_entry(before, entry, self.height)
        except InvalidEntry:
            return None
        assert changed or self.registry.validators == before.validators
        share = self.registry.parameters.max_member_keys
        assert kind != "enrol" or self.registry.members[f"m{member}"].keys <= share
        check(self.registry)
        lapsed = self.registry.validators.hash != before.validators.hash
        assert not lapsed or not self.registry.proposals
        return entry

    def step(self, kind: str, member: int, what: Any) -> None:
        """Something that may happen."""
        self.number += 1
        if kind in ("enrol", "revoke"):
            self.say(kind, member, key=bytes(what.public))
        elif kind in ("propose", "decide"):
            proposal = self.say("propose", member, action=what, note=f"{self.number}")
            for voter in range(MEMBERS if proposal is not None and kind == "decide" else 0):
                count = len(self.registry.validators)
                assert proposal is not None
                self.say("vote", voter, proposal=bytes(proposal.id), approve=True)
                allowed = what.get("below_four") or len(self.registry.validators) >= min(4, count)
                assert allowed, "fewer than four by a vote that does not say so"
        elif kind == "vote" and self.registry.proposals:
            ids = sorted(self.registry.proposals)
            self.say("vote", member, proposal=bytes(ids[what[0] % len(ids)]), approve=what[1])
        elif kind == "blocks":
            self.height = Height(self.height + what)
            before = self.registry.proposals
            self.registry = without_expired(self.registry, self.height).settled()
            assert self.registry.proposals == {id_: each for id_, each in before.items() if each.expires >= self.height}


def check(registry: Registry) -> None:
    """What holds in every registry."""
    check_capacity(registry)
    again = Registry.of_records(registry.records())
    assert again.hash == registry.hash == registry.settled().hash
    for name in ("members", "nodes", "parameters", "proposals", "totals", "validators"):
        assert getattr(again, name) == getattr(registry, name)
    serials = [each.serial for each in registry.members.values()]
    assert len(set(serials)) == len(serials)
    assert all(serial < registry.totals.members_added for serial in serials)
    keys = Counter(each.serial for _, each in registry.researchers.walk())
    assert all(keys[each.serial] == each.keys for each in registry.members.values())
    assert keys.total() == registry.totals.former_keys + sum(each.keys for each in registry.members.values())
    assert keys.total() <= FEW_KEYS
    assert {each.member for each in registry.nodes.values()} <= registry.members.keys()
    voters = {each.member for each in registry.validators.validators}
    opened = Counter(each.member for each in registry.proposals.values())
    assert opened.keys() <= registry.members.keys()
    assert max(opened.values(), default=0) <= MAX_OPEN_PROPOSALS
    assert all(each.approvals <= voters for each in registry.proposals.values())


@settings(max_examples=150)
@given(steps=STEPS)
def test_the_laws_of_the_registry(steps: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capacity, "MAX_KEYS", FEW_KEYS)
        ledger = Ledger()
        for step in steps:
            ledger.step(*step)


def test_the_laws_are_not_empty() -> None:
    """A history that meets the limits: members leave with their keys, until no share is left for another."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(capacity, "MAX_KEYS", FEW_KEYS)
        ledger = Ledger()
        for number in range(2):
            ledger.step("enrol", 4, key(f"law {number}"))
        assert ledger.registry.members["m4"].keys == 2
        ledger.step("decide", 0, {"type": "remove-member", "id": "m4"})
        assert ledger.registry.totals.former_keys == 2
        add = {"type": "add-member", "id": "m4", "name": "Again", "key": bytes(CONSORTIUM.admin_keys[4].public)}
        ledger.step("decide", 0, add)
        assert "m4" not in ledger.registry.members, "five times three and two are more than there are"
        ledger.step("decide", 0, {"type": "set-parameter", "name": "max_member_keys", "value": 2})
        ledger.step("decide", 0, add)
        assert ledger.registry.members["m4"].serial == 5
        ledger.step("decide", 0, {"type": "set-parameter", "name": "max_member_keys", "value": 3})
        assert ledger.registry.parameters.max_member_keys == 2
        broken = ledger.registry.with_totals(replace(ledger.registry.totals, former_keys=9))
        with pytest.raises(ValueError, match="at most 16 allowed"):
            check(broken)
