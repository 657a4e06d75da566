"""Seeded simulations of the real engine with delay, loss, duplication, reordering, partitions, crashes and restarts.

Seeds: by default 1 to 60 for n = 4 and 1 to 20 for n = 7. Set ``NOTARIUM_SIMULATION_SEEDS`` to run others:
``"77"`` runs one seed (to reproduce a failure), ``"1-500"`` a range. A failing seed is a defect: none is
ever excluded.
"""

from __future__ import annotations

import os

import pytest
from tests.simulation.world import World

TROUBLE_MS = 20_000
RECOVERY_MS = 60_000


def seeds(count: int) -> range:
    chosen = os.environ.get("NOTARIUM_SIMULATION_SEEDS")
    if chosen is None:
        return range(1, count + 1)
    first, _, last = chosen.partition("-")
    return range(int(first), int(last or first) + 1)


def simulate(seed: int, size: int, observers: int = 0) -> World:
    """Trouble, then peace: what is submitted in peace must be decided everywhere, and then all are silent."""
    world = World(seed, size, observers)
    world.start()
    world.trouble(TROUBLE_MS)
    final = {world.submit(world.nodes) for _ in range(3)}

    def caught_up() -> bool:
        heights = {node.height for node in world.nodes}
        done = final <= set(world.checkers.entries) and len(heights) == 1
        return done and not any(node.mempool for node in world.nodes)

    assert world.run(RECOVERY_MS, caught_up), f"no progress: heights {[node.height for node in world.nodes]}"
    assert all(node.engine is not None for node in world.nodes)
    world.run(1_000)
    sends = world.checkers.sends
    world.run(30_000)
    assert world.checkers.sends == sends, "an idle network says nothing"
    return world


@pytest.mark.parametrize("seed", seeds(60))
def test_four_validators_agree_through_faults_and_go_on_after_them(seed):
    simulate(seed, 4)


@pytest.mark.parametrize("seed", seeds(20))
def test_seven_validators_and_an_observer(seed):
    simulate(seed, 7, observers=1)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_other_sizes(size):
    simulate(1, size)
