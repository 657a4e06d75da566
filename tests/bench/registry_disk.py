"""Measures a store with many enrolled keys: what an enrolment writes, opening, the snapshot and its adoption.

python -m tests.bench.registry_disk                     50,000, 100,000 and 500,000 keys, a minute or two
python -m tests.bench.registry_disk --keys 100000

Seconds are those of the processor, milliseconds those of the clock, because a commit waits for the disk. The keys are
hashes, not points of a curve: nobody signs with them here.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from tests.support.consortium import Consortium, key

from notarium_ledger.state.records import RESEARCHER, Researcher
from notarium_ledger.state.registry import Registry
from notarium_ledger.trust.snapshot import Snapshot
from notarium_store import Store

ENROLMENTS = 40
"""Blocks of one enrolment each."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DiskFigures:
    """One row of the table."""

    keys: int
    commit_ms: float
    """Median time to commit one enrolment."""
    written_kib: float
    """What the enrolments add to the files of the store, all together."""
    open_s: float
    snapshot_s: float
    """To make and encode it."""
    snapshot_mib: float
    adopt_s: float
    """To decode, verify and adopt it."""
    open_joined_s: float
    """To open a store that still lacks the blocks below it."""
    rss_mib: float
    """Resident memory of this process: it holds the registry twice, in genesis and in an open store."""


def founded(keys: int) -> Consortium:
    """A consortium of four whose genesis has enrolled `keys` keys."""
    consortium = Consortium(4)
    records = dict(consortium.genesis.registry.records())
    value = Researcher(0).value
    records.update((RESEARCHER + sha256(b"%d" % number).digest(), value) for number in range(keys))
    consortium.genesis = replace(consortium.genesis, registry=Registry.of_records(records.items()))
    return consortium


def measure(keys: int, folder: Path) -> DiskFigures:
    """All figures for a registry of so many keys."""
    consortium = founded(keys)
    path = folder / "store"
    Store.open(path, consortium.genesis).close()
    with Store.open(path, consortium.genesis) as store:  # Again, so that LevelDB has moved genesis out of its log.
        before = _size(path)
        times = sorted(_enrol(store, consortium, number) for number in range(ENROLMENTS))
        written = _size(path) - before
    opening, store = _timed(lambda: Store.open(path, consortium.genesis))
    rss = _rss_mib()
    making, encoded = _timed(lambda: _encoded(store.snapshot()))
    store.close()
    with Store.open(folder / "joined", consortium.genesis) as joined:
        adopting, _ = _timed(lambda: joined.adopt(Snapshot.decode(encoded)))
    opening_joined, joined = _timed(lambda: Store.open(folder / "joined", consortium.genesis))
    joined.close()
    return DiskFigures(
        keys,
        times[len(times) // 2] * 1000,
        written / 1024,
        opening,
        making,
        len(encoded) / 2**20,
        adopting,
        opening_joined,
        rss,
    )


def _enrol(store: Store, consortium: Consortium, number: int) -> float:
    """Seconds of the clock to commit one enrolment."""
    body = consortium.member_body("enrol", 3, key=bytes(key(f"enrolled {number}").public))
    decision, transition = consortium.decide(store.state, [consortium.entry(body)])
    start = time.perf_counter()
    store.commit(decision, transition)
    return time.perf_counter() - start


def _encoded(snapshot: Snapshot | None) -> bytes:
    if snapshot is None:
        raise RuntimeError("the store has no block")
    return snapshot.encode()


def _timed(act: Callable[[], T]) -> tuple[float, T]:
    start = time.process_time()
    result = act()
    return time.process_time() - start, result


def _size(path: Path) -> int:
    return sum(each.stat().st_size for each in path.rglob("*"))


def _rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    """Print one line for each number of keys."""
    parser = argparse.ArgumentParser(description="Measure a store with many enrolled keys.")
    parser.add_argument("--keys", type=int, nargs="+", default=[50_000, 100_000, 500_000], help="numbers of keys")
    for keys in parser.parse_args().keys:
        folder = Path(tempfile.mkdtemp(prefix="notarium-registry-"))
        try:
            found = measure(keys, folder)
        finally:
            shutil.rmtree(folder)
        print(
            f"{found.keys:>9,} keys: an enrolment {found.commit_ms:.2f} ms; {ENROLMENTS} of them "
            f"{found.written_kib:.0f} KiB on disk; open {found.open_s:.2f} s, {found.rss_mib:.0f} MiB resident; "
            f"snapshot {found.snapshot_s:.2f} s, {found.snapshot_mib:.1f} MiB; adopt {found.adopt_s:.2f} s; "
            f"open joined {found.open_joined_s:.2f} s"
        )


if __name__ == "__main__":
    main()
