"""Lines that are thin and machines that are slow: what is sent and computed takes its time."""

from __future__ import annotations

import pytest
from tests.simulation.costs import GOVERNANCE, KEYS, RESEARCH, Costs, class_of
from tests.simulation.lines import PIECE_BYTES, SCALE, Lines
from tests.simulation.loop import WORLD, Life, SimulatedLoop
from tests.support.consortium import Consortium

from notarium_node.peers import parcels
from notarium_node.peers.wire import Kind

WAY = (0, 1)
VOTE = bytes((Kind.CONSENSUS,)) + bytes(100)
BLOCK = bytes((Kind.CONSENSUS,)) + bytes(10 * PIECE_BYTES)


@pytest.fixture(autouse=True)
def to_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcels, "PIECE_BYTES", PIECE_BYTES)


@pytest.fixture
def loop() -> SimulatedLoop:
    return SimulatedLoop()  # type: ignore[abstract]


def passed(loop: SimulatedLoop, until_s: float) -> None:
    loop.run(until_s, lambda: False, 10_000)


def test_a_large_message_takes_its_weighed_length(loop):
    lines = Lines(loop, 2.0)
    left: list[float] = []
    lines.send(WAY, BLOCK, None, left.append)
    passed(loop, 60.0)
    assert left == [pytest.approx(len(BLOCK) * SCALE / 250_000, rel=0.01)]


def test_a_vote_passes_between_the_pieces_of_a_block(loop):
    lines = Lines(loop, 2.0)
    left: dict[str, float] = {}
    lines.send(WAY, BLOCK, "slot", lambda at_s: left.setdefault("block", at_s))
    lines.send(WAY, VOTE, None, lambda at_s: left.setdefault("vote", at_s))
    passed(loop, 60.0)
    assert left["vote"] < left["block"] / 5


def test_what_is_under_way_is_not_queued_again(loop):
    lines = Lines(loop, 2.0)
    left: list[float] = []
    for _ in range(3):
        lines.send(WAY, BLOCK, "slot", left.append)
    passed(loop, 60.0)
    assert (len(left), lines.skipped) == (1, 2)


def test_what_waits_for_a_connection_that_breaks_is_gone(loop):
    lines = Lines(loop, 2.0)
    left: list[float] = []
    lines.send(WAY, BLOCK, None, left.append)
    lines.end(WAY)
    passed(loop, 60.0)
    assert left == []
    assert lines.waiting_bytes(WAY) == 0


def test_a_busy_process_hears_its_timers_and_tells_the_time_when_it_has_done(loop):
    life = Life("busy")
    heard: list[float] = []

    def works() -> None:
        loop.work(3.0)
        heard.append(loop.time())
        loop.call_later(1.0, lambda: heard.append(loop.now_s))

    loop.schedule(life, 1.0, works)
    loop.schedule(life, 2.0, lambda: heard.append(loop.now_s))
    loop.schedule(WORLD, 2.0, lambda: heard.append(-loop.now_s))
    passed(loop, 10.0)
    assert heard == [4.0, -2.0, 4.0, 5.0]


def test_content_costs_by_size_and_kind():
    consortium, costs = Consortium(4), Costs(slowness=2.0)
    research = consortium.raw(consortium.body())
    enrol = consortium.raw(consortium.member_body("enrol", 0, key=bytes(32)))
    vote = consortium.raw(consortium.member_body("vote", 0, proposal=bytes(32), approve=True))
    assert [class_of(each) for each in (research, enrol, vote, b"nonsense")] == [RESEARCH, KEYS, GOVERNANCE, RESEARCH]
    assert costs.block_s([enrol]) > costs.block_s([research])
    assert costs.block_s([vote, vote]) == pytest.approx(2 * costs.block_s([vote]))
    assert costs.most_s(10, 1000, 5, 5) > costs.block_s([enrol] * 5 + [vote] * 5)
