"""The oracle of who may write what, and that of content, each shown to fire."""

from __future__ import annotations

from typing import Any

import pytest
from tests.simulation.oracles import formats
from tests.simulation.oracles.authority import GOVERNANCE_ENTRIES, KEY_ENTRIES, Forbidden, Rights
from tests.support.consortium import Consortium, key

from notarium_ledger.log.hashes import leaf_hash

FIRST, SECOND = (bytes(key(f"enrolled {number}").public) for number in range(2))


@pytest.fixture
def consortium() -> Consortium:
    return Consortium(5, max_member_keys=3)


@pytest.fixture
def rights(consortium: Consortium) -> Rights:
    return Rights.of_records(dict(consortium.genesis.registry.records()))


def enrol(consortium: Consortium, public: bytes, member: int = 0) -> bytes:
    return consortium.raw(consortium.member_body("enrol", member, key=public))


def propose(consortium: Consortium, action: dict[str, Any], member: int = 0) -> bytes:
    return consortium.raw(consortium.member_body("propose", member, action=action))


def votes(consortium: Consortium, proposal: bytes, members: list[int], approve: bool = True) -> list[bytes]:
    fields = {"proposal": bytes(leaf_hash(proposal)), "approve": approve}
    return [consortium.raw(consortium.member_body("vote", member, **fields)) for member in members]


def parameter(name: str, value: int) -> dict[str, Any]:
    return {"type": "set-parameter", "name": name, "value": value}


def removal(consortium: Consortium, member: int, **more: Any) -> dict[str, Any]:
    return {"type": "remove-node", "key": bytes(consortium.validator_keys[member].public), **more}


def test_the_root_by_its_definition_is_that_of_genesis(consortium, rights):
    assert rights.root == consortium.genesis.registry.hash


def test_a_quiet_block_changes_nothing(consortium, rights):
    assert rights.after(1, [consortium.raw(consortium.body())]) is rights


@pytest.mark.parametrize("height", [1, 7])
def test_who_is_not_enrolled_writes_nothing(consortium, rights, height):
    raw = consortium.raw(consortium.body(), key("stranger"))
    with pytest.raises(Forbidden, match="never enrolled"):
        rights.after(height, [raw])


def test_a_key_writes_from_its_enrolment_to_its_revocation(consortium, rights):
    signer = key("enrolled 0")
    entry = consortium.raw(consortium.body(issuer="m1"), signer)
    revoke = consortium.raw(consortium.member_body("revoke", 1, key=FIRST))
    after = rights.after(1, [enrol(consortium, FIRST, 1), entry])
    with pytest.raises(Forbidden, match="revoked"):
        after.after(2, [revoke, entry])
    with pytest.raises(Forbidden, match="is or was enrolled"):
        after.after(2, [revoke, enrol(consortium, FIRST, 1)])


def test_a_key_writes_for_its_own_member_only(consortium, rights):
    after = rights.after(1, [enrol(consortium, FIRST, 1)])
    with pytest.raises(Forbidden, match="not enrolled for m0"):
        after.after(2, [consortium.raw(consortium.body(), key("enrolled 0"))])


def test_a_member_has_so_many_keys_and_no_more(consortium, rights):
    two = [enrol(consortium, each) for each in (FIRST, SECOND)]  # a third is in genesis
    after = rights.after(1, two)
    with pytest.raises(Forbidden, match="has enrolled 3 keys, 3 allowed"):
        after.after(2, [enrol(consortium, bytes(key("one more").public))])


@pytest.mark.parametrize(("most", "kind"), [(KEY_ENTRIES, "revoke"), (GOVERNANCE_ENTRIES, "vote")])
def test_the_work_of_a_block_is_bounded(consortium, rights, most, kind):
    fields: dict[str, Any] = {"key": FIRST} if kind == "revoke" else {"proposal": bytes(32), "approve": True}
    raws = [consortium.raw(consortium.member_body(kind, 0, **fields)) for _ in range(most + 1)]
    with pytest.raises(Forbidden, match=f"{most + 1} of its entries"):
        rights.after(1, raws)
    with pytest.raises(Forbidden, match=r"not another member's|not open|another member's"):
        rights.after(1, raws[:most])


def test_a_proposal_expires(consortium, rights):
    soon = rights.after(1, [made := propose(consortium, parameter("proposal_blocks", 100))])
    soon = soon.after(2, votes(consortium, made, [1, 2, 3]))
    opened = soon.after(3, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    opened.after(103, votes(consortium, made, [1]))
    with pytest.raises(Forbidden, match="not open"):
        opened.after(104, votes(consortium, made, [1]))


def test_approvals_lapse_with_the_set_in_which_they_were_given(consortium, rights):
    opened = rights.after(1, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    opened = opened.after(2, [other := propose(consortium, removal(consortium, 4))])
    changed = opened.after(3, votes(consortium, other, [1, 2, 3]))
    assert len(changed.validators) == 4
    with pytest.raises(Forbidden, match="lapsed"):
        changed.after(4, votes(consortium, made, [1]))


def test_fewer_than_four_need_a_word_and_one_vote_more():
    consortium = Consortium(4)
    rights = Rights.of_records(dict(consortium.genesis.registry.records()))
    with pytest.raises(Forbidden, match="3 validators are left"):
        rights.after(1, [propose(consortium, removal(consortium, 3))])
    opened = rights.after(1, [made := propose(consortium, removal(consortium, 3, below_four=True))])
    by_three = opened.after(2, votes(consortium, made, [1, 2]))
    assert len(by_three.validators) == 4
    assert len(by_three.after(3, votes(consortium, made, [3])).validators) == 3


def test_who_has_no_validator_has_no_vote(consortium, rights):
    opened = rights.after(1, [made := propose(consortium, removal(consortium, 4))])
    changed = opened.after(2, votes(consortium, made, [1, 2, 3]))
    opened = changed.after(3, [made := propose(consortium, parameter("max_entry_bytes", 9_000), 4)])
    with pytest.raises(Forbidden, match="m4 has no validator"):
        opened.after(4, votes(consortium, made, [4]))


def test_only_the_proposer_withdraws(consortium, rights):
    opened = rights.after(1, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    approved = opened.after(2, votes(consortium, made, [1]))
    assert approved.after(3, votes(consortium, made, [1], approve=False)).motions == opened.motions
    assert not opened.after(2, votes(consortium, made, [0], approve=False)).motions


def test_one_membership_change_in_a_block(consortium, rights):
    made = [propose(consortium, parameter("max_entry_bytes", 9_000 + number)) for number in range(2)]
    opened = rights.after(1, made)
    with pytest.raises(Forbidden, match="second membership change"):
        opened.after(2, [raw for each in made for raw in votes(consortium, each, [1, 2, 3])])


def test_the_keys_of_a_member_that_was_removed_write_no_more_though_it_comes_back(consortium, rights):
    guest, admin = key("enrolled 0"), key("guest")
    joins = {"type": "add-member", "id": "guest", "name": "G", "key": bytes(admin.public)}
    entry = consortium.raw(consortium.body(issuer="guest"), guest)
    enrols = consortium.raw({"v": 1, "kind": "enrol", "member": "guest", "key": FIRST}, admin)
    height = 1
    for action in (joins, {"type": "remove-member", "id": "guest"}, joins):
        rights = rights.after(height, [made := propose(consortium, {**action}, height % 5)])
        rights = rights.after(
            height + 1, votes(consortium, made, [each for each in range(5) if each != height % 5][:3])
        )
        if height == 1:
            rights = rights.after(height + 2, [enrols, entry])
        else:
            with pytest.raises(Forbidden, match="not enrolled for guest"):
                rights.after(height + 2, [entry])
        height += 3
    assert rights.added == 7
    assert rights.former_keys == 1


def test_a_set_hash_follows_from_the_rights(consortium, rights):
    assert formats.set_hash(rights.validators) == consortium.genesis.registry.validators.hash


@pytest.mark.parametrize(("member", "approve"), [(0, True), (1, False)])
def test_a_vote_that_changes_nothing_is_in_no_block(consortium, rights, member, approve):
    opened = rights.after(1, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    with pytest.raises(Forbidden, match="changes nothing"):
        opened.after(2, votes(consortium, made, [member], approve))
