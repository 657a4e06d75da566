"""One validator with a real store and engine, whose disk the test fills."""

from typing import cast

import pytest
from tests.node.drivers import make_driver
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium

from notarium_consensus.config import EngineConfig
from notarium_consensus.engine import Engine
from notarium_consensus.inputs import MessageReceived
from notarium_consensus.messages import decode_message
from notarium_consensus.signing import KeySigner
from notarium_ledger.blocks.statements import Vote, VoteStatement, vote_bytes
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


class Machine:
    """One validator of a consortium, with a real store and engine and a network that only listens."""

    def __init__(self, path, size, proposes=True, **parameters):
        self.consortium = Consortium(size, **parameters)
        self.store = Store.open(path, self.consortium.genesis, min_free_bytes=1 << 20)
        proposer = self.store.state.registry.validators.proposer(Height(1), Round(0))
        self.key = next(
            each for each in self.consortium.validator_keys if (each.public == proposer) is proposes or size == 1
        )
        self.others = [each for each in self.consortium.validator_keys if each is not self.key]
        self.network = FakeNetwork(*(each.public for each in self.others))
        self.mempool = Mempool(4000, 1 << 24)
        self.waiters = Waiters()
        self.events: list = []
        self.decisions: list = []
        self.verifier = Verifier(1)
        admission = Admission(
            lambda: self.store.state,
            self.store.is_decided,
            self.mempool,
            self.verifier,
            lambda fresh, source: None,
            lambda: 1,
        )
        record_height, record = self.store.record()
        network = cast(PeerNetwork, self.network)
        self.driver = make_driver(
            self.key.public,
            Engine(EngineConfig(self.consortium.genesis.hash, KeySigner(self.key)), record, record_height),
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
        return Vote(VoteStatement(kind, Height(1), Round(0), block_hash), signer.public, signer.sign(message))

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
        monkeypatch.setattr(Database, "free_bytes", lambda database: self.free)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)
