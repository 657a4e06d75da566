"""Mistake 2: IBFT 1 is neither safe nor live (Saltini and Hyland-Wood, arXiv 1901.07160).

Its validators lock on a block they committed to and then accept no other, and their round changes say nothing of the
lock. So honest validators that are locked on different blocks block one another permanently. A round that knows no
lock replaces what somebody has decided.
"""

from __future__ import annotations

import pytest
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail

from notarium_consensus.instance import Instance
from notarium_consensus.own_messages import OwnMessages
from notarium_ledger.blocks.statements import StatementKind


def locks_are_kept_against_proposals(patch: pytest.MonkeyPatch) -> None:
    """A locked validator prepares its own block only."""
    upon_proposal = Instance._upon_proposal

    def refusing(self: Instance) -> bool:
        locked, proposal = self.prepared, self._accepted
        if locked is not None and proposal is not None and proposal.block.hash != locked.block.hash:
            return False
        return upon_proposal(self)

    patch.setattr(Instance, "_upon_proposal", refusing)


def round_changes_hide_locks(patch: pytest.MonkeyPatch) -> None:
    """A round change says "next round" and no more."""
    change_round = OwnMessages.change_round
    patch.setattr(OwnMessages, "change_round", lambda self, round_, prepared: change_round(self, round_, None))


def groups(size: int) -> tuple[set[int], set[int], set[int]]:
    """(f of them, another f, and f that will crash); with the rest they are just a quorum without the last."""
    faulty = (size - 1) // 3
    return set(range(faulty)), set(range(faulty, 2 * faulty)), set(range(size - faulty, size))


@pytest.mark.parametrize("size", SIZES)
def test_mistake_02_live_validators_locked_on_different_blocks_still_decide_one(size: int) -> None:
    net = Net(size)
    first, second, crashing = groups(size)
    net.start()
    net.work()

    # Round 0: all prepare d, but only `first` learn of it, lock it and commit.
    net.drop = lambda sender, receiver, message: message.kind is StatementKind.PREPARE and receiver not in first
    net.run(900)
    locked = {net.nodes[number].engine.prepared_round for number in first}
    assert locked == {0}

    # A later round without `first`: the others prepare a fresh d', and only `second` learn of it.
    net.drop = lambda sender, receiver, message: (
        sender in first
        or receiver in first
        or (message.kind is StatementKind.PREPARE and receiver not in second)
        or message.kind is StatementKind.COMMIT
    )
    others = set(range(size)) - first
    net.run(10_000, lambda: all(net.nodes[number].engine.prepared_round for number in second))
    assert all(net.nodes[number].engine.prepared_round for number in second), "locked in a round above 0"
    assert {net.nodes[number].engine.prepared_round for number in others - second} == {None}

    # From now on the network is good, but f validators are dead: all the others are needed.
    net.silent = crashing
    net.drop = lambda sender, receiver, message: False
    alive = set(range(size)) - crashing
    assert net.run(60_000, lambda: set(net.heights(alive)) == {1}), "deadlock of the locked"
    assert net.agreed() is not None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("lost_rounds", [0, 1, 2])
def test_mistake_02_safe_what_one_validator_has_decided_no_later_round_replaces(size: int, lost_rounds: int) -> None:
    net = Net(size)
    net.start()
    net.work()
    # Only validator 0 hears the commits: it alone decides, and is not heard of again.
    net.drop = lambda sender, receiver, message: message.kind is StatementKind.COMMIT and receiver != 0
    assert net.run(900, lambda: net.heights() == [1] + [0] * (size - 1))
    net.silent = {0}
    left = range(1, size)
    net.drop = lambda sender, receiver, message: message.kind is StatementKind.PROPOSAL and message.round <= lost_rounds
    assert net.run(60_000, lambda: set(net.heights(left)) == {1})
    assert net.agreed() == net.nodes[0].decisions[0].block.hash
    assert net.nodes[1].decisions[0].certificate.round > lost_rounds


def test_mistake_02_planted_is_caught_by_each_test() -> None:
    for size in SIZES:
        if size == 6:
            continue  # n − f is Q + 1 here, so that one who refuses is not missed
        must_fail(
            locks_are_kept_against_proposals,
            test_mistake_02_live_validators_locked_on_different_blocks_still_decide_one,
            size,
        )
    for size in SIZES:
        must_fail(
            round_changes_hide_locks,
            test_mistake_02_safe_what_one_validator_has_decided_no_later_round_replaces,
            size,
            1,
        )
