"""Round 0 without faults: paper, algorithms 1 and 2."""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

import pytest
from tests.consensus.harness import GENESIS, Bench

from notarium_consensus import authentication, instance
from notarium_consensus.effects import CheckBlock, Persist, RequestBlock, ResendTimer, RoundTimer
from notarium_consensus.engine import Phase
from notarium_consensus.inputs import WorkPending
from notarium_consensus.instance import Instance
from notarium_consensus.messages import Proposal, encode_message, signed_part
from notarium_consensus.rules import Rule
from notarium_consensus.signing_record import PROPOSAL_KEY, encode_statement, slot_key
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.signing import verify


def test_an_idle_height_sets_no_timer_and_says_nothing():
    assert Bench().effects == []


def test_work_makes_a_block_due_and_the_proposer_asks_for_it():
    bench = Bench(own=1)
    bench.step(WorkPending())
    assert bench.of(RequestBlock) == [RequestBlock(1, 0, bench.club.tip.time_ms + 1)]
    assert bench.timers() == {RoundTimer(1, 0): 1000, ResendTimer(1): 1000}
    assert bench.step(WorkPending()) == [], "WorkPending is idempotent"


def test_work_at_another_validator_only_starts_the_timers():
    bench = Bench(own=0)
    bench.step(WorkPending())
    assert bench.of(RequestBlock) == []
    assert bench.timers() == {RoundTimer(1, 0): 1000, ResendTimer(1): 1000}


def test_the_proposer_sends_the_block_it_built_and_prepares_it():
    bench = Bench(own=1)
    bench.step(WorkPending())
    block = bench.club.block(1)
    bench.built(block)
    assert bench.said() == ["PROPOSAL", "PREPARE"]
    proposal = bench.sent()[0]
    assert isinstance(proposal, Proposal)
    assert (proposal.block, proposal.round_changes, proposal.prepares) == (block, (), ())
    assert bench.of(CheckBlock) == [], "what the runner built needs no check"


def test_all_persists_stand_before_all_other_effects_and_hold_the_sent_bytes():
    bench = Bench(own=1)
    bench.step(WorkPending())
    effects = bench.built(bench.club.block(1))
    kinds = [isinstance(effect, Persist) for effect in effects]
    assert kinds == sorted(kinds, reverse=True)
    for message in bench.sent():
        assert bench.disk[slot_key(0, message.kind)] == encode_statement(signed_part(message))
    (proposal,) = bench.sent(StatementKind.PROPOSAL)
    assert bench.disk[PROPOSAL_KEY] == encode_message(proposal)


def test_a_validator_prepares_only_after_the_content_check():
    """UponProposal."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.receive(bench.club.proposal(1, 0, block))
    assert bench.of(CheckBlock) == [CheckBlock(block)]
    assert (bench.said(), bench.engine.phase) == ([], Phase.CHECKING)
    bench.checked(block)
    assert (bench.said(), bench.engine.phase) == (["PREPARE"], Phase.PREPARING)


def test_invalid_content_gets_no_prepare_and_is_never_asked_twice():
    bench = Bench(own=0)
    proposal = bench.club.proposal(1, 0, bench.club.block(1))
    bench.receive(proposal)
    bench.checked(proposal.block, valid=False, reason="entry 3")
    assert (bench.said(), bench.engine.phase) == ([], Phase.REJECTED)
    assert bench.receive(proposal) == []


def test_q_prepares_lock_the_block_on_disk_before_the_commit():
    """UponPrepare. Own prepare and two others are Q = 3."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.prepare(1, 0, block))
    assert bench.said() == []
    effects = bench.receive(bench.club.prepare(2, 0, block))
    assert bench.said() == ["COMMIT"]
    assert bench.engine.prepared_round == 0
    assert [effect.key for effect in effects if isinstance(effect, Persist)] == [b"prepared", b"\x00\x03"]
    assert isinstance(effects[0], Persist)
    assert isinstance(effects[1], Persist)


def test_q_prepares_that_came_before_the_proposal_count():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    bench.accept(bench.club.proposal(1, 0, block))
    assert bench.said() == ["PREPARE", "COMMIT"]


def test_q_commits_decide_with_a_certificate_that_verifies():
    """UponCommit."""
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    bench.receive(bench.club.commit(3, 0, block))
    assert bench.decided() is None
    bench.receive(bench.club.commit(1, 0, block))
    decision = bench.decided()
    assert decision is not None
    assert decision.block == block
    assert len(decision.certificate.seals) == 3
    decision.certificate.verify(GENESIS, bench.club.validators, bench.club.height, block.hash)
    assert bench.engine.phase is Phase.DECIDED
    assert bench.receive(bench.club.commit(2, 0, block)) == []
    assert bench.timeout() == []


def test_q_commits_decide_even_if_this_node_never_prepared():
    bench = Bench(own=0)
    block = bench.club.block(1)
    bench.receive(*(bench.club.commit(signer, 0, block) for signer in (1, 2, 3)))
    bench.receive(bench.club.proposal(1, 0, block))
    bench.checked(block)
    assert bench.decided() is not None


@pytest.mark.parametrize(("size", "own"), [(1, 0), (2, 1), (3, 1)])
def test_small_networks_decide(size, own):
    bench = Bench(own=own, size=size)
    bench.step(WorkPending())
    block = bench.club.block(own)
    bench.built(block)
    others = [number for number in range(size) if number != own]
    effects = list(bench.effects)
    for other in others:
        effects += bench.receive(bench.club.prepare(other, 0, block), bench.club.commit(other, 0, block))
    bench.effects = effects
    decision = bench.decided()
    assert decision is not None
    decision.certificate.verify(GENESIS, bench.club.validators, bench.club.height, block.hash)


def test_six_validators_need_four_votes_not_three():
    """A literal 2f+1 = 3 gives disjoint quorums of six (consensus notes, mistake 1)."""
    bench = Bench(own=0, size=6)
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    bench.receive(bench.club.prepare(1, 0, block), bench.club.prepare(2, 0, block))
    assert bench.said() == []
    bench.receive(bench.club.prepare(3, 0, block))
    assert bench.said() == ["COMMIT"]
    bench.receive(bench.club.commit(1, 0, block), bench.club.commit(2, 0, block))
    assert bench.decided() is None
    bench.receive(bench.club.commit(3, 0, block))
    assert bench.decided() is not None


def test_an_observer_follows_and_decides_but_never_signs():
    bench = Bench(own=None)
    bench.step(WorkPending())
    assert set(bench.timers()) == {ResendTimer(1)}
    block = bench.club.block(1)
    bench.accept(bench.club.proposal(1, 0, block))
    everything = list(bench.effects)
    for signer in (1, 2, 3):
        everything += bench.receive(bench.club.prepare(signer, 0, block), bench.club.commit(signer, 0, block))
    bench.effects = everything
    assert bench.sent() == []
    assert bench.of(Persist) == []
    assert bench.decided() is not None


def test_nothing_to_propose_after_all_is_asked_again_only_with_new_work():
    bench = Bench(own=1)
    bench.step(WorkPending())
    assert bench.built(None) == []
    bench.step(WorkPending())
    assert len(bench.of(RequestBlock)) == 1


def test_a_block_that_no_peer_would_accept_is_refused_loudly_and_never_signed():
    bench = Bench(own=1)
    bench.step(WorkPending())
    with pytest.raises(ValueError, match=r"block\.header\.proposer"):
        bench.built(bench.club.block(2))
    assert bench.step(WorkPending()) != []
    assert bench.said() == []


def test_one_block_costs_at_most_seven_verifications_and_none_twice(monkeypatch):
    count = 0
    real = verify

    def counting(*arguments):
        nonlocal count
        count += 1
        return real(*arguments)

    monkeypatch.setattr(authentication, "verify", counting)
    bench = Bench(own=0)
    block = bench.club.block(1)
    messages = [
        bench.club.proposal(1, 0, block),
        *(bench.club.prepare(signer, 0, block) for signer in (1, 2, 3)),
        *(bench.club.commit(signer, 0, block) for signer in (1, 2)),
    ]
    for message in messages:
        bench.receive(message, message)
    bench.checked(block)
    assert bench.decided() is not None
    assert count == 6
    bench.receive(bench.club.commit(3, 0, block))
    assert count == 6, "late votes cost nothing"


def test_kinds_are_numbered_as_documented():
    assert [kind.value for kind in StatementKind] == [1, 2, 3, 4]


def test_a_block_that_nobody_asked_for_is_not_proposed():
    bench = Bench(own=1)
    assert bench.built(bench.club.block(1)) == []


def test_the_proposer_does_not_hold_its_own_block_to_its_clock():
    """The parent's time may be ahead of this clock; the others judge by theirs."""
    bench = Bench(own=1)
    bench.step(WorkPending())
    bench.built(bench.club.block(1, time_ms=bench.now_ms + 10_000))
    assert bench.said() == ["PROPOSAL", "PREPARE"]


def test_every_rule_is_a_method_and_is_in_the_table_at_the_top():
    methods = {name for name in vars(Instance) if name.startswith("_upon_")}
    assert methods == {f"_upon_{rule.name.lower()}" for rule in Rule}
    assert instance.__doc__ is not None
    assert [name for name in methods if f"\n{name} " not in instance.__doc__] == []


def test_the_rules_that_fired_in_the_last_step_are_reported_in_order():
    bench = Bench(own=1)
    bench.step(WorkPending())
    assert list(bench.engine.fired) == []
    block = bench.club.block(1)
    bench.built(block)
    assert list(bench.engine.fired) == [Rule.ROUND_CHANGE_QUORUM, Rule.PROPOSAL]
    bench.receive(bench.club.prepare(0, 0, block))
    assert list(bench.engine.fired) == []
    bench.receive(bench.club.prepare(2, 0, block))
    assert list(bench.engine.fired) == [Rule.PREPARE]
    bench.timeout()
    assert list(bench.engine.fired) == [Rule.ROUND_TIMEOUT]
    bench.timeout()
    assert list(bench.engine.fired) == [], "the timer of a round that is over"
