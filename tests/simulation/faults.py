"""What goes wrong: each fault is one function of the world, drawn from the seed, and each is undone by `peace`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from tests.simulation.links import Conditions
from tests.simulation.member import Member
from tests.simulation.world import World

Fault = Callable[[World], bool]

VOTE_FROM_MARGIN = 3
"""docs/operations.md: after restoring a backup, vote from the highest height that a peer shows plus this."""
LEADS = (1, 2, 2, 2, 3, 5)
"""By how many blocks a node is left behind; two are the margin of who has forgotten, less one."""
CLOCK_ECHO_S = 30.0
"""So long after a clock is right again, a block of its wrong time may still be on its way."""


class Trouble:
    """Faults and work until a time, both drawn from the seed."""

    def __init__(self, world: World, duration_s: float, entries: int, faults: Sequence[Fault] | None) -> None:
        """At most `entries` are submitted. `faults`: those that strike; None draws up to four of all."""
        self._world = world
        self._end_s = world.loop.now_s + duration_s
        draw = world.random
        self._faults = draw.sample(FAULTS, draw.randint(0, 4)) if faults is None else faults
        self._pace_s = draw.choice([0.3, 1.0, 3.0])
        self._entries = entries
        self._pauses_s = draw.choice([[0.001, 0.03, 1.0], [0.1, 0.8], [0.5, 2.0]])

    def begin(self) -> None:
        """Schedule the first of each."""
        world = self._world
        world.is_troubled = True
        world.crash_probability = world.random.choice([0.0, 0.0, 0.0005, 0.003, 0.01])
        self._work()
        if self._faults:
            self._strike()

    def _work(self) -> None:
        world = self._world
        if world.loop.now_s < self._end_s and self._entries > 0:
            for _ in range(world.random.choice([1, 1, 3])):
                self._entries -= 1
                world.client(world.new_entry(), world.doors)
            world.after(world.random.choice(self._pauses_s), self._work)

    def _strike(self) -> None:
        world = self._world
        if world.loop.now_s < self._end_s:
            fault = world.random.choice(self._faults)
            world.note(fault.__name__, -1)
            if fault(world):
                world.coverage[counted_as(fault)] += 1
            world.after(world.random.uniform(0.1, 2.0) * self._pace_s, self._strike)


def counted_as(fault: Fault) -> str:
    """Its name in the coverage."""
    return "fault: " + fault.__name__.replace("_", " ")


def peace(world: World) -> None:
    """Every fault ends: the network is good, clocks are right, disks have room, and all are started or go on."""
    world.is_troubled = False
    world.peace_s = world.loop.now_s
    world.crash_probability = 0.0
    world.links.heal()
    for member in world.members:
        member.disk.is_full = False
        member.skew_ms = member.usual_skew_ms
        if member.is_clock_wrong:
            member.is_clock_wrong, member.trusted_from_s = False, world.loop.now_s + CLOCK_ECHO_S
        if not member.life.alive:
            world.after(world.random.uniform(0.01, 1.0), member.start)


# ---- the network ---------------------------------------------------------------------------------------------------


def bad_weather(world: World) -> bool:
    """Delay, reordering, loss and duplication for all."""
    draw = world.random
    world.links.conditions = Conditions(
        0.001, draw.choice([0.005, 0.05, 0.3, 1.5]), draw.choice([0.0, 0.05, 0.3]), draw.choice([0.0, 0.2])
    )
    return True


def partition(world: World) -> bool:
    """Two sides that do not hear each other."""
    one, other = _sides(world)
    world.links.block("partition", [(a, b) for a in one for b in other] + [(b, a) for a in one for b in other])
    world.after(world.random.uniform(0.5, 5.0), world.links.walls.pop, "partition", None)
    return bool(one and other)


def asymmetric_partition(world: World) -> bool:
    """One side hears the other, but not the other way round."""
    one, other = _sides(world)
    world.links.block("asymmetric", [(a, b) for a in one for b in other])
    world.after(world.random.uniform(0.5, 5.0), world.links.walls.pop, "asymmetric", None)
    return bool(one and other)


def overlapping_partition(world: World) -> bool:
    """Two sides, and one node in the middle that hears and is heard by both."""
    one, other = _sides(world)
    if not one:
        return False
    bridge = one.pop()
    world.links.block("overlap", [(a, b) for a in one for b in other] + [(b, a) for a in one for b in other])
    world.after(world.random.uniform(0.5, 5.0), world.links.walls.pop, "overlap", None)
    return bridge >= 0


def everybody_alone(world: World) -> bool:
    """Nobody hears anybody, so rounds run apart."""
    numbers = range(len(world.members))
    world.links.block("alone", [(a, b) for a in numbers for b in numbers if a != b])
    world.after(world.random.choice([3.0, 20.0, 60.0]), world.links.walls.pop, "alone", None)
    return True


def crash_loop(world: World) -> bool:
    """One process dies again and again, always before its round ends."""
    member = _somebody(world)
    for at in range(world.random.choice([3, 20])):
        world.after(2.5 * at, _die_again, world, member)
    return True


def _die_again(world: World, member: Member) -> None:
    if world.is_troubled:
        member.die(restart_s=0.1)


def flapping_link(world: World) -> bool:
    """One connection breaks, comes back, and breaks again."""
    one, other = world.random.sample(range(len(world.members)), 2)
    for at in range(4):
        world.after(at * world.random.uniform(0.1, 0.8), world.links.cut, one, other)
    return True


def _sides(world: World) -> tuple[list[int], list[int]]:
    numbers = list(range(len(world.members)))
    world.random.shuffle(numbers)
    cut = world.random.randint(1, len(numbers) - 1) if len(numbers) > 1 else 0
    return numbers[:cut], numbers[cut:]


# ---- processes, clocks and disks -----------------------------------------------------------------------------------


def crash(world: World) -> bool:
    """One process dies and comes back."""
    member = _somebody(world)
    member.die(restart_s=world.random.choice([0.01, 0.5, 4.0]))
    return True


def power_failure(world: World) -> bool:
    """All die at once and come back one after another."""
    for member in world.members:
        member.die(restart_s=world.random.uniform(0.1, 3.0))
    return True


def stopped_process(world: World) -> bool:
    """SIGSTOP: it does nothing for a while, then everything at once."""
    life = _somebody(world).life
    life.stopped_until_s = max(life.stopped_until_s, world.loop.now_s + world.random.choice([0.2, 1.5, 5.0]))
    return True


def clock_jump(world: World) -> bool:
    """A clock leaps; peace puts it right. Who has a wrong clock is among the f faulty."""
    able = [member for member in world.honest if member.is_clock_wrong or member.is_forgetful]
    if not able and world.faulty < world.tolerated:
        able = world.honest
    if not able:
        return False
    member = world.random.choice(able)
    member.is_clock_wrong = True
    member.skew_ms += world.random.choice([-120_000, -3_000, -700, 700, 3_000, 120_000])
    return True


def full_disk(world: World) -> bool:
    """Writes fail for a while."""
    disk = _somebody(world).disk
    disk.is_full = True

    def emptied() -> None:
        disk.is_full = False

    world.after(world.random.choice([0.3, 2.0, 5.0]), emptied)
    return True


def wiped_disk(world: World) -> bool:
    """A node loses its disk and starts again, and sees by itself that it has."""
    member = _to_roll_back(world)
    if member is None:
        return False
    _wipe(world, member)
    return True


def wiped_disks(world: World) -> bool:
    """Some lose their disks at once, maybe more than f; one disk stays that has the newest block."""
    if world.faulty > world.tolerated or world.watch.height < world.random.randrange(4):
        return False
    keepers = [m for m in world.honest if not m.is_forgetful and m.height_on_disk == world.watch.height]
    if not keepers:
        return False
    keeper = world.random.choice(keepers)
    able = [member for member in world.honest if member is not keeper]
    most = min(len(able), world.tolerated + world.schedule.wipes)
    for member in world.random.sample(able, world.random.randint(min(1, most), most)):
        _wipe(world, member)
    return most > 0


def copied_store(world: World) -> bool:
    """A node loses its disk, and its operator gives it a copy of another member's."""
    member = _to_roll_back(world)
    others = [other for other in world.honest if other is not member and other.height_on_disk]
    if member is None or not others:
        return False
    _wipe(world, member, world.random.choice(others).backup())
    return True


def left_behind(world: World) -> bool:
    """One node is cut off until the others are ahead. Then another one is, some of the rest lose their disks, and the
    first is whom they meet: what they decided, only the second knows, until it comes back."""
    able = [member for member in world.honest if member.is_validator]
    if len(able) < 3 or "left" in world.links.walls or world.faulty > world.tolerated:
        return False
    first, second, *rest = world.random.sample(able, len(able))
    most = world.tolerated - world.faulty if world.random.random() < 0.7 else world.tolerated + world.schedule.wipes
    losers = rest[: world.random.randint(1, max(1, min(len(rest), most)))]
    world.links.block("left", _alone(world, first))
    ahead = max(first.height_on_disk, 0) + world.random.choice(LEADS)
    world.after(0.1, _leave_behind, world, (first, second), losers, (ahead, world.loop.now_s + 6.0))
    return True


def _leave_behind(world: World, pair: tuple[Member, Member], losers: list[Member], until: tuple[int, float]) -> None:
    (first, second), (height, at_s) = pair, until
    if not world.is_troubled:
        return
    if world.watch.height < height and world.loop.now_s < at_s:
        world.after(0.02, _leave_behind, world, pair, losers, until)
        return
    world.links.block("left", _alone(world, first) | _alone(world, second))
    for other in world.members:
        world.links.cut(second.number, other.number)
    # What they are given now they cannot decide, but they sign for it.
    world.client(world.new_entry(), lambda: losers if "left" in world.links.walls else world.doors())
    world.after(world.random.uniform(0.3, 2.5), _lose, world, second, losers)
    world.after(world.random.uniform(6.0, 9.0), world.links.walls.pop, "left", None)


def _lose(world: World, second: Member, losers: list[Member]) -> None:
    """By now they may have signed at the next height, which they cannot decide."""
    if not world.is_troubled:
        return
    if second.height_on_disk == world.watch.height:
        for loser in losers:
            _wipe(world, loser)
    world.links.block("left", _alone(world, second))


def _alone(world: World, member: Member) -> set[tuple[int, int]]:
    one, others = member.number, [other.number for other in world.members if other is not member]
    return {pair for other in others for pair in ((one, other), (other, one))}


def _wipe(world: World, member: Member, data: Mapping[bytes, bytes] = MappingProxyType({})) -> None:
    world.coverage[f"member: wiped at height {min(member.height_on_disk, 3)}"] += 1
    member.die()
    member.restore(data)
    world.after(world.random.uniform(0.1, 2.0), member.start)


def old_backup(world: World) -> bool:
    """A copy is taken; some seconds later the disk breaks and the copy is restored, with vote_from set."""
    member = _to_roll_back(world)
    if member is None:
        return False
    copy = member.backup()
    member.is_doomed = True

    def restore() -> None:
        member.die()
        member.restore(copy, vote_from=_safe_height(world, member))
        world.after(world.random.uniform(0.1, 2.0), member.start)

    world.after(world.random.uniform(0.2, 3.0), restore)
    return True


def slow_node(world: World) -> bool:
    """Everything to and from one node takes long, for a while."""
    number, links = _somebody(world).number, world.links
    links.slow_s[number] = world.random.choice([0.2, 1.0, 3.0])
    world.after(world.random.uniform(1.0, 5.0), links.slow_s.pop, number, None)
    return True


def _somebody(world: World) -> Member:
    return world.random.choice(world.members)


def _to_roll_back(world: World) -> Member | None:
    """A loss of memory counts among the f faults until the node signs again; who suffers it may suffer it again."""
    able = [member for member in world.honest if member.is_forgetful or member.is_clock_wrong]
    if world.faulty < world.tolerated:
        able = able or world.honest
    if not able:
        return None
    member = world.random.choice(able)
    member.is_forgetful = True
    return member


def _safe_height(world: World, member: Member) -> int:
    """What the operator reads off her peers' status pages."""
    others = [other.height_on_disk for other in world.honest if other is not member]
    return max(others, default=0) + VOTE_FROM_MARGIN


# ---- the consortium ------------------------------------------------------------------------------------------------


def changed_validators(world: World) -> bool:
    """The members vote that an observer takes the place of its member's validator, under load."""
    return world.vote([member for member in world.honest if _role(world, member) == "observer"], "validator")


def returned_validator(world: World) -> bool:
    """One that was voted out takes its member's place again, with whatever it has on its disk."""
    return world.vote([member for member in world.honest if _role(world, member) is None], "validator")


def smaller_set(world: World) -> bool:
    """A validator is made an observer, and its member has no vote, until `changed_validators` undoes it."""
    if len(world.registry.validators) <= world.size - world.schedule.leavers:
        return False
    return world.vote([member for member in world.honest if _role(world, member) == "validator"], "observer")


def _role(world: World, member: Member) -> str | None:
    record = world.registry.nodes.get(member.public)
    return None if record is None else record.role


FAULTS: Sequence[Fault] = (
    bad_weather,
    partition,
    asymmetric_partition,
    overlapping_partition,
    everybody_alone,
    flapping_link,
    crash,
    crash_loop,
    power_failure,
    stopped_process,
    slow_node,
    clock_jump,
    full_disk,
    wiped_disk,
    old_backup,
    changed_validators,
)
