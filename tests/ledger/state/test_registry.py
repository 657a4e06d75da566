"""The registry reads back as it was written, with the same hash and validators."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.properties.strategies import hashes
from tests.support.consortium import digest

from notarium_ledger.state.registry import Member, MembershipProposal, NodeRecord, Parameters, Registry, Researcher
from notarium_ledger.types import PublicKey


@given(
    members=st.lists(st.tuples(st.text(max_size=5), hashes), max_size=4),
    researchers=st.dictionaries(
        hashes.map(PublicKey), st.builds(Researcher, st.text(max_size=5), st.booleans()), max_size=4
    ),
    proposals=st.dictionaries(
        hashes,
        st.builds(
            MembershipProposal,
            st.text(max_size=5),
            st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3),
            st.frozensets(st.text(max_size=5), max_size=3),
        ),
        max_size=3,
    ),
    roles=st.lists(st.sampled_from(["validator", "observer"]), max_size=6),
)
def test_registry_round_trip(members: Any, researchers: Any, proposals: Any, roles: list[str]) -> None:
    nodes = [NodeRecord("first", "validator", PublicKey(digest(0)), b"certificate", "a:1")]
    nodes += [
        NodeRecord(f"m{number}", role, PublicKey(digest(number)), digest(-number), "b:2", "https://c")
        for number, role in enumerate(roles, 1)
    ]
    registry = Registry(
        members={id_: Member(id_, id_, PublicKey(public)) for id_, public in members},
        nodes={node.key: node for node in nodes},
        researchers=researchers,
        parameters=Parameters(),
        proposals=proposals,
    )
    again = Registry.decode(registry.encode())
    assert again == registry
    assert again.hash == registry.hash
    assert again.validators.hash == registry.validators.hash
