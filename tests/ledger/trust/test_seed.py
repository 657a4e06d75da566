"""Seeds that nobody chose."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.blocks.block import Header
from notarium_ledger.errors import InvalidSeed
from notarium_ledger.trust.seed import check_first_block, derive_seed
from notarium_ledger.types import Hash

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "seeds.json").read_text())

hashes = st.binary(min_size=32, max_size=32).map(Hash)


@given(hashes, hashes, st.text(st.characters(codec="utf-8"), max_size=8))
def test_anyone_can_compute_it(block, entry, name):
    digest = hashlib.sha256(b"notarium/seed/v1\0" + block + entry + name.encode()).digest()
    assert derive_seed(block, entry, name) == int(digest.hex()[:8], 16) < 2**32


def test_block_start_and_name_each_change_it():
    one, other = Hash(bytes(32)), Hash(b"\1" * 32)
    seeds = {derive_seed(one, one), derive_seed(other, one), derive_seed(one, other), derive_seed(one, one, "numpy")}
    assert len(seeds) == 4


def _blocks(case):
    parent = Header.decode(bytes.fromhex(case["parent"])) if case["parent"] else None
    return Header.decode(bytes.fromhex(case["header"])), case["index"], parent


@pytest.mark.parametrize("case", VECTORS["first"])
def test_the_block_that_added_the_start_is_known_by_its_parent(case):
    check_first_block(*_blocks(case))


@pytest.mark.parametrize("case", VECTORS["not_first"], ids=lambda case: case["why"])
def test_a_later_block_gives_no_seed(case):
    """A receipt may prove the start under any later header, so whoever could choose one would choose the seed."""
    with pytest.raises(InvalidSeed):
        check_first_block(*_blocks(case))
