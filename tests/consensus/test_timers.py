"""When the timers of a height run, and for how long."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from tests.consensus.harness import Bench

from notarium_consensus.effects import RoundTimer
from notarium_consensus.inputs import TimerExpired, WorkPending


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


def test_round_times_double_up_to_the_cap():
    """Mistake 12: uncapped, rounds that drifted apart never meet."""
    bench = Bench(own=0, base_timeout_ms=1000, max_timeout_ms=5000)
    bench.step(WorkPending())
    lengths = []
    for round_ in range(5):
        bench.timeout(round_)
        bench.receive(*(bench.club.change(signer, round_ + 1) for signer in (1, 2)))
        lengths.append(bench.timers()[RoundTimer(1, round_ + 1)])
    assert lengths == [2000, 4000, 5000, 5000, 5000]


def test_an_old_timer_is_ignored():
    bench = Bench(own=0)
    bench.step(WorkPending())
    bench.timeout(0)
    assert bench.timeout(0) == []
    assert bench.step(TimerExpired(RoundTimer(7, 1))) == []
