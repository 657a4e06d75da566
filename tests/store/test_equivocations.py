"""Equivocations on the disk: kept beside the chain, and checked with it."""

import contextlib

import plyvel
import pytest
from tests.support.chains import change_validator, grow
from tests.support.liars import lie

from notarium_ledger.blocks.statements import StatementKind
from notarium_store import Store, StoreCorruption, keys
from notarium_store.check import check_chain


def check(path, consortium):
    return check_chain(path, consortium.genesis, lambda done, total: None)


def edit(path, number, change):
    """Change a stored value behind the store's back."""
    with contextlib.closing(plyvel.DB(str(path))) as database:
        key = keys.numbered(keys.EQUIVOCATION, number)
        database.put(key, change(database.get(key)))


@pytest.fixture
def pieces(consortium):
    return [lie(consortium, consortium.validator_keys[number], kind=StatementKind.PREPARE) for number in range(3)]


def test_it_reads_back_in_order_after_a_restart_and_passes_the_check(path, consortium, pieces):
    with Store.open(path, consortium.genesis) as store:
        assert store.equivocations() == []
        for number, each in enumerate(pieces, 1):
            store.put_equivocation(number, each)
        grow(store, consortium, [3, 1])
    with Store.open(path, consortium.genesis) as store:
        assert store.equivocations() == list(enumerate(pieces, 1))
    assert check(path, consortium).height == 2


def test_what_proves_nothing_or_cannot_be_read_is_reported(path, consortium, pieces):
    with Store.open(path, consortium.genesis) as store:
        grow(store, consortium, [1])
        for number, each in enumerate(pieces, 1):
            store.put_equivocation(number, each)
    edit(path, 2, lambda value: value[:-1] + bytes([value[-1] ^ 1]))
    with pytest.raises(
        StoreCorruption, match=r"equivocation key 71\w*02 does not prove an equivocation: second: signature is invalid"
    ):
        check(path, consortium)
    edit(path, 2, lambda value: value[:-1])
    with pytest.raises(StoreCorruption, match="equivocation key"):
        check(path, consortium)
    with Store.open(path, consortium.genesis) as store, pytest.raises(StoreCorruption, match="equivocation key"):
        store.equivocations()


def test_who_signs_a_height_is_known_up_to_the_one_after_the_tip(store, consortium):
    old = consortium.genesis.registry.validators
    assert [store.validators_at(height) for height in (0, 1, 2)] == [None, old, None]
    grow(store, consortium, [1])
    change_validator(store, consortium, 1, "another")
    new = store.state.registry.validators
    grow(store, consortium, [1])
    assert new != old
    assert [store.validators_at(height) for height in (1, 2, 3, 4, 5)] == [old, old, new, new, None]
