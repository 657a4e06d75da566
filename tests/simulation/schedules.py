"""What a seed is put through: how long, by which faults, on which lines and machines, with what work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.simulation.byzantine import BEHAVIOURS
from tests.simulation.consensus_lies import InvalidContent, Withholder
from tests.simulation.edge_of_time import EdgeOfTime
from tests.simulation.faults import (
    Fault,
    bad_weather,
    changed_validators,
    clock_jump,
    copied_store,
    crash,
    crash_loop,
    everybody_alone,
    flapping_link,
    left_behind,
    old_backup,
    partition,
    power_failure,
    returned_validator,
    slow_node,
    smaller_set,
    stopped_process,
    wiped_disk,
    wiped_disks,
)
from tests.simulation.liar import Behaviour
from tests.simulation.night_watch import NightWatch
from tests.simulation.old_entries import OldEntries, Overload
from tests.simulation.overspending import Overspending
from tests.simulation.schemes import SCHEMES
from tests.simulation.short_memory import ShortMemory


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long things last, in simulated seconds, and what happens meanwhile."""

    trouble_s: float
    entries: int
    """Submitted meanwhile, at most."""
    recovery_s: float
    """In which, after the last fault, everything must be decided and every node be level; liveness.py adds to it."""
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
    mbit_per_s: tuple[float, ...] = ()
    """What one direction of a link carries, one of these; (): no limit."""
    slowness: tuple[float, ...] = ()
    """How slow the machines are, one of these (costs.py); (): computing takes no time."""
    history_s: float = 0.0
    """By how much an answer with blocks is late, at most."""
    entry_bytes: int = 0
    """Each entry has about so many; 0: small ones."""
    block_entries: int = 20
    """The most that a node puts into a block."""
    block_bytes: int = 1 << 20
    enrolments: int = 0
    """Of a member whose administrator enrols without measure; the keys are used, and some are revoked."""
    governance: bool = False
    """Members propose, approve, take back and withdraw."""
    night_s: float = 0.0
    """After the trouble nobody has work for so long, at most (night.py)."""
    wipes: int = 0
    """By how many more than f the nodes may be that have lost their memory at one time. Only safety is asked then."""
    parameters: tuple[tuple[str, int], ...] = ()
    """Of the consortium, in genesis; members may vote them below what a real one may have."""
    spending: int = 0
    """So many entries and statements a day come, at most, of a member that writes more than its day (spending.py)."""
    midnight_s: tuple[float, float] | None = None
    """Midnight UTC comes so long after the start, at least and at most; None: it does not come."""
    lies: tuple[type[Behaviour], ...] = ()
    """What liars draw from; (): the behaviours, or the schemes."""

    @property
    def pool(self) -> tuple[type[Behaviour], ...]:
        """What liars draw from."""
        return self.lies or (SCHEMES if self.schemers else BEHAVIOURS)


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
THIN = Schedule(
    trouble_s=20.0,
    entries=120,
    recovery_s=60.0,
    faults=(crash, flapping_link, partition, slow_node, stopped_process),
    mbit_per_s=(2.0, 5.0, 10.0),
    entry_bytes=4_000,
    block_entries=64,
    block_bytes=128 * 1024,
    lies=(*BEHAVIOURS, EdgeOfTime),
)
"""Full blocks on thin lines (lines.py: 128 KiB stand for 2 MiB)."""
THINNEST = replace(THIN, mbit_per_s=(0.8,), entries=40, faults=(crash,))
"""A full block takes longer than max_timeout_ms."""
BUSY = Schedule(
    trouble_s=15.0,
    entries=60,
    recovery_s=60.0,
    faults=(crash, partition, bad_weather, stopped_process, power_failure),
    slowness=(1.0, 4.0, 10.0),
    block_entries=4_096,
    enrolments=600,
    governance=True,
    lies=(*BEHAVIOURS, EdgeOfTime, Overload),
)
"""One member enrols without measure, members propose and vote, and the machines are slow."""
GOVERNING = Schedule(
    trouble_s=15.0,
    entries=20,
    recovery_s=60.0,
    faults=(crash, partition, bad_weather, power_failure, changed_validators, smaller_set, returned_validator),
    observers=2,
    leavers=1,
    enrolments=40,
    governance=True,
    parameters=(("max_member_keys", 25),),
    lies=(*BEHAVIOURS, EdgeOfTime),
)
"""Who may write, and who decides on it, changes all the time."""
WIPES = Schedule(
    trouble_s=10.0,
    entries=12,
    recovery_s=60.0,
    faults=(wiped_disk, wiped_disks, copied_store, old_backup, crash, crash_loop, partition, bad_weather),
    wipes=1,
)
"""Disks are lost on ledgers of any age, also more at once than may be faulty."""
BACKUPS = Schedule(trouble_s=6.0, entries=6, recovery_s=60.0, faults=(old_backup, crash, power_failure))
"""Old backups are restored as operations.md says, and soon after that the node starts again."""
JOINING = Schedule(
    trouble_s=15.0,
    entries=150,
    recovery_s=60.0,
    faults=(crash, partition, stopped_process),
    block_entries=2,
    history_s=1.5,
    lies=(*BEHAVIOURS, OldEntries),
)
"""Whoever was away for a moment joins by a snapshot at once, and has its history later."""
CROWDED = Schedule(
    trouble_s=6.0, entries=150, recovery_s=60.0, block_entries=2, lies=(*BEHAVIOURS, EdgeOfTime, OldEntries)
)
"""Something waits at any time, so blocks follow one another at once."""
RECALLS = Schedule(
    trouble_s=16.0,
    entries=80,
    recovery_s=60.0,
    faults=(left_behind,),
    block_entries=2,
    wipes=1,
    lies=(*BEHAVIOURS, ShortMemory),
)
"""Disks are lost while those that know best are away, and others answer in their place."""
IDLE = Schedule(
    trouble_s=3.0,
    entries=4,
    recovery_s=60.0,
    faults=(crash, partition),
    schemers=True,
    night_s=3_600.0,
    lies=(NightWatch, Withholder, InvalidContent),
)
"""Little trouble, and then a long night without work: what idleness teaches is not to delay the next entry."""
QUOTAS = Schedule(
    trouble_s=8.0,
    entries=3,
    recovery_s=60.0,
    faults=(crash, partition, bad_weather, stopped_process, power_failure, clock_jump),
    spending=45,
    midnight_s=(2.0, 9.0),
    parameters=(
        ("max_member_day_entries", 10),
        ("max_member_day_bytes", 65_536),
        ("max_member_day_statements", 100),
    ),
    lies=(*BEHAVIOURS, EdgeOfTime, Overspending),
)
"""Members write more than their day holds, around a midnight, while the consortium votes on how much that is."""
SCHEDULES: dict[str, Schedule] = {
    "small": SMALL,
    "long": LONG,
    "apart": APART,
    "scheming": SCHEMING,
    "blackouts": BLACKOUTS,
    "changing": CHANGING,
    "thin": THIN,
    "thinnest": THINNEST,
    "busy": BUSY,
    "governing": GOVERNING,
    "wipes": WIPES,
    "recalls": RECALLS,
    "backups": BACKUPS,
    "joining": JOINING,
    "crowded": CROWDED,
    "idle": IDLE,
    "quotas": QUOTAS,
}
