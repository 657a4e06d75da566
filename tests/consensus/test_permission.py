"""May this node sign, from which height on, why not, and what it has to write down for that."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import itertools
import struct
from dataclasses import replace

import pytest
from tests.consensus.harness import Club

from notarium_consensus.permission import (
    FENCE_KEY,
    MARGIN,
    MEMORY_KEY,
    NO_FENCE,
    Memory,
    Permission,
    SigningRefusal,
    answers_needed,
    decode_fence,
    do_answers_bind,
    encode_fence,
    forgotten_seal,
)

LOST = (MEMORY_KEY, b"lost" + encode_fence(NO_FENCE) + encode_fence(0))
OWN_MESSAGE = (b"\0\0\0\0\2", b"a prepare")


def read(
    *record: tuple[bytes, bytes],
    tip: int = 5,
    by_hand: int | None = None,
    own: bool = True,
    first: bool = False,
    bind: bool = True,
    noted: int | None = None,
):
    return Permission.read(
        dict(record), tip=tip, by_hand=by_hand, is_own=own, is_first_start=first, answers_bind=bind, noted=noted
    )


def fence(height: int) -> tuple[bytes, bytes]:
    return FENCE_KEY, encode_fence(height)


def regained(height: int, answered: int = NO_FENCE, left: int = 0) -> tuple[bytes, bytes]:
    return MEMORY_KEY, struct.pack(">QQQQ", height, answered, left, 0)


# ---- the questions -------------------------------------------------------------------------------------------------


def test_nothing_speaks_against_it():
    assert [Permission().refusal(height) for height in (1, 2, 1_000)] == [None] * 3
    assert Permission().vote_from == NO_FENCE


@pytest.mark.parametrize(
    ("permission", "height", "expected"),
    [
        (Permission(is_complete=False), 9, SigningRefusal.INCOMPLETE),
        (Permission(Memory.LOST), 9, SigningRefusal.FORGOTTEN),
        (Permission(Memory.NEW), 1, None),
        (Permission(regained=7, answered=7), 6, SigningRefusal.FENCED),
        (Permission(regained=7), 6, SigningRefusal.BY_HAND),  # The line was taken out since.
        (Permission(by_hand=5, regained=9, answered=7), 6, SigningRefusal.BY_HAND),  # Or it says less now.
        (Permission(regained=7), 7, None),
        (Permission(by_hand=7, regained=7), 6, SigningRefusal.BY_HAND),
        (Permission(by_hand=7, regained=7), 7, None),
        (Permission(fence=7), 6, SigningRefusal.FENCED),
        (Permission(fence=7), 7, None),
        (Permission(by_hand=5, regained=5, fence=7), 6, SigningRefusal.FENCED),
        (Permission(by_hand=7, regained=7, fence=5), 6, SigningRefusal.BY_HAND),
        (Permission(Memory.LOST, is_complete=False, by_hand=7), 1, SigningRefusal.INCOMPLETE),
    ],
)
def test_there_is_one_answer_to_whether_and_why_not(
    permission: Permission, height: int, expected: SigningRefusal | None
):
    assert permission.refusal(height) is expected
    assert permission.allows(height) is (expected is None)
    if permission.allows(height):
        assert permission.is_granted
        assert height >= permission.vote_from


# ---- transitions ---------------------------------------------------------------------------------------------------


def test_a_fence_is_never_lowered():
    assert Permission(fence=7).raised(6) == Permission(fence=7)
    assert Permission(fence=7).raised(8) == Permission(fence=8)
    assert Permission().own_signature_seen(4).vote_from == 5
    assert Permission(fence=9).own_signature_seen(4).vote_from == 9


@pytest.mark.parametrize("memory", Memory)
@pytest.mark.parametrize("complete", [True, False])
def test_no_transition_towards_silence_allows_anything(memory: Memory, complete: bool):
    before = Permission(memory, complete, by_hand=2, fence=3, regained=8)
    silent = (before.raised(5), before.own_signature_seen(4), before.forgotten(), before.set_changed(5))
    for after in silent:
        allowed = [height for height in range(1, 12) if after.allows(height)]
        assert all(before.allows(height) for height in allowed)


def test_a_change_of_the_set_below_the_fence_makes_it_forget_again():
    """The answers were of the set before: what they say holds for as long as that set decides."""
    permission = Permission(regained=8)
    assert [permission.set_changed(height).remembers for height in (5, 6, 7, 8)] == [False, False, False, True]
    assert Permission().set_changed(5).remembers, "it has never forgotten"
    assert Permission(fence=8).set_changed(5).remembers, "the fence does not come from answers"


@pytest.mark.parametrize(
    ("before", "tip", "seen", "vote_from"),
    [
        (Permission(Memory.LOST), 10, 0, 10 + MARGIN),
        # Never without a fence: not where the others say that nothing was ever decided.
        (Permission(Memory.LOST), 0, 0, MARGIN),
        (Permission(Memory.LOST, fence=99), 10, 0, 99),
        # An answer shows a signature of ours: below what the fence is for anyway, or above.
        (Permission(Memory.LOST), 10, 12, 10 + MARGIN),
        (Permission(Memory.LOST), 10, 13, 14),
        # Its operator said a height: where the answers are enough, it can only be more careful than they are.
        (Permission(Memory.LOST, by_hand=11), 10, 0, 10 + MARGIN),
        (Permission(Memory.LOST, by_hand=11), 10, 12, 10 + MARGIN),
        (Permission(Memory.LOST, by_hand=14), 10, 14, 15),
        (Permission(Memory.LOST, by_hand=20), 10, 0, 20),
        (Permission(Memory.LOST, by_hand=10), 10, 0, 10 + MARGIN),
        (Permission(Memory.LOST, by_hand=1), 0, 0, MARGIN),
        # Earlier answers have shown more.
        (Permission(Memory.LOST, answered=15), 10, 0, 15),
    ],
)
def test_settled_it_signs_where_it_cannot_have_signed(before: Permission, tip: int, seen: int, vote_from: int):
    after = before.settled(tip, seen)
    assert after.remembers
    assert after.vote_from == vote_from


@pytest.mark.parametrize("left", [None, 0, 5])
def test_by_the_operators_word_alone_it_signs_from_the_stated_height_on_but_in_later_rounds(left: int | None):
    after = Permission(Memory.LOST, by_hand=11).settled_by_word(left)
    assert (after.remembers, after.vote_from, after.left, after.is_overruled(11)) == (True, 11, left, True)
    assert read(*after.memory_items(), tip=10)[0] == replace(after, by_hand=None), "also after a restart"
    assert read(*after.memory_items(), tip=10, by_hand=11)[0] == after
    assert after.forgotten().left is None
    with pytest.raises(ValueError, match="no operator"):
        Permission(Memory.LOST).settled_by_word(left)


@pytest.mark.parametrize("by_hand", [11, 12, 13, 14])
def test_the_operators_word_never_lowers_what_answers_have_set(by_hand: int):
    """Also from the record, and also where the memory was lost once more since."""
    answered = Permission(Memory.LOST).settled(10, 0)
    assert answered.vote_from == 13
    for before in (answered, answered.forgotten()):
        again, _ = read(*before.memory_items(), tip=10, by_hand=by_hand)
        assert again.vote_from == max(13, by_hand)
        word = again if again.remembers else again.settled_by_word(0)
        assert word.vote_from == max(13, by_hand)
        assert word.is_overruled(11) is False
        assert read(*word.memory_items(), tip=10, by_hand=11)[0].vote_from >= 13, "he takes back his own word only"


def test_in_a_ledger_of_two_the_operator_can_lower_it_or_nothing_would_ever_be_decided():
    answered = Permission(Memory.LOST).settled(10, 0)
    again, _ = read(*answered.memory_items(), tip=10, by_hand=11, bind=False)
    assert again.vote_from == 11
    assert read(*answered.memory_items(), tip=10, bind=False)[0].vote_from == 13, "he has said nothing"
    for size, bind in ((1, False), (2, False), (3, True), (4, True), (7, True)):
        club = Club(size)
        assert do_answers_bind(club.validators, club.keys[0].public) is bind


def test_an_operator_has_spoken_only_of_heights_to_come():
    assert not Permission().is_stated(0)
    assert [Permission(by_hand=1).is_stated(tip) for tip in (0, 1)] == [True, False]
    assert [Permission(by_hand=7).is_stated(tip) for tip in (5, 6, 7, 8)] == [True, True, False, False]


def test_only_by_the_operators_word_after_a_loss_an_own_signature_is_overruled_and_only_at_that_height():
    stated = Permission(Memory.LOST, by_hand=11).settled_by_word(None)
    assert [stated.is_overruled(height) for height in (10, 11, 12)] == [False, True, False]
    again, _ = read(*stated.memory_items(), tip=10)
    assert again.is_overruled(11), "also after a restart without the line"
    assert not read(*stated.memory_items(), tip=10, by_hand=12)[0].is_overruled(12)
    assert not stated.forgotten().is_overruled(11)
    assert not Permission(Memory.LOST).settled(8, 0).is_overruled(11), "by answers"
    assert not read(tip=10, by_hand=11)[0].is_overruled(11), "a restored backup: it has forgotten nothing that it knows"


def test_a_word_that_was_noted_before_the_loss_does_not_count_at_later_starts_either():
    """Until the operator removes the note, or sets a greater height."""
    lost, _ = read(tip=0, own=False, noted=7)
    for before in (lost, lost.settled(3, 0), lost.forgotten().settled(3, 0).forgotten()):
        record, bind = before.memory_items(), False
        assert read(*record, by_hand=7, noted=7, bind=bind)[0] == before
        assert read(*record, by_hand=8, noted=7, bind=bind)[0].by_hand == 8
        assert read(*read(*record, by_hand=8, noted=7)[0].memory_items(), by_hand=8, noted=8)[0].by_hand == 8
        withdrawn, _ = read(*record, by_hand=7, bind=bind)
        assert withdrawn.by_hand == 7
        assert read(*withdrawn.memory_items(), by_hand=7, noted=7)[0].by_hand == 7, "it was said again"
    assert read((MEMORY_KEY, b"damaged"), by_hand=7, noted=7)[0].by_hand is None
    assert read(by_hand=7, noted=7)[0].by_hand == 7, "nothing was lost"


def test_who_signs_by_a_word_alone_asks_again_when_the_operator_corrects_it():
    """Which rounds it has to leave at the other height, only the others know."""
    by_word = Permission(Memory.LOST, by_hand=60).settled_by_word(left=3)
    assert read(*by_word.memory_items(), by_hand=60)[0].is_by_word
    corrected, _ = read(*by_word.memory_items(), by_hand=6)
    assert not corrected.remembers
    assert corrected.is_stated(5)
    assert corrected.settled_by_word(left=2).left == 2


def test_a_word_from_before_a_loss_stays_ignored_until_its_height_is_decided():
    """Also after this node votes again, when nothing else of the loss is worth writing down."""
    lost, _ = read(tip=5, own=False, noted=40)
    votes = lost.settled(5, 0)
    for height in (6, votes.vote_from, 39):
        record = votes.carried_items(height)
        again, _ = read(*record, tip=height - 1, by_hand=40, noted=40)
        assert (again.by_hand, again.vote_from) == (None, votes.vote_from)
    assert votes.carried_items(40) == ()


@pytest.mark.parametrize(
    ("permission", "tip", "idle"),
    [
        (Permission(), 5, False),
        (Permission(by_hand=5, regained=5), 5, True),
        (Permission(by_hand=6, regained=6), 5, False),
        (Permission(by_hand=6, regained=8, answered=8), 5, True),
        (Permission(by_hand=6, regained=6, fence=8), 5, True),
        (Permission(Memory.LOST, by_hand=6, regained=8, answered=8), 5, False),
        (Permission(Memory.LOST, by_hand=5), 5, True),
    ],
)
def test_a_word_without_effect_is_found(permission: Permission, tip: int, idle: bool):
    assert permission.is_word_idle(tip) is idle


@pytest.mark.parametrize(
    ("size", "needed", "of_an_observer"), [(1, 0, 1), (2, 1, 2), (3, 2, 2), (4, 3, 3), (5, 4, 4), (6, 4, 4), (7, 5, 5)]
)
def test_how_many_must_answer(size: int, needed: int, of_an_observer: int):
    club = Club(size)
    validators, own = club.validators, club.keys[0].public
    assert answers_needed(validators, own) == needed
    assert answers_needed(validators, bytes(32)) == of_an_observer
    # The proof: of the answers, at least f+1 are of others that committed with it to one block.
    if needed:
        assert needed + (validators.quorum - 1) - (size - 1) >= validators.faulty + 1


# ---- the record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "own", "first", "memory"),
    [
        ((), False, True, Memory.NEW),
        ((), False, False, Memory.LOST),
        ((OWN_MESSAGE,), False, False, Memory.LOST),
        ((OWN_MESSAGE,), False, True, Memory.NEW),
        ((LOST,), True, True, Memory.LOST),
        ((LOST,), True, False, Memory.LOST),
        (((MEMORY_KEY, b"damaged"),), True, False, Memory.LOST),
        (((MEMORY_KEY, bytes(8)),), True, False, Memory.LOST),
        (((MEMORY_KEY, bytes(33)),), True, False, Memory.LOST),
        (((MEMORY_KEY, b"lost"),), True, False, Memory.LOST),
        (((MEMORY_KEY, b"\1"),), True, False, Memory.LOST),
        ((), True, True, Memory.INTACT),
        ((), True, False, Memory.INTACT),
        ((OWN_MESSAGE,), True, False, Memory.INTACT),
        ((regained(9),), True, False, Memory.INTACT),
    ],
)
@pytest.mark.parametrize("tip", [0, 5])
def test_what_the_store_shows_of_the_memory(record, own: bool, first: bool, memory: Memory, tip: int):
    permission, rest = read(*record, tip=tip, own=own, first=first)
    assert permission.memory is memory
    assert MEMORY_KEY not in rest
    assert own or rest == {}, "what another key has signed is not our record"


def test_what_the_operator_set_he_can_lift_and_the_others_he_cannot():
    assert read(regained(9)) == (Permission(regained=9), {})
    assert read(regained(9), by_hand=6) == (Permission(by_hand=6, regained=6), {})
    assert read(regained(9), by_hand=5) == (Permission(by_hand=5, regained=9), {}), "of long ago"
    assert read(fence(9), by_hand=6) == (Permission(by_hand=6, regained=6), dict([fence(9)])), "the engine reads it"


def test_what_goes_along_to_the_next_height():
    assert Permission().carried_items(6) == ()
    assert Permission(fence=6, regained=6).carried_items(6) == (), "both are reached"
    assert Permission(fence=7).carried_items(6) == Permission(fence=7).fence_items(6) == (fence(7),)
    assert Permission(regained=7).carried_items(6) == (regained(7),)
    assert Permission(fence=8, regained=7).carried_items(6) == (fence(8), regained(7))
    assert Permission(Memory.LOST, fence=7, regained=9).carried_items(6) == (fence(7), LOST)


def test_what_the_operator_set_outlives_the_line_in_the_configuration():
    stated, _ = read(by_hand=8)
    assert read(*stated.carried_items(6)) == (Permission(regained=8), {})
    assert read(*Permission(fence=7, by_hand=8, regained=8).carried_items(6)) == (
        Permission(regained=8),
        dict([fence(7)]),
    ), "nor is the engine's fence below it lost"


@pytest.mark.parametrize(
    "before",
    [
        Permission(memory, complete, by_hand, own, kept)
        for memory, complete, by_hand, own, kept in itertools.product(
            (Memory.INTACT, Memory.LOST), (True, False), (None, 3), (1, 9), (1, 8, 10)
        )
    ],
)
@pytest.mark.parametrize("changes", [True, False])
def test_a_restart_never_allows_what_was_not_allowed(before: Permission, changes: bool):
    """Others decide block 5, and the process ends at once."""
    before = before.set_changed(5) if changes else before
    after, rest = read(*before.carried_items(6), by_hand=before.by_hand)
    after = replace(after, is_complete=before.is_complete)
    if FENCE_KEY in rest:
        after = after.raised(decode_fence(rest[FENCE_KEY]))  # as the engine does
    assert [after.allows(height) for height in range(6, 15)] == [before.allows(height) for height in range(6, 15)]


def test_the_first_start_counts_once():
    new, _ = read(tip=0, own=False, first=True)
    assert new.allows(1)
    assert new.started() == Permission()
    assert read(tip=0, own=True, first=True)[0] == new.started(), "the store has its owner now"
    assert Permission(Memory.LOST).started().memory is Memory.LOST


@pytest.mark.parametrize("by_hand", [None, 6, 20])
def test_settled_is_what_a_restart_reads(by_hand: int | None):
    after = Permission(Memory.LOST, by_hand=by_hand).settled(5, 0)
    again, _ = read(*after.memory_items())
    assert again == replace(after, by_hand=None)


def test_a_fence_has_eight_bytes():
    assert decode_fence(encode_fence(2**63 - 1)) == 2**63 - 1
    with pytest.raises(struct.error):
        decode_fence(b"\0" * 7)


# ---- seals of our own ----------------------------------------------------------------------------------------------


def test_a_seal_that_it_does_not_remember_is_found_and_the_greatest_height_counts():
    club = Club()
    own, other = club.keys[0].public, club.keys[1].public
    first = club.decision(club.block(1), (0, 1, 2)).certificate
    third = replace(first, height=3)
    without = club.decision(club.block(1), (1, 2, 3)).certificate
    remembered = {(first.height, first.round)}
    assert forgotten_seal(own, [first, third], lambda *_: False) == 3
    assert forgotten_seal(own, [first, third], lambda *at: at in remembered) == 3
    assert forgotten_seal(own, [first], lambda *at: at in remembered) is None
    assert forgotten_seal(own, [without], lambda *_: False) is None
    assert forgotten_seal(other, [without], lambda *_: False) == 1
    assert forgotten_seal(None, [first], lambda *_: False) is None
