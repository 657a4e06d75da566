"""Hypothesis strategies for values of the ledger."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.entries.commitment import MAX_TIME_MS
from notarium_ledger.state.registry import Member, MembershipProposal, NodeRecord, Parameters, Registry, Researcher
from notarium_ledger.types import Hash, Height, PublicKey, Round, Signature

hashes = st.binary(min_size=32, max_size=32).map(Hash)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.binary(max_size=40)
)

keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)

values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5), max_leaves=25
)
"""Canonical values."""

headers = st.builds(
    Header,
    genesis=hashes,
    height=st.integers(2**32, 2**63 - 1).map(Height),
    parent=hashes,
    time_ms=st.integers(0, MAX_TIME_MS),
    proposer=hashes.map(PublicKey),
    tree_size=st.integers(0, 2**63 - 1),
    tree_root=hashes,
    validators=hashes,
    since=st.integers(1, 2**32).map(Height),
    next_validators=hashes,
    state_root=hashes,
)

seals = st.builds(Seal, hashes.map(PublicKey), st.binary(min_size=64, max_size=64).map(Signature))

certificates = st.builds(
    QuorumCertificate,
    st.integers(1, 2**63 - 1).map(Height),
    st.integers(0, 2**32 - 1).map(Round),
    hashes,
    st.lists(seals, max_size=5).map(tuple),
)

json_scalars: st.SearchStrategy[Any] = st.none() | st.booleans() | st.integers() | st.floats() | st.text()

_ids = st.text("abcdefghij0123456789", min_size=1, max_size=5)
_actions: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"type": "remove-member", "id": "first"},
        {"type": "remove-node", "key": bytes(32), "below_four": True},
        {"type": "set-parameter", "name": "max_entry_bytes", "value": 2000},
    ]
)


@st.composite
def _registries(draw: st.DrawFn) -> Registry:
    """The member "first" has a validator; other members have nodes of both roles, keys and proposals."""
    ids = ["first", *sorted(draw(st.sets(_ids.filter(lambda each: each != "first"), max_size=4)))]
    members = [
        Member(id_, draw(st.text(max_size=5)), PublicKey(draw(hashes)), serial, draw(st.integers(0, 9)))
        for serial, id_ in enumerate(ids)
    ]
    first, *others = [PublicKey(each) for each in draw(st.lists(hashes, min_size=1, max_size=6, unique=True))]
    nodes = [NodeRecord("first", "validator", first, b"certificate", "a:1")]
    nodes += [
        NodeRecord(draw(st.sampled_from(ids)), "observer", each, draw(hashes), "b:2", "https://c") for each in others
    ]
    researchers = draw(
        st.dictionaries(hashes.map(PublicKey), st.builds(Researcher, st.integers(0, 9), st.booleans()), max_size=4)
    )
    registry = Registry.founded(members, nodes, researchers, Parameters())
    for _ in range(draw(st.integers(0, 3))):
        proposal = MembershipProposal(
            draw(st.sampled_from(ids)),
            draw(_actions),
            frozenset(draw(st.sets(st.sampled_from(ids)))),
            Height(draw(st.integers(1, 2**63 - 1))),
        )
        registry = registry.with_proposal(draw(hashes), proposal)
    return registry.settled() if draw(st.booleans()) else registry


registries = _registries()
"""Registries of up to five members, settled or not."""
