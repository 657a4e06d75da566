"""The runner: persist before send, silence while the disk refuses writes, and recovery by itself."""

import asyncio

import pytest
from tests.node.driving.machine import Machine

from notarium_consensus.effects import RoundTimer
from notarium_consensus.events import EquivocationDetected
from notarium_consensus.inputs import MessageReceived, TimerExpired
from notarium_consensus.messages import Proposal
from notarium_consensus.permission import MEMORY_KEY
from notarium_ledger.blocks.statements import StatementKind, Vote
from notarium_ledger.types import Hash, Height, Round
from notarium_node.driving.driver import GOSSIP_AGAIN_BYTES
from notarium_node.entries.gossip import Gossip
from notarium_store.database import Database
from notarium_store.errors import StoreError


async def test_alone_a_validator_decides_at_once_and_tells_who_waits(machine):
    one = machine(1)
    entry = one.consortium.entry()
    waiter = one.waiters.wait([entry.id])
    one.mempool.add(entry)
    one.driver.work_pending()
    await asyncio.wait_for(waiter.future, 60)
    assert waiter.receipts[entry.id].entry == entry.raw
    assert (one.store.state.height, one.decisions, len(one.mempool)) == (1, [1], 0)


async def test_a_quorum_of_votes_decides(machine):
    one = machine(4)
    entry = one.submit()
    proposal = one.said()[0]
    assert isinstance(proposal, Proposal)
    assert proposal.block.entries == (entry.raw,)
    one.hear(*(one.vote(each, StatementKind.PREPARE, proposal.block.hash) for each in one.others[:2]))
    assert one.store.state.height == 0
    one.hear(*(one.vote(each, StatementKind.COMMIT, proposal.block.hash) for each in one.others[:2]))
    assert one.store.state.height == 1
    assert [type(message) for message in one.said()] == [Proposal, Vote, Vote]


async def test_a_new_round_brings_some_waiting_entries_to_the_others_and_not_the_mempool(machine, monkeypatch):
    """One makes a block due there. All of them in each round would take a thin line from the round's proposal."""
    one = machine(4)
    subjects = [{"digest": bytes(32), "role": "part", "name": "x" * 200} for _ in range(50)]
    fat = [one.consortium.entry(one.consortium.body(subjects=subjects)) for _ in range(20)]
    gossiped = []
    monkeypatch.setattr(Gossip, "again", lambda gossip, entries: gossiped.extend(entries))
    for each in fat:
        one.mempool.add(each)
    one.driver.work_pending()
    assert gossiped == []
    one.driver.feed(TimerExpired(RoundTimer(Height(1), Round(0))))
    assert gossiped == fat[: len(gossiped)]
    assert 1 <= len(gossiped) <= GOSSIP_AGAIN_BYTES // len(fat[0].raw)


async def test_nothing_is_said_that_is_not_on_the_disk_and_it_is_said_when_there_is_room(machine, disk):
    one = machine(4)
    disk.free = 0
    entry = one.submit()
    assert "the disk is full" in one.driver.stalled
    await asyncio.sleep(0.05)  # Several vain attempts.
    assert one.network.sent == []
    disk.free = 1 << 40
    await one.recovered()
    assert one.said()[0].block.entries == (entry.raw,)


async def test_a_vote_that_cannot_be_remembered_is_not_cast(machine, disk):
    """The proposal and the prepare are out; then the disk fills, and no COMMIT leaves the node."""
    one = machine(4)
    one.submit()
    proposal = one.said()[0]
    before = len(one.network.sent)
    disk.free = 0
    one.hear(*(one.vote(each, StatementKind.PREPARE, proposal.block.hash) for each in one.others[:2]))
    assert one.driver.stalled
    assert len(one.network.sent) == before
    disk.free = 1 << 40
    await one.recovered()
    commit = one.said()[-1]
    assert (commit.kind, commit.block_hash) == (StatementKind.COMMIT, proposal.block.hash)


async def test_a_decision_that_cannot_be_stored_is_told_to_nobody_until_it_is(machine, disk):
    one = machine(4)
    entry = one.submit()
    waiter = one.waiters.wait([entry.id])
    block = one.said()[0].block.hash
    one.hear(*(one.vote(each, StatementKind.PREPARE, block) for each in one.others[:2]))
    disk.free = 0
    one.hear(*(one.vote(each, StatementKind.COMMIT, block) for each in one.others[:2]))
    assert one.driver.stalled
    assert (one.store.state.height, one.decisions, waiter.future.done()) == (0, [], False)
    disk.free = 1 << 40
    await one.recovered()
    await asyncio.wait_for(waiter.future, 60)
    assert (one.store.state.height, one.decisions) == (1, [1])


async def test_a_stalled_node_collects_no_messages(machine, disk):
    one = machine(4)
    disk.free = 0
    one.submit()
    for number in range(1000):
        one.hear(one.vote(one.others[0], StatementKind.PREPARE, Hash(number.to_bytes(32, "big"))))
        one.driver.work_pending()
    assert len(one.driver._inputs) == 0


@pytest.mark.parametrize("stalls", [False, True])
async def test_the_engine_knows_who_is_connected_also_where_that_changed_during_a_stall(machine, disk, stalls):
    one = machine(4, proposes=False)
    proposer = one.store.state.registry.validators.proposer(Height(1), Round(0))
    one.driver.peers_changed()
    if stalls:
        disk.free = 0
        one.submit()
        one.driver.feed(TimerExpired(RoundTimer(Height(1), Round(0))))
        assert one.driver.stalled
    one.network.links.discard(proposer)
    one.driver.peers_changed()
    if stalls:
        disk.free = 1 << 40
        await one.recovered()
    assert one.driver._engine._reachable == one.network.links


async def test_after_the_stall_it_goes_on_with_what_was_decided_meanwhile(machine, disk):
    one = machine(4)
    disk.free = 0
    one.submit()
    decision, transition = one.consortium.decide(
        one.store.state, one.consortium.entries(3), signers=[each.public for each in one.others]
    )
    assert not one.driver.take([(decision, transition)])
    assert one.store.state.height == 0
    disk.free = 1 << 40
    await one.recovered()
    assert one.driver.take([(decision, transition)])
    assert one.store.state.height == 1
    assert one.store.state.tip == decision.block.hash
    assert len(one.mempool) == 1


async def test_who_tells_this_node_another_commit_than_its_seal_in_a_fetched_certificate_is_convicted(machine):
    one = machine(4)
    liar = one.others[0]
    one.hear(one.vote(liar, StatementKind.COMMIT, Hash(bytes(32))))
    assert one.driver.take(
        [
            one.consortium.decide(
                one.store.state, one.consortium.entries(1), signers=[each.public for each in one.others]
            )
        ]
    )
    (found,) = [event for event in one.events if isinstance(event, EquivocationDetected)]
    found.equivocation.verify()
    assert (found.equivocation.key, found.equivocation.kind) == (liar.public, StatementKind.COMMIT)


async def test_any_failure_of_the_disk_silences_the_node_and_is_tried_again(machine, monkeypatch):
    one = machine(1)
    write, failures = Database.write, 3

    def failing(database, *args, **options):
        nonlocal failures
        if failures:
            failures -= 1
            raise StoreError(database.path, "cannot write: Input/output error")
        write(database, *args, **options)

    monkeypatch.setattr(Database, "write", failing)
    one.submit()
    assert "Input/output error" in one.driver.stalled
    await one.recovered()
    assert failures == 0
    assert one.store.state.height == 1


async def test_after_a_restart_the_same_words_are_said_again(machine, tmp_path):
    one = machine(4)
    one.submit()
    said = [data for _, data in one.network.sent]
    one.close()
    again = Machine(one.store.path, 4)
    try:
        again.submit()  # Another entry: yet the proposal of this height and round is the one that was signed.
        assert {data for _, data in again.network.sent} == set(said)
    finally:
        again.close()


async def test_a_defect_ends_the_node_instead_of_wedging_it(machine, monkeypatch):
    alone = machine(1)
    monkeypatch.setattr(alone.waiters, "announce", lambda *_: 1 / 0)
    alone.submit()
    assert type(await asyncio.wait_for(alone.driver.failure(), 5)) is ZeroDivisionError
    assert alone.store.state.height == 1, "what was decided is on the disk"
    alone.submit()
    assert alone.store.state.height == 1, "and nothing follows in an unknown state"


def hears_its_forgotten_commit(one):
    """Q COMMITs for block 1. The last is its own, from an earlier life: the disk was rolled back."""
    one.submit()
    block = one.said()[0].block
    votes = [one.vote(each, StatementKind.COMMIT, block.hash) for each in (*one.others[:2], one.key)]
    for vote in votes:
        one.driver.feed(MessageReceived(vote, one.others[0].public))
    return block


async def test_a_loss_seen_in_the_step_that_decides_silences_the_next_height(machine):
    one = machine(4)
    hears_its_forgotten_commit(one)
    assert one.store.state.height == 1
    assert one.driver.stalled == ""
    assert not one.driver._recall.permission.remembers
    assert one.driver._engine.height == 2
    assert not one.driver._engine.is_voting, "it may have signed at height 2, too"
    one.network.take()
    one.submit()
    assert one.said() == []
    assert dict(one.store.record()[1])[MEMORY_KEY].startswith(b"lost"), "a restart reads it"


async def test_a_loss_that_cannot_be_noted_stops_the_step_before_it_decides(machine):
    one = machine(4)
    lose, failures = one.driver._recall.lose, [StoreError(one.store.path, "no space")]

    def failing():
        if failures:
            raise failures.pop()
        lose()

    one.driver._recall.lose = failing
    hears_its_forgotten_commit(one)
    assert one.driver.stalled
    assert one.store.state.height == 0
    await one.recovered()
    assert one.store.state.height == 1
    assert not one.driver._engine.is_voting


async def test_a_loss_noticed_while_the_next_height_is_queued_counts_there(machine):
    one = machine(4)
    driver = one.driver
    driver._running = True  # A step is under way.
    driver.feed(driver._advance())
    driver._recall.lose()
    driver._run()
    assert not driver._engine.is_voting
