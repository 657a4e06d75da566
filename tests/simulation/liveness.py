"""How long the ledger may take to go on: counted from bytes, lines and the cost of content, not from experience.

    allowed = the schedule's recovery_s
            + TRANSFERS x (the largest block on one direction of a link)
            + BACKLOGS x (what waits for a block, on one direction)
            + CHECKS x (the dearest valid block on the slowest machine)
            + BACKLOGS x (the cost of what waits)
            + BLOCK_S x (the blocks that what waits needs)

Peace begins with up to Q liars' turns and dead rounds, each of which costs a transfer and a check; an entry crosses a
line once as gossip, once in a proposal, and once more in catch-up.

After a night without work (night.py) the lines are good and all are level. Then an entry waits for the rest of a round,
for f liars' rounds and for an honest one, each of max_timeout_ms at most, however long the night was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.lines import SCALE
from tests.simulation.member import settings

if TYPE_CHECKING:
    from tests.simulation.world import World

TRANSFERS = 12
CHECKS = 12
BACKLOGS = 4
BLOCK_S = 2.0
"""A block whose first round a liar wastes."""
KEY_ENTRIES, GOVERNANCE_ENTRIES = 192, 64
"""The most in a block, by docs/formats.md."""

SLACK_S = 5.0
"""For messages that are sent again, and clocks that differ."""


def morning_s(world: World) -> float:
    """So long after it is submitted, at most, an entry is decided when all is well."""
    return (world.tolerated + 2) * settings(None, 1).max_timeout_ms / 1000 + SLACK_S


def allowance_s(world: World) -> float:
    """So long after the last fault, at most, everything is decided and all are level."""
    schedule, total = world.schedule, world.schedule.recovery_s
    is_slow = world.links.lines is not None or world.costs is not None
    if is_slow:
        total += BLOCK_S * len(world.waiting()) / schedule.block_entries
    if world.links.lines is not None:
        bytes_per_s = world.links.lines.bytes_per_s
        waiting = sum(len(raw) for raw in world.unanswered()) * SCALE
        total += (TRANSFERS * schedule.block_bytes * SCALE + BACKLOGS * waiting) / bytes_per_s
    if world.costs is not None:
        entries = max(schedule.block_entries, 1)
        dearest = world.costs.most_s(
            min(entries, schedule.entries + schedule.enrolments), 1 << 20, KEY_ENTRIES, GOVERNANCE_ENTRIES
        )
        waiting_s = world.costs.block_s(world.waiting()) + world.costs.signatures_s(len(world.waiting()))
        total += CHECKS * dearest + BACKLOGS * waiting_s
    return total
