"""The content of blocks: what a proposer puts in, and what a validator checks."""

import asyncio
import re

import pytest
from tests.node.parts import until
from tests.support.consortium import key

from notarium_consensus.effects import CheckBlock, RequestBlock
from notarium_consensus.inputs import BlockBuilt, BlockChecked
from notarium_consensus.permission import Permission
from notarium_ledger.blocks.block import Block
from notarium_ledger.entries.entry import decode_entry, sign_entry
from notarium_ledger.errors import QuotaExceeded
from notarium_ledger.trust.chain import DecidedHeader
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height, Round
from notarium_node.driving.block_work import BlockTarget


async def test_entries_that_became_invalid_are_thrown_out_and_their_senders_told(machine):
    one = machine(1)
    late = one.consortium.entry()
    revocation = one.consortium.entry(one.consortium.member_body("revoke", key=bytes(one.consortium.researcher.public)))
    one.mempool.add(revocation)
    one.mempool.add(late)
    waiter = one.waiters.wait([late.id])
    one.driver.work_pending()
    with pytest.raises(Exception, match="revoked"):
        await asyncio.wait_for(waiter.future, 60)
    assert one.store.is_decided(revocation.id)
    assert not one.store.is_decided(late.id)
    assert len(one.mempool) == 0


class Answers:
    """Takes what BlockWork answers."""

    def __init__(self):
        self.given = []
        self.failures = []

    def feed(self, event):
        self.given.append(event)

    def fail(self, error):
        self.failures.append(error)


@pytest.fixture
def one(machine):
    """One of four validators, and a valid block of an entry that it does not have."""
    made = machine(4)
    decision, _ = made.consortium.decide(made.store.state, [made.consortium.entry()])
    return made, decision.block


async def test_a_block_whose_entries_are_not_in_the_mempool_is_checked_in_a_task(one):
    machine, block = one
    work, answers = machine.driver._block_work, Answers()
    work.check(CheckBlock(block), answers)
    assert answers.given == []
    await until(lambda: answers.given)
    assert answers.given == [BlockChecked(block.hash, True, "")]
    assert work.transition(block.hash).header == block.header


async def test_a_block_that_was_checked_is_not_checked_again_but_another_copy_is(one):
    machine, block = one
    work, answers = machine.driver._block_work, Answers()
    work.check(CheckBlock(block), answers)
    await until(lambda: answers.given)
    work.check(CheckBlock(block), answers)
    assert answers.given == [BlockChecked(block.hash, True, "")] * 2
    work.check(CheckBlock(Block(block.header, (machine.consortium.entry().raw,))), answers)
    await until(lambda: len(answers.given) == 3)
    wrong = answers.given[-1]
    assert (wrong.block_hash, wrong.valid) == (block.hash, False)
    assert wrong.reason != ""


TOO_MUCH = [
    ({"max_block_entries": 3}, lambda club: club.entries(4), "4 entries, 1 to 3 allowed"),
    ({"max_block_bytes": 65_536}, lambda club: club.entries(250), "bytes of entries, at most 65536 allowed"),
    (
        {"max_entry_bytes": 1024},
        lambda club: [club.entry(), long(club)],
        r"entries\[1\]: .* bytes, at most 1024 allowed",
    ),
    ({}, lambda club: enrolments(club, 193), "193 entries of class key, at most 192 allowed"),
    (
        {},
        lambda club: [proposal_of(club, number) for number in range(65)],
        "65 entries of class governance, at most 64",
    ),
]


@pytest.mark.parametrize(("limits", "make", "reason"), TOO_MUCH)
async def test_a_block_of_too_much_costs_no_signature(machine, limits, make, reason):
    """A liar must not make each validator verify signatures of a block that is refused without them."""
    made = machine(4, **limits)
    decision, _ = made.consortium.decide(made.store.state, [made.consortium.entry()])
    entries = make(made.consortium)
    answers = Answers()
    made.mempool.add(entries[0])  # Known or not: all of them count.
    block = Block(decision.block.header, tuple(entry.raw for entry in entries))
    made.driver._block_work.check(CheckBlock(block), answers)
    await until(lambda: answers.given)
    assert not answers.given[0].valid
    assert re.search(reason, answers.given[0].reason)
    assert made.verifier.checked == 0
    made.driver._block_work.check(CheckBlock(decision.block), answers)
    await until(lambda: len(answers.given) == 2)
    assert (answers.given[1].valid, made.verifier.checked) == (True, 1)


async def test_once_the_tip_has_moved_nothing_is_known(one):
    machine, block = one
    work, answers = machine.driver._block_work, Answers()
    work.check(CheckBlock(block), answers)
    await until(lambda: answers.given)
    work.forget()
    with pytest.raises(KeyError):
        work.transition(block.hash)


async def test_a_node_that_stops_to_sign_can_still_decide_what_it_has_checked(one):
    """The engine remembers such a block, so its effect on the state must be here, too."""
    machine, block = one
    work, answers = machine.driver._block_work, Answers()
    work.check(CheckBlock(block), answers)
    await until(lambda: answers.given)
    assert machine.driver._engine.is_voting
    machine.driver._recall._permission = Permission(regained=Height(9))
    machine.driver.feed(machine.driver._advance())
    assert not machine.driver._engine.is_voting
    assert work.transition(block.hash).header == block.header


async def test_a_block_is_built_for_the_height_after_the_tip_only(machine):
    made = machine(4)
    made.mempool.add(made.consortium.entry())
    work = made.driver._block_work
    now_ms = made.store.state.time_ms + 10
    built = work.build(RequestBlock(Height(1), Round(0), now_ms + 5), now_ms)
    assert built.block is not None
    assert built.block.header.time_ms == now_ms + 5, "not before the earliest time"
    assert built.block.header.proposer == made.key.public
    assert work.build(RequestBlock(Height(2), Round(0), now_ms), now_ms) == BlockBuilt(Height(2), Round(0), None)


def proposal_of(consortium, number=0):
    action = {"type": "set-parameter", "name": "max_entry_bytes", "value": 2000 + number}
    return consortium.entry(consortium.member_body("propose", action=action))


def enrolments(consortium, count):
    bodies = [consortium.member_body("enrol", number % 4, key=key(f"x{number}").public) for number in range(count)]
    return [consortium.entry(body) for body in bodies]


def long(consortium):
    return consortium.entry(consortium.body(subjects=[{"digest": bytes(32), "role": "x"}] * 30))


async def test_enrolments_of_flooding_members_leave_room_in_a_block(machine):
    made = machine(4)
    made.driver._block_work.target = BlockTarget(1000, 1 << 20)
    club = made.consortium
    flood = enrolments(club, 196)
    research, proposal = [club.entry() for _ in range(10)], proposal_of(club)
    for entry in (*flood, *research, proposal):
        made.mempool.add(entry)
    now_ms = made.store.state.time_ms + 10
    built = made.driver._block_work.build(RequestBlock(Height(1), Round(0), now_ms), now_ms)
    assert built.block.entries == tuple(entry.raw for entry in (*flood[:192], *research, proposal))


async def test_a_block_is_cut_where_the_consortium_says_and_still_has_each_class(machine):
    made = machine(4, max_block_entries=4)
    club = made.consortium
    research, proposal = [club.entry() for _ in range(10)], proposal_of(club)
    for entry in (*research, proposal):
        made.mempool.add(entry)
    now_ms = made.store.state.time_ms + 10
    built = made.driver._block_work.build(RequestBlock(Height(1), Round(0), now_ms), now_ms)
    assert built.block.entries == tuple(entry.raw for entry in (*research[:3], proposal))


async def test_a_defect_in_a_check_is_reported(one, monkeypatch):
    machine, block = one
    work, answers = machine.driver._block_work, Answers()
    monkeypatch.setattr(machine.store, "is_decided", lambda id_: 1 / 0)
    work.check(CheckBlock(block), answers)
    await until(lambda: answers.failures)
    assert type(answers.failures[0]) is ZeroDivisionError
    assert answers.given == []


async def test_what_the_tip_made_invalid_is_removed_up_to_the_first_valid_entry_of_each_class(machine):
    """A valid entry makes a block due, and what is behind it comes to the front when it is decided."""
    made = machine(4, max_member_keys=2)
    club = made.consortium
    body = club.member_body("revoke", key=bytes(club.researcher.public))
    decision, transition = club.decide(made.store.state, [club.entry(body), *enrolments(club, 1)])
    stale, proposal = [club.entry(), *enrolments(club, 5)[4:], club.entry()], proposal_of(club)
    for entry in (*stale, proposal):
        made.mempool.add(entry)
    waiter = made.waiters.wait([stale[0].id])
    made.driver.take([(decision, transition)])
    assert made.mempool.oldest(10) == [proposal]
    with pytest.raises(Exception, match="revoked"):
        await waiter.future


async def test_nothing_is_removed_while_blocks_are_missing_in_which_it_may_have_been_decided(machine):
    made = machine(4)
    club = made.consortium
    [enrolment] = enrolments(club, 1)
    made.mempool.add(enrolment)
    waiter = made.waiters.wait([enrolment.id])
    parts = [club.decide(made.store.state, [enrolment])]
    for _ in range(3):
        parts.append(club.decide(parts[-1][1].state, [club.entry()]))
    decision, transition = parts[-1]
    snapshot = Snapshot.of(transition.state, DecidedHeader(decision.block.header, decision.certificate, ()))
    assert made.driver.adopt(snapshot)
    assert not waiter.future.done()
    assert made.driver.backfill(parts)
    await waiter.future
    assert made.store.is_decided(enrolment.id)


async def test_a_block_is_built_of_valid_entries_also_behind_many_invalid_ones(machine):
    """If it were not, the engine would believe that nothing waits."""
    made = machine(4)
    club = made.consortium
    made.driver._block_work.target = BlockTarget(1, 1 << 20)
    other = key("other")
    bodies = [
        club.member_body("revoke", key=bytes(club.researcher.public)),
        club.member_body("enrol", key=bytes(other.public)),
    ]
    stale = [club.entry() for _ in range(23)]
    valid = decode_entry(sign_entry(other, club.genesis.hash, stale[0].body))
    decision, transition = club.decide(made.store.state, [club.entry(body) for body in bodies])
    made.driver.take([(decision, transition)])
    for entry in (*stale, valid):
        made.mempool.add(entry)
    now_ms = made.store.state.time_ms + 10
    built = made.driver._block_work.build(RequestBlock(Height(2), Round(0), now_ms), now_ms)
    assert built.block.entries == (valid.raw,)
    assert len(made.mempool) == 23, "the keys take turns"


async def test_what_is_above_a_day_only_with_a_block_that_is_not_decided_waits(machine):
    """Another proposer's block may hold it, so its sender must not hear yet that it is refused."""
    made = machine(4, max_member_day_entries=2)
    entries = [made.consortium.entry() for _ in range(4)]
    for entry in entries:
        made.mempool.add(entry)
    waiter = made.waiters.wait([entry.id for entry in entries])
    now_ms = made.store.state.time_ms + 10
    built = made.driver._block_work.build(RequestBlock(Height(1), Round(0), now_ms), now_ms)
    assert built.block.entries == tuple(entry.raw for entry in entries[:2])
    assert (len(made.mempool), waiter.future.done()) == (4, False)
    made.driver._clock = lambda: now_ms + 10
    decided = made.consortium.decide(made.store.state, entries[2:])
    made.driver.take([decided])
    assert len(made.mempool) == 0
    with pytest.raises(QuotaExceeded):
        await waiter.future
