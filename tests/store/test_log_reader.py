"""Proofs from stored nodes, at the newest and at every earlier size, against RFC 6962 word for word."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import naive_tree
from tests.support.chains import grow
from tests.support.consortium import Consortium

from notarium_ledger.entries.commitment import artifact_digests
from notarium_ledger.errors import InvalidProof
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.log.proofs import verify_consistency, verify_inclusion
from notarium_store import Store


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory):
    """A store of many blocks of many sizes, opened again so that nothing comes from memory, and its leaves."""
    consortium = Consortium(1)
    path: Path = tmp_path_factory.mktemp("proofs") / "store"
    with Store.open(path, consortium.genesis) as store:
        decisions = grow(store, consortium, [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 1, 89, 300])
    with Store.open(path, consortium.genesis) as store:
        yield store, [raw for decision in decisions for raw in decision.block.entries]


def test_roots_of_every_earlier_size(grown) -> None:
    store, leaves = grown
    for size in range(len(leaves) + 1):
        assert store.root(size) == naive_tree.mth(leaves[:size])


def test_all_small_proofs(grown) -> None:
    store, leaves = grown
    for size in range(1, 40):
        for index in range(size):
            assert store.inclusion(index, size) == naive_tree.path(index, leaves[:size])
            assert store.consistency(index + 1, size) == naive_tree.proof(index + 1, leaves[:size])


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_proof(grown, data: st.DataObject) -> None:
    store, leaves = grown
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    path = store.inclusion(index, size)
    assert path == naive_tree.path(index, leaves[:size])
    verify_inclusion(leaf_hash(leaves[index]), index, size, path, store.root(size))
    earlier = data.draw(st.integers(1, size))
    proof = store.consistency(earlier, size)
    assert proof == naive_tree.proof(earlier, leaves[:size])
    verify_consistency(earlier, store.root(earlier), size, store.root(size), proof)


def test_tiles_are_runs_of_nodes(grown) -> None:
    store, leaves = grown
    assert store.nodes(0, 256, 256) == [leaf_hash(leaf) for leaf in leaves[256:512]]
    assert store.nodes(8, 0, 2) == [naive_tree.mth(leaves[:256]), naive_tree.mth(leaves[256:512])]
    assert store.nodes(3, 5, 20) == [naive_tree.mth(leaves[8 * at : 8 * at + 8]) for at in range(5, 25)]


def test_nothing_is_proven_beyond_the_log(grown) -> None:
    store, leaves = grown
    size = len(leaves)
    with pytest.raises(InvalidProof, match=f"{size + 1} is beyond the log's {size} entries"):
        store.inclusion(0, size + 1)
    with pytest.raises(InvalidProof):
        store.consistency(1, size + 1)
    with pytest.raises(InvalidProof):
        store.inclusion(5, 5)
    for level, index in ((0, size), (9, 1 << 40), (0, -1), (5, size >> 5)):
        with pytest.raises(KeyError):
            store.node(level, index)
    with pytest.raises(KeyError):
        store.nodes(0, size - 1, 2)


def test_a_block_on_the_disk_is_not_reported_before_the_state_includes_it(
    store: Store, consortium: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the write and the new state a reader would be sent to a log index that is not in the log yet."""
    decision, transition = consortium.decide(store.state, consortium.entries(3))
    entry = transition.entries[-1]
    digests = artifact_digests(entry.body)
    real = store._db.write
    seen: list[object] = []

    def writing(items: Any, deleted: Any = ()) -> None:
        real(items, deleted)
        seen.extend((store.position(entry.id), store.receipt(entry.id), store.entry_by_id(entry.id)))
        seen.extend(store.find(each, 10) for each in digests)

    monkeypatch.setattr(store._db, "write", writing)
    store.commit(decision, transition)
    assert seen == [None, None, None, *([] for _ in digests)]
    assert store.position(entry.id) == (1, 2)
    assert digests
    assert all([named.index for named in store.find(each, 10)] == [2] for each in digests)
