"""What a block costs does not depend on how many keys are enrolled: one governance key cannot stop the ledger.

The work is counted, not timed: calls of Python and C functions while a validator checks the block.
tests/bench/block_work.py measures the time.
"""

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from hashlib import sha256
from typing import Any

import pytest
from tests.support.consortium import Consortium, digest, key

from notarium_ledger.entries.entry import Entry
from notarium_ledger.state.chain_state import (
    MAX_GOVERNANCE_ENTRIES,
    MAX_KEY_ENTRIES,
    ChainState,
    Transition,
    advance,
    select_entries,
)
from notarium_ledger.state.registry import MembershipProposal, Registry, Researcher
from notarium_ledger.types import Hash, Height, PublicKey

FEW, MANY = 500, 32_000


@cache
def consortium() -> Consortium:
    return Consortium(4)


@cache
def state_with(keys: int) -> ChainState:
    """The state of a ledger with so many researchers' keys."""
    base = consortium().state
    records = dict(base.registry.records())
    for number in range(keys):
        records[b"k" + sha256(b"%d" % number).digest()] = Researcher(number % 4).value
    return replace(base, registry=Registry.of_records(records.items()))


def calls_of(work: Callable[[], Any]) -> int:
    """How many functions are called meanwhile."""
    count = 0

    def profile(_: Any, event: str, __: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def check(state: ChainState, entries: list[Entry]) -> Transition:
    proposer = state.registry.validators.validators[0].key
    return advance(state, entries, state.time_ms + 1, proposer)


def select(state: ChainState, entries: list[Entry]) -> None:
    assert len(select_entries(state, entries, lambda _: False, 1)[0]) == len(entries)


def enrolments(count: int = MAX_KEY_ENTRIES) -> list[Entry]:
    bodies = (consortium().member_body("enrol", 3, key=bytes(key(f"new {number}").public)) for number in range(count))
    return [consortium().entry(body) for body in bodies]


def proposals() -> list[Entry]:
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    return [
        consortium().entry(consortium().member_body("propose", number % 4, action=action, note=f"{number}"))
        for number in range(MAX_GOVERNANCE_ENTRIES)
    ]


@pytest.mark.parametrize(
    "make",
    [enrolments, lambda: enrolments(1), proposals, lambda: consortium().entries(500)],
    ids=["enrolments", "one enrolment", "proposals", "research"],
)
def test_a_block_costs_the_same_at_any_number_of_keys(make: Callable[[], list[Entry]]) -> None:
    """Sixty-four times the keys: six more levels of the map for each record, and nothing else."""
    entries = make()
    for work in (check, select):
        few, many = (calls_of(partial(work, state_with(keys), entries)) for keys in (FEW, MANY))
        assert many < 2 * few


def test_a_block_writes_what_it_changes_and_no_more() -> None:
    for keys in (FEW, MANY):
        changes = check(state_with(keys), enrolments()).registry_changes
        assert len(changes) == MAX_KEY_ENTRIES + 2, "the keys, the member that counts them, and its use"
        assert sum(len(name) + len(value or b"") for name, value in changes.items()) < 40 * MAX_KEY_ENTRIES


def test_an_enrolment_costs_not_much_more_than_any_entry() -> None:
    """Both with the signature and form, which are the same; counted here are the rules and the registry."""
    state = state_with(MANY)
    one = calls_of(lambda: check(state, consortium().entries(1)))
    more = calls_of(lambda: check(state, enrolments(1)))
    assert more < 600 + one, "two records, each with its path to the root"


def test_a_member_with_very_many_keys_can_be_removed_like_any() -> None:
    """The vote that ends a flood must not cost what the flood cost: it touches none of the keys."""
    five = Consortium(5)
    records = dict(five.state.registry.records())
    for number in range(MANY):
        records[b"k" + digest(number)] = Researcher(3).value
    registry = Registry.of_records(records.items())
    registry = registry.with_member(replace(registry.members["m3"], keys=MANY))
    action: Any = {"type": "remove-member", "id": "m3"}
    proposal = MembershipProposal("m0", action, frozenset(["m0", "m1", "m4"]), Height(100))
    state = replace(five.state, registry=registry.with_proposal(Hash(digest("flood")), proposal).settled())
    last = five.entry(five.member_body("vote", 2, proposal=digest("flood"), approve=True))
    transitions: list[Transition] = []
    calls = calls_of(lambda: transitions.append(check(state, [last])))
    assert calls < 2_000
    (transition,) = transitions
    assert len(transition.registry_changes) == 6, "member, node, proposal, totals, voter and its use"
    after = transition.state.registry
    assert after.owner(after.researchers[PublicKey(digest(7))]) is None
