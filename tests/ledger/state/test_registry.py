"""The registry reads back as it was written, with the same hash and validators, however it came about."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import registries
from tests.support.consortium import Consortium, digest

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.records import Totals
from notarium_ledger.state.registry import MAX_RECORDS, Member, MembershipProposal, Registry, Researcher
from notarium_ledger.types import Hash, Height, PublicKey


@given(registries)
def test_registry_round_trip(registry: Registry) -> None:
    for again in (Registry.of_records(registry.records()), Registry.decode(registry.encode())):
        assert again == registry
        assert again.hash == registry.hash
        for name in ("members", "nodes", "parameters", "proposals", "totals", "validators"):
            assert getattr(again, name) == getattr(registry, name)
        assert dict(again.researchers) == dict(registry.researchers) == dict(registry.researchers.walk())
        assert list(registry.researchers) == sorted(registry.researchers)
        assert list(again.records()) == list(registry.records()) == sorted(registry.records())


@given(registries, st.data())
def test_whatever_way_a_registry_came_about_its_records_say_it_all(registry: Registry, data: Any) -> None:
    """Changed step by step or at once, settled between or not: the hash is that of the records."""
    changed = registry
    for _ in range(data.draw(st.integers(0, 6))):
        changed = data.draw(st.sampled_from(CHANGES))(changed)
        if data.draw(st.booleans()):
            changed = changed.settled()
    again = Registry.of_records(changed.records())
    assert again.hash == changed.hash == changed.settled().hash
    for name in ("members", "nodes", "parameters", "proposals", "totals", "validators"):
        assert getattr(again, name) == getattr(changed, name)
    assert dict(again.researchers) == dict(changed.researchers)


def _with_proposal(registry: Registry) -> Registry:
    action: Any = {"type": "remove-member", "id": "m1"}
    member = min(registry.members)
    proposal = MembershipProposal(member, action, frozenset([member]), Height(9))
    return registry.with_proposal(Hash(digest("new proposal")), proposal)


CHANGES = [
    lambda registry: registry.with_member(Member("new", "New", PublicKey(digest("new")), 1_000_000, 3)),
    lambda registry: registry.with_researcher(PublicKey(digest("new")), Researcher(0)),
    lambda registry: registry.with_researcher(PublicKey(digest("new")), Researcher(0, True)),
    lambda registry: registry.with_enrolled(PublicKey(digest("key")), registry.members[min(registry.members)]),
    lambda registry: registry.with_parameters(replace(registry.parameters, max_entry_bytes=2000)),
    lambda registry: registry.with_totals(Totals(10, 11)),
    _with_proposal,
    lambda registry: registry.without_proposals(registry.proposals),
    lambda registry: registry.with_nodes((), [key for key, each in registry.nodes.items() if each.member != "first"]),
    lambda registry: registry.without_member("new") if "new" in registry.members else registry,
]


def test_the_changes_are_what_makes_one_registry_of_the_other() -> None:
    before = Consortium(4, researchers=3).genesis.registry
    after = _with_proposal(before).without_proposals([Hash(digest("new proposal"))])
    assert after.changes == {}, "opened and closed in one block: nothing to write"
    after = CHANGES[1](_with_proposal(before)).settled().without_proposals([Hash(digest("new proposal"))])
    assert after.changes == {b"o" + digest("new proposal"): None}
    records: dict[bytes, bytes] = dict(before.records())
    changed = CHANGES[0](CHANGES[2](before))
    for key, value in changed.changes.items():
        assert value is not None
        records[key] = value
    assert Registry.of_records(records.items()) == changed
    assert changed.settled().changes == {}


RECORDS = dict(_with_proposal(Consortium(4, observers=1).genesis.registry).records())


def _of_kind(kind: bytes) -> bytes:
    return next(key for key in RECORDS if key[:1] == kind)


@pytest.mark.parametrize("kind", [b"k", b"m", b"n", b"o", b"p", b"t"])
@pytest.mark.parametrize(
    "value", [b"", b"\xc1", canonical.encode([]), canonical.encode([-1, True, [], 0, ""]), canonical.encode({"a": -1})]
)
def test_a_record_that_says_something_else_is_refused(kind: bytes, value: bytes) -> None:
    with pytest.raises(LedgerError):
        Registry.of_records({**RECORDS, _of_kind(kind): value}.items())


@pytest.mark.parametrize(
    "key", [b"", b"x", b"k", b"k" + bytes(31), b"n" + bytes(33), b"o" + bytes(31), b"m\xff", b"pspeed", b"tt"]
)
def test_a_record_under_another_key_is_refused(key: bytes) -> None:
    value = RECORDS[_of_kind(key[:1])] if key[:1] in (b"k", b"m", b"n", b"o", b"p", b"t") else b"\x00"
    with pytest.raises(LedgerError):
        Registry.of_records({**RECORDS, key: value}.items())


@pytest.mark.parametrize("key", [b"t", b"pmax_entry_bytes", _of_kind(b"m")])
def test_a_record_that_is_needed_is_missed(key: bytes) -> None:
    """The member is the one that proposed."""
    with pytest.raises(LedgerError):
        Registry.of_records((each, value) for each, value in RECORDS.items() if each != key)


def test_records_that_do_not_ascend_are_no_registry() -> None:
    flat: list[Any] = [each for record in sorted(RECORDS.items()) for each in record]
    assert Registry.decode(canonical.encode(flat))
    wrong: Any
    for wrong, reason in (
        (flat[:-1], "a key without a value"),
        ([*flat[2:4], *flat[:2], *flat[4:]], "not in ascending order"),
        ([*flat[:2], *flat], "not in ascending order"),
        ([1, *flat[1:]], "not bytes"),
        ({}, "not a list"),
    ):
        with pytest.raises(LedgerError, match=reason):
            Registry.decode(canonical.encode(wrong))


def test_more_records_than_any_registry_has_are_refused_before_they_are_built() -> None:
    count = 2 * MAX_RECORDS + 1
    with pytest.raises(LedgerError, match=f"at most {count} allowed"):
        Registry.decode(b"\xdd" + count.to_bytes(4, "big") + b"\xc4\x00" * count)


@pytest.mark.parametrize("kind", [b"k", b"m", b"n", b"o", b"p", b"t"])
def test_a_record_that_comes_twice_is_refused(kind: bytes) -> None:
    """Also with the same value: of two readers one would take the first, and one the last."""
    again = (_of_kind(kind), RECORDS[_of_kind(kind)])
    with pytest.raises(LedgerError, match="appears twice"):
        Registry.of_records([*RECORDS.items(), again])
