"""Mistake 10: voting in a round after having timed out of it (ava-labs/Simplex#280).

The round change has said "this is what I hold prepared"; a vote in the old round would make that a lie, and a quorum of
round changes would no longer show what can have been decided.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.consensus.harness import Bench
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus.inbox import Inbox
from notarium_consensus.inputs import WorkPending
from notarium_consensus.instance import Instance
from notarium_consensus.messages import Message
from notarium_consensus.phase import Phase
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.types import Round


def left_rounds_are_still_voted_in(patch: pytest.MonkeyPatch) -> None:
    """Prepares count, and are answered with a commit, whatever round this node is in by now."""
    admit, upon_prepare = Inbox.admit_vote, Instance._upon_prepare

    def admit_all(self: Inbox, vote: Vote, current: Round) -> bool:
        return admit(self, vote, vote.round if vote.kind == StatementKind.PREPARE else current)

    def commit_all(self: Instance) -> bool:
        for round_, block in self.inbox.prepares.complete:
            if round_ < self.round and not self.own.has_signed(round_, StatementKind.COMMIT):
                self._keep(self.own.vote(StatementKind.COMMIT, round_, block))
        return upon_prepare(self)

    patch.setattr(Inbox, "admit_vote", admit_all)
    patch.setattr(Instance, "_upon_prepare", commit_all)


def left_proposals_are_still_prepared(patch: pytest.MonkeyPatch) -> None:
    """A proposal is prepared whenever it comes and is good."""
    admit = Instance._admit

    def admit_all(self: Instance, message: Message, peer: object) -> bool:
        if message.kind is StatementKind.PROPOSAL and message.round < self.round:
            self._keep(self.own.vote(StatementKind.PREPARE, message.round, message.block_hash))  # type: ignore[union-attr]
        return admit(self, message, peer)

    patch.setattr(Instance, "_admit", admit_all)


def a_timeout_changes_nothing(patch: pytest.MonkeyPatch) -> None:
    """The round change is sent, and the round goes on."""

    def stay(self: Instance, round_: Round) -> None:
        if round_ == self.round and self.due:
            self._keep(self.own.change_round(Round(round_ + 1), self.prepared))

    patch.setattr(Instance, "round_timeout", stay)


Leave = Callable[[Bench, int], Bench]


def by_timeout(bench: Bench, left: int) -> Bench:
    bench.timeout(left)
    return bench


def by_f_plus_one_others(bench: Bench, left: int) -> Bench:
    others = _others(bench)[: bench.club.validators.honest_minimum]
    bench.receive(*(bench.club.change(signer, left + 1) for signer in others))
    return bench


def by_a_proposal_of_the_next_round(bench: Bench, left: int) -> Bench:
    club = bench.club
    proposer = (2 + left) % len(club.keys)
    changes = [club.signed_change(signer, left + 1) for signer in _others(bench)[: club.validators.quorum]]
    bench.accept(club.proposal(proposer, left + 1, club.block(proposer, b"ok next"), changes))
    return bench


def by_timeout_and_restart(bench: Bench, left: int) -> Bench:
    bench.timeout(left)
    return Bench(own=bench.own, size=len(bench.club.keys), record=bench.disk, record_height=1)


WAYS: tuple[Leave, ...] = (
    by_timeout,
    by_f_plus_one_others,
    by_a_proposal_of_the_next_round,
    by_timeout_and_restart,
)


def _others(bench: Bench) -> list[int]:
    return [signer for signer in range(len(bench.club.keys)) if signer != bench.own]


def in_round(size: int, round_: int, own: int) -> Bench:
    bench = Bench(own=own, size=size)
    bench.step(WorkPending())
    for number in range(round_):
        bench.timeout(number)
    assert bench.engine.round == round_
    return bench


def outsider(size: int, round_: int) -> int:
    """One that proposes neither in this round nor in the next."""
    return (4 + round_) % size if size > 4 else (3 + round_) % size


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("left", [0, 1, 2])
@pytest.mark.parametrize("leave", WAYS)
def test_mistake_10_who_has_left_a_round_commits_nothing_in_it_though_q_prepares_come(
    size: int, left: int, leave: Leave
) -> None:
    bench = in_round(size, left, outsider(size, left))
    club = bench.club
    others = _others(bench)
    proposer = (1 + left) % size
    block = club.block(proposer)
    changes = [club.signed_change(signer, left) for signer in others[: club.validators.quorum]] if left else []
    bench.accept(club.proposal(proposer, left, block, changes))
    assert bench.said() == ["PREPARE"]
    bench = leave(bench, left)
    assert bench.engine.round == left + 1
    bench.receive(*(club.prepare(signer, left, block) for signer in others))
    assert [message.kind for message in bench.sent() if message.round <= left] == []
    assert bench.engine.prepared_round is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("left", [0, 1, 2])
@pytest.mark.parametrize("leave", WAYS)
def test_mistake_10_who_has_left_a_round_prepares_nothing_in_it_though_its_proposal_comes(
    size: int, left: int, leave: Leave
) -> None:
    bench = leave(in_round(size, left, outsider(size, left)), left)
    club = bench.club
    proposer = (1 + left) % size
    changes = [club.signed_change(signer, left) for signer in _others(bench)[: club.validators.quorum]] if left else []
    block = club.block(proposer)
    bench.receive(club.proposal(proposer, left, block, changes))
    assert bench.said() == []
    assert bench.engine.phase in (Phase.WAITING, Phase.PREPARING)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_10_in_a_network_whose_votes_come_late_nobody_speaks_in_a_round_it_has_left(size: int) -> None:
    """Messages take longer than the first rounds, so that most votes arrive in rounds that are left."""
    net = Net(size, delay_ms=60_000)
    net.latency_ms = 1_700
    net.start()
    net.work()
    assert net.run(120_000, lambda: min(net.heights()) == 1)
    net.agreed()
    highest: dict[tuple[int, int], int] = {}
    for sender, message in net.sent:
        slot = (sender, message.height)
        assert message.round >= highest.get(slot, 0), f"{sender} says {message.kind.name} in a round it has left"
        highest[slot] = message.round
    assert max(highest.values()) > 0, "no round was left: the test shows nothing"


def test_mistake_10_planted_is_caught_by_each_test() -> None:
    for size in (4, 7):
        for left in (0, 1, 2):
            for leave in WAYS[:3]:  # A restarted node has forgotten the proposal, and so has nothing to commit.
                must_fail(
                    left_rounds_are_still_voted_in,
                    test_mistake_10_who_has_left_a_round_commits_nothing_in_it_though_q_prepares_come,
                    size,
                    left,
                    leave,
                )
            for leave in WAYS:
                must_fail(
                    left_proposals_are_still_prepared,
                    test_mistake_10_who_has_left_a_round_prepares_nothing_in_it_though_its_proposal_comes,
                    size,
                    left,
                    leave,
                )
        must_fail(
            a_timeout_changes_nothing,
            test_mistake_10_in_a_network_whose_votes_come_late_nobody_speaks_in_a_round_it_has_left,
            size,
        )
