"""Only two different signatures of one key for one height, round and kind prove an equivocation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium
from tests.support.liars import lie

from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.errors import InvalidEquivocation
from notarium_ledger.trust.equivocation import Equivocation, conflict

CONSORTIUM = Consortium(4)

slots = st.tuples(
    st.sampled_from(CONSORTIUM.validator_keys[:2]), st.integers(1, 3), st.sampled_from(StatementKind), st.integers(1, 2)
)


@given(slots, slots, st.booleans())
def test_statements_convict_if_and_only_if_they_fill_one_slot_with_two_things(one, other, same):
    """Any two valid statements of honest or lying keys, put together by somebody else."""
    left, right = (lie(CONSORTIUM, key, height, kind, round_) for key, height, kind, round_ in (one, other))
    second = right.first if same else right.second
    equivocation = conflict(left.genesis, left.validators, left.first, second)
    assert Equivocation.decode(equivocation.encode()) == equivocation
    if one == other and not same:
        equivocation.verify()
    else:
        with pytest.raises(InvalidEquivocation):
            equivocation.verify()


@given(st.binary(max_size=600))
def test_bytes_are_equivocation_or_invalid(data):
    try:
        equivocation = Equivocation.decode(data)
    except InvalidEquivocation:
        return
    assert equivocation.encode() == data
