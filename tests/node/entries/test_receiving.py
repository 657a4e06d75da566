"""Entries of peers: admitted where this node can judge them; only what no honest node sends on is punished."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.node.parts import until
from tests.support.consortium import Consortium, key

from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_ledger.state.records import DayUse
from notarium_node.entries import gossip, receiving
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.receiving import GossipReceiver
from notarium_node.entries.verifier import Verifier
from notarium_node.health.events import NodeEvent
from notarium_node.peers import wire
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.tasks import PeerTasks
from notarium_store import Store


def said(*raws):
    """The payload of ENTRIES."""
    return wire.pack_list(wire.Kind.ENTRIES, raws)[1:]


class Receiver:
    """A receiver with its real admission and mempool."""

    def __init__(self, max_entries=100, role="validator"):
        self.consortium = Consortium(4)
        self.peer = self.consortium.validator_keys[1].public
        self.mempool = Mempool(max_entries, 1 << 24)
        self.counts = Counter[str]()
        self.tasks = PeerTasks(self.counts)
        self.dropped: list[tuple[Any, str]] = []
        self.state = self.consortium.state
        self.verifier = Verifier(0)
        conduct = SimpleNamespace(drop=lambda peer, reason, detail: self.dropped.append((peer, reason)))
        self.store = SimpleNamespace(is_complete=True)
        self.is_caught_up = True
        self.receiver = GossipReceiver(
            lambda: role == "validator",
            cast(Store, self.store),
            Admission(
                lambda: self.state,
                lambda id_: False,
                self.mempool,
                self.verifier,
                lambda fresh, source: None,
                lambda: 1,
            ),
            conduct=cast(Conduct, conduct),
            tasks=self.tasks,
            counts=self.counts,
            is_caught_up=lambda: self.is_caught_up,
        )

    async def hear(self, *raws):
        self.receiver.hear(self.peer, said(*raws))
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


def strangers(made, count):
    """Well-signed entries by a key that nobody enrolled."""
    return [made.consortium.entry(signer=key("nobody enrolled this")).raw for _ in range(count)]


async def test_entries_of_an_unknown_key_cost_no_signature_and_a_stream_of_them_drops_the_sender(monkeypatch):
    monkeypatch.setattr(receiving, "INADMISSIBLE_AT_ONCE", 5)
    monkeypatch.setattr(receiving, "INADMISSIBLE_PER_S", 0)
    made = Receiver()
    await made.hear(*strangers(made, 5))
    assert made.dropped == []
    await made.hear(*strangers(made, 1))
    assert made.dropped == [(made.peer, "flood")]
    assert made.verifier.checked == 0


async def test_nobody_is_blamed_for_what_exceeds_a_quota(monkeypatch):
    """The sender admitted it a block ago, or on the day before."""
    monkeypatch.setattr(receiving, "INADMISSIBLE_AT_ONCE", 0)
    made = Receiver()
    registry = made.state.registry
    full = DayUse(0, entries=registry.parameters.max_member_day_entries)
    made.state = replace(made.state, registry=registry.with_uses({"m0": full}))
    await made.hear(*(made.consortium.entry().raw for _ in range(3)))
    assert (made.dropped, len(made.mempool)) == ([], 0)


async def test_a_node_that_is_behind_blames_nobody_for_what_its_state_does_not_know(monkeypatch):
    monkeypatch.setattr(receiving, "INADMISSIBLE_AT_ONCE", 0)
    made = Receiver()
    made.is_caught_up = False
    await made.hear(*strangers(made, 3))
    assert made.dropped == []


async def test_what_exceeds_the_queue_of_a_peer_is_discarded_and_counted_and_others_still_enter(monkeypatch):
    made = Receiver()
    entries = [made.consortium.entry() for _ in range(4)]
    two = said(*(each.raw for each in entries[:2]))
    monkeypatch.setattr(receiving, "QUEUE_BYTES", len(two) + 2 * receiving.ENTRY_BYTES)
    made.receiver.hear(made.peer, two)
    made.receiver.hear(made.peer, said(entries[2].raw))
    made.receiver.hear(made.consortium.validator_keys[2].public, said(entries[3].raw))
    assert len(made.tasks) == 2
    await until(lambda: not len(made.tasks))
    assert [each.id in made.mempool for each in entries] == [True, True, False, True]
    assert made.counts == {NodeEvent.GOSSIP_DISCARDED: 1}
    await made.hear(entries[2].raw)
    assert entries[2].id in made.mempool, "the queue is empty again"


async def test_a_message_that_no_queue_holds_is_a_flood_and_not_unpacked(monkeypatch):
    monkeypatch.setattr(receiving, "QUEUE_BYTES", 0)
    monkeypatch.setattr(wire, "unpack_list", lambda *_: pytest.fail("it was unpacked"))
    made = Receiver()
    await made.hear(made.consortium.entry().raw)
    assert made.dropped == [(made.peer, "flood")]


def test_every_message_of_an_honest_node_fits_a_queue():
    most = gossip.MESSAGE_BYTES + PARAMETER_LIMITS["max_entry_bytes"][1]
    assert most + wire.MAX_GOSSIP_ENTRIES * receiving.ENTRY_BYTES < receiving.QUEUE_BYTES


async def test_what_is_discarded_is_not_even_unpacked(monkeypatch):
    """A list of 16,384 entries takes 11 ms, and a liar sends hundreds a second."""
    monkeypatch.setattr(receiving, "ENTRIES_AT_ONCE", 0)
    monkeypatch.setattr(receiving, "ENTRIES_PER_S", 0)
    monkeypatch.setattr(wire, "unpack_list", lambda *_: pytest.fail("it was unpacked"))
    made = Receiver()
    await made.hear(made.consortium.entry().raw)
    assert made.counts == {NodeEvent.GOSSIP_DISCARDED: 1}


async def test_more_entries_than_a_peer_may_send_in_a_time_are_discarded_even_after_it_came_back(monkeypatch):
    monkeypatch.setattr(receiving, "ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr(receiving, "ENTRIES_PER_S", 0)
    made = Receiver()
    entries = [made.consortium.entry() for _ in range(3)]
    await made.hear(entries[0].raw, entries[1].raw)
    made.receiver.forget(made.peer)
    await made.hear(entries[2].raw)
    assert len(made.mempool) == 2
    assert made.counts == {NodeEvent.GOSSIP_DISCARDED: 1}


async def test_a_peer_has_one_task_whatever_it_sends_and_its_list_is_admitted_in_parts(monkeypatch):
    monkeypatch.setattr(receiving, "PART_ENTRIES", 2)
    made = Receiver()
    entries = [made.consortium.entry() for _ in range(5)]
    for each in entries:
        made.receiver.hear(made.peer, said(each.raw))
        assert len(made.tasks) == 1
    await until(lambda: not len(made.tasks))
    assert all(each.id in made.mempool for each in entries)
