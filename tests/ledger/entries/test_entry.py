"""An entry reads back as it was signed, and a flipped bit anywhere in it is found."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ledger.flipping import flip
from tests.properties.strategies import hashes
from tests.support.consortium import digest, key, valid_body

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import decode_entry, sign_batch, sign_entry, verify_signature
from notarium_ledger.errors import (
    InvalidEntry,
    LedgerError,
)
from notarium_ledger.types import Hash

GENESIS = Hash(digest("genesis"))

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=100)


@given(texts, st.integers(1, 2**32), st.sampled_from(["public", "consortium", "sealed"]), hashes)
def test_entry_round_trip(project: str, partitions: int, disclosure: str, record: bytes) -> None:
    body = valid_body("dataset", 1, project=project, partitions=partitions, disclosure=disclosure, record=record)
    raw = sign_entry(key("author"), GENESIS, body)
    entry = decode_entry(raw)
    verify_signature(entry, GENESIS)
    assert entry.raw == raw
    assert entry.body == body
    assert canonical.encode(body) == entry.body_bytes


@given(st.integers(1, 70))
def test_every_entry_of_a_batch_proves_its_author_alone(size: int) -> None:
    bodies = [valid_body("run", number) for number in range(size)]
    raws = sign_batch(key("author"), GENESIS, bodies)
    for raw, body in zip(raws, bodies, strict=True):
        entry = decode_entry(raw)
        verify_signature(entry, GENESIS)
        assert entry.body == body
    assert len({decode_entry(raw).signed_message(GENESIS) for raw in raws}) == 1


SINGLE = sign_entry(key("author"), GENESIS, valid_body("run", 1, refs=[{"rel": "derivedFrom", "entry": digest("r")}]))

BATCHED = sign_batch(key("author"), GENESIS, [valid_body("run", number) for number in range(11)])


@pytest.mark.parametrize("raw", [SINGLE, BATCHED[0], BATCHED[10]], ids=["single", "batch, first", "batch, last"])
def test_any_flipped_bit_of_an_entry_is_rejected(raw: bytes) -> None:
    """Every bit, not a sample."""
    verify_signature(decode_entry(raw), GENESIS)
    for bit in range(8 * len(raw)):
        with pytest.raises(InvalidEntry):
            verify_signature(decode_entry(flip(raw, bit)), GENESIS)


@given(st.binary(min_size=1, max_size=200))
def test_canonical_bytes_of_an_entry_are_all_there_is(extra: bytes) -> None:
    with pytest.raises(InvalidEntry):
        decode_entry(SINGLE + extra)
    with pytest.raises(LedgerError):
        canonical.decode(SINGLE + extra)
