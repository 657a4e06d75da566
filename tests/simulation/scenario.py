"""One seed: a consortium with its liars, trouble, then peace, in which everything is decided, everywhere, soon."""

from __future__ import annotations

import math
from contextlib import nullcontext

from tests.simulation import liveness, night, signatures, witnesses
from tests.simulation.byzantine import Behaviour
from tests.simulation.faults import Trouble, peace
from tests.simulation.governing import Governors, Registrar
from tests.simulation.liar import Liar
from tests.simulation.member import Member
from tests.simulation.schedules import SMALL, Schedule
from tests.simulation.spending import Spender
from tests.simulation.substitutes import simulated
from tests.simulation.twins import Twin, split_twins
from tests.simulation.world import ANSWERED_S, MAX_SKEW_MS, World

from notarium_ledger.log.hashes import leaf_hash

REAL_SIGNATURES_EVERY = 200
"""Every so many seeds sign with Ed25519 instead of the stand-in."""

SURVIVAL_S = 20.0
"""How long the oracles look on where more than f have forgotten what they signed."""


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
        world = World(seed, size, transcript, schedule)
        _run(world, schedule, behaviours)
    return world


def _run(world: World, schedule: Schedule, behaviours: tuple[type[Behaviour], ...]) -> None:
    with simulated(world):
        try:
            _populate(world, behaviours)
            for member in world.members:
                member.start()
            Trouble(world, schedule.trouble_s, schedule.entries, schedule.faults).begin()
            _govern(world)
            world.run(schedule.trouble_s)
            peace(world)
            _reach_midnight(world)
            if world.faulty > world.tolerated:
                _survive(world)
            else:
                _recover(world)
            world.raise_failure()
        except Exception as error:
            error.add_note(f"seed {world.seed}, {world.size} validators, {world.cast}")
            raise
        finally:
            world.end()


def _reach_midnight(world: World) -> None:
    """What a member's day has no room for is decided after it: nothing is asked before it has come, by all clocks."""
    if world.loop.now_s < world.midnight_s < math.inf:
        world.run(world.midnight_s - world.loop.now_s + MAX_SKEW_MS / 1000)


def _govern(world: World) -> None:
    if world.schedule.spending:
        world.after(0.1, Spender(world, world.schedule.spending).act)
    if world.schedule.enrolments:
        world.after(0.2, Registrar(world, world.schedule.enrolments).act)
    if world.schedule.governance:
        world.after(0.3, Governors(world).act)


def _populate(world: World, chosen: tuple[type[Behaviour], ...]) -> None:
    """Draw who lies, and how unless that is `chosen`."""
    draw, consortium, schemers = world.random, world.consortium, world.schedule.schemers
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
            behaviours = chosen or tuple(draw.sample(world.schedule.pool, draw.randint(1, 2 if schemers else 3)))
            cast.append(f"{member.number} lies: " + ", ".join(each.__name__ for each in behaviours))
            member.behaviours = [each(member) for each in behaviours]
            world.after(0.1, member.act)
    world.cast = "; ".join(cast) or "nobody lies"


def _skew(world: World) -> int:
    return world.random.randint(-MAX_SKEW_MS, MAX_SKEW_MS)


def _survive(world: World) -> None:
    """More have lost their memory than may be faulty: nothing need go on, but nothing may be wrong either."""
    world.coverage["member: more than f have forgotten"] += 1
    for _ in range(2):
        world.client(world.new_entry(), world.doors)
    world.run(SURVIVAL_S)
    world.watch.allow(10 * SURVIVAL_S)
    world.watch.finish(world.now_ms, [])


def _recover(world: World) -> None:
    """The faults have ended, the liars go on: what is submitted now and what was, is decided, and all are level."""
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
            member.node is not None
            and member.node.store.is_complete
            and not (member.is_validator and len(member.node.mempool))  # others propose nothing any more
            for member in present
        )

    allowed_s = liveness.allowance_s(world)
    world.watch.allow(allowed_s)

    def become_level(since: str) -> None:
        if not world.run(allowed_s, is_level):
            state = [f"{m.number}:{m.height}{'' if m.is_running else ' down'}" for m in world.members]
            raise AssertionError(f"liveness: not level {allowed_s:.0f} s after {since}; heights {state}")

    become_level("the faults")
    world.recovered_s = world.loop.now_s - ended_s
    if not world.run(witnesses.SPREAD_S, lambda: witnesses.is_spread(world, equivocation)):
        raise AssertionError(f"equivocation: not at every node {witnesses.SPREAD_S} s after all were level")
    for raw in world.unanswered():  # its client turns to those that were not voted out
        world.client(raw, lambda: [member for member in world.doors() if member.is_in_registry])
    answered_s = ANSWERED_S + allowed_s - world.schedule.recovery_s
    if not world.run(answered_s, lambda: not world.unanswered()):
        raise AssertionError(f"liveness: a client has no receipt {answered_s:.0f} s after all were level")
    become_level("the last answer")
    if world.schedule.night_s:
        night.spend(world)
        become_level("the morning")
    witnesses.check(world)
    world.watch.finish(ended_ms, sorted(ids))
