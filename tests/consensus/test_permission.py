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
    decode_fence,
    encode_fence,
    forgotten_seal,
)

LOST, REGAINED = (MEMORY_KEY, b"lost"), (MEMORY_KEY, b"regained")
OWN_MESSAGE = (b"\0\0\0\0\2", b"a prepare")


def read(*record: tuple[bytes, bytes], tip: int = 5, by_hand: int = 1, first: bool = False, votes: bool = True):
    return Permission.read(dict(record), tip=tip, by_hand=by_hand, is_first_start=first, votes=votes)


def fence(height: int) -> tuple[bytes, bytes]:
    return FENCE_KEY, encode_fence(height)


# ---- the questions -------------------------------------------------------------------------------------------------


def test_nothing_speaks_against_it():
    assert [Permission().refusal(height) for height in (1, 2, 1_000)] == [None] * 3
    assert Permission().vote_from == NO_FENCE


@pytest.mark.parametrize(
    ("permission", "height", "expected"),
    [
        (Permission(is_complete=False), 9, SigningRefusal.INCOMPLETE),
        (Permission(Memory.LOST), 9, SigningRefusal.FORGOTTEN),
        (Permission(Memory.UNKNOWN), 1, SigningRefusal.FORGOTTEN),
        (Permission(Memory.NEW), 1, None),
        (Permission(by_hand=7), 6, SigningRefusal.BY_HAND),
        (Permission(by_hand=7), 7, None),
        (Permission(fence=7), 6, SigningRefusal.FENCED),
        (Permission(fence=7), 7, None),
        (Permission(by_hand=5, fence=7), 6, SigningRefusal.FENCED),
        (Permission(by_hand=7, fence=5), 6, SigningRefusal.BY_HAND),
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
    before = Permission(memory, complete, by_hand=2, fence=3)
    for after in (before.raised(5), before.own_signature_seen(4), before.forgotten(), before.others_decided()):
        allowed = [height for height in range(1, 12) if after.allows(height)]
        assert all(before.allows(height) for height in allowed)


def test_what_was_unknown_is_lost_once_others_have_decided():
    assert Permission(Memory.UNKNOWN).others_decided().memory is Memory.LOST
    assert Permission(Memory.LOST).others_decided().memory is Memory.LOST
    assert Permission(Memory.INTACT).others_decided() == Permission(Memory.INTACT)


@pytest.mark.parametrize(
    ("before", "height", "joined_at", "vote_from"),
    [
        (Permission(Memory.LOST), 10, 0, 10 + MARGIN),
        (Permission(Memory.LOST, fence=99), 10, 0, 99),
        (Permission(Memory.LOST), 10, 9, 10 + MARGIN),
        # The last block made it a validator: it has signed nothing.
        (Permission(Memory.LOST), 10, 10, 1),
        # Its operator said a height that is to come, or one of long ago.
        (Permission(Memory.LOST, by_hand=12), 10, 0, 12),
        (Permission(Memory.LOST, by_hand=10), 10, 0, 10 + MARGIN),
        # A quorum says that nothing was ever decided.
        (Permission(Memory.UNKNOWN), 0, 0, 1),
    ],
)
def test_caught_up_it_signs_where_it_cannot_have_signed(
    before: Permission, height: int, joined_at: int, vote_from: int
):
    after = before.caught_up(height, joined_at)
    assert after.remembers
    assert after.vote_from == vote_from


# ---- the record ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "tip", "first", "memory"),
    [
        ((), 0, True, Memory.NEW),
        ((), 0, False, Memory.UNKNOWN),
        ((REGAINED,), 0, False, Memory.INTACT),
        ((REGAINED,), 0, True, Memory.INTACT),
        ((LOST,), 0, True, Memory.LOST),
        ((LOST,), 5, False, Memory.LOST),
        ((OWN_MESSAGE,), 0, False, Memory.INTACT),
        ((), 5, False, Memory.INTACT),
        ((), 5, True, Memory.INTACT),
    ],
)
def test_what_the_store_shows_of_the_memory(record, tip: int, first: bool, memory: Memory):
    permission, rest = read(*record, tip=tip, first=first)
    assert permission.memory is memory
    assert MEMORY_KEY not in rest
    observer, _ = read(*record, tip=tip, first=first, votes=False)
    assert observer.remembers, "who never votes has nothing to remember"


def test_the_fence_it_set_itself_can_be_lifted_by_the_operator_and_the_others_cannot():
    regained, rest = read(fence(9), REGAINED)
    assert (regained.fence, regained.regained, rest) == (9, 9, dict([fence(9)]))
    assert read(fence(9), REGAINED, by_hand=6) == (Permission(by_hand=6), {})
    assert read(fence(9), REGAINED, by_hand=5) == (replace(regained, by_hand=5), rest), "of long ago"
    assert read(fence(9), by_hand=6) == (Permission(by_hand=6), rest), "the engine's own: it reads it from the record"


def test_what_goes_along_to_the_next_height():
    assert Permission().carried_items(6) == ()
    assert Permission(fence=6).carried_items(6) == (), "it is reached"
    assert Permission(fence=7).carried_items(6) == (fence(7),)
    assert Permission(fence=7).fence_items(6) == (fence(7),)
    assert Permission(fence=7, by_hand=7).carried_items(6) == (), "the operator says as much"
    assert Permission(fence=7, regained=7).carried_items(6) == (fence(7), REGAINED)
    assert Permission(fence=8, regained=7).carried_items(6) == (fence(8),), "raised since"
    for memory in (Memory.UNKNOWN, Memory.LOST):
        assert Permission(memory, fence=7).carried_items(6) == (LOST,)


@pytest.mark.parametrize(
    "before",
    [
        Permission(memory, complete, by_hand, own)
        for memory, complete, by_hand, own in itertools.product(
            (Memory.INTACT, Memory.UNKNOWN, Memory.LOST), (True, False), (1, 8), (1, 9)
        )
    ],
)
def test_a_restart_never_allows_what_was_not_allowed(before: Permission):
    """Others decide block 5, and the process ends at once."""
    before = before.others_decided()
    after, rest = read(*before.carried_items(6), by_hand=before.by_hand)
    after = replace(after, is_complete=before.is_complete)
    if FENCE_KEY in rest:
        after = after.raised(decode_fence(rest[FENCE_KEY]))  # as the engine does
    assert [after.allows(height) for height in range(6, 15)] == [before.allows(height) for height in range(6, 15)]


def test_the_first_start_is_noted_once():
    new, _ = read(tip=0, first=True)
    assert new.started().memory is Memory.INTACT
    again, _ = read(*new.first_start_items(), tip=0, first=True)
    assert again == new.started()
    assert Permission(Memory.LOST).started().memory is Memory.LOST


def test_caught_up_is_what_a_restart_reads():
    after = Permission(Memory.LOST).caught_up(5, 0)
    again, _ = read(*after.regained_items())
    assert again == after


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
