"""A genesis document reads back as it was written; white space in the file does not matter."""

import json

from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium

from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.records import Totals


@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 4), st.sampled_from(["", " ", "\n\n"]))
def test_genesis_round_trip_whatever_its_white_space(n: int, observers: int, researchers: int, space: str) -> None:
    genesis = Consortium(n, observers, researchers).genesis
    again = Genesis.decode_json(genesis.encode_json())
    assert again == genesis
    loose = json.dumps(genesis.document, indent=3).replace(",", space + ",").encode()
    assert Genesis.decode_json(loose).hash == genesis.hash
    renamed = Genesis.from_document({**genesis.document, "name": "another"})
    assert renamed.hash != genesis.hash


@given(st.permutations(range(5)))
def test_members_are_numbered_by_their_ids_whatever_their_order_in_the_file(order: list[int]) -> None:
    document = Consortium(5, researchers=7).genesis.document
    shuffled = {**document, "members": [document["members"][number] for number in order]}
    registry = Genesis.from_document(shuffled).registry
    assert registry == Genesis.from_document(document).registry
    assert {each.id: (each.serial, each.keys) for each in registry.members.values()} == {
        "m0": (0, 2), "m1": (1, 2), "m2": (2, 1), "m3": (3, 1), "m4": (4, 1),
    }  # fmt: skip
    assert registry.totals == Totals(5, 0)
