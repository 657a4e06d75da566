"""Catch-up: whom it asks, what it takes, and what happens to those who claim more than they deliver."""

from typing import cast

import pytest
from tests.node.parts import FakeNetwork, until
from tests.support.consortium import Consortium, digest

from notarium_ledger import canonical
from notarium_ledger.types import Height, PublicKey
from notarium_node import sync, wire
from notarium_node.peers import PeerNetwork
from notarium_node.sync import Sync
from notarium_node.wire import BadMessage, Kind

ONE, TWO, THREE = (PublicKey(digest(f"peer {number}")) for number in range(3))
LENGTH = 30


def make_chain(length):
    consortium = Consortium(4)
    state, made = consortium.state, []
    for _ in range(length):
        decision, transition = consortium.decide(state, [consortium.entry()])
        state = transition.state
        made.append(canonical.encode(decision.to_value()))
    return made


@pytest.fixture(scope="module")
def chain():
    """The canonical decisions of heights 1 to LENGTH."""
    return make_chain(LENGTH)


class Follower:
    """A Sync with an engine that takes every block that is offered, when told to."""

    def __init__(self, follows=False):
        self.network = FakeNetwork()
        self.height = Height(0)
        self.offered: list = []
        self.sync = Sync(cast(PeerNetwork, self.network), lambda: self.height, self._offer, follows=follows)
        self.network.on_disconnect = self.sync.on_disconnect

    def _offer(self, decision, peer):
        self.offered.append((decision, peer))

    def meet(self, *peers):
        for peer in peers:
            self.network.links.add(peer)
            self.sync.on_connect(peer)

    def claim(self, peer, height):
        self.sync.on_status(peer, Height(height))

    def asked(self):
        """Requests since the last call: (peer, from height)."""
        return [
            (peer, wire.unpack_get_blocks(data[1:])[0])
            for peer, data in self.network.take()
            if data[0] == Kind.GET_BLOCKS
        ]

    def decide_all(self):
        """Decide what is offered, until nothing is."""
        while self.offered:
            decision, _ = self.offered.pop(0)
            assert decision.height == self.height + 1
            self.height = decision.height
            self.sync.advance()


@pytest.fixture
async def follower():
    made = Follower()
    yield made
    made.sync.stop()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(sync, "REQUEST_TIMEOUT_S", 0.05)
    monkeypatch.setattr(sync, "GRACE_S", 0.01)


async def test_blocks_are_asked_for_offered_in_order_and_asked_for_again_until_nothing_is_missing(follower, chain):
    follower.meet(ONE)
    follower.claim(ONE, LENGTH)
    assert follower.sync.lag == LENGTH
    assert follower.asked() == [(ONE, 1)]
    follower.sync.on_blocks(ONE, chain[:20])
    assert [decision.height for decision, _ in follower.offered] == [1]  # The next only when this one is decided.
    follower.decide_all()
    assert follower.height == 20
    assert follower.asked() == [(ONE, 21)]
    follower.sync.on_blocks(ONE, chain[20:])
    follower.decide_all()
    assert (follower.height, follower.sync.lag, follower.asked()) == (LENGTH, 0, [])
    assert follower.network.dropped == []


async def test_one_request_is_under_way_at_a_time(follower):
    follower.meet(ONE, TWO)
    for height in (10, 20, 30):
        follower.claim(ONE, height)
        follower.claim(TWO, height)
    assert len(follower.asked()) == 1


async def test_a_lag_of_one_block_is_asked_for_only_if_it_lasts(follower, quick):
    follower.meet(ONE)
    follower.claim(ONE, 1)
    assert follower.asked() == []
    follower.height = Height(1)  # Decided here, a moment later.
    await until(lambda: follower.sync._grace is None)
    assert follower.asked() == []
    follower.claim(ONE, 2)
    await until(lambda: follower.network.sent)
    assert follower.asked() == [(ONE, 2)]


async def test_who_claims_much_and_answers_with_nothing_is_dropped_and_another_is_asked(follower, chain):
    follower.meet(ONE, TWO)
    follower.claim(ONE, 2**60)
    follower.claim(TWO, LENGTH)
    assert follower.asked() == [(ONE, 1)]
    follower.sync.on_blocks(ONE, [])
    assert [peer for peer, _ in follower.network.dropped] == [ONE]
    assert follower.sync.target == LENGTH
    assert follower.asked() == [(TWO, 1)]
    follower.sync.on_blocks(TWO, chain)
    follower.decide_all()
    assert follower.height == LENGTH


async def test_who_claims_much_and_never_answers_is_dropped_in_time(follower, quick):
    follower.meet(ONE)
    follower.claim(ONE, 2**60)
    await until(lambda: follower.network.dropped)
    assert [peer for peer, _ in follower.network.dropped] == [ONE]
    assert follower.asked() == [(ONE, 1)] * sync.PATIENCE


async def test_after_a_request_in_vain_others_are_asked_first_and_a_late_answer_is_welcome(follower, chain, quick):
    follower.meet(ONE, TWO)
    follower.claim(ONE, LENGTH)
    follower.claim(TWO, 5)
    await until(lambda: len(follower.network.sent) >= 2)
    assert follower.asked()[:2] == [(ONE, 1), (TWO, 1)]
    follower.sync.on_blocks(ONE, chain[:20])
    follower.decide_all()
    assert follower.height == 20
    assert not follower.network.dropped


async def test_who_answers_with_blocks_of_other_heights_is_dropped(follower, chain):
    follower.meet(ONE)
    follower.claim(ONE, LENGTH)
    follower.sync.on_blocks(ONE, chain[5:])
    assert [peer for peer, _ in follower.network.dropped] == [ONE]
    assert follower.offered == []


async def test_when_the_asked_peer_is_lost_another_is_asked(follower):
    follower.meet(ONE, TWO)
    follower.claim(TWO, 20)
    follower.claim(ONE, 30)
    assert [peer for peer, _ in follower.asked()] == [TWO]
    follower.network.links.discard(TWO)
    follower.sync.on_disconnect(TWO)
    assert follower.asked() == [(ONE, 1)]


@pytest.mark.parametrize("items", [[b""], [b"\xc1"], [b"\x90"], [b"\x92\x92\xc4\x00\x90\x90"], ["whole", b"rubbish"]])
async def test_blocks_that_cannot_be_read_are_bad_messages(follower, chain, items):
    follower.meet(ONE)
    follower.claim(ONE, LENGTH)
    with pytest.raises(BadMessage):
        follower.sync.on_blocks(ONE, [chain[0] if item == "whole" else item for item in items])


async def test_blocks_nobody_asked_for_are_bad_messages(follower, chain):
    follower.meet(ONE, TWO)
    follower.claim(ONE, LENGTH)
    with pytest.raises(BadMessage, match="not asked for"):
        follower.sync.on_blocks(TWO, chain)
    assert follower.offered == []


async def test_after_a_rejected_block_the_rest_of_that_peer_is_forgotten_and_another_is_asked(follower, chain):
    follower.meet(ONE, TWO)
    follower.claim(TWO, LENGTH)
    follower.claim(ONE, LENGTH)
    first = follower.asked()[0][0]
    other = TWO if first == ONE else ONE
    follower.sync.on_blocks(first, chain[:10])
    follower.offered.clear()
    follower.sync.reject(first)  # The engine says that block 1 does not verify.
    assert follower.asked() == [(other, 1)]
    follower.sync.on_blocks(other, chain)
    follower.decide_all()
    assert follower.height == LENGTH


async def test_what_follows_a_rejected_block_is_no_use_whoever_sent_it(chain):
    follower = Follower(follows=True)
    chain = chain[:6]
    follower.meet(ONE, TWO, THREE)
    for peer in (ONE, TWO, THREE):
        follower.claim(peer, 6)
    assert follower.sync._upstream == ONE
    asked = follower.asked()[0][0]
    assert asked == ONE
    follower.sync.on_blocks(ONE, chain[:3])
    follower.offered.clear()
    follower.sync.reject(ONE)
    follower.network.drop(ONE, "protocol violation")
    assert follower.sync._upstream in (TWO, THREE)
    asked, first = follower.asked()[-1]
    assert (first, asked != ONE) == (1, True)
    follower.sync.on_blocks(asked, chain)
    follower.decide_all()
    assert follower.height == 6
    follower.sync.stop()


async def test_an_observer_follows_one_peer_and_another_when_that_is_lost(chain):
    follower = Follower(follows=True)
    follow = bytes((Kind.FOLLOW,))
    follower.meet(ONE, TWO)
    assert follower.network.take() == [(ONE, follow)]
    follower.claim(TWO, 0)
    follower.sync.on_blocks(ONE, chain[:1])  # Pushed.
    follower.decide_all()
    assert follower.height == 1
    follower.network.links.discard(ONE)
    follower.sync.on_disconnect(ONE)
    assert follower.network.take() == [(TWO, follow)]
    follower.sync.on_blocks(TWO, chain[1:2])
    follower.decide_all()
    assert follower.height == 2
    follower.sync.stop()


async def test_a_gap_in_what_is_pushed_is_asked_for(chain):
    follower = Follower(follows=True)
    follower.meet(ONE)
    follower.network.take()
    follower.sync.on_blocks(ONE, [chain[0]])
    follower.decide_all()
    follower.sync.on_blocks(ONE, [chain[5]])
    assert follower.offered == []
    assert follower.asked() == [(ONE, 2)]
    follower.sync.stop()


async def test_what_is_pushed_to_a_node_that_cannot_keep_up_does_not_pile_up(chain, monkeypatch):
    monkeypatch.setattr(sync, "MAX_QUEUE", 10)
    follower = Follower(follows=True)
    follower.meet(ONE)
    follower.network.take()
    for block in chain:
        follower.sync.on_blocks(ONE, [block])
    assert len(follower.sync._queue) == 10
    follower.decide_all()
    assert follower.height == 10
    assert follower.asked() == [(ONE, 11)]
    follower.sync.stop()
