"""How long rounds last, and what one height teaches the next."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest

from notarium_consensus.patience import LONGEST_ROUND_MS, RoundLengths

LENGTHS = RoundLengths(1_000, 10_000, 1)


def at(level: int, faulty: int = 1) -> RoundLengths:
    return replace(LENGTHS, level=level, faulty=faulty)


def spent(lengths: RoundLengths, rounds: int) -> int:
    """Ms of so many rounds from round 0 on."""
    total = 0
    for round_ in range(rounds):
        total += lengths.of_round(round_, round_)
    return total


def test_lengths_double_up_to_the_cap_then_each_f_plus_one_rounds_and_end_at_an_hour():
    lengths = [LENGTHS.of_round(round_, round_) // 1000 for round_ in range(11)]
    assert lengths == [1, 2, 4, 8, 10, 10, 20, 20, 40, 40, 80]
    assert [at(0, faulty=3).of_round(round_, round_) // 1000 for round_ in range(4, 13)] == [
        10,
        10,
        10,
        10,
        20,
        20,
        20,
        20,
        40,
    ]
    assert LENGTHS.of_round(2**32 - 1, 2**32 - 1) == LONGEST_ROUND_MS
    assert RoundLengths(7_200_000, 7_200_000, 0).of_round(9, 9) == 7_200_000, "a cap above an hour holds"
    assert RoundLengths(1_000, 1_000, 0).of_round(1, 1) == 2_000


def test_rounds_without_work_do_not_lengthen_a_round_beyond_the_cap():
    assert [LENGTHS.of_round(round_, 0) // 1000 for round_ in (0, 1, 4, 5, 100)] == [1, 2, 10, 10, 10]
    assert [LENGTHS.of_round(100 + more, more) // 1000 for more in range(0, 9, 2)] == [10, 10, 10, 20, 40]
    assert at(8).of_round(100, 0) == 40_000, "but what the heights before needed holds"


def test_a_height_is_decided_in_f_plus_two_rounds_of_the_proven_length():
    assert LENGTHS.enough_ms == 1_000 + 2_000 + 4_000
    assert at(0, faulty=0).enough_ms == 1_000 + 2_000
    assert at(30).enough_ms == 7_000, "a guess"
    assert replace(at(30), proven=3).enough_ms == 8_000 + 10_000 + 10_000


def test_a_height_begins_at_its_level():
    assert [at(4).of_round(round_, round_) for round_ in range(3)] == [10_000, 10_000, 20_000]


@pytest.mark.parametrize(
    ("level", "round_", "took_ms", "after"),
    [
        (0, 0, 900, 0),
        (3, 0, 2_000, 2),
        (3, 0, 2_001, 3),
        (3, 0, None, 3),
        (0, 1, 50, 0),
        (0, 1, 900, 1),
        (0, 4, 7_000, 4),
        (0, 4, 1_500, 2),
        (5, 3, 50, 5),
        (5, 3, 30_000, 8),
    ],
    ids=[
        "round 0 suffices at the lowest level",
        "a quarter was enough",
        "it was not",
        "not timed",
        "a dead proposer, then a quick decision",
        "a slow decision after a failed round",
        "four failed rounds cannot be liars' alone",
        "but no more than twice what was needed",
        "many failed rounds, a quick decision",
        "many failed rounds, a slow decision",
    ],
)
def test_the_next_height_starts_with_what_this_one_needed(level, round_, took_ms, after):
    assert at(level).level_after(round_, took_ms) == after


def test_who_left_the_deciding_round_too_early_waits_longer_next_time():
    assert at(3).level_after(1, None, has_left=True) == 4
    assert at(3).level_after(8, 50, has_left=True) == 11, "how long it needed is not known, but all of these failed"


def test_what_decisions_have_proven_falls_by_one_and_a_guess_ends_with_the_next_quick_decision():
    thin = LENGTHS.after(8, 25_000)
    assert (thin.level, thin.proven) == (8, 8)
    assert [thin.after(0, 200).level, thin.after(0, 200).proven, thin.after(1, 200).level] == [7, 7, 8]
    guessed = thin.after(5, None, has_left=True)
    assert (guessed.level, guessed.proven) == (13, 8)
    assert [guessed.after(worked, 200).level for worked in (0, 1, 2)] == [8, 8, 13], "two rounds are more than f"
    assert guessed.after(0, 41_000).level == 13, "a quarter of 160 s was not enough"
    assert guessed.after(0, None).level == 13
    assert guessed.after(0, 39_999).level == 10, "twice what it needed"


@pytest.mark.parametrize("faulty", [1, 2, 10])
def test_after_a_long_outage_dead_proposers_cost_long_rounds_at_one_height_only(faulty):
    """All rounds of twelve hours failed, and then this node left the round that decided."""
    size, spent_ms, failed = 3 * faulty + 1, 0, 0
    while spent_ms < 12 * 3_600_000:
        spent_ms += at(0, faulty).of_round(failed, failed)
        failed += 1
    lengths = at(0, faulty).after(failed, None, has_left=True)
    assert lengths.of_round(0, 0) > 20 * 60_000
    lost_ms = []
    for height in range(3 * size):
        dead = max(0, faulty - height % size)  # The first f of n proposers.
        lost_ms.append(spent(lengths, dead))
        lengths = lengths.after(dead, 200)
    assert lost_ms[0] > 20 * 60_000
    assert max(lost_ms[1:]) <= spent(at(0, faulty), faulty)


def test_the_level_ends_where_the_lengths_do():
    top = 4 + 2 * 9
    assert at(top).of_round(0, 0) == LONGEST_ROUND_MS
    assert at(top).level_after(1, None, has_left=True) == top
    assert at(top).level_after(99, LONGEST_ROUND_MS) == top
    assert at(0).level_after(99, 10 * LONGEST_ROUND_MS) == top


@pytest.mark.parametrize("faulty", [1, 2, 5, 33])
def test_liars_in_a_row_that_waste_rounds_and_delay_do_not_raise_the_length_of_a_round_above_the_cap(faulty):
    """f of n = 3f + 1 proposers in a row waste every round they can, and delay their own decisions to the last."""
    size, level = 3 * faulty + 1, 0
    for height in range(20 * size):
        lengths = at(level, faulty=faulty)
        first = height % size
        if first < faulty:
            wasted = faulty - 1 - first
            level = lengths.level_after(wasted, lengths.of_round(wasted, wasted) - 1)
        else:
            level = lengths.level_after(0, 50)
        assert at(level, faulty=faulty).of_round(0, 0) <= 10_000
    assert level <= 1


@pytest.mark.parametrize("needed_ms", [50, 900, 7_000, 25_000, 1_000_000])
@pytest.mark.parametrize("faulty", [1, 2, 5, 33])
def test_liars_that_follow_an_honest_proposer_with_too_little_time_double_the_length_at_most(faulty, needed_ms):
    """f liars waste the first sufficient rounds, or all but the last, which they delay to its end."""
    lengths = at(0, faulty)
    enough = lengths._least_level(needed_ms)
    last = enough + faulty
    for worked, took_ms in ((last, needed_ms), (last - 1, lengths.of_round(last - 1, last - 1) - 1)):
        after = lengths.after(worked, took_ms)
        assert after.of_round(0, 0) <= max(10_000, 2 * lengths.of_level(enough))


def test_where_lines_are_thin_each_height_soon_is_decided_in_round_0():
    """A block takes 25 s to travel, as a full one at 2 Mbit/s."""
    level, rounds = 0, []
    for _ in range(6):
        lengths = at(level)
        needed = next(round_ for round_ in range(99) if lengths.of_round(round_, round_) > 25_000)
        rounds.append(needed)
        level = lengths.level_after(needed, 25_000)
    assert rounds == [8, 0, 0, 0, 0, 0]
