"""Seeds that nobody chose."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from notarium_ledger.trust.seed import derive_seed
from notarium_ledger.types import Hash

hashes = st.binary(min_size=32, max_size=32).map(Hash)


@given(hashes, hashes, st.text(st.characters(codec="utf-8"), max_size=8))
def test_anyone_can_compute_it(block, entry, name):
    digest = hashlib.sha256(b"notarium/seed/v1\0" + block + entry + name.encode()).digest()
    assert derive_seed(block, entry, name) == int(digest.hex()[:8], 16) < 2**32


def test_block_start_and_name_each_change_it():
    one, other = Hash(bytes(32)), Hash(b"\1" * 32)
    seeds = {derive_seed(one, one), derive_seed(other, one), derive_seed(one, other), derive_seed(one, one, "numpy")}
    assert len(seeds) == 4
