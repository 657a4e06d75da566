"""One seed: a consortium with its liars, trouble, then peace, in which everything is decided, everywhere, soon."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from tests.simulation import signatures, witnesses
from tests.simulation.byzantine import BEHAVIOURS, Behaviour
from tests.simulation.faults import (
    Fault,
    Trouble,
    bad_weather,
    changed_validators,
    crash,
    crash_loop,
    everybody_alone,
    old_backup,
    partition,
    peace,
    power_failure,
    returned_validator,
    slow_node,
    smaller_set,
    stopped_process,
    wiped_disk,
)
from tests.simulation.liar import Liar
from tests.simulation.member import Member
from tests.simulation.schemes import SCHEMES
from tests.simulation.twins import Twin, split_twins
from tests.simulation.world import ANSWERED_S, MAX_SKEW_MS, World, simulated

from notarium_ledger.log.hashes import leaf_hash

REAL_SIGNATURES_EVERY = 200
"""Every so many seeds sign with Ed25519 instead of the stand-in."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long things last, in simulated seconds."""

    trouble_s: float
    entries: int
    """Submitted meanwhile, at most."""
    recovery_s: float
    """In which, after the last fault, everything must be decided and every node be level."""
    faults: tuple[Fault, ...] | None = None
    """Those that strike; None: up to four of all, drawn."""
    schemers: bool = False
    """f members lie, each by one or two of the schemes; else the seed draws how many do, and how."""
    observers: int | None = None
    """None: one or none, drawn."""
    age_s: int = 10
    """Since genesis, at the start: so far back from the present a liar may date the first block."""
    leavers: int = 0
    """By how many validators the set may shrink; so many more must do without."""


SMALL = Schedule(trouble_s=6.0, entries=6, recovery_s=60.0)
LONG = Schedule(trouble_s=120.0, entries=400, recovery_s=60.0)
APART = Schedule(trouble_s=100.0, entries=100, recovery_s=60.0, faults=(everybody_alone, crash_loop))
"""Rounds drift as far apart as they can."""
BLACKOUTS = Schedule(trouble_s=6.0, entries=6, recovery_s=60.0, faults=(power_failure,))
"""All forget what is in memory only."""
SCHEMING = Schedule(trouble_s=6.0, entries=6, recovery_s=60.0, schemers=True, age_s=365 * 86_400)
"""Lies that are wrong in one point only."""
CHANGING = Schedule(
    trouble_s=40.0,
    entries=60,
    recovery_s=60.0,
    faults=(
        changed_validators,
        returned_validator,
        smaller_set,
        bad_weather,
        partition,
        crash,
        power_failure,
        stopped_process,
        slow_node,
        wiped_disk,
        old_backup,
    ),
    observers=2,
    leavers=1,
)
"""One vote on validators after the other: put in, put out, and in again, while nodes are cut off, down and behind."""


def run_seed(
    seed: int,
    size: int,
    schedule: Schedule = SMALL,
    *,
    transcript: list[str] | None = None,
    behaviours: tuple[type[Behaviour], ...] = (),
) -> World:
    """Run it; what happens is appended to `transcript`, if there is one.

    `behaviours`: f members lie in these ways; else the seed draws who lies and how.
    Raises SafetyViolation, or whatever else the seed shows to be wrong.
    """
    real = seed % REAL_SIGNATURES_EVERY == 0
    with nullcontext() if real else signatures.stand_in():
        world = World(seed, size, transcript, schedule.observers, schedule.leavers, schedule.age_s)
        _run(world, schedule, behaviours)
    return world


def _run(world: World, schedule: Schedule, behaviours: tuple[type[Behaviour], ...]) -> None:
    with simulated(world):
        try:
            _populate(world, behaviours, schedule.schemers)
            for member in world.members:
                member.start()
            Trouble(world, schedule.trouble_s, schedule.entries, schedule.faults).begin()
            world.run(schedule.trouble_s)
            _recover(world, schedule)
            world.raise_failure()
        except Exception as error:
            error.add_note(f"seed {world.seed}, {world.size} validators, {world.cast}")
            raise
        finally:
            world.end()


def _populate(world: World, chosen: tuple[type[Behaviour], ...], schemers: bool) -> None:
    """Draw who lies, and how unless that is `chosen`."""
    draw, consortium = world.random, world.consortium
    keys = [*consortium.validator_keys, *consortium.observer_keys]
    count = world.tolerated if chosen or schemers else draw.randint(0, world.tolerated)
    liars = set(draw.sample(range(world.size), count))
    twins = [number for number in sorted(liars) if not (chosen or schemers) and draw.random() < 0.25]
    cast = []
    for number, key in enumerate(keys):
        kind = Twin if number in twins else Liar if number in liars else Member
        member = kind(world, number, key, world.genesis.registry.nodes[key.public], _skew(world))
        world.join(member)
    for number in twins:
        original = world.members[number]
        copy = Twin(world, len(world.members), original.key, original.record, _skew(world))
        world.join(copy)
        cast.append(f"{number} and {copy.number} are twins")
        world.after(0.0, split_twins, world, (number, copy.number))
    for member in world.members:
        if isinstance(member, Liar):
            pool, most = (SCHEMES, 2) if schemers else (BEHAVIOURS, 3)
            behaviours = chosen or tuple(draw.sample(pool, draw.randint(1, most)))
            cast.append(f"{member.number} lies: " + ", ".join(each.__name__ for each in behaviours))
            member.behaviours = [each(member) for each in behaviours]
            world.after(0.1, member.act)
    world.cast = "; ".join(cast) or "nobody lies"


def _skew(world: World) -> int:
    return world.random.randint(-MAX_SKEW_MS, MAX_SKEW_MS)


def _recover(world: World, schedule: Schedule) -> None:
    """The faults end (the liars go on): what is submitted now and what was, is decided, and all nodes are level."""
    peace(world)
    equivocation = witnesses.held(world)
    ended_s, ended_ms = world.loop.now_s, world.now_ms
    raws = [world.new_entry() for _ in range(2)]
    ids = {leaf_hash(raw) for raw in raws}
    for raw in raws:
        world.client(raw, world.doors)

    def is_level() -> bool:
        if not ids <= world.watch.acknowledged.keys():
            return False
        present = [member for member in world.honest if member.is_in_registry]
        return len({member.height for member in present}) == 1 and all(
            member.node is not None and member.node.store.is_complete and not len(member.node.mempool)
            for member in present
        )

    def become_level(since: str) -> None:
        if not world.run(schedule.recovery_s, is_level):
            state = [f"{m.number}:{m.height}{'' if m.is_running else ' down'}" for m in world.members]
            raise AssertionError(f"liveness: not level {schedule.recovery_s} s after {since}; heights {state}")

    become_level("the faults")
    world.recovered_s = world.loop.now_s - ended_s
    if not world.run(witnesses.SPREAD_S, lambda: witnesses.is_spread(world, equivocation)):
        raise AssertionError(f"equivocation: not at every node {witnesses.SPREAD_S} s after all were level")
    for raw in world.unanswered():  # its client turns to those that were not voted out
        world.client(raw, lambda: [member for member in world.doors() if member.is_in_registry])
    if not world.run(ANSWERED_S, lambda: not world.unanswered()):
        raise AssertionError(f"liveness: a client has no receipt {ANSWERED_S} s after all were level")
    become_level("the last answer")
    witnesses.check(world)
    world.watch.finish(ended_ms, sorted(ids))
