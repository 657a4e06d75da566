"""What has become of the operator's consensus.vote_from: one remedy for each case."""

# Plain integers stand for heights here.
# mypy: disable-error-code="arg-type"

import pytest

from notarium_consensus.permission import Memory, Permission
from notarium_node.health.operators_word import idle_word

TIP, LEAST = 5, 6
PRESENT = 'if it is for the present loss ("A lost store" in docs/operations.md), '
OTHERWISE = " and start the node again; if not, remove the setting"


@pytest.mark.parametrize(
    "permission",
    [
        Permission(),
        Permission(by_hand=9, regained=9),
        Permission(Memory.LOST, by_hand=9, regained=9),
    ],
)
def test_a_word_that_counts_or_is_not_set_is_not_idle(permission):
    assert idle_word(permission, None, TIP, LEAST) is None


@pytest.mark.parametrize(
    ("permission", "stale", "is_done", "text"),
    [
        (
            Permission(by_hand=5, regained=5),
            None,
            True,
            "consensus.vote_from = 5 is done: block 5 is decided; remove the setting",
        ),
        (
            Permission(by_hand=5),
            None,
            False,
            "consensus.vote_from = 5 has no effect: block 5 is decided; remove the setting",
        ),
        # The right height was decided before its operator corrected the wrong one.
        (
            Permission(by_hand=5, regained=10**9),
            None,
            False,
            "consensus.vote_from = 5 has no effect: block 5 is decided; if 1000000000 is too high, set "
            "consensus.vote_from to the right height, 6 at least, and start the node again",
        ),
        (
            Permission(by_hand=7, regained=7, fence=9),
            None,
            False,
            "consensus.vote_from = 7 has no effect: by what the others have shown, the node votes from height 9 on; "
            'remove the setting; if one node must go first ("A lost store" in docs/operations.md), choose one whose '
            "/readyz says that it does not remember",
        ),
        (
            Permission(Memory.LOST, by_hand=5, regained=5),
            None,
            False,
            f"consensus.vote_from = 5 has no effect: block 5 is decided; {PRESENT}set 6 or more{OTHERWISE}",
        ),
        (
            Permission(Memory.LOST),
            5,
            False,
            f"consensus.vote_from = 5 has no effect: it is from before the loss; {PRESENT}set 6 or more{OTHERWISE}",
        ),
        (
            Permission(Memory.LOST),
            6,
            False,
            "consensus.vote_from = 6 has no effect: it is from before the loss; "
            f"{PRESENT}remove the file VOTE-FROM{OTHERWISE}",
        ),
        (
            Permission(regained=8, answered=8),
            7,
            False,
            "consensus.vote_from = 7 has no effect: it is from before the loss; remove the setting",
        ),
    ],
)
def test_an_idle_word_says_why_and_has_one_remedy(permission, stale, is_done, text):
    idle = idle_word(permission, stale, TIP, LEAST)
    assert idle is not None
    assert (idle.is_done, str(idle)) == (is_done, text)
