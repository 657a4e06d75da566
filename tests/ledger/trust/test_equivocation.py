"""An equivocation file holds as a whole or not at all; and only two different signatures of one slot convict."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium
from tests.support.liars import lie
from tests.vectors import generate

from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.errors import InvalidEquivocation, InvalidEquivocationFile
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation import Equivocation, conflict
from notarium_ledger.trust.equivocation_file import EquivocationFile

VECTORS = json.loads((generate.FOLDER / "equivocation.json").read_bytes())
GENESIS = Genesis.from_document(VECTORS["genesis"])
FILES = [each["text"].encode() for each in VECTORS["valid"]]
CONSORTIUM = Consortium(4)

slots = st.tuples(
    st.sampled_from(CONSORTIUM.validator_keys[:2]), st.integers(1, 3), st.sampled_from(StatementKind), st.integers(1, 2)
)


def check(data: bytes) -> None:
    EquivocationFile.decode_json(data).verify(GENESIS)


@given(st.sampled_from(FILES), st.data())
def test_no_byte_of_a_file_can_be_changed(file, data):
    check(file)
    at = data.draw(st.integers(0, len(file) - 1))
    changed = bytearray(file)
    changed[at] = data.draw(st.integers(0, 255).filter(lambda value: value != file[at]))
    with pytest.raises(InvalidEquivocationFile):
        check(bytes(changed))


@given(st.sampled_from(FILES), st.data())
def test_no_part_of_a_file_can_be_cut_or_doubled(file, data):
    start = data.draw(st.integers(0, len(file) - 1))
    end = data.draw(st.integers(start + 1, len(file)))
    for changed in (file[:start] + file[end:], file[:end] + file[start:end] + file[end:]):
        with pytest.raises(InvalidEquivocationFile):
            check(changed)


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
