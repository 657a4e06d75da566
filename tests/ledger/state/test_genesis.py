"""A genesis document reads back as it was written; white space in the file does not matter."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium

from notarium_ledger.state.genesis import Genesis


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 4), st.sampled_from(["", " ", "\n\n"]))
def test_genesis_round_trip_whatever_its_white_space(n: int, observers: int, researchers: int, space: str) -> None:
    genesis = Consortium(n, observers, researchers).genesis
    again = Genesis.decode_json(genesis.encode_json())
    assert again == genesis
    loose = json.dumps(genesis.document, indent=3).replace(",", space + ",").encode()
    assert Genesis.decode_json(loose).hash == genesis.hash
    renamed = Genesis.from_document({**genesis.document, "name": "another"})
    assert renamed.hash != genesis.hash
