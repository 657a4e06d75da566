"""Mistake 16: key rotation refused as a loss of quorum, because a node's identity was its certificate (fabric#3562,
#4049, #5268). Here a validator is its vote key and its member: a new certificate or address changes no validator set,
and a new key takes the old one's place in one block, so that there are never more or fewer votes.
"""

# Plain integers stand for heights and rounds here.
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import pytest
from tests.mistakes.network import Member, Net
from tests.mistakes.planted import SIZES, must_fail
from tests.simulation.chain import validator_keys, validator_set
from tests.support.chains import approved, change_validator, commit, signers
from tests.support.consortium import Consortium, digest, key

from notarium_ledger.blocks.validators import Validator, ValidatorSet
from notarium_ledger.errors import InvalidEntry
from notarium_ledger.state import governance, registry
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.state.registry import NodeRecord, Registry
from notarium_ledger.trust.receipt import ReceiptVerifier
from notarium_ledger.types import Height, PublicKey
from notarium_store import Store


def identity_is_the_certificate(patch: pytest.MonkeyPatch) -> None:
    """A validator is known by its certificate."""

    def validators(nodes: Iterable[NodeRecord]) -> ValidatorSet:
        voters = [
            Validator(node.member, PublicKey(sha256(node.certificate).digest()))
            for node in nodes
            if node.role == "validator"
        ]
        return ValidatorSet(tuple(voters))

    patch.setattr(registry, "_validators", validators)


def the_new_key_comes_beside_the_old_one(patch: pytest.MonkeyPatch) -> None:
    """Rotation as a removal and an addition: a member has two validators, or none, for a while."""

    def set_node(before: Registry, node: dict[str, Any]) -> Registry:
        record = NodeRecord(node["member"], node["role"], node["key"], node["certificate"], node["address"])
        return before.with_nodes([record])

    patch.setattr(governance, "_set_node", set_node)


def rotation_needs_everybody(patch: pytest.MonkeyPatch) -> None:
    """A set in which a key is new counts as a set without that validator, so its vote is missing."""
    act = governance._act

    def refuse(before: Registry, action: dict[str, Any]) -> Registry:
        after = act(before, action)
        lost = {each.key for each in before.validators.validators} - {each.key for each in after.validators.validators}
        if lost:
            raise InvalidEntry("would lose a member of the quorum", "body.action")
        return after

    patch.setattr(governance, "_act", refuse)


def node_action(consortium: Consortium, member: int, label: str, **over: Any) -> dict[str, Any]:
    new = key(label)
    node = {
        "member": consortium.members[member],
        "role": "validator",
        "key": bytes(new.public),
        "certificate": digest(f"certificate of {label}") * 4,
        "address": "127.0.0.1:9900",
        **over,
    }
    return {"type": "set-node", "node": node}


@pytest.mark.parametrize("size", SIZES)
def test_mistake_16_a_new_certificate_or_address_under_the_same_key_is_the_same_validator(size: int) -> None:
    consortium = Consortium(size)
    before = consortium.genesis.registry
    own = consortium.validator_keys[0].public
    action = node_action(consortium, 0, "renewed", key=bytes(own), address="10.0.0.9:7470")
    after = before
    for entry in approved(consortium, before.validators.quorum, action):
        after, _ = apply_entry(after, entry, Height(1))
    assert after.nodes[own].certificate != before.nodes[own].certificate
    assert after.nodes[own].address == "10.0.0.9:7470"
    assert after.validators.hash == before.validators.hash, "votes under the old certificate stay valid"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_16_a_new_key_takes_the_old_ones_place_in_one_block_and_one_vote_stays_one_vote(size: int) -> None:
    consortium = Consortium(size)
    after = consortium.genesis.registry
    quorum = after.validators.quorum
    for entry in approved(consortium, quorum, node_action(consortium, 0, "rotated")):
        assert len(after.validators) == size
        after, _ = apply_entry(after, entry, Height(1))
    assert (len(after.validators), after.validators.quorum) == (size, quorum)
    assert key("rotated").public in after.validators
    assert consortium.validator_keys[0].public not in after.validators
    assert after.validators.member_of(key("rotated").public) == "m0"


@pytest.mark.parametrize("size", SIZES)
def test_mistake_16_all_keys_are_rotated_one_after_the_other_and_receipts_lead_through_all_of_it(
    size: int, tmp_path: Any
) -> None:
    consortium = Consortium(size)
    with Store.open(tmp_path / f"store{size}{len(list(tmp_path.iterdir()))}", consortium.genesis) as store:
        first = consortium.entry()
        commit(store, consortium, [first])
        old = {each.public for each in consortium.validator_keys}
        for member in range(size):
            change_validator(store, consortium, member, f"second key of {member}")
        assert not old & {each.key for each in store.state.registry.validators.validators}
        last = consortium.entry()
        decision = commit(store, consortium, [last])
        assert not old & set(signers(decision))
        verifier = ReceiptVerifier(consortium.genesis)
        for entry, handovers in ((first, 0), (last, size)):
            receipt = store.receipt(entry.id)
            assert receipt is not None
            verifier.verify(receipt)
            assert len(receipt.decided.handovers) == handovers


@pytest.mark.parametrize("size", SIZES)
def test_mistake_16_the_network_decides_on_while_keys_are_rotated_and_f_others_are_dead(size: int) -> None:
    """At height 2 validator 0 has another key, at height 3 validator 1; nobody else may be missed."""
    faulty = (size - 1) // 3
    net = Net(size)
    spare = [each for each in validator_keys(size + 3) if each not in net.keys and each.public not in _publics(net)][:2]
    keys = {1: list(net.keys), 2: [spare[0], *net.keys[1:]], 3: [*spare, *net.keys[2:]]}
    sets = {height: validator_set(sorted(each, key=lambda one: one.public)) for height, each in keys.items()}
    net.set_of = lambda height: sets[min(height, 3)]
    for new in spare:
        net.keys.append(new)
        net.nodes.append(Member(net, len(net.nodes), new))
    net.silent = set(range(size - faulty, size))
    alive = [number for number in range(size + 2) if number not in net.silent]
    net.start()
    for height in (1, 2, 3):
        net.work(b"ok %d" % height, at=alive)
        assert net.run(60_000, lambda height=height: min(net.heights(alive)) >= height), f"stands at {net.heights()}"  # type: ignore[misc]
        net.agreed(height)
    sealed = {seal.key for seal in net.nodes[0].decisions[2].certificate.seals}
    assert not sealed & {net.keys[0].public, net.keys[1].public}, "the old keys vote no more"
    assert {each.public for each in spare} <= sealed, "the new ones are needed for the quorum, and vote at once"


def _publics(net: Net) -> set[PublicKey]:
    return {each.public for each in net.keys}


def the_new_key_is_not_heard(patch: pytest.MonkeyPatch) -> None:
    """The set of a height is that of the height before."""
    advance = Member.advance

    def advance_with_first_set(self: Member) -> None:
        first = self.net.set_of(1)
        self.net.set_of = lambda height: first
        advance(self)

    patch.setattr(Member, "advance", advance_with_first_set)


def test_mistake_16_planted_is_caught_by_each_test(tmp_path: Any) -> None:
    for size in SIZES:
        must_fail(
            identity_is_the_certificate,
            test_mistake_16_a_new_certificate_or_address_under_the_same_key_is_the_same_validator,
            size,
        )
        must_fail(
            the_new_key_is_not_heard,
            test_mistake_16_the_network_decides_on_while_keys_are_rotated_and_f_others_are_dead,
            size,
        )


@pytest.mark.parametrize("mistake", [the_new_key_comes_beside_the_old_one, rotation_needs_everybody])
def test_mistake_16_planted_a_rotation_that_is_refused_shows_as_the_error_it_is(mistake: Any, tmp_path: Any) -> None:
    """With these mistakes the rotation is no valid entry at all."""
    with pytest.MonkeyPatch.context() as patch:
        mistake(patch)
        for size in (4, 7):
            with pytest.raises(InvalidEntry, match=r"twice|quorum"):
                test_mistake_16_a_new_key_takes_the_old_ones_place_in_one_block_and_one_vote_stays_one_vote(size)
            with pytest.raises((InvalidEntry, ValueError), match=r"twice|quorum"):
                test_mistake_16_all_keys_are_rotated_one_after_the_other_and_receipts_lead_through_all_of_it(
                    size, tmp_path
                )
