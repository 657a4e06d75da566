"""Nodes that only follow: they lack blocks, or do not remember what they signed (consensus notes, mistakes 8, 13)."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.consensus.harness import DELAY_MS, PRECISION_MS, Bench

from notarium_consensus.effects import Persist, RoundTimer
from notarium_consensus.inputs import Advance, WorkPending
from notarium_consensus.record import FENCE_KEY, encode_fence


def work_on(bench: Bench, **how: object) -> Advance:
    tip, club = bench.club.tip, bench.club
    event = Advance(club.height, tip.hash, tip.time_ms, club.validators, PRECISION_MS, DELAY_MS)
    return replace(event, **how)


def follower(own: int = 0, **how: object) -> Bench:
    """Validator `own` at height 1, not to sign there."""
    bench = Bench(own=own, advance=False)
    bench.step(work_on(bench, may_sign=False, **how))
    return bench


def test_mistake_8_a_node_that_lacks_blocks_signs_nothing_and_decides_by_the_votes_of_others():
    bench = follower()
    block = bench.club.block(1)
    said = bench.step(WorkPending()) + bench.accept(bench.club.proposal(1, 0, block))
    said += bench.receive(*bench.club.prepares((1, 2, 3), 0, block))
    assert not [effect for effect in said if isinstance(effect, Persist)]
    assert RoundTimer(1, 0) not in bench.timers()
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    decided = bench.decided()
    assert decided is not None
    assert decided.block.hash == block.hash
    assert not bench.engine.is_voting


def test_mistake_13_once_complete_it_votes_at_the_height_that_is_open():
    bench = follower()
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    assert bench.said() == []
    bench.step(work_on(bench))
    assert bench.engine.is_voting
    bench.accept(bench.club.proposal(1, 0, block))  # Its proposer sends it again.
    assert bench.said() == ["PREPARE"]


def test_a_height_at_which_something_was_signed_is_not_begun_again():
    bench = Bench(own=0)
    with pytest.raises(ValueError, match="Advance to 1 while at 1"):
        bench.step(work_on(bench))


def test_nor_one_whose_record_shows_votes_though_it_only_followed_since():
    bench = Bench(own=0)
    bench.accept(bench.club.proposal(1, 0, bench.club.block(1)))
    again = Bench(own=0, record=bench.disk, record_height=1, advance=False)
    again.step(work_on(again, may_sign=False))
    with pytest.raises(ValueError, match="Advance to 1 while at 1"):
        again.step(work_on(again))


def test_below_vote_from_nothing_is_signed_and_the_fence_is_on_the_disk():
    bench = Bench(own=0, advance=False)
    bench.step(work_on(bench, vote_from=3))
    assert bench.disk == {FENCE_KEY: encode_fence(3)}
    assert bench.accept(bench.club.proposal(1, 0, bench.club.block(1))) is not None
    assert bench.said() == []
    assert bench.engine.vote_from == 3


def test_vote_from_is_never_lowered():
    bench = follower(vote_from=5)
    bench.step(work_on(bench, vote_from=2))
    assert bench.engine.vote_from == 5
    assert not bench.engine.is_voting


def test_heights_may_be_skipped():
    bench = follower()
    bench.step(work_on(bench, height=40))
    assert bench.engine.height == 40
    assert bench.engine.is_voting


def test_what_was_committed_is_known_for_the_present_height_only():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    assert not bench.engine.has_committed(1, 0)
    bench.receive(*bench.club.prepares((1, 2), 0, block))
    assert bench.engine.has_committed(1, 0)
    assert not bench.engine.has_committed(1, 1)
    bench.advance(bench.club.after(block))
    assert not bench.engine.has_committed(1, 0)
