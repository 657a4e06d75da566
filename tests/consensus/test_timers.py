"""When the timers of a height run, and for how long."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from tests.consensus.harness import Bench

from notarium_consensus.effects import ProposeTimer, RequestBlock, ResendTimer, RoundTimer
from notarium_consensus.inputs import TimerExpired, WorkPending
from notarium_ledger.blocks.block import Block
from notarium_ledger.blocks.statements import StatementKind


def test_the_timer_of_a_later_round_starts_once_a_quorum_is_in_it_or_beyond():
    """PBFT's rule: whoever is cut off does not run away from the others (mistake 12)."""
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout()
    bench.receive(bench.club.change(1, 1))
    assert bench.timers() == {}
    bench.receive(bench.club.prepare(2, 3, bench.club.block(1)))
    assert bench.timers() == {RoundTimer(1, 1): 2000}
    bench.receive(bench.club.change(3, 1))
    assert bench.timers() == {}, "once"


def test_a_justified_proposal_shows_that_a_quorum_is_in_its_round_and_starts_the_timer():
    bench = Bench(own=0)
    changes = [bench.club.signed_change(signer, 1) for signer in (1, 2, 3)]
    bench.receive(bench.club.proposal(2, 1, bench.club.block(2), changes))
    assert bench.timers()[RoundTimer(1, 1)] == 2000


def test_round_times_double_up_to_the_cap_and_then_with_each_f_plus_one_rounds():
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    bench.step(WorkPending())
    lengths = []
    for round_ in range(8):
        bench.timeout(round_)
        bench.receive(*(bench.club.change(signer, round_ + 1) for signer in (1, 2)))
        lengths.append(bench.timers()[RoundTimer(1, round_ + 1)])
    assert lengths == [2000, 4000, 5000, 5000, 10_000, 10_000, 20_000, 20_000]


def test_a_height_starts_with_the_patience_that_the_heights_before_needed():
    """The content takes 3 s: round 2 of 4 s is long enough."""
    bench = Bench(own=0)
    bench.step(WorkPending())
    for round_ in (1, 2):
        bench.now_ms += 10_000
        bench.receive(*(bench.club.change(signer, round_) for signer in (1, 2, 3)))
    assert bench.timers()[RoundTimer(1, 2)] == 4000
    bench.now_ms += 3000
    block = bench.club.block(3, time_ms=bench.now_ms)
    changes = [bench.club.signed_change(signer, 2) for signer in (1, 2, 3)]
    bench.accept(bench.club.proposal(3, 2, block, changes))
    bench.receive(*(bench.club.prepare(signer, 2, block) for signer in (1, 2)))
    bench.receive(*(bench.club.commit(signer, 2, block) for signer in (1, 2)))
    assert bench.decided() is not None
    bench.now_ms += 1
    bench.advance(bench.club.after(block))
    bench.step(WorkPending())
    assert bench.timers()[RoundTimer(2, 0)] == 4000, "two rounds failed, which f = 1 liars cannot have wasted alone"


def test_a_proposer_waits_until_its_clock_has_passed_the_parents_time():
    """Its block then has a time that every honest clock finds timely; the wait is not part of the round."""
    bench = Bench(own=2)
    parent = bench.club.block(1, time_ms=bench.now_ms + 400)
    bench.advance(bench.club.after(parent))
    bench.step(WorkPending())
    assert bench.of(RequestBlock) == []
    assert bench.timers() == {ProposeTimer(2, 0): 401, RoundTimer(2, 0): 1400, ResendTimer(2): 1000}
    bench.step(WorkPending())
    assert bench.timers() == {}, "one timer is enough"
    bench.now_ms += 400
    bench.step(TimerExpired(ProposeTimer(2, 0)))
    assert bench.timers() == {ProposeTimer(2, 0): 1}, "too early: a block is later than its parent"
    bench.now_ms += 1
    bench.step(TimerExpired(ProposeTimer(2, 0)))
    assert bench.of(RequestBlock) == [RequestBlock(2, 0, bench.now_ms)]
    bench.step(TimerExpired(ProposeTimer(2, 0)))
    assert bench.effects == [], "it is being built"


def test_a_block_that_is_proposed_again_waits_for_no_clock():
    bench = Bench(own=3)
    parent = bench.club.block(1, time_ms=bench.now_ms + 400)
    club = bench.club.after(parent)
    bench.advance(club)
    block = club.block(2, time_ms=bench.now_ms + 401)
    bench.accept(club.proposal(2, 0, block))
    bench.receive(*club.prepares((0, 1, 2), 0, block))
    bench.receive(*(club.change(signer, 1, (0, block)) for signer in (0, 1, 2)))
    assert bench.sent(StatementKind.PROPOSAL)


def test_a_height_that_others_decided_teaches_patience_too():
    """On a thin line the decision may come by catch-up. Three rounds failed, and the fourth had lasted for 7 s."""
    bench = Bench(own=0)
    bench.step(WorkPending())
    to_round(bench, 3)
    bench.now_ms += 7000
    bench.advance(bench.club.after(bench.club.block(1)))
    bench.step(WorkPending())
    assert bench.timers()[RoundTimer(2, 0)] == 8000


def test_who_left_the_round_that_decides_waits_longer_at_the_next_height():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.step(WorkPending())
    bench.accept(bench.club.proposal(1, 0, block))
    bench.timeout()
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    assert bench.decided() is not None
    bench.advance(bench.club.after(block))
    bench.now_ms += 2
    bench.step(WorkPending())
    assert bench.timers()[RoundTimer(2, 0)] == 2000


def to_round(bench: Bench, round_: int) -> int:
    """All others go to `round_`; how long it lasts."""
    others = [number for number in range(4) if number != bench.own]
    bench.receive(*(bench.club.change(signer, round_) for signer in others))
    return bench.timers()[RoundTimer(1, round_)]


def test_rounds_of_an_idle_ledger_do_not_get_longer_than_the_cap():
    """One liar can start the timers; work that comes in the morning must not wait an hour for a dead proposer."""
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    assert [to_round(bench, round_) for round_ in (1, 2, 3, 9, 90)] == [2000, 4000, 5000, 5000, 5000]
    bench.step(WorkPending())
    assert [to_round(bench, round_) for round_ in (91, 92, 94, 95)] == [5000, 5000, 5000, 10_000]


def propose(bench: Bench, round_: int) -> Block:
    """The proposer of `round_` justifies a block, whose content may be anything."""
    proposer = (1 + round_) % 4
    block = bench.club.block(proposer, time_ms=bench.now_ms + 1)
    changes = [bench.club.signed_change(signer, round_) for signer in (1, 2, 3)] if round_ else []
    bench.receive(bench.club.proposal(proposer, round_, block, changes))
    return block


def test_work_of_our_own_cuts_a_round_short_that_got_long_by_work_that_others_made_up():
    """A liar may show one node proposals that it shows nobody else."""
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    lengths = []
    for round_ in range(0, 36, 4):
        propose(bench, round_)
        lengths.append(to_round(bench, round_ + 2))
    assert lengths == [4000, *[5000] * 3, *[10_000] * 2, *[20_000] * 2, 40_000], "one in four rounds counts"
    bench.now_ms += 100
    bench.step(WorkPending())
    assert bench.timers() == {RoundTimer(1, 34): 5000}
    bench.step(WorkPending())
    assert bench.timers() == {}, "once"


def test_a_vote_of_one_and_a_proposal_of_wrong_content_are_no_work():
    """A liar needs no more than one of them to make them up, and an idle night has thousands of rounds."""
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    bench.receive(bench.club.prepare(3, 0, bench.club.block(1)))
    assert [to_round(bench, round_) for round_ in (9, 10)] == [5000, 5000]
    block = propose(bench, 10)
    bench.checked(block, valid=False)
    assert [to_round(bench, round_) for round_ in (11, 12, 90)] == [5000, 5000, 5000]


def test_what_waits_here_and_makes_no_block_is_no_work():
    bench = Bench(own=1, base_timeout_ms=1000, max_timeout_ms=5000)
    bench.step(WorkPending())
    bench.built(None)
    assert [to_round(bench, round_) for round_ in (9, 90)] == [5000, 5000]


def test_idle_time_before_work_came_teaches_nothing():
    """An entry that reaches only the proposer, late in a long round, was decided at once: no round needs to be long."""
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    to_round(bench, 90)
    bench.now_ms += 4900
    block = propose(bench, 90)
    bench.checked(block)
    bench.receive(*(bench.club.prepare(signer, 90, block) for signer in (1, 2, 3)))
    bench.receive(*(bench.club.commit(signer, 90, block) for signer in (1, 2, 3)))
    assert bench.decided() is not None
    bench.advance(bench.club.after(block))
    bench.now_ms += 1
    bench.step(WorkPending())
    assert bench.timers()[RoundTimer(2, 0)] == 1000


def test_an_old_timer_is_ignored():
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout(0)
    assert bench.timeout(0) == []
    assert bench.step(TimerExpired(RoundTimer(7, 1))) == []
