"""The quorum's arithmetic, for every size of a consortium: two quorums always share an honest validator."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import Consortium, digest

from notarium_ledger.blocks.validators import MAX_VALIDATORS, Validator, ValidatorSet
from notarium_ledger.errors import InvalidCertificate, LedgerError
from notarium_ledger.types import Height, PublicKey, Round


def validators(n: int) -> ValidatorSet:
    return ValidatorSet(tuple(Validator(f"m{number}", PublicKey(digest(number))) for number in range(n)))


@pytest.mark.parametrize("n", range(1, MAX_VALIDATORS + 1))
def test_two_quorums_share_an_honest_validator_and_the_honest_make_one(n: int) -> None:
    set_ = validators(n)
    f, quorum = set_.faulty, set_.quorum
    assert n >= 3 * f + 1
    assert n < 3 * (f + 1) + 1, "f is as large as it can be"
    # The least overlap of two quorums is 2Q - n: more than f, so one of them is honest.
    assert 2 * quorum - n >= f + 1
    # Without the faulty there is still a quorum: they cannot stop the others.
    assert n - f >= quorum
    # A smaller quorum would not do; so Q is no larger than it must be.
    assert quorum == 1 or 2 * (quorum - 1) - n < f + 1
    # Among f+1 one is honest; and no f+1 are needed to block: more than n - Q are.
    assert set_.honest_minimum == f + 1
    assert set_.honest_minimum + quorum > f + 1


@pytest.mark.parametrize("n", [4, 5, 6, 7])
def test_by_counting_every_pair_of_quorums(n: int) -> None:
    set_ = validators(n)
    members = range(n)
    quorums = [set(each) for each in itertools.combinations(members, set_.quorum)]
    for one, other in itertools.combinations_with_replacement(quorums, 2):
        assert len(one & other) > set_.faulty


@given(st.integers(1, MAX_VALIDATORS), st.integers(1, 2**60), st.integers(0, 1000))
def test_every_validator_has_its_turn(n: int, height: int, round_: int) -> None:
    set_ = validators(n)
    turns = [set_.proposer(Height(height), Round(round_ + each)) for each in range(n)]
    assert sorted(turns) == [each.key for each in set_.validators]
    assert set_.proposer(Height(height + 1), Round(round_)) == set_.proposer(Height(height), Round(round_ + 1))


@given(st.permutations(range(9)))
def test_the_set_does_not_depend_on_the_order_in_which_it_was_listed(order: list[int]) -> None:
    listed = ValidatorSet(tuple(Validator(f"m{number}", PublicKey(digest(number))) for number in order))
    assert listed == validators(9)
    assert listed.hash == validators(9).hash
    assert ValidatorSet.from_value(listed.to_value()) == listed


def test_sets_that_are_none() -> None:
    one, two = Validator("a", PublicKey(digest(1))), Validator("b", PublicKey(digest(2)))
    for wrong in ((), (one, one), (one, Validator("c", one.key)), (one, Validator("a", two.key))):
        with pytest.raises(LedgerError):
            ValidatorSet(wrong)
    with pytest.raises(LedgerError, match="101 validators, 1 to 100 allowed"):
        validators(101)
    ordered = validators(3).to_value()
    assert isinstance(ordered, list)
    value: Any
    for value in (ordered[::-1], [ordered[0]] * 2, [["a"]], [["a", b"short"]], [[1, digest(1)]], {}, None, []):
        with pytest.raises(LedgerError):
            ValidatorSet.from_value(value)


@given(st.integers(1, 10), st.data())
def test_a_certificate_needs_a_quorum_of_distinct_validators(n: int, data: st.DataObject) -> None:
    consortium = Consortium(n)
    decision, transition = consortium.decide(consortium.state, [consortium.entry()])
    set_ = consortium.genesis.registry.validators
    signers = data.draw(st.sets(st.sampled_from([each.key for each in set_.validators])))
    certificate = consortium.certify(transition.header, set_, round=data.draw(st.integers(0, 5)), signers=signers)

    def verify() -> None:
        certificate.verify(consortium.genesis.hash, set_, decision.height, decision.block.hash)

    if len(signers) >= set_.quorum:
        verify()
    else:
        with pytest.raises(InvalidCertificate, match=f"{len(signers)} votes, {set_.quorum} needed"):
            verify()
