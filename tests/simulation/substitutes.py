"""What stands in place of parts of the product while a world runs: disks, logs, and what all nodes may share."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import plyvel
import structlog
from tests.simulation import leveldb, lines
from tests.simulation.costs import Costs

from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_ledger.state.records import Record
from notarium_ledger.state.registry import Registry
from notarium_node.catchup import replay
from notarium_node.entries import admission
from notarium_node.peers import parcels, wire
from notarium_node.routing import peers as routing
from notarium_store import database
from notarium_store.database import Database

if TYPE_CHECKING:
    from tests.simulation.world import World

DECODED = 4_096
"""Messages and entries whose decoding the nodes share: it is a pure function, and each goes to all of them."""
REGISTRIES = 32
"""The same of the registries that nodes read from their disks when they start."""

Substitute = tuple[Any, str, Any]
"""(module or class, name, what it is while a world runs)"""


@contextmanager
def simulated(world: World) -> Iterator[None]:
    """Within it stores open simulated disks, and nodes log into its transcript."""
    substitutes = [*_disks(world), *_shared(), *_scaled(world)]
    real = [vars(owner)[name] for owner, name, _ in substitutes]
    for substitute in substitutes:
        setattr(*substitute)
    limits = dict(PARAMETER_LIMITS)
    names = [name for name, _ in world.schedule.parameters] + ["proposal_blocks"] * world.schedule.governance
    # A ledger of a few seconds needs smaller ones than one of years.
    PARAMETER_LIMITS.update({name: (1, limits[name][1]) for name in names})
    _log_into_transcript(world)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        structlog.reset_defaults()
        PARAMETER_LIMITS.update(limits)
        for (owner, name, _), value in zip(substitutes, real, strict=True):
            setattr(owner, name, value)


@cache
def _base() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="notarium-simulation-")


@cache
def directories(count: int) -> list[Path]:
    """Directories that look as if LevelDB had been opened there; what they hold is simulated."""
    paths = [Path(_base().name) / str(number) for number in range(count)]
    for path in paths:
        path.mkdir(exist_ok=True)
        (path / "CURRENT").touch()
    return paths


def _disks(world: World) -> Iterator[Substitute]:
    def open_database(path: str, **options: object) -> leveldb.Handle:
        return leveldb.Handle(world.members[int(Path(path).name)].disk)

    def free_bytes(self: Database) -> int:
        return 0 if world.members[int(self.path.name)].disk.is_full else 1 << 40

    errors = {"Error": plyvel.Error, "CorruptionError": plyvel.CorruptionError, "IOError": plyvel.IOError}
    yield database, "plyvel", SimpleNamespace(DB=open_database, **errors)
    yield Database, "free_bytes", free_bytes


def _shared() -> Iterator[Substitute]:
    """Pure functions of which several nodes ask the same."""
    yield routing, "decode_message", lru_cache(DECODED)(vars(routing)["decode_message"])
    yield admission, "decode_entry", lru_cache(DECODED)(vars(admission)["decode_entry"])
    registry = lru_cache(REGISTRIES)(Registry.of_records)

    def of_records(records: Iterable[Record]) -> Registry:
        return registry(tuple(records))

    yield Registry, "of_records", staticmethod(of_records)


def _scaled(world: World) -> Iterator[Substitute]:
    """Smaller messages on thin lines, and slow computing."""
    if world.links.lines is not None:
        for owner, name in ((parcels, "PIECE_BYTES"), (wire, "BLOCKS_BYTES"), (wire, "SNAPSHOT_PART_BYTES")):
            yield owner, name, vars(owner)[name] // lines.SCALE
    if world.costs is not None:
        yield replay, "apply_block", _slow(world, world.costs)


def _log_into_transcript(world: World) -> None:
    def log(logger: object, name: str, event: Any) -> str:
        if world.transcript is not None:
            text = event.pop("event", "")
            line = f"{world.loop.now_s:10.3f}  {world.loop.owner.name}  {name}: {text} {event}"
            world.transcript.append(line.replace(_base().name, "disk"))
        raise structlog.DropEvent

    quiet = structlog.make_filtering_bound_logger(50)
    wrapper = quiet if world.transcript is None else structlog.BoundLogger
    structlog.configure(processors=[log], wrapper_class=wrapper, cache_logger_on_first_use=False)


def _slow(world: World, costs: Costs) -> Callable[..., Any]:
    """The check of a fetched block, which takes as long as that of a proposed one."""
    apply = replay.apply_block  # type: ignore[attr-defined]

    def slow(state: Any, block: Any, *arguments: Any) -> Any:
        world.loop.work(costs.block_s(block.entries))
        return apply(state, block, *arguments)

    return slow
