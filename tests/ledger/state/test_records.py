"""The records of the registry: their bytes, and that each reads back."""

from itertools import pairwise
from typing import Any

import pytest
from tests.support.consortium import digest

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.records import (
    Member,
    MembershipProposal,
    NodeRecord,
    Parameters,
    Researcher,
    Totals,
    parameter_of_record,
)
from notarium_ledger.types import Height, PublicKey

KEY = PublicKey(digest("key"))
MEMBERS = {each: Member(each, each, KEY, serial, 0) for serial, each in enumerate(("c", "b", "a"), 7)}
ACTION: Any = {"type": "remove-member", "id": "a"}


def test_the_bytes_of_each_kind() -> None:
    member = Member("ror", "Name", KEY, 3, 70_000, 12)
    assert member.record == (b"mror", canonical.encode(["Name", bytes(KEY), 3, 70_000, 12]))
    assert Member.of_record(*member.record) == member
    node = NodeRecord("ror", "observer", KEY, b"certificate", "a:1", "https://b")
    assert node.record == (b"n" + KEY, canonical.encode(["ror", "observer", b"certificate", "a:1", "https://b"]))
    assert NodeRecord.of_record(*node.record) == node
    assert Researcher(300, True).value == canonical.encode([300, True])
    assert Researcher.of_value(canonical.encode([300, True])) == Researcher(300, True)
    proposal = MembershipProposal("a", ACTION, frozenset("cb"), Height(5))
    key, value = proposal.record(bytes(32), MEMBERS)
    assert (key, value) == (b"o" + bytes(32), canonical.encode([9, ACTION, [7, 8], 5]))
    assert MembershipProposal.of_record(value, {each.serial: each for each in MEMBERS.values()}) == proposal
    assert Totals(4, 5, 6).record == (b"t", canonical.encode([4, 5, 6]))
    assert Totals.of_record(Totals(4, 5, 6).record[1]) == Totals(4, 5, 6)


def test_parameters_have_a_record_each() -> None:
    assert Parameters().to_value().keys() == PARAMETER_LIMITS.keys()
    for name, value in Parameters().to_value().items():
        least, most = PARAMETER_LIMITS[name]
        assert isinstance(value, int)
        assert least <= value <= most
    read = dict(parameter_of_record(*record) for record in Parameters(max_entry_bytes=2000).records())
    assert Parameters.of_values(read) == Parameters(max_entry_bytes=2000)
    for wrong in ({**read, "speed": 1}, {**read, "max_entry_bytes": 1023}, {"max_entry_bytes": 2000}):
        with pytest.raises(LedgerError):
            Parameters.of_values(wrong)


def test_equal_researchers_share_one_value() -> None:
    """Half a million of them must not take a value each."""
    values = [Researcher(1).value, Researcher(1).value, Researcher.of_value(bytes(Researcher(1).value)).value]
    assert all(left is right for left, right in pairwise(values))


@pytest.mark.parametrize(
    "value",
    [[9, ACTION, [8, 7], 5], [9, ACTION, [7, 7], 5], [6, ACTION, [], 5], [9, ACTION, [6], 5], [9, ACTION, [], 0]]
    + [[9, action, [], 5] for action in ({}, {"type": "merge"}, {**ACTION, "more": 1}, "remove-member")],
)
def test_a_proposal_that_nobody_could_make_is_refused(value: Any) -> None:
    with pytest.raises(LedgerError):
        MembershipProposal.of_record(canonical.encode(value), {each.serial: each for each in MEMBERS.values()})


@pytest.mark.parametrize("value", [[1], [1, 0], [-1, True], [True, True], [2**53 + 1, False], {"serial": 1}])
def test_a_researcher_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(LedgerError):
        Researcher.of_value(canonical.encode(value))


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(LedgerError, match="role"):
        NodeRecord.of_record(b"n" + KEY, canonical.encode(["a", "leader", b"", "a:1", ""]))
