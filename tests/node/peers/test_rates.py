"""Each kind of message has its rate, by peer, and a peer that comes back has no new one."""

import pytest
from tests.support.consortium import Consortium

from notarium_node.peers import rates
from notarium_node.peers.rates import PER_S, Rates
from notarium_node.peers.wire import Kind

PEER, OTHER = (each.public for each in Consortium(2).validator_keys)


def test_every_kind_has_a_rate():
    assert set(PER_S) == set(Kind)


@pytest.mark.parametrize("kind", Kind)
async def test_what_exceeds_the_rate_is_refused_and_hides_neither_other_peers_nor_other_kinds(kind, monkeypatch):
    monkeypatch.setattr(rates, "PER_S", dict.fromkeys(Kind, 0.001))  # None is added while the test runs.
    monkeypatch.setattr(rates, "BURST_S", 3_000)
    made = Rates()
    assert [made.allow(PEER, kind) for _ in range(5)] == [True, True, True, False, False]
    assert made.allow(OTHER, kind)
    assert all(made.allow(PEER, each) for each in Kind if each is not kind)


async def test_blocks_for_far_heights_have_a_rate_of_their_own(monkeypatch):
    monkeypatch.setattr(rates, "FAR_PER_S", 0.001)
    monkeypatch.setattr(rates, "BURST_S", 2_000)
    made = Rates()
    assert [made.allow_far(PEER) for _ in range(3)] == [True, True, False]
    assert made.allow_far(OTHER)
    assert made.allow(PEER, Kind.CONSENSUS)
