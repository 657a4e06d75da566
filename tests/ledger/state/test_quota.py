"""What a member may write in a day is a rule for blocks: no proposer can let it write more."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.consortium import START_MS, Consortium, key

from notarium_ledger.blocks.block import Block
from notarium_ledger.entries.entry import Entry
from notarium_ledger.errors import InvalidBlock, LedgerError, QuotaExceeded
from notarium_ledger.state.chain_state import ChainState, advance, apply_block, check_admissible, select_entries
from notarium_ledger.state.quota import DAY_MS, Tally, check_quota, day_of
from notarium_ledger.state.records import DayUse
from notarium_ledger.state.registry import Registry

DAY = day_of(START_MS)
MIDNIGHT_MS = (DAY + 1) * DAY_MS
FEW = Consortium(4, researchers=2, max_member_day_entries=5, max_member_day_statements=100)
"""The researchers' keys are m0's and m1's."""


def entries(number: int, member: int = 0) -> list[Entry]:
    return [FEW.entry(FEW.body(issuer=f"m{member}"), FEW.researcher_keys[member]) for _ in range(number)]


def after(state: ChainState, of: list[Entry], time_ms: int) -> ChainState:
    return advance(state, of, time_ms, FEW.validator_keys[0].public).state


def test_a_day_ends_at_midnight_utc():
    assert (day_of(MIDNIGHT_MS - 1), day_of(MIDNIGHT_MS)) == (DAY, DAY + 1)
    assert (day_of(0), DAY_MS) == (0, 24 * 60 * 60 * 1000)


def test_a_block_counts_what_each_member_writes():
    enrol = FEW.entry(FEW.member_body("enrol", 1, key=bytes(key("new").public)))
    mine = entries(2)
    state = after(FEW.state, [*mine, *entries(1, 1), enrol], START_MS)
    assert state.registry.uses == {
        "m0": DayUse(DAY, 2, sum(len(each.raw) for each in mine), 0),
        "m1": DayUse(DAY, 1, state.registry.uses["m1"].size, 1),
    }
    state = after(state, entries(3), START_MS + 1)
    assert state.registry.uses["m0"].entries == 5
    assert Registry.decode(state.registry.encode()).uses == state.registry.uses


def test_no_block_holds_more_than_a_member_may_write_in_a_day():
    state = after(FEW.state, entries(4), START_MS)
    with pytest.raises(InvalidBlock, match=r"entries\[1\].*m0 may write 5 entries a day") as got:
        after(state, entries(2), START_MS + 1)
    assert got.value.limit == 5
    after(state, [*entries(1), *entries(4, 1)], START_MS + 1)


def test_a_refusal_says_what_is_written_and_what_comes_before():
    state = after(FEW.state, entries(3), START_MS)
    with pytest.raises(InvalidBlock) as got:
        after(state, entries(3), START_MS + 1)
    said = str(got.value)
    assert "has written 3, and 2 come before this one; write fewer at once, or after midnight UTC" in said
    with pytest.raises(QuotaExceeded, match="has written 5; write after midnight UTC"):
        check_quota(after(state, entries(2), START_MS + 1).registry, entries(1)[0], START_MS + 2)


def test_a_validator_refuses_the_block_of_a_proposer_that_does_not_count(monkeypatch):
    state = after(FEW.state, entries(4), START_MS)
    with monkeypatch.context() as generous:
        generous.setattr(Tally, "_check", lambda *_: None)
        made = advance(state, entries(2), START_MS + 1, FEW.validator_keys[0].public)
    block = Block(made.header, tuple(each.raw for each in made.entries))
    with pytest.raises(InvalidBlock, match="m0 may write 5 entries a day"):
        apply_block(state, block, lambda _: False)


def test_bytes_count_as_well():
    consortium = Consortium(4, max_member_day_bytes=65_536, max_entry_bytes=65_535)
    large = [consortium.entry(consortium.body()) for _ in range(400)]
    chosen, rejected = select_entries(consortium.state, large, lambda _: False, START_MS)
    assert 0 < sum(len(each.raw) for each in chosen) <= 65_536
    assert rejected == [], "the block may not be decided, so what is behind them waits"
    state = after(consortium.state, chosen, START_MS)
    chosen, rejected = select_entries(state, large[len(chosen) :], lambda _: False, START_MS + 1)
    assert chosen == []
    assert "bytes a day (max_member_day_bytes)" in str(rejected[0][1])


def test_the_next_day_begins_with_nothing_written():
    state = after(FEW.state, entries(5), MIDNIGHT_MS - 1)
    with pytest.raises(QuotaExceeded) as caught:
        check_admissible(state, entries(1)[0], MIDNIGHT_MS - 1)
    assert (caught.value.until_ms, caught.value.field) == (MIDNIGHT_MS, "body.issuer")
    check_admissible(state, entries(1)[0], MIDNIGHT_MS)
    assert after(state, entries(5), MIDNIGHT_MS).registry.uses["m0"].day == DAY + 1


def test_a_clock_behind_the_last_block_brings_no_day_back():
    state = after(FEW.state, entries(5), MIDNIGHT_MS)
    with pytest.raises(QuotaExceeded):
        check_admissible(state, entries(1)[0], MIDNIGHT_MS - 5_000)


def test_researchers_cannot_use_up_what_their_member_signs_itself():
    """Above all the statement that revokes the key which floods."""
    state = after(FEW.state, entries(5), START_MS)
    revoke = FEW.entry(FEW.member_body("revoke", 0, key=bytes(FEW.researcher.public)))
    check_admissible(state, revoke, START_MS)
    assert after(state, [revoke], START_MS + 1).registry.uses["m0"].statements == 1


def test_a_quota_lowered_below_what_is_written_stops_what_it_counts_and_nothing_else():
    """Otherwise a member could not revoke the key that made the others lower it."""
    state = after(FEW.state, entries(5), START_MS)
    lowered = replace(state.registry.parameters, max_member_day_entries=1)
    state = replace(state, registry=state.registry.with_parameters(lowered).settled())
    with pytest.raises(InvalidBlock, match=r"m0 may write 1 entries a day.*has written 5"):
        after(state, entries(1), START_MS + 1)
    revoke = FEW.entry(FEW.member_body("revoke", 0, key=bytes(FEW.researcher.public)))
    assert after(state, [revoke], START_MS + 1).registry.uses["m0"] == replace(state.registry.uses["m0"], statements=1)


def test_what_a_member_signs_itself_has_its_own_quota():
    full = FEW.state.registry.with_uses({"m0": DayUse(DAY, statements=100)}).settled()
    state = replace(FEW.state, registry=full)
    revoke = FEW.entry(FEW.member_body("revoke", 0, key=bytes(FEW.researcher.public)))
    with pytest.raises(QuotaExceeded, match="max_member_day_statements") as caught:
        check_admissible(state, revoke, START_MS)
    assert caught.value.field == "body.member"
    check_admissible(state, entries(1)[0], START_MS)


def test_nothing_is_kept_of_a_member_that_was_removed():
    state = after(FEW.state, entries(1), START_MS)
    assert "m0" not in state.registry.without_member("m0").settled().uses
    with pytest.raises(LedgerError, match="a record of use of no member"):
        Registry.of_records([*FEW.state.registry.records(), DayUse(DAY, 1).record("nobody")])


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 4), st.sampled_from([1, 1_000, DAY_MS // 2, DAY_MS])), max_size=12
    )
)
def test_whatever_is_submitted_each_chosen_block_is_valid_and_no_day_holds_more(steps):
    state, time_ms = FEW.state, START_MS
    written: dict[tuple[int, int], int] = {}
    for member, number, passes_ms in steps:
        time_ms += passes_ms
        candidates = entries(number, member)
        chosen, rejected = select_entries(state, candidates, lambda _: False, time_ms)
        assert len(rejected) == (0 if chosen else number), "what waits behind no block would wait without end"
        if not chosen:
            continue
        made = advance(state, chosen, time_ms, FEW.validator_keys[0].public)
        block = Block(made.header, tuple(each.raw for each in chosen))
        state = apply_block(state, block, lambda _: False).state
        of_day = (member, day_of(time_ms))
        written[of_day] = written.get(of_day, 0) + len(chosen)
        assert written[of_day] <= 5
        assert len(chosen) == number or written[of_day] == 5
