"""A member that writes more than its day holds, before a midnight and after it, while the quota itself changes.

All its clients are patient: what the day has no room for waits for the next one. It is never m0, whose own entries
always have room.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.simulation.governing import submit
from tests.support.consortium import key

from notarium_ledger.log.hashes import leaf_hash

if TYPE_CHECKING:
    from tests.simulation.world import World

LARGE_BYTES = 3_000
"""Three to six of these are a day's bytes: fewer than a day's entries."""
BURSTS = {"small": (1, 4, 12), "large": (1, 6), "enrol": (1, 8, 20)}
"""What is submitted at once, by what it is."""
AROUND_S = 0.5
"""So close to midnight some of it comes."""
LIMITS = {
    "max_member_day_entries": (8, 10, 14),
    "max_member_day_bytes": (9_000, 13_000, 18_000),
    "max_member_day_statements": (10, 14, 20),
}
"""What the members vote for: at least what m0 writes, and what votes need."""
VOTES = 4
"""On that, in a seed, after the first."""


class Spender:
    """One of the members, with all that write for it; and the others, where they vote on quotas."""

    def __init__(self, world: World, most: int) -> None:
        """At most so many entries and statements are submitted on each of the two days."""
        self._world = world
        self._left = {"before": most, "after": most}
        self._votes = VOTES
        self._keys = 0
        draw = world.random
        self._member = draw.randrange(1, world.size)
        # Who does a little of each never comes to the end of its day.
        self._kinds = draw.sample(list(BURSTS), draw.randint(1, 2))
        for name in LIMITS:
            self._change(name)
        for _ in range(3):
            world.after(max(0.0, world.midnight_s + draw.uniform(-AROUND_S, AROUND_S)), self._spend)

    def act(self) -> None:
        """It writes, or all vote."""
        world = self._world
        if not world.is_troubled:
            return
        draw = world.random
        if self._votes and draw.random() < 0.15:
            self._votes -= 1
            self._change(draw.choice(list(LIMITS)))
        else:
            self._spend()
        world.after(draw.choice([0.05, 0.4, 1.5]), self.act)

    def _spend(self) -> None:
        draw = self._world.random
        when = "before" if self._world.loop.now_s < self._world.midnight_s else "after"
        kind = draw.choice(self._kinds)
        for _ in range(min(self._left[when], draw.choice(BURSTS[kind]))):
            self._left[when] -= 1
            self._submit(kind)

    def _submit(self, kind: str) -> None:
        world = self._world
        if kind == "enrol":
            self._keys += 1
            public = key(f"simulated {world.seed} spent {self._keys}").public
            raw = world.consortium.raw(world.consortium.member_body("enrol", self._member, key=bytes(public)))
        else:
            raw = world.entry(world.consortium.members[self._member], size=LARGE_BYTES if kind == "large" else 0)
        world.promise(raw)
        world.coverage[f"member: spends {kind}"] += 1
        world.client(raw, world.doors, heard=partial(self._hear, kind))

    def _hear(self, kind: str, raw: bytes, answer: str) -> None:
        world = self._world
        if answer == "refused" and not world.watch.has_room(raw):
            when = "before" if world.loop.now_s < world.midnight_s else "after"
            world.coverage[f"member: {kind} above its day {when} midnight"] += 1

    def _change(self, name: str) -> None:
        """A quota is lowered or raised, by the votes of all."""
        world, draw = self._world, self._world.random
        action: dict[str, Any] = {"type": "set-parameter", "name": name, "value": draw.choice(LIMITS[name])}
        members = draw.sample(range(world.size), world.size)
        proposal = submit(world, "propose", members[0], action=action)
        for member in members:
            submit(world, "vote", member, proposal=bytes(leaf_hash(proposal)), approve=True)
        world.coverage["member: proposes a quota"] += 1
