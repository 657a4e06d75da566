"""What is known of blocks' content, and how much of it is kept."""

from __future__ import annotations

from tests.consensus.harness import Club

from notarium_consensus.blocks import BLOCKS_KEPT, KnownBlocks, Verdict

CLUB = Club()
BLOCKS = [CLUB.block(1, f"ok {number}".encode()) for number in range(3 * BLOCKS_KEPT)]


def test_an_invalid_copy_does_not_condemn_the_header():
    known = KnownBlocks()
    garbage = type(BLOCKS[0])(BLOCKS[0].header, (b"ok garbage",))
    known.start_check(garbage)
    assert known.verdict(BLOCKS[0]) is Verdict.CHECKING
    assert known.finish_check(garbage.hash, False, "roots", ())
    assert known.verdict(garbage) is Verdict.INVALID
    assert known.reason(garbage.hash) == "roots"
    assert known.verdict(BLOCKS[0]) is Verdict.UNKNOWN
    known.add_valid(BLOCKS[0], ())
    assert known.verdict(garbage) is Verdict.VALID
    assert known.valid(garbage.hash) is BLOCKS[0], "the good copy is the one that is used"


def test_an_answer_nobody_asked_for_is_ignored():
    known = KnownBlocks()
    assert not known.finish_check(BLOCKS[0].hash, True, "", ())
    assert known.verdict(BLOCKS[0]) is Verdict.UNKNOWN


def test_checked_blocks_are_bounded_and_needed_ones_stay():
    known = KnownBlocks()
    needed = [BLOCKS[0].hash, BLOCKS[5].hash]
    for block in BLOCKS:
        known.add_valid(block, needed)
    kept = [block for block in BLOCKS if known.valid(block.hash) is not None]
    assert len(kept) == BLOCKS_KEPT
    assert kept[:2] == [BLOCKS[0], BLOCKS[5]]
    assert kept[-1] == BLOCKS[-1]


def test_rejected_blocks_are_bounded():
    known = KnownBlocks()
    for block in BLOCKS:
        known.start_check(block)
        known.finish_check(block.hash, False, "no", ())
    assert sum(known.verdict(block) is Verdict.INVALID for block in BLOCKS) == BLOCKS_KEPT
