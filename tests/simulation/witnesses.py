"""What nodes hold against each other: true, and in the end the same everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.oracles import SafetyViolation

from notarium_node.equivocation.collection import MOST_PER_KEY, Slot

if TYPE_CHECKING:
    from tests.simulation.member import Member
    from tests.simulation.world import World

SPREAD_S = 30.0
"""In which equivocation has come to every node: who broke with its peer waits before it connects again."""


def held(world: World) -> dict[Slot, list[Member]]:
    """The faults of which honest nodes have equivocation, and which nodes."""
    found: dict[Slot, list[Member]] = {}
    for member in world.honest:
        for slot in () if member.node is None else member.node.equivocations._slots:
            found.setdefault(slot, []).append(member)
    return found


def is_spread(world: World, equivocation: dict[Slot, list[Member]]) -> bool:
    """Whether every honest node knows of these, or of as many of the same validator as it keeps.

    What only nodes had that were voted out since, they can show no one any more.
    """
    slots = [slot for slot, holders in equivocation.items() if any(holder.is_in_registry for holder in holders)]
    for member in world.honest:
        if member.node is not None and member.is_in_registry:
            known = member.node.equivocations
            if any(slot not in known._slots and known._per_key[slot[0]] < MOST_PER_KEY for slot in slots):
                return False
    return True


def check(world: World) -> None:
    """Raise SafetyViolation where an honest node holds equivocation against another one."""
    for member in world.honest:
        for kept in () if member.node is None else member.node.equivocations.page(0, 1000):
            key = kept.equivocation.key
            holders = [world.members[number] for number in world.holders.get(key, ())]
            if all(holder.is_honest for holder in holders):
                raise SafetyViolation(
                    f"false report: node {member.number} holds equivocation against the honest key {key.hex()[:8]}"
                )
