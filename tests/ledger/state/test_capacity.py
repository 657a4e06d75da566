"""No member can use up another's share of keys, and no registry grows beyond what a snapshot holds."""

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tests.support.chains import approved
from tests.support.consortium import Consortium, digest, fake_certificate, key

from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_ledger.errors import InvalidEntry, InvalidGenesis, LedgerError
from notarium_ledger.state.capacity import check_capacity
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.governance import apply_entry
from notarium_ledger.state.records import Totals
from notarium_ledger.state.registry import (
    MAX_KEYS,
    MAX_MEMBERS,
    MAX_NODES,
    MAX_OPEN_PROPOSALS,
    MAX_RECORDS,
    Member,
    MembershipProposal,
    NodeRecord,
    Parameters,
    Registry,
)
from notarium_ledger.trust.receipt import MAX_RECEIPT_BYTES
from notarium_ledger.trust.snapshot import MAX_REGISTRY_BYTES, MAX_SNAPSHOT_BYTES
from notarium_ledger.types import MAX_HEIGHT, Height, PublicKey

NEXT = Height(1)


def enrol(consortium: Consortium, registry: Registry, member: int, label: str) -> Registry:
    body = consortium.member_body("enrol", member, key=bytes(key(label).public))
    return apply_entry(registry, consortium.entry(body), NEXT)[0]


def decide(consortium: Consortium, registry: Registry, action: dict[str, Any]) -> Registry:
    for entry in approved(consortium, registry.validators.quorum, action):
        registry, _ = apply_entry(registry, entry, NEXT)
    return registry


def test_a_member_enrols_so_many_keys_and_no_more_whatever_it_revokes() -> None:
    consortium = Consortium(4, researchers=0, max_member_keys=3)
    registry = consortium.genesis.registry
    for number in range(3):
        registry = enrol(consortium, registry, 1, f"new {number}")
    revoke = consortium.member_body("revoke", 1, key=bytes(key("new 0").public))
    registry, _ = apply_entry(registry, consortium.entry(revoke), NEXT)
    assert registry.members["m1"].keys == 3
    with pytest.raises(InvalidEntry, match=r"m1 enrolled 3 keys, at most 3 allowed \(max_member_keys\)") as caught:
        enrol(consortium, registry, 1, "new 3")
    assert (caught.value.field, caught.value.limit) == ("body.key", 3)
    registry = enrol(consortium, registry, 2, "another's")
    raised = decide(consortium, registry, {"type": "set-parameter", "name": "max_member_keys", "value": 4})
    assert enrol(consortium, raised, 1, "new 3").members["m1"].keys == 4


def test_a_removed_member_s_keys_count_for_ever() -> None:
    consortium = Consortium(5, researchers=0)
    registry = enrol(consortium, enrol(consortium, consortium.genesis.registry, 4, "one"), 4, "two")
    registry = decide(consortium, registry, {"type": "remove-member", "id": "m4"})
    assert registry.totals == Totals(5, 2)


def test_the_shares_of_all_members_fit() -> None:
    """A member that enrolled more than a lowered parameter allows keeps what it has."""
    consortium = Consortium(4)
    share = 100_000
    registry = consortium.genesis.registry.with_parameters(Parameters(max_member_keys=share))
    check_capacity(registry)
    full = registry.with_totals(replace(registry.totals, former_keys=MAX_KEYS - 4 * share))
    check_capacity(full)
    with pytest.raises(LedgerError, match=r"500001 keys, at most 500000 allowed; lower max_member_keys"):
        check_capacity(full.with_totals(replace(full.totals, former_keys=MAX_KEYS - 4 * share + 1)))
    action = {"type": "add-member", "id": "m4", "name": "Fifth", "key": bytes(key("fifth").public)}
    assert len(decide(consortium, registry, action).members) == 5
    with pytest.raises(InvalidEntry, match="lower max_member_keys") as caught:
        apply_entry(full, consortium.entry(consortium.member_body("propose", action=action)), NEXT)
    assert (caught.value.field, caught.value.limit) == ("body.action", MAX_KEYS)
    lowered = full.with_parameters(Parameters(max_member_keys=1))
    assert len(decide(consortium, lowered, action).members) == 5
    kept = lowered.with_member(replace(lowered.members["m1"], keys=4 * share))
    with pytest.raises(InvalidEntry, match="lower max_member_keys"):
        apply_entry(kept, consortium.entry(consortium.member_body("propose", action=action)), NEXT)
    higher = {"type": "set-parameter", "name": "max_member_keys", "value": share}
    with pytest.raises(InvalidEntry, match="lower max_member_keys"):
        apply_entry(kept, consortium.entry(consortium.member_body("propose", action=higher)), NEXT)


def test_members_and_nodes_are_bounded() -> None:
    consortium = Consortium(4, max_member_keys=1)
    registry = consortium.genesis.registry
    for number in range(MAX_MEMBERS - 4):
        registry = registry.with_member(Member(f"x{number}", "X", PublicKey(digest(number)), number + 4))
    check_capacity(registry)
    action: dict[str, Any] = {"type": "add-member", "id": "m4", "name": "Fifth", "key": bytes(key("fifth").public)}
    with pytest.raises(InvalidEntry, match="257 members, at most 256 allowed; remove one first"):
        apply_entry(registry, consortium.entry(consortium.member_body("propose", action=action)), NEXT)
    nodes = [NodeRecord("m0", "observer", PublicKey(digest(number)), b"", "a:1") for number in range(MAX_NODES - 4)]
    registry = registry.with_nodes(nodes)
    check_capacity(registry)
    node = {"member": "m0", "role": "observer", "key": bytes(key("node").public), "address": "a:1"}
    action = {"type": "set-node", "node": {**node, "certificate": fake_certificate(key("node"))}}
    with pytest.raises(InvalidEntry, match="513 nodes, at most 512 allowed; remove one first"):
        apply_entry(registry, consortium.entry(consortium.member_body("propose", action=action)), NEXT)


Document = dict[str, Any]


def _members(document: Document, count: int) -> Document:
    more = [
        {"id": f"x{number}", "name": "X", "key": document["members"][0]["key"]}
        for number in range(count - len(document["members"]))
    ]
    return {**document, "members": document["members"] + more}


def _nodes(document: Document, count: int) -> Document:
    more = [
        {
            "member": "m0",
            "role": "observer",
            "key": key(f"node {number}").public.hex(),
            "certificate": base64.b64encode(fake_certificate(key(f"node {number}"))).decode(),
            "address": "host:1",
        }
        for number in range(count - len(document["nodes"]))
    ]
    return {**document, "nodes": document["nodes"] + more}


def _researchers(document: Document, count: int) -> Document:
    keys = [{"member": "m1", "key": key(f"researcher {number}").public.hex()} for number in range(count)]
    return {**document, "researchers": keys, "parameters": {"max_member_keys": 3}}


@pytest.mark.parametrize(
    ("change", "most", "reason", "field"),
    [
        (_members, 100, "505000 keys, at most 500000 allowed; lower max_member_keys", "parameters.max_member_keys"),
        (_nodes, MAX_NODES, "513 nodes, at most 512 allowed; remove one first", "nodes"),
        (_researchers, 3, "more than 3 keys of m1; raise parameters.max_member_keys", "researchers"),
    ],
)
def test_genesis_keeps_the_same_limits(
    change: Callable[[Document, int], Document], most: int, reason: str, field: str
) -> None:
    document = Consortium(4).genesis.document
    assert Genesis.from_document(change(document, most))
    with pytest.raises(InvalidGenesis, match=reason) as caught:
        Genesis.from_document(change(document, most + 1))
    assert caught.value.field == field


def test_genesis_has_a_bounded_number_of_members() -> None:
    document = {**Consortium(4).genesis.document, "parameters": {"max_member_keys": 1_000}}
    assert len(Genesis.from_document(_members(document, MAX_MEMBERS)).registry.members) == MAX_MEMBERS
    with pytest.raises(InvalidGenesis, match="257 members, at most 256 allowed; remove one first"):
        Genesis.from_document(_members(document, MAX_MEMBERS + 1))


def test_the_largest_registry_fits_a_snapshot() -> None:
    """The largest record of each kind, as often as the rules allow, beside the longest proof."""
    widest, key_ = "\U0010ffff", PublicKey(bytes(32))
    member = Member("x" * 64, widest * 255, key_, 2**53, 2**53)
    node = NodeRecord("x" * 64, "validator", key_, bytes(2048), "x" * 255, "x" * 255)
    spoken = {"member": node.member, "role": node.role, "key": bytes(32), "certificate": node.certificate}
    action = {"type": "set-node", "node": {**spoken, "address": node.address, "api": node.api}, "below_four": False}
    members = {f"{number}": replace(member, serial=2**53 - number) for number in range(100)}
    proposal = MembershipProposal("0", action, frozenset(members), Height(MAX_HEIGHT))  # type: ignore[arg-type]
    researcher = b"k" + bytes(32), canonical.encode([2**53, False])
    size = 5
    for count, record in (
        (MAX_MEMBERS, member.record),
        (MAX_NODES, node.record),
        (MAX_KEYS, researcher),
        (MAX_MEMBERS * MAX_OPEN_PROPOSALS, proposal.record(bytes(32), members)),
        (len(PARAMETER_LIMITS), max(Parameters().records(), key=lambda record: len(record[0]))),
        (1, Totals(2**53, 2**53).record),
    ):
        size += count * (len(canonical.encode([*record])) - 1)
    assert size <= MAX_REGISTRY_BYTES
    assert MAX_MEMBERS + MAX_NODES + MAX_KEYS + MAX_MEMBERS * MAX_OPEN_PROPOSALS + len(PARAMETER_LIMITS) < MAX_RECORDS
    assert MAX_REGISTRY_BYTES + MAX_RECEIPT_BYTES <= MAX_SNAPSHOT_BYTES, "the longest proof that a receipt can hold"
