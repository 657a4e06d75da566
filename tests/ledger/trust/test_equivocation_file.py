"""An equivocation file is valid as a whole or not at all."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.vectors import generate

from notarium_ledger.errors import InvalidEquivocationFile
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import EquivocationFile

VECTORS = json.loads((generate.FOLDER / "equivocation.json").read_bytes())

GENESIS = Genesis.from_document(VECTORS["genesis"])

FILES = [each["text"].encode() for each in VECTORS["valid"]]


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
