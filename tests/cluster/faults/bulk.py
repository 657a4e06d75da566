"""Entries as large as they may be, in bulk, at every node before it is known whether they are decided."""

from __future__ import annotations

import os
from collections.abc import Sequence

import aiohttp
import msgpack
from tests.cluster.crowd import ENTRY_TYPE, Cluster

from notarium_ledger.entries.entry import sign_entry
from notarium_node.demo.local_network import LocalNode

MIB = 1 << 20
REQUEST_BYTES = 4 * MIB
SUBJECTS = 55
NAME = 200


def fat_entry(cluster: Cluster) -> bytes:
    """A dataset of many parts: an entry of nearly 16 KiB, the most that a ledger allows by default."""
    subjects = [
        {"digest": os.urandom(32), "role": "part", "name": os.urandom(NAME // 2).hex()} for _ in range(SUBJECTS)
    ]
    body = {"v": 1, "kind": "dataset", "issuer": "m0", "project": "bulk", "disclosure": "consortium"}
    return sign_entry(
        cluster.researcher, cluster.network.genesis.hash, {**body, "record": os.urandom(32), "subjects": subjects}
    )


def fat_entries(cluster: Cluster, size: int) -> list[bytes]:
    """So many that they have `size` bytes together, or a little less."""
    first = fat_entry(cluster)
    return [first, *(fat_entry(cluster) for _ in range(size // len(first) - 1))]


async def post(node: LocalNode, entries: Sequence[bytes]) -> None:
    """A node takes these, and nobody waits for their decision."""
    step = REQUEST_BYTES // len(entries[0]) - 1
    async with aiohttp.ClientSession(headers={"Content-Type": ENTRY_TYPE}) as session:
        for start in range(0, len(entries), step):
            data = msgpack.packb(list(entries[start : start + step]))
            async with session.post(f"{node.api}/v1/entries/batch?wait=none", data=data) as answer:
                assert answer.status in (200, 202), f"{node.name}: HTTP {answer.status}: {await answer.text()}"
