"""Twins (Bano et al.): two copies of one node with one key; each keeps to the rules, together they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.member import Member

if TYPE_CHECKING:
    from tests.simulation.world import World

TWINS = "liar: Twins"
"""In the coverage."""


class Twin(Member):
    """One of the two."""

    is_honest = False


def split_twins(world: World, twins: tuple[int, int]) -> None:
    """Each peer reaches one twin, or both, or none; drawn again now and then."""
    wall: set[tuple[int, int]] = {twins, twins[::-1]}
    for member in world.members:
        if member.number in twins:
            continue
        draw = world.random.random()
        shut = twins if draw < 0.1 else () if draw < 0.3 else (world.random.choice(twins),)
        for twin in shut:
            wall |= {(member.number, twin), (twin, member.number)}
    world.links.block(f"twins {twins}", wall)
    for one, other in sorted(wall):
        world.links.cut(one, other)
    world.coverage[TWINS] += 1
    world.after(world.random.uniform(0.2, 3.0), split_twins, world, twins)
