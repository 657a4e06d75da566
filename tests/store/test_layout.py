"""Stored values read back as they were written, and a decision is put together from them byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.chains import change_validator, grow
from tests.support.consortium import Consortium

from notarium_ledger.encoding import canonical
from notarium_ledger.errors import LedgerError
from notarium_ledger.log.frontier import EMPTY
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.types import Hash, Height
from notarium_store import Store, keys, layout
from notarium_store.layout import ENTRIES_PER_GROUP, StoredHeader, StoredState


@given(st.integers(0, 200), st.integers(0, 2**63 - 1))
def test_a_state_reads_back(leaves, height):
    frontier, _ = EMPTY.extend(leaf_hash(b"%d" % number) for number in range(leaves))
    state = StoredState(Height(height), Hash(leaf_hash(b"tip")), 5, frontier)
    assert StoredState.decode(state.encode()) == state


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_a_position_reads_back(height, index):
    assert layout.decode_position(layout.position_value(height, index)) == (height, index)


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_position_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match=f"{length} bytes, not 16"):
        layout.decode_position(bytes(length))


@pytest.mark.parametrize("value", [[], ["text"], [b"entry", 1], b"entry"])
def test_a_group_of_entries_is_a_list_of_bytes(value):
    assert layout.decode_entries(canonical.encode([b"a", b""])) == [b"a", b""]
    with pytest.raises(LedgerError, match="not a list of entries"):
        layout.decode_entries(canonical.encode(value))


def test_joined_hashes_are_whole():
    hashes = [leaf_hash(b"%d" % number) for number in range(3)]
    assert layout.split(b"".join(hashes)) == hashes
    with pytest.raises(ValueError, match="33 bytes are not a whole number of hashes"):
        layout.split(bytes(33))


@pytest.mark.parametrize("size", [1, 15, 16, ENTRIES_PER_GROUP, ENTRIES_PER_GROUP + 1, 3 * ENTRIES_PER_GROUP])
def test_a_decision_is_what_its_pairs_make(size):
    consortium = Consortium(4)
    before = consortium.state
    decision, transition = consortium.decide(before, consortium.entries(size))
    pairs = dict(layout.decision_items(decision, transition, before, layout.join_nodes(transition.nodes)))
    header = StoredHeader.decode(pairs[keys.numbered(keys.HEADER, 1)])
    assert (header.header, header.certificate, header.first_index) == (decision.block.header, decision.certificate, 0)
    groups = [value for key, value in sorted(pairs.items()) if key.startswith(keys.ENTRIES)]
    assert layout.join_decision(header, groups) == decision.encode()
    assert keys.numbered(keys.HANDOVER, 1) not in pairs, "only where a block changes the set"
    for index in range(size):
        assert layout.decode_entries(pairs[keys.numbered(keys.ENTRIES, header.group_end(index))])


def test_a_change_of_the_validator_set_writes_the_new_one(store: Store, consortium: Consortium):
    grow(store, consortium, [2])
    change_validator(store, consortium, 1, "another")
    new = canonical.encode(store.state.registry.validators.to_value())
    assert store._db.scan(keys.HANDOVER) == [(keys.numbered(keys.HANDOVER, store.state.height), new)]
