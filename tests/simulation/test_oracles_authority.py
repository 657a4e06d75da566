"""The oracle of who may write what, and that of content, each shown to fire."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.simulation.oracle_replay import violation
from tests.simulation.oracles import formats, sodium_verify
from tests.simulation.oracles.authority import GOVERNANCE_ENTRIES, KEY_ENTRIES, Forbidden, Rights
from tests.simulation.oracles.chain import Chain, Timing
from tests.simulation.oracles.content import Content
from tests.simulation.oracles.oracles import RECORD_BLOCKS, RECORD_BYTES
from tests.simulation.oracles.signatures import Signatures
from tests.support.consortium import START_MS, Consortium, key

from notarium_ledger.encoding import canonical
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


def test_a_quiet_block_changes_what_was_written_that_day_and_nothing_else(consortium, rights):
    after = rights.after(1, START_MS, [consortium.raw(consortium.body())])
    assert [name for name, _ in set(after.records()) ^ set(rights.records())] == [b"um0"]


def test_a_member_writes_its_quota_each_day(consortium):
    consortium = Consortium(4, max_member_day_entries=2)
    rights = Rights.of_records(dict(consortium.genesis.registry.records()))
    raws = [consortium.raw(consortium.body()) for _ in range(3)]
    with pytest.raises(Forbidden, match="m0 writes 3 entries on day 20370, 2 allowed"):
        rights.after(1, START_MS, raws)
    after = rights.after(1, START_MS, raws[:1]).after(2, START_MS + 1, raws[1:2])
    with pytest.raises(Forbidden, match="m0 writes 3 entries"):
        after.after(3, START_MS + 2, raws[2:])
    after.after(3, START_MS + 86_400_000, raws[1:])
    after.after(3, START_MS + 2, [enrol(consortium, FIRST, 0)])


def test_a_lowered_quota_stops_what_it_counts_and_nothing_else(consortium, rights):
    raws = [consortium.raw(consortium.body()) for _ in range(3)]
    lowered = replace(
        rights.after(1, START_MS, raws[:2]), parameters={**rights.parameters, "max_member_day_entries": 1}
    )
    with pytest.raises(Forbidden, match="m0 writes 3 entries on day 20370, 1 allowed"):
        lowered.after(2, START_MS + 1, raws[2:])
    lowered.after(2, START_MS + 1, [enrol(consortium, FIRST, 0)])


def test_a_day_has_room_for_what_a_block_may_hold(consortium):
    consortium = Consortium(4, max_member_day_entries=2)
    rights = Rights.of_records(dict(consortium.genesis.registry.records()))
    raws = [consortium.raw(consortium.body()) for _ in range(3)]
    after = rights.after(1, START_MS, raws[:1])
    assert after.has_room(START_MS, raws[1])
    assert len(after.written) == 1
    full = after.after(2, START_MS + 1, raws[1:2])
    assert not full.has_room(START_MS + 1, raws[2])
    assert full.has_room(START_MS + 1, enrol(consortium, FIRST, 0))
    assert full.has_room(START_MS + 86_400_000, raws[2])


@pytest.mark.parametrize("height", [1, 7])
def test_who_is_not_enrolled_writes_nothing(consortium, rights, height):
    raw = consortium.raw(consortium.body(), key("stranger"))
    with pytest.raises(Forbidden, match="never enrolled"):
        rights.after(height, START_MS, [raw])


def test_a_key_writes_from_its_enrolment_to_its_revocation(consortium, rights):
    signer = key("enrolled 0")
    entry = consortium.raw(consortium.body(issuer="m1"), signer)
    revoke = consortium.raw(consortium.member_body("revoke", 1, key=FIRST))
    after = rights.after(1, START_MS, [enrol(consortium, FIRST, 1), entry])
    with pytest.raises(Forbidden, match="revoked"):
        after.after(2, START_MS, [revoke, entry])
    with pytest.raises(Forbidden, match="is or was enrolled"):
        after.after(2, START_MS, [revoke, enrol(consortium, FIRST, 1)])


def test_a_key_writes_for_its_own_member_only(consortium, rights):
    after = rights.after(1, START_MS, [enrol(consortium, FIRST, 1)])
    with pytest.raises(Forbidden, match="not enrolled for m0"):
        after.after(2, START_MS, [consortium.raw(consortium.body(), key("enrolled 0"))])


def test_a_member_has_so_many_keys_and_no_more(consortium, rights):
    two = [enrol(consortium, each) for each in (FIRST, SECOND)]  # a third is in genesis
    after = rights.after(1, START_MS, two)
    with pytest.raises(Forbidden, match="has enrolled 3 keys, 3 allowed"):
        after.after(2, START_MS, [enrol(consortium, bytes(key("one more").public))])


@pytest.mark.parametrize(("most", "kind"), [(KEY_ENTRIES, "revoke"), (GOVERNANCE_ENTRIES, "vote")])
def test_the_work_of_a_block_is_bounded(consortium, rights, most, kind):
    fields: dict[str, Any] = {"key": FIRST} if kind == "revoke" else {"proposal": bytes(32), "approve": True}
    raws = [consortium.raw(consortium.member_body(kind, 0, **fields)) for _ in range(most + 1)]
    with pytest.raises(Forbidden, match=f"{most + 1} of its entries"):
        rights.after(1, START_MS, raws)
    with pytest.raises(Forbidden, match=r"not another member's|not open|another member's"):
        rights.after(1, START_MS, raws[:most])


def test_a_proposal_expires(consortium, rights):
    soon = rights.after(1, START_MS, [made := propose(consortium, parameter("proposal_blocks", 100))])
    soon = soon.after(2, START_MS, votes(consortium, made, [1, 2, 3]))
    opened = soon.after(3, START_MS, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    opened.after(103, START_MS, votes(consortium, made, [1]))
    with pytest.raises(Forbidden, match="not open"):
        opened.after(104, START_MS, votes(consortium, made, [1]))


def test_approvals_lapse_with_the_set_in_which_they_were_given(consortium, rights):
    opened = rights.after(1, START_MS, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    opened = opened.after(2, START_MS, [other := propose(consortium, removal(consortium, 4))])
    changed = opened.after(3, START_MS, votes(consortium, other, [1, 2, 3]))
    assert len(changed.validators) == 4
    with pytest.raises(Forbidden, match="lapsed"):
        changed.after(4, START_MS, votes(consortium, made, [1]))


def test_fewer_than_four_need_a_word_and_one_vote_more():
    consortium = Consortium(4)
    rights = Rights.of_records(dict(consortium.genesis.registry.records()))
    with pytest.raises(Forbidden, match="3 validators are left"):
        rights.after(1, START_MS, [propose(consortium, removal(consortium, 3))])
    opened = rights.after(1, START_MS, [made := propose(consortium, removal(consortium, 3, below_four=True))])
    by_three = opened.after(2, START_MS, votes(consortium, made, [1, 2]))
    assert len(by_three.validators) == 4
    assert len(by_three.after(3, START_MS, votes(consortium, made, [3])).validators) == 3


def test_who_has_no_validator_has_no_vote(consortium, rights):
    opened = rights.after(1, START_MS, [made := propose(consortium, removal(consortium, 4))])
    changed = opened.after(2, START_MS, votes(consortium, made, [1, 2, 3]))
    opened = changed.after(3, START_MS, [made := propose(consortium, parameter("max_entry_bytes", 9_000), 4)])
    with pytest.raises(Forbidden, match="m4 has no validator"):
        opened.after(4, START_MS, votes(consortium, made, [4]))


def test_only_the_proposer_withdraws(consortium, rights):
    opened = rights.after(1, START_MS, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    approved = opened.after(2, START_MS, votes(consortium, made, [1]))
    assert approved.after(3, START_MS, votes(consortium, made, [1], approve=False)).motions == opened.motions
    assert not opened.after(2, START_MS, votes(consortium, made, [0], approve=False)).motions


def test_one_membership_change_in_a_block(consortium, rights):
    made = [propose(consortium, parameter("max_entry_bytes", 9_000 + number)) for number in range(2)]
    opened = rights.after(1, START_MS, made)
    with pytest.raises(Forbidden, match="second membership change"):
        opened.after(2, START_MS, [raw for each in made for raw in votes(consortium, each, [1, 2, 3])])


def test_the_keys_of_a_member_that_was_removed_write_no_more_though_it_comes_back(consortium, rights):
    guest, admin = key("enrolled 0"), key("guest")
    joins = {"type": "add-member", "id": "guest", "name": "G", "key": bytes(admin.public)}
    entry = consortium.raw(consortium.body(issuer="guest"), guest)
    enrols = consortium.raw({"v": 1, "kind": "enrol", "member": "guest", "key": FIRST}, admin)
    height = 1
    for action in (joins, {"type": "remove-member", "id": "guest"}, joins):
        rights = rights.after(height, START_MS, [made := propose(consortium, {**action}, height % 5)])
        rights = rights.after(
            height + 1, START_MS, votes(consortium, made, [each for each in range(5) if each != height % 5][:3])
        )
        if height == 1:
            rights = rights.after(height + 2, START_MS, [enrols, entry])
        else:
            with pytest.raises(Forbidden, match="not enrolled for guest"):
                rights.after(height + 2, START_MS, [entry])
        height += 3
    assert rights.added == 7
    assert rights.former_keys == 1


def test_a_set_hash_follows_from_the_rights(consortium, rights):
    assert formats.set_hash(rights.validators) == consortium.genesis.registry.validators.hash


def test_a_loss_that_is_noticed_excuses_nothing(replay):
    honest = bytes(replay.keys[1].public)
    replay.until_sent(1, 2)
    replay.until("submitted")
    replay.oracles.rolled_back(1, {}, is_noticed=True)
    with violation("false report"):
        replay.oracles.accused(0, honest, True)
    replay.oracles.rolled_back(1, {})  # nothing was left to lose
    with violation("false report"):
        replay.oracles.accused(0, honest, True)


def test_the_consensus_record_of_a_height_is_bounded(replay):
    replay.until_sent(1, 2)
    part = bytes(RECORD_BYTES // 4)
    name = b"c" + (1).to_bytes(8, "big")
    limit = (RECORD_BYTES + RECORD_BLOCKS * len(part)) // len(part)
    for number in range(limit):
        replay.oracles.wrote(0, [(name + bytes((number, 99)), part)])
    with violation("memory", "consensus record"):
        replay.oracles.wrote(0, [(name + bytes((limit, 99)), part)])


@pytest.fixture
def content(consortium: Consortium, rights: Rights) -> tuple[Content, Chain]:
    genesis = consortium.genesis
    members = [(each.member, bytes(each.key)) for each in genesis.registry.validators.validators]
    signatures = Signatures(bytes(genesis.hash), sodium_verify)
    timing = Timing(500, 2_000, 10_000)
    root = bytes(genesis.registry.hash)
    chain = Chain(bytes(genesis.hash), members, 0, signatures, timing, state_root=root, rights=rights)
    return Content(chain), chain


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"state_root": bytes(32)}, "another state root"),
        ({"next_validators": bytes(32)}, "another validator set"),
        ({"tree_root": bytes(32)}, "another tree"),
    ],
)
def test_content_is_judged_by_what_follows_from_it(consortium, content, change, reason):
    judge, chain = content
    entry = consortium.entry()
    chain.submitted(entry.raw, None)
    decision, _ = consortium.decide(consortium.state, [entry])
    raw = canonical.encode(decision.block.to_value())
    header, entries = formats.read_block(formats.decode(raw))
    judge.heard(replace(header, **change), entries)
    fault = judge.fault(1, header.hash)
    assert (fault is None) if reason is None else (reason in str(fault))


def test_content_that_nobody_sent_or_submitted_and_doubled_entries_are_not_valid(consortium, content):
    judge, chain = content
    entry = consortium.entry()
    decision, _ = consortium.decide(consortium.state, [entry])
    header, entries = formats.read_block(formats.decode(canonical.encode(decision.block.to_value())))
    assert "nobody has sent" in str(judge.fault(1, header.hash))
    judge.heard(header, entries)
    assert "nobody has submitted" in str(judge.fault(1, header.hash))
    judge.heard(header, (*entries, *entries))
    assert "in it twice" in str(judge.fault(1, header.hash))
    chain.submitted(entry.raw, None)
    assert judge.fault(1, header.hash) is None  # one of the copies is the good one


@pytest.mark.parametrize(("member", "approve"), [(0, True), (1, False)])
def test_a_vote_that_changes_nothing_is_in_no_block(consortium, rights, member, approve):
    opened = rights.after(1, START_MS, [made := propose(consortium, parameter("max_entry_bytes", 9_000))])
    with pytest.raises(Forbidden, match="changes nothing"):
        opened.after(2, START_MS, votes(consortium, made, [member], approve))
