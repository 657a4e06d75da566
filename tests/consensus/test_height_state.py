"""What a height knows of its round, and what it sends again."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from tests.consensus.harness import Bench

from notarium_consensus.effects import ResendTimer, Send
from notarium_consensus.engine import Phase
from notarium_consensus.inputs import TimerExpired, WorkPending


def test_messages_of_the_current_round_are_sent_again_while_a_block_is_due():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    first = bench.sent()
    bench.step(TimerExpired(ResendTimer(1)))
    assert bench.sent() == first
    assert bench.timers() == {ResendTimer(1): 1000}
    bench.timeout()
    bench.step(TimerExpired(ResendTimer(1)))
    assert bench.said() == ["ROUND_CHANGE"], "only the current round's"


def test_the_proposal_is_sent_again_only_to_those_who_do_not_show_that_they_have_it():
    bench = Bench(own=1)
    bench.step(WorkPending())
    block = bench.club.block(1)
    bench.built(block)
    bench.receive(bench.club.prepare(2, 0, block))
    bench.step(TimerExpired(ResendTimer(1)))
    assert bench.said() == ["PREPARE"]
    keys = bench.club.keys
    assert {effect.peer for effect in bench.of(Send)} == {keys[0].public, keys[3].public}


def test_status_names_who_is_missing():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.prepare(3, 0, block))
    assert bench.engine.votes_missing() == (bench.club.keys[2].public,)
    assert bench.engine.phase is Phase.PREPARING
    bench.receive(bench.club.change(2, 1))
    assert bench.engine.votes_missing() == (), "it is heard in a later round"
