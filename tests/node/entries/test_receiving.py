"""Entries of peers: admitted where this node can judge them; only what no honest node sends on is punished."""

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.node.parts import until
from tests.support.consortium import Consortium

from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.receiving import GossipReceiver
from notarium_node.entries.verifier import Verifier
from notarium_node.health.events import NodeEvent
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.tasks import PeerTasks
from notarium_store import Store


class Receiver:
    """A receiver with its real admission and mempool."""

    def __init__(self, max_entries=10, role="validator"):
        self.consortium = Consortium(4)
        self.peer = self.consortium.validator_keys[1].public
        self.mempool = Mempool(max_entries, 1 << 20)
        self.counts = Counter[str]()
        self.tasks = PeerTasks(self.counts)
        self.dropped: list[tuple[Any, str]] = []
        state = self.consortium.state
        conduct = SimpleNamespace(drop=lambda peer, reason, detail: self.dropped.append((peer, reason)))
        self.store = SimpleNamespace(is_complete=True)
        self.receiver = GossipReceiver(
            lambda: role == "validator",
            cast(Store, self.store),
            Admission(lambda: state, lambda id_: False, self.mempool, Verifier(0), lambda fresh, source: None),
            conduct=cast(Conduct, conduct),
            tasks=self.tasks,
            counts=self.counts,
        )

    async def hear(self, *raws):
        self.receiver.hear(self.peer, list(raws))
        await until(lambda: not len(self.tasks))


async def test_valid_entries_enter_the_mempool():
    made = Receiver()
    entries = [made.consortium.entry() for _ in range(3)]
    await made.hear(*(each.raw for each in entries))
    assert all(each.id in made.mempool for each in entries)
    assert made.dropped == []
    assert not made.counts


@pytest.mark.parametrize(("role", "is_complete"), [("observer", True), ("validator", False)])
async def test_a_node_that_cannot_judge_entries_or_needs_none_ignores_them(role, is_complete):
    made = Receiver(role=role)
    made.store.is_complete = is_complete
    await made.hear(b"rubbish", made.consortium.entry().raw)
    assert len(made.mempool) == 0
    assert made.dropped == []


@pytest.mark.parametrize("spoil", [lambda raw: b"rubbish", lambda raw: raw[:-1] + bytes((raw[-1] ^ 1,))])
async def test_an_entry_that_no_honest_node_sends_on_drops_its_sender(spoil):
    made = Receiver()
    await made.hear(spoil(made.consortium.entry().raw))
    assert made.dropped == [(made.peer, "invalid entry")]
    assert len(made.mempool) == 0


async def test_a_full_mempool_is_counted_and_no_offence():
    made = Receiver(max_entries=1)
    await made.hear(made.consortium.entry().raw, made.consortium.entry().raw)
    assert made.counts == {NodeEvent.GOSSIP_REFUSED_FULL: 1}
    assert made.dropped == []


async def test_a_full_mempool_does_not_hide_who_sends_what_no_honest_node_sends_on():
    made = Receiver(max_entries=1)
    raw = made.consortium.entry().raw
    await made.hear(made.consortium.entry().raw, raw[:-1] + bytes((raw[-1] ^ 1,)), made.consortium.entry().raw)
    assert made.counts == {NodeEvent.GOSSIP_REFUSED_FULL: 1}
    assert made.dropped == [(made.peer, "invalid entry")]
