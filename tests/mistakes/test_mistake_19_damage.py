"""Mistake 19: a corrupt or gapped ledger or snapshot at the join (CCF#6612, #7901, #8124). What comes from a peer is
verified before it is stored; what is found damaged on the own disk is named, not served and not overwritten.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import plyvel
import pytest
from tests.mistakes import nodes
from tests.mistakes.lies import LIES, Lie, a_quorum_of_forged_seals, deliver, dropped
from tests.mistakes.nodes import cluster, eventually, fresh
from tests.mistakes.planted import must_fail
from tests.support.chains import commit, grow
from tests.support.consortium import Consortium

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.types import Height
from notarium_store import Store, StoreCorruption, StoreError, keys
from notarium_store.check import check_chain

LENGTH = 5


def certificates_are_not_checked(patch: pytest.MonkeyPatch) -> None:
    """A block with any certificate is a decided block."""
    patch.setattr(QuorumCertificate, "verify", lambda self, *arguments: None)


def the_tip_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    """A store is taken as it is found."""
    patch.setattr("notarium_store.opening._check_tip", lambda *arguments: None)


def gaps_may_be_written(patch: pytest.MonkeyPatch) -> None:
    """A store takes whatever block it is given."""
    patch.setattr(Store, "_check_next", lambda self, *arguments: None)


def nothing_is_checked(patch: pytest.MonkeyPatch) -> None:
    """The checker finds nothing."""
    patch.setitem(globals(), "check_chain", lambda *arguments: None)


@pytest.mark.parametrize("lie", LIES)
async def test_mistake_19_of_damaged_or_gapped_history_a_joining_node_stores_no_more_than_is_true(
    lie: Lie, tmp_path: Path
) -> None:
    """It has nothing but the liar to ask: then it stays where the truth ends, and stays clean on its disk."""
    async with cluster(fresh(tmp_path), run=[0, 1, 2]) as made:
        for _ in range(LENGTH):
            await made.decided(await made.submit(0))
        height = made.nodes[0].store.state.height
        true = [made.nodes[0].store.decision(Height(each)) for each in range(1, height + 1)]
        await made.stop(0, 1, 2)
        made.directory(2).rename(made.path / "lost")
        liar = await made.puppet(3)
        deliver(made, liar, lie, true, height + 100)
        await made.start(2)
        await eventually(lambda: len(dropped(made, 2, liar)) >= 1)
        store = made.nodes[2].store
        for at in range(1, store.state.height + 1):
            found, expected = store.decision(Height(at)), true[at - 1]
            assert found is not None
            assert expected is not None
            assert found.block.hash == expected.block.hash, f"block {at} is not what was decided"
        await made.stop(2)
        problems = _problems(made.directory(2), made.consortium)
        assert not problems, "what it has stored is whole"


def _problems(path: Path, consortium: Consortium) -> list[str]:
    """What the checker of stored chains says."""
    try:
        check_chain(path, consortium.genesis, lambda done, total: None)
    except StoreError as error:
        return [str(error)]
    return []


def _sound(tmp_path: Path) -> tuple[Path, Consortium]:
    consortium = Consortium(4)
    path = fresh(tmp_path) / "store"
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, [3, 2, 4, 1])
    return path, consortium


def _without(prefix: bytes) -> Callable[[plyvel.DB], None]:
    """The last key of a kind is missing."""

    def damage(database: plyvel.DB) -> None:
        database.delete(list(database.iterator(prefix=prefix, include_value=False))[-1])

    return damage


def _with_a_bit_flipped(prefix: bytes) -> Callable[[plyvel.DB], None]:
    """In the middle of the last value of a kind: of a header, that is in its certificate; of the state, in its tip."""

    def damage(database: plyvel.DB) -> None:
        key, value = list(database.iterator(prefix=prefix))[-1]
        middle = len(value) // 2
        database.put(key, value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :])

    return damage


DAMAGE = {
    "the last header is missing": _without(keys.HEADER),
    "the last certificate is bent": _with_a_bit_flipped(keys.HEADER),
    "the state is bent": _with_a_bit_flipped(keys.STATE),
    "the state is missing": _without(keys.STATE),
    "the last tree nodes are missing": _without(keys.TREE),
    "a researcher's key is missing": _without(keys.REGISTRY + b"k"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_mistake_19_a_store_that_is_damaged_at_its_tip_is_named_and_left_as_it_is(damage: str, tmp_path: Path) -> None:
    """Not opened, so that nothing is served from it or built upon it; not touched, so that it can be examined."""
    path, consortium = _sound(tmp_path)
    with contextlib.closing(plyvel.DB(str(path))) as database:
        DAMAGE[damage](database)
        before = dict(database)
    with pytest.raises(StoreCorruption) as caught:
        Store.open(path, consortium.genesis).close()
    assert str(path) in str(caught.value), "the operator learns where"
    with contextlib.closing(plyvel.DB(str(path))) as database:
        assert dict(database) == before


@pytest.mark.parametrize("height", [1, 2, 3])
def test_mistake_19_a_gap_below_the_tip_is_found_by_the_check_and_never_served_as_not_found(
    height: int, tmp_path: Path
) -> None:
    path, consortium = _sound(tmp_path)
    assert _problems(path, consortium) == []
    with contextlib.closing(plyvel.DB(str(path))) as database:
        database.delete(keys.numbered(keys.HEADER, height))
    assert len(_problems(path, consortium)) == 1
    with Store.open(path, consortium.genesis) as store, pytest.raises(StoreCorruption):
        store.decision(Height(height))


def test_mistake_19_a_store_takes_only_the_block_that_follows(tmp_path: Path) -> None:
    path, consortium = _sound(tmp_path)
    with Store.open(path, consortium.genesis) as store:
        first, transition = consortium.decide(store.state, [consortium.entry()])
        second, later = consortium.decide(transition.state, [consortium.entry()])
        before = store.state
        with pytest.raises(StoreError, match="does not follow"):
            store.commit(second, later)
        assert store.state == before
        store.commit(first, transition)
        store.commit(second, later)
        commit(store, consortium, [consortium.entry()])


def test_mistake_19_planted_is_caught_by_each_test(tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "WAIT_S", 1.0)
        must_fail(
            certificates_are_not_checked,
            test_mistake_19_of_damaged_or_gapped_history_a_joining_node_stores_no_more_than_is_true,
            a_quorum_of_forged_seals,
            tmp_path,
        )
    for damage in DAMAGE:
        if damage not in ("the state is missing", "the last header is missing"):
            must_fail(
                the_tip_is_not_checked,
                test_mistake_19_a_store_that_is_damaged_at_its_tip_is_named_and_left_as_it_is,
                damage,
                tmp_path,
            )
    must_fail(
        nothing_is_checked,
        test_mistake_19_a_gap_below_the_tip_is_found_by_the_check_and_never_served_as_not_found,
        2,
        tmp_path,
    )
    must_fail(gaps_may_be_written, test_mistake_19_a_store_takes_only_the_block_that_follows, tmp_path)
