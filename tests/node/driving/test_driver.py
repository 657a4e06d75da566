"""The runner: persist before send, silence while the disk refuses writes, and recovery by itself."""

import asyncio
from typing import cast

import pytest
from tests.node.drivers import make_driver
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium

from notarium_consensus.config import EngineConfig
from notarium_consensus.engine import Engine
from notarium_consensus.events import EquivocationDetected
from notarium_consensus.inputs import MessageReceived
from notarium_consensus.messages import MessageKind, Proposal, Vote, decode_message
from notarium_ledger.blocks.certificate import VoteType, vote_bytes
from notarium_ledger.types import Hash, Height, Round
from notarium_node.driving import driver as driver_module
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.verifier import Verifier
from notarium_node.entries.waiters import Waiters
from notarium_node.peers.network import PeerNetwork
from notarium_node.peers.wire import Kind
from notarium_store import Store
from notarium_store.database import Database
from notarium_store.errors import StoreError


class Machine:
    """One validator of a consortium, with a real store and engine and a network that only listens."""

    def __init__(self, path, size, proposes=True):
        self.consortium = Consortium(size)
        self.store = Store.open(path, self.consortium.genesis, min_free_bytes=1 << 20)
        proposer = self.store.state.registry.validators.proposer(Height(1), Round(0))
        self.key = next(
            each for each in self.consortium.validator_keys if (each.public == proposer) is proposes or size == 1
        )
        self.others = [each for each in self.consortium.validator_keys if each is not self.key]
        self.network = FakeNetwork(*(each.public for each in self.others))
        self.mempool = Mempool(1000, 1 << 20)
        self.waiters = Waiters()
        self.events: list = []
        self.decisions: list = []
        self.verifier = Verifier(1)
        admission = Admission(
            lambda: self.store.state, self.store.is_decided, self.mempool, self.verifier, lambda fresh: None
        )
        record_height, record = self.store.record()
        network = cast(PeerNetwork, self.network)
        self.driver = make_driver(
            self.key.public,
            Engine(EngineConfig(genesis=self.consortium.genesis.hash, key=self.key), record, record_height),
            self.store,
            self.mempool,
            admission,
            network,
            self.waiters,
            self.events.append,
            lambda decision, transition: self.decisions.append(decision.height),
        )
        self.driver.start()

    def submit(self):
        """An entry that waits here, and a block is due."""
        entry = self.consortium.entry()
        self.mempool.add(entry)
        self.driver.work_pending()
        return entry

    def said(self):
        """The consensus messages sent so far, one copy each."""
        first = self.others[0].public
        return [
            decode_message(data[1:]) for peer, data in self.network.sent if peer == first and data[0] == Kind.CONSENSUS
        ]

    def vote(self, signer, kind, block_hash):
        validators = self.store.state.registry.validators
        message = vote_bytes(kind, Hash(self.consortium.genesis.hash), validators.hash, Height(1), Round(0), block_hash)
        return Vote(kind, Height(1), Round(0), block_hash, signer.public, signer.sign(message))

    def hear(self, *messages):
        for message in messages:
            self.driver.feed(MessageReceived(message, message.key))

    async def recovered(self):
        await until(lambda: not self.driver.stalled)

    def close(self):
        self.driver.stop()
        self.verifier.close()
        self.store.close()


@pytest.fixture
async def machine(tmp_path, monkeypatch):
    """Makes machines whose disk the test fills."""
    monkeypatch.setattr(driver_module, "RETRY_S", 0.01)
    made: list[Machine] = []

    def make(size, **options):
        made.append(Machine(tmp_path / f"store{len(made)}", size, **options))
        return made[-1]

    yield make
    for each in made:
        each.close()


class Disk:
    """The free space that stores believe in."""

    def __init__(self, monkeypatch):
        self.free = 1 << 40
        monkeypatch.setattr(Database, "_free_bytes", lambda database: self.free)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


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
    one.hear(*(one.vote(each, VoteType.PREPARE, proposal.block.hash) for each in one.others[:2]))
    assert one.store.state.height == 0
    one.hear(*(one.vote(each, VoteType.COMMIT, proposal.block.hash) for each in one.others[:2]))
    assert one.store.state.height == 1
    assert [type(message) for message in one.said()] == [Proposal, Vote, Vote]


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
    one.hear(*(one.vote(each, VoteType.PREPARE, proposal.block.hash) for each in one.others[:2]))
    assert one.driver.stalled
    assert len(one.network.sent) == before
    disk.free = 1 << 40
    await one.recovered()
    commit = one.said()[-1]
    assert (commit.type, commit.block_hash) == (VoteType.COMMIT, proposal.block.hash)


async def test_a_decision_that_cannot_be_stored_is_told_to_nobody_until_it_is(machine, disk):
    one = machine(4)
    entry = one.submit()
    waiter = one.waiters.wait([entry.id])
    block = one.said()[0].block.hash
    one.hear(*(one.vote(each, VoteType.PREPARE, block) for each in one.others[:2]))
    disk.free = 0
    one.hear(*(one.vote(each, VoteType.COMMIT, block) for each in one.others[:2]))
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
        one.hear(one.vote(one.others[0], VoteType.PREPARE, Hash(number.to_bytes(32, "big"))))
        one.driver.work_pending()
    assert len(one.driver._inputs) == 0


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
    one.hear(one.vote(liar, VoteType.COMMIT, Hash(bytes(32))))
    assert one.driver.take(
        [
            one.consortium.decide(
                one.store.state, one.consortium.entries(1), signers=[each.public for each in one.others]
            )
        ]
    )
    (found,) = [event for event in one.events if isinstance(event, EquivocationDetected)]
    found.equivocation.verify()
    assert (found.equivocation.key, found.equivocation.kind) == (liar.public, MessageKind.COMMIT)


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


async def test_a_defect_ends_the_node_instead_of_wedging_it(machine, monkeypatch):
    alone = machine(1)
    monkeypatch.setattr(alone.waiters, "announce", lambda *_: 1 / 0)
    alone.submit()
    assert type(await asyncio.wait_for(alone.driver.failure(), 5)) is ZeroDivisionError
    assert alone.store.state.height == 1, "what was decided is on the disk"
    alone.submit()
    assert alone.store.state.height == 1, "and nothing follows in an unknown state"


async def test_a_receipt_that_cannot_be_read_costs_the_answer_and_not_the_decision(machine, monkeypatch):
    alone = machine(1)
    entry = alone.consortium.entry()
    waiter = alone.waiters.wait([entry.id])

    def broken(_):
        raise StoreError(alone.store.path, "unreadable")

    monkeypatch.setattr(alone.store, "receipt", broken)
    alone.mempool.add(entry)
    alone.driver.work_pending()
    assert alone.decisions == [1]
    assert not alone.driver.stalled
    assert not waiter.future.done()
    monkeypatch.undo()
    alone.submit()
    assert alone.decisions == [1, 2]
