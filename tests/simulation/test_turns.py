"""What the turn of a proposer that is down costs: whole nodes, lines with delays, entries one after the other."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest
from tests.simulation import signatures
from tests.simulation.links import Conditions
from tests.simulation.member import Member
from tests.simulation.schedules import SMALL
from tests.simulation.substitutes import simulated
from tests.simulation.world import World

_log = logging.getLogger(__name__)

CONNECTED_S = 5.0
"""In which all are connected."""
LONGEST_TURN_MS = 150
LINES = {"one building": Conditions(0.0002, 0.001), "one country": Conditions(0.008, 0.012)}
"""One way. A turn that is left costs the timer, and a round change on its way."""


@pytest.fixture(params=list(LINES))
def conditions(request: pytest.FixtureRequest) -> Conditions:
    return LINES[request.param]


@pytest.fixture(params=[4, 7], ids="n = {}".format)
def world(request: pytest.FixtureRequest, conditions: Conditions) -> Iterator[World]:
    """Validators that were connected; f of them, whose turns follow one another, are dead."""
    size = request.param
    with signatures.stand_in():
        made = World(size, size, None, replace(SMALL, observers=0))
        with simulated(made):
            for number, key in enumerate(made.consortium.validator_keys):
                made.join(Member(made, number, key, made.genesis.registry.nodes[key.public], 0))
            for member in made.members:
                member.start()
            made.run(CONNECTED_S)
            made.links.conditions = conditions
            by_turn = sorted(made.members[1:], key=lambda member: member.public)
            for member in by_turn[: made.tolerated]:
                member.die()
            yield made
            made.end()


def took_ms(world: World) -> float:
    """From an entry's arrival at a node to its receipt."""
    began_s, answers = world.loop.now_s, []
    member = world.members[0]

    def heard(answer: str, _: bytes) -> None:
        answers.append((answer, 1000 * (world.loop.now_s - began_s)))

    raw = world.new_entry()
    member.run(member.submit, raw, heard)
    world.run(60.0, lambda: bool(answers))
    ((answer, ms),) = answers
    assert answer == "decided"
    return ms


def test_each_dead_turn_costs_150_ms_at_most(world):
    """Entries one after the other, four times around: the slowest wait for f dead turns."""
    times = sorted(took_ms(world) for _ in range(4 * world.size))
    assert times[-1] - times[0] <= world.tolerated * LONGEST_TURN_MS
    assert world.coverage["event: ProposerAbsent"] > 0
    assert not world.coverage["round: timeout"]
    _log.info("n = %d, %d dead: %.0f to %.0f ms", world.size, world.tolerated, times[0], times[-1])


@pytest.mark.parametrize("conditions", ["one country"], indirect=True)
def test_while_all_live_no_turn_is_left(world):
    for member in world.members:
        member.start()
    world.run(CONNECTED_S)
    before = world.coverage["event: ProposerAbsent"]
    for _ in range(2 * world.size):
        took_ms(world)
    assert world.coverage["event: ProposerAbsent"] == before
