"""Hypothesis strategies for values of the ledger."""

from __future__ import annotations

from hypothesis import strategies as st

from notarium_ledger.types import Hash

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
