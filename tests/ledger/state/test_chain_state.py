"""apply_block takes exactly the block that advance makes, and names what is wrong with any other."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
from tests.support.chains import approved
from tests.support.consortium import Consortium, digest, key

from notarium_ledger.blocks.block import Block, Header
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import MAX_TIME_MS, EntryClass
from notarium_ledger.entries.entry import Entry, decode_entry
from notarium_ledger.errors import InvalidBlock, InvalidEntry
from notarium_ledger.state.chain_state import (
    MAX_GOVERNANCE_ENTRIES,
    MAX_KEY_ENTRIES,
    ChainState,
    advance,
    apply_block,
    check_admissible,
    select_entries,
)
from notarium_ledger.types import Hash, Height, PublicKey


@pytest.fixture
def consortium() -> Consortium:
    return Consortium(4, researchers=5)


def nothing_decided(_: Hash) -> bool:
    return False


def block_of(state: ChainState, consortium: Consortium, entries: list[Entry]) -> Block:
    return consortium.decide(state, entries)[0].block


def test_what_advance_makes_apply_block_takes(consortium: Consortium) -> None:
    state = consortium.state
    for size in (1, 5, 2, 100):
        decision, transition = consortium.decide(state, consortium.entries(size))
        assert apply_block(state, decision.block, nothing_decided) == transition
        assert transition.first_index == state.frontier.size
        assert [each.id for each in transition.entries] == [value for level, _, value in transition.nodes if level == 0]
        state = transition.state
    assert state.height == 4
    assert state.frontier.size == 108


OTHER: dict[str, Any] = {
    "genesis": Hash(digest("another genesis")),
    "height": 2,
    "parent": Hash(digest("another parent")),
    "proposer": PublicKey(digest("nobody")),
    "tree_size": 4,
    "tree_root": Hash(digest("another root")),
    "validators": Hash(digest("another set")),
    "since": 2,
    "next_validators": Hash(digest("another set")),
    "state_root": Hash(digest("another registry")),
}


@pytest.mark.parametrize("name", OTHER)
def test_a_block_with_any_header_field_changed_is_rejected_by_its_name(consortium: Consortium, name: str) -> None:
    block = block_of(consortium.state, consortium, consortium.entries(3))
    wrong = Block(replace(block.header, **{name: OTHER[name]}), block.entries)
    with pytest.raises(InvalidBlock) as caught:
        apply_block(consortium.state, wrong, nothing_decided)
    assert caught.value.field == f"header.{name}"


def test_every_header_field_is_tried_above() -> None:
    free = {"time_ms"}
    assert {each.name for each in fields(Header) if each.init} == OTHER.keys() | free


def test_another_time_or_proposer_is_another_valid_block(consortium: Consortium) -> None:
    """They are the proposer's to say; that the time is timely and the turn right is judged by consensus."""
    state = consortium.state
    block = block_of(state, consortium, consortium.entries(1))
    for change in ({"time_ms": block.header.time_ms + 1}, {"proposer": consortium.validator_keys[3].public}):
        header = replace(block.header, **change)
        assert apply_block(state, Block(header, block.entries), nothing_decided).header == header


@pytest.mark.parametrize("time_ms", [0, 999, 1000, MAX_TIME_MS + 1])
def test_time_goes_forward_and_ends(consortium: Consortium, time_ms: int) -> None:
    state = consortium.decide(consortium.state, consortium.entries(1), time_ms=1000)[1].state
    with pytest.raises(InvalidBlock) as caught:
        advance(state, consortium.entries(1), time_ms, consortium.validator_keys[0].public)
    assert caught.value.field == "header.time_ms"
    assert advance(state, consortium.entries(1), 1001, consortium.validator_keys[0].public)
    assert advance(state, consortium.entries(1), MAX_TIME_MS, consortium.validator_keys[0].public)


def test_entries_are_bound_by_the_header(consortium: Consortium) -> None:
    state = consortium.state
    block = block_of(state, consortium, consortium.entries(4))
    a, b, c, d = block.entries
    for entries, field in (
        ((b, a, c, d), "header.tree_root"),
        ((a, b, c), "header.tree_size"),
        ((a, b, c, consortium.raw(consortium.body())), "header.tree_root"),
        ((), "entries"),
    ):
        with pytest.raises(InvalidBlock) as caught:
            apply_block(state, Block(block.header, entries), nothing_decided)
        assert caught.value.field == field


def test_no_entry_twice(consortium: Consortium) -> None:
    state = consortium.state
    entry = consortium.entry()
    decided, transition = consortium.decide(state, [entry])
    twice = Block(transition.header, (entry.raw, entry.raw))
    with pytest.raises(InvalidBlock, match=r"entries\[1\]: entry: is in the log already"):
        apply_block(state, twice, nothing_decided)
    again = block_of(transition.state, consortium, [entry])
    with pytest.raises(InvalidBlock, match=r"entries\[0\]: entry: is in the log already"):
        apply_block(transition.state, again, lambda id_: id_ == entry.id)
    with pytest.raises(InvalidBlock):
        apply_block(transition.state, decided.block, nothing_decided)


def test_an_entry_with_a_bad_signature_spoils_the_block(consortium: Consortium) -> None:
    good = consortium.entry()
    value: Any = canonical.decode(good.raw)
    value[3] = bytes(64)
    forged = decode_entry(canonical.encode(value))
    block = block_of(consortium.state, consortium, [consortium.entry(), forged])
    with pytest.raises(InvalidBlock) as caught:
        apply_block(consortium.state, block, nothing_decided)
    assert caught.value.field == "entries[1]"
    assert "sig" in caught.value.reason


def test_limits_are_the_consortium_s(consortium: Consortium) -> None:
    small = Consortium(1, max_block_entries=3, max_entry_bytes=1024)
    with pytest.raises(InvalidBlock, match="4 entries, 1 to 3 allowed"):
        advance(small.state, small.entries(4), 1, small.validator_keys[0].public)
    with pytest.raises(InvalidBlock, match="0 entries"):
        advance(small.state, [], 1, small.validator_keys[0].public)
    fat = small.entry(small.body(subjects=[{"digest": digest(each), "role": "x"} for each in range(30)]))
    assert len(fat.raw) > 1024
    with pytest.raises(InvalidBlock) as caught:
        advance(small.state, [small.entry(), fat], 1, small.validator_keys[0].public)
    assert caught.value.field == "entries[1]"
    with pytest.raises(InvalidEntry, match="at most 1024 allowed"):
        check_admissible(small.state, fat, 1)
    loose = Consortium(1, max_block_entries=200, max_block_bytes=65_536)
    entries = loose.entries(200)
    assert sum(len(each.raw) for each in entries) > 65_536
    with pytest.raises(InvalidBlock, match="bytes of entries, at most 65536 allowed"):
        advance(loose.state, entries, 1, loose.validator_keys[0].public)


def test_apply_block_refuses_too_many_entries_before_reading_them() -> None:
    consortium = Consortium(1, max_block_entries=3)
    header = block_of(consortium.state, consortium, consortium.entries(1)).header

    def read(_: bytes) -> Entry:
        raise AssertionError("read an entry")

    with pytest.raises(InvalidBlock, match="4 entries, 1 to 3 allowed"):
        apply_block(consortium.state, Block(header, (b"",) * 4), nothing_decided, read)


def test_select_entries_makes_a_valid_block_and_names_the_rest(consortium: Consortium) -> None:
    state = consortium.state
    good, second = consortium.entry(), consortium.entry()
    decided = consortium.entry()
    unknown = consortium.entry(consortium.body(), signer=key("stranger"))
    chosen, rejected = select_entries(state, [good, unknown, good, decided, second], lambda id_: id_ == decided.id, 1)
    assert chosen == [good, second]
    assert [(entry, error.field) for entry, error in rejected] == [
        (unknown, "key"),
        (good, "entry"),
        (decided, "entry"),
    ]
    advance(state, chosen, 1, consortium.validator_keys[0].public)


def test_select_entries_stops_at_the_block_s_limits() -> None:
    consortium = Consortium(1, max_block_entries=3)
    candidates = consortium.entries(5)
    assert select_entries(consortium.state, candidates, nothing_decided, 1) == (candidates[:3], [])
    tight = Consortium(1, max_block_bytes=65_536)
    candidates = tight.entries(300)
    chosen, _ = select_entries(tight.state, candidates, nothing_decided, 1)
    assert chosen == candidates[: len(chosen)]
    size = sum(len(each.raw) for each in chosen)
    assert size <= 65_536 < size + len(candidates[len(chosen)].raw)
    advance(tight.state, chosen, 1, tight.validator_keys[0].public)


def key_entries(consortium: Consortium, count: int) -> list[Entry]:
    bodies = [consortium.member_body("enrol", key=bytes(key(f"many {number}").public)) for number in range(count - 1)]
    revoke = consortium.member_body("revoke", key=bodies[0]["key"])
    return [consortium.entry(each) for each in (*bodies, revoke)]


def governance_entries(consortium: Consortium, count: int) -> list[Entry]:
    """Proposals of all members in turn, and at last a vote."""
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    proposals = [
        consortium.entry(consortium.member_body("propose", number % 4, action=action, note=f"{number}"))
        for number in range(count - 1)
    ]
    vote = consortium.member_body("vote", 1, proposal=bytes(proposals[0].id), approve=True)
    return [*proposals, consortium.entry(vote)]


@pytest.mark.parametrize(
    ("class_", "limit", "many", "other"),
    [
        (EntryClass.KEY, MAX_KEY_ENTRIES, key_entries, governance_entries),
        (EntryClass.GOVERNANCE, MAX_GOVERNANCE_ENTRIES, governance_entries, key_entries),
    ],
)
def test_the_work_of_a_block_is_bounded_by_class_and_the_rest_waits(
    class_: EntryClass, limit: int, many: Any, other: Any
) -> None:
    """One class at its limit takes no place of another, whatever comes first."""
    consortium = Consortium(4)
    first, plain, others = many(consortium, limit + 1), consortium.entry(), other(consortium, 3)
    chosen, rejected = select_entries(consortium.state, [*first, plain, *others], nothing_decided, 1)
    assert (chosen, rejected) == ([*first[:-1], plain, *others], [])
    proposer = consortium.validator_keys[0].public
    assert advance(consortium.state, chosen, 1, proposer)
    with pytest.raises(InvalidBlock, match=f"{limit + 1} entries of class {class_}, at most {limit} allowed") as caught:
        advance(consortium.state, first, 1, proposer)
    assert (caught.value.field, caught.value.limit) == ("entries", limit)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda club: key_entries(club, MAX_KEY_ENTRIES + 1), "193 entries of class key, at most 192 allowed"),
        (lambda club: governance_entries(club, MAX_GOVERNANCE_ENTRIES + 1), "65 entries of class governance"),
        (lambda club: club.entries(8_193), "8193 entries, 1 to 8192 allowed"),
        (lambda club: club.entries(2) * 2, "is in the log already"),
    ],
    ids=["keys", "governance", "all", "twice"],
)
def test_a_block_of_too_much_costs_no_signature(
    consortium: Consortium, monkeypatch: pytest.MonkeyPatch, make: Callable[[Consortium], list[Entry]], reason: str
) -> None:
    entries = make(consortium)
    verified: list[Entry] = []
    monkeypatch.setattr("notarium_ledger.state.chain_state.verify_signature", lambda each, _: verified.append(each))
    valid = block_of(consortium.state, consortium, consortium.entries(3))
    with pytest.raises(InvalidBlock, match=reason):
        apply_block(consortium.state, Block(valid.header, tuple(each.raw for each in entries)), nothing_decided)
    assert verified == []
    apply_block(consortium.state, valid, nothing_decided)
    assert len(verified) == 3, "otherwise the count above says nothing"


def test_a_block_says_which_records_it_writes(consortium: Consortium) -> None:
    state = consortium.state
    new = key("new").public
    enrol = consortium.entry(consortium.member_body("enrol", 1, key=bytes(new)))
    assert consortium.decide(state, consortium.entries(3))[1].registry_changes.keys() == {b"um0"}
    transition = consortium.decide(state, [enrol, consortium.entry()])[1]
    assert transition.registry_changes.keys() == {b"k" + new, b"mm1", b"um0", b"um1"}
    records = {**dict(state.registry.records()), **transition.registry_changes}
    assert sorted(records.items()) == list(transition.state.registry.records())
    assert transition.header.state_root == transition.state.registry.hash


def test_expired_proposals_go_with_the_next_block() -> None:
    consortium = Consortium(4, proposal_blocks=100)
    action = {"type": "set-parameter", "name": "max_block_entries", "value": 5}
    propose = consortium.entry(consortium.member_body("propose", action=action))
    state = consortium.decide(consortium.state, [propose])[1].state
    vote = consortium.entry(consortium.member_body("vote", 1, proposal=bytes(propose.id), approve=True))
    last = replace(state, height=Height(100))
    check_admissible(last, vote, 1)
    assert consortium.decide(last, [consortium.entry()])[1].registry_changes.keys() == {b"um0"}
    after = replace(state, height=Height(101))
    with pytest.raises(InvalidEntry, match="is not open"):
        check_admissible(after, vote, 1)
    plain = consortium.entry()
    chosen, rejected = select_entries(after, [vote, plain], nothing_decided, 1)
    assert (chosen, [entry for entry, _ in rejected]) == ([plain], [vote])
    transition = consortium.decide(after, [plain])[1]
    assert transition.registry_changes.keys() == {b"o" + propose.id, b"um0"}
    assert transition.registry_changes[b"o" + propose.id] is None
    assert transition.state.registry.proposals == {}


def test_an_entry_above_a_limit_that_was_lowered_is_no_candidate() -> None:
    small = Consortium(1, max_entry_bytes=1024)
    fat = small.entry(small.body(subjects=[{"digest": digest(each), "role": "x"} for each in range(30)]))
    good = small.entry()
    chosen, rejected = select_entries(small.state, [fat, good], nothing_decided, 1)
    assert chosen == [good]
    assert [(entry, error.field) for entry, error in rejected] == [(fat, "entry")]


def test_a_second_membership_change_waits_and_the_rest_goes_on(consortium: Consortium) -> None:
    state = consortium.state
    one = approved(consortium, 3, {"type": "set-parameter", "name": "clock_precision_ms", "value": 100})
    two = approved(consortium, 3, {"type": "set-parameter", "name": "message_delay_ms", "value": 100})
    plain = consortium.entry()
    chosen, rejected = select_entries(state, [*one, *two, plain], nothing_decided, 1)
    assert chosen == [*one, *two[:-1], plain]
    assert rejected == []
    after = advance(state, chosen, 1, consortium.validator_keys[0].public).state
    chosen, rejected = select_entries(after, [two[-1]], nothing_decided, 1)
    assert (chosen, rejected) == ([two[-1]], [])
    with pytest.raises(InvalidBlock, match="second membership change in one block"):
        advance(state, [*one, *two], 1, consortium.validator_keys[0].public)
