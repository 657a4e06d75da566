"""Hypothesis strategies for values of the ledger."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from notarium_ledger.blocks.block import Header
from notarium_ledger.blocks.certificate import QuorumCertificate, Seal
from notarium_ledger.entries.commitment import MAX_TIME_MS
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
    height=st.integers(1, 2**63 - 1).map(Height),
    parent=hashes,
    time_ms=st.integers(0, MAX_TIME_MS),
    proposer=hashes.map(PublicKey),
    tree_size=st.integers(0, 2**63 - 1),
    tree_root=hashes,
    validators=hashes,
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
