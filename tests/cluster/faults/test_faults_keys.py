"""A ledger on which 100,000 researchers' keys are enrolled, against one of the same length with few."""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from functools import partial

import pytest
from tests.cluster.crowd import Cluster
from tests.cluster.faults.trial import Trial

from notarium import Client
from notarium.key_files import Purpose, load_key
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.signing import SigningKey
from notarium_node.demo.local_network import LocalNode

pytestmark = pytest.mark.cluster

KEYS = 100_000
IN_BLOCK = 192
"""The most that a block may have of this kind."""
MEMBERS = ("m0", "m1", "m2", "m3")
PARAMETERS = {"max_member_keys": KEYS // len(MEMBERS) + 1_000, "max_member_day_statements": KEYS}
CONFIG = "[sync]\nsnapshot_lag_blocks = 100\n"
TRIES = 15
LIMIT_S = 60.0
SLOWER = 5.0
"""Times as long as on the other ledger that an entry may take. A whole registry in each block would be thousands."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured on one ledger."""

    enrol_ms: float
    research_ms: float
    restart_s: float
    join_s: float
    disk_mib: float


_few: list[Figures] = []
"""Of the ledger with few keys, if that ran before."""


def enrolments(cluster: Cluster, count: int) -> Iterator[list[bytes]]:
    """Blocks in which the members enrol so many keys, each a quarter."""
    admins = {member: _admin(cluster, member) for member in MEMBERS}
    for start in range(0, count, IN_BLOCK):
        members = [MEMBERS[number % len(MEMBERS)] for number in range(start, min(start + IN_BLOCK, count))]
        yield [_enrol(cluster, admins[member], member) for member in members]


def datasets(cluster: Cluster, count: int) -> Iterator[list[bytes]]:
    """Blocks of research entries, as many and as large."""
    for start in range(0, count, IN_BLOCK):
        yield [cluster.entry() for _ in range(start, min(start + IN_BLOCK, count))]


def _admin(cluster: Cluster, member: str) -> SigningKey:
    return load_key(cluster.network.directory / member / "keys" / Purpose.ADMIN.file_name, Purpose.ADMIN)


def _enrol(cluster: Cluster, admin: SigningKey, member: str) -> bytes:
    key = bytes(SigningKey(os.urandom(32)).public)
    return sign_entry(admin, cluster.network.genesis.hash, {"v": 1, "kind": "enrol", "member": member, "key": key})


LEDGERS = [pytest.param(datasets, 1, id="few"), pytest.param(enrolments, KEYS, id="many")]


@pytest.mark.parametrize(("blocks_of", "keys"), LEDGERS)
async def test_many_keys(trial, blocks_of, keys):
    entries = f"{KEYS:,} entries, {keys:,} {'keys' if keys > 1 else 'key'} enrolled"
    async with trial(f"a ledger of {entries}", CONFIG, start=False, parameters=PARAMETERS) as each:
        await each.founded(blocks_of(each.cluster, KEYS))
        async with each.fault():
            figures = await measure(each)
        each.row.note = said(figures)
        each.say(each.row.note)
        each.load.go_on()
        await each.recover(goes_on=None)
        await each.verdict(each.nodes[1:3])
    if keys == 1:
        _few[:] = [figures]
    elif _few:
        assert figures.research_ms <= SLOWER * _few[0].research_ms
        assert figures.enrol_ms <= SLOWER * _few[0].enrol_ms


async def measure(each: Trial) -> Figures:
    """Single entries, one after the other; then a restart; then a lost disk."""
    admin = _admin(each.cluster, "m0")
    enrol_ms = await decided_ms(each, [_enrol(each.cluster, admin, "m0") for _ in range(TRIES)])
    research_ms = await decided_ms(each, [each.cluster.entry() for _ in range(TRIES)])
    victim = each.nodes[2]
    await asyncio.to_thread(victim.stop)
    size = sum(file.stat().st_size for file in (victim.directory / "store").iterdir()) / (1 << 20)
    restart_s = await start_s(each, victim)
    await each.kill(victim)
    shutil.rmtree(victim.directory / "store")
    join_s = await start_s(each, victim)
    assert "joined by a snapshot" in victim.log.read_text()
    return Figures(enrol_ms, research_ms, restart_s, join_s, size)


async def decided_ms(each: Trial, entries: list[bytes]) -> float:
    """From a request to a receipt, the median."""
    took = []
    async with Client(each.cluster.network.genesis, [each.nodes[0].api]) as client:
        for entry in entries:
            began = time.monotonic()
            await each.load.submit(client, [entry])
            took.append(1000 * (time.monotonic() - began))
    return statistics.median(took)


async def start_s(each: Trial, node: LocalNode) -> float:
    """From the start of the process until it has every block."""
    began = time.monotonic()
    node.start()
    await asyncio.to_thread(
        each.cluster.network.wait_until,
        partial(has_everything, node, each.watch.highest),
        f"{node.name} to have the whole ledger",
        node,
        LIMIT_S,
    )
    return time.monotonic() - began


def has_everything(node: LocalNode, height: int) -> bool:
    """Whether it has reached `height` and lacks no block below."""
    status = node.status()
    return bool(status["complete"] and status["height"] >= height)  # The watch may lag.


def said(figures: Figures) -> str:
    """With the ratio to the ledger with few keys, if that was measured."""
    ratios = (
        [f" ({many / few:.1f} times)" for many, few in zip(astuple(figures), astuple(_few[0]), strict=True)]
        if _few
        else []
    )
    words = [
        f"{each.name.replace('_', ' ')} {value:.1f}"
        for each, value in zip(fields(figures), astuple(figures), strict=True)
    ]
    return ", ".join(word + ratio for word, ratio in zip(words, ratios or [""] * len(words), strict=True))
