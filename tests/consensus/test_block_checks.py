"""What is known of blocks' content, and how much of it is kept."""

from __future__ import annotations

from tests.consensus.harness import Club

from notarium_consensus.block_checks import BLOCKS_KEPT, ContentVerdict, KnownBlocks
from notarium_ledger.blocks.block import Block

CLUB = Club()
BLOCKS = [CLUB.block(1, f"ok {number}".encode()) for number in range(3 * BLOCKS_KEPT)]


def copy_of(block: Block, number: int) -> Block:
    """Other entries under the same header."""
    return Block(block.header, (f"ok copy {number}".encode(),))


def test_an_invalid_copy_does_not_condemn_the_header():
    known = KnownBlocks(4)
    garbage = type(BLOCKS[0])(BLOCKS[0].header, (b"ok garbage",))
    known.start_check(garbage)
    assert known.verdict(BLOCKS[0]) is ContentVerdict.CHECKING
    assert known.finish_check(garbage.hash, False, "roots", ())
    assert known.verdict(garbage) is ContentVerdict.INVALID
    assert known.reason(garbage) == "roots"
    assert known.verdict(BLOCKS[0]) is ContentVerdict.UNKNOWN
    known.add_valid(BLOCKS[0], ())
    assert known.verdict(garbage) is ContentVerdict.VALID
    assert known.valid(garbage.hash) is BLOCKS[0], "the good copy is the one that is used"


def test_an_answer_nobody_asked_for_is_ignored():
    known = KnownBlocks(4)
    assert not known.finish_check(BLOCKS[0].hash, True, "", ())
    assert known.verdict(BLOCKS[0]) is ContentVerdict.UNKNOWN


def test_checked_blocks_are_bounded_and_needed_ones_stay():
    known = KnownBlocks(4)
    needed = [BLOCKS[0].hash, BLOCKS[5].hash]
    for block in BLOCKS:
        known.add_valid(block, needed)
    kept = [block for block in BLOCKS if known.valid(block.hash) is not None]
    assert len(kept) == BLOCKS_KEPT
    assert kept[:2] == [BLOCKS[0], BLOCKS[5]]
    assert kept[-1] == BLOCKS[-1]


def test_rejected_copies_are_bounded_over_all_headers_and_under_one():
    known = KnownBlocks(4)
    for block in BLOCKS:
        known.start_check(block)
        known.finish_check(block.hash, False, "no", ())
    assert [block for block in BLOCKS if known.verdict(block) is ContentVerdict.INVALID] == BLOCKS[-4:]
    copies = [copy_of(BLOCKS[0], number) for number in range(9)]
    for copy in copies:
        known.start_check(copy)
        known.finish_check(copy.hash, False, f"no {copy.entries[0]!r}", ())
    assert [copy for copy in copies if known.verdict(copy) is ContentVerdict.INVALID] == copies[-4:]
    assert known.reason(copies[-1]) == f"no {copies[-1].entries[0]!r}"
    known.add_valid(BLOCKS[0], ())
    assert known.verdict(copies[0]) is ContentVerdict.VALID
