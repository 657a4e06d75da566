"""What a node reports of its ability to vote."""

import pytest

from notarium_consensus.permission import SigningRefusal
from notarium_ledger.types import Height
from notarium_node.health.ability import CAN_VOTE, ENDING_AT_A_HEIGHT, REFUSALS, TEXTS, Ability, Cause, cause_of


def test_a_fence_ends_at_its_height_and_no_other_cause_does():
    for cause in ENDING_AT_A_HEIGHT:
        ability = Ability(cause, Height(7))
        assert [ability.allows(height) for height in (6, 7, 8)] == [False, True, True]
        assert str(ability).endswith("(it votes from height 7 on)")
    for cause in set(Cause) - {Cause.NONE, *ENDING_AT_A_HEIGHT}:
        assert not Ability(cause).allows(10**9)
    assert CAN_VOTE.allows(1)


def test_every_cause_has_a_text_and_every_refusal_to_sign_a_cause():
    assert TEXTS.keys() == set(Cause) - {Cause.NONE}
    assert REFUSALS.keys() == set(SigningRefusal)


@pytest.mark.parametrize(("number", "cause"), [(0, Cause.NONE), (9, Cause.CANNOT_FOLLOW), (10, Cause.OTHER)])
def test_a_cause_of_a_later_version_is_another_one(number, cause):
    assert cause_of(number) is cause
