"""Mistake 1: a literal 2f+1 is no quorum unless n = 3f+1 (celo-blockchain#117): six validators have disjoint threes.

Here Q = ⌈2n/3⌉, for votes, certificates, round changes and the approval of a change of the validator set alike.
"""

from __future__ import annotations

import pytest
from tests.consensus.harness import GENESIS, Bench, Club
from tests.mistakes.network import Net
from tests.mistakes.planted import SIZES, must_fail
from tests.support.chains import approved
from tests.support.consortium import Consortium, key

from notarium_consensus.events import ProtocolViolation
from notarium_ledger.blocks.statements import StatementKind
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.errors import InvalidCertificate
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.types import Height

QUORUM = {4: 3, 5: 4, 6: 4, 7: 5, 10: 7}


def literal_quorum(patch: pytest.MonkeyPatch) -> None:
    """2f + 1, as the papers write for n = 3f + 1."""
    patch.setattr(ValidatorSet, "quorum", property(lambda validators: 2 * validators.faulty + 1))


def one_too_few(patch: pytest.MonkeyPatch) -> None:
    """Off by one."""
    patch.setattr(ValidatorSet, "quorum", property(lambda validators: (2 * len(validators) - 1) // 3))


@pytest.mark.parametrize("size", range(1, 41))
def test_mistake_01_any_two_quorums_share_an_honest_validator_and_the_honest_ones_are_a_quorum(size: int) -> None:
    validators = Club(size).validators
    assert 2 * validators.quorum - size > validators.faulty, "f liars may be in both"
    assert validators.quorum <= size - validators.faulty, "f may be silent permanently"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_01_six_validators_need_four_not_three_to_commit_and_to_decide(size: int) -> None:
    bench, needed = Bench(own=0, size=size), QUORUM[size]
    club, block = bench.club, bench.club.block(1)
    bench.accept(club.proposal(1, 0, block))
    bench.receive(*(club.prepare(signer, 0, block) for signer in range(1, needed - 1)))
    assert bench.said() == [], f"{needed - 1} of {size} prepares, with its own"
    bench.receive(club.prepare(needed - 1, 0, block))
    assert bench.said() == ["COMMIT"]
    bench.receive(*(club.commit(signer, 0, block) for signer in range(1, needed - 1)))
    assert bench.decided() is None
    bench.receive(club.commit(needed - 1, 0, block))
    assert bench.decided() is not None


@pytest.mark.parametrize("size", SIZES)
def test_mistake_01_a_certificate_with_one_vote_less_than_the_quorum_proves_nothing(size: int) -> None:
    club, needed = Club(size), QUORUM[size]
    block = club.block(1)
    enough = club.decision(block, range(needed)).certificate
    enough.verify(GENESIS, club.validators, Height(1), block.hash)
    too_few = club.decision(block, range(needed - 1)).certificate
    with pytest.raises(InvalidCertificate, match=f"{needed - 1} votes, {needed} needed"):
        too_few.verify(GENESIS, club.validators, Height(1), block.hash)


@pytest.mark.parametrize("size", SIZES)
def test_mistake_01_a_new_round_needs_the_quorum_of_round_changes(size: int) -> None:
    club, needed = Club(size), QUORUM[size]
    for count, justified in ((needed - 1, False), (needed, True)):
        bench = Bench(own=0, size=size)
        changes = [club.signed_change(signer, 1) for signer in range(1, count + 1)]
        bench.accept(club.proposal(2, 1, club.block(2), changes))
        assert bool(bench.sent(StatementKind.PREPARE)) is justified
        assert bool(bench.events(ProtocolViolation)) is not justified


@pytest.mark.parametrize("size", [4, 6, 10])
def test_mistake_01_halves_of_a_split_network_do_not_decide_each_for_itself(size: int) -> None:
    net = Net(size)
    half = size // 2
    net.drop = lambda sender, receiver, message: (sender < half) != (receiver < half)
    net.start()
    net.work()
    net.run(120_000)
    assert net.agreed() is None, "half of the validators are no quorum"
    net.drop = lambda sender, receiver, message: False
    assert net.run(120_000, lambda: set(net.heights()) == {1})
    assert net.agreed() is not None


@pytest.mark.parametrize("size", SIZES)
def test_mistake_01_members_change_the_validator_set_with_the_quorum_of_votes(size: int) -> None:
    consortium = Consortium(size)
    new, old = key("new validator").public, consortium.validator_keys[0].public
    node = {
        "member": "m0", "role": "validator", "key": bytes(new), "certificate": bytes(64), "address": "host:1",
    }  # fmt: skip
    action = {"type": "set-node", "node": node}
    registry, changes = consortium.genesis.registry, []
    for entry in approved(consortium, QUORUM[size], action):
        assert old in registry.validators, "changed too early"
        registry, changed = apply_entry(registry, entry, Height(1))
        changes.append(changed)
    assert changes == [False] * (QUORUM[size] - 1) + [True]
    assert new in registry.validators
    assert old not in registry.validators


@pytest.mark.parametrize("mistake", [literal_quorum, one_too_few])
def test_mistake_01_planted_is_caught_by_each_test(mistake) -> None:
    # n = 6: Q = 4, but both mistakes say 3.
    must_fail(mistake, test_mistake_01_any_two_quorums_share_an_honest_validator_and_the_honest_ones_are_a_quorum, 6)
    must_fail(mistake, test_mistake_01_six_validators_need_four_not_three_to_commit_and_to_decide, 6)
    must_fail(mistake, test_mistake_01_a_certificate_with_one_vote_less_than_the_quorum_proves_nothing, 6)
    must_fail(mistake, test_mistake_01_a_new_round_needs_the_quorum_of_round_changes, 6)
    must_fail(mistake, test_mistake_01_halves_of_a_split_network_do_not_decide_each_for_itself, 6)
    must_fail(mistake, test_mistake_01_members_change_the_validator_set_with_the_quorum_of_votes, 6)
