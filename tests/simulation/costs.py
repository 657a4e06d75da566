"""What content costs: the time for which a process does nothing else, by size and kind of what it works on.

A seed draws how slow its machines are. The figures of a machine of slowness 1 are about those that `make bench` gives;
they are upper ends, for a block that meets a registry of 500,000 keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgpack

from notarium_node.driving.block_work import BlockWork
from notarium_node.node import Node

if TYPE_CHECKING:
    from tests.simulation.loop import SimulatedLoop

KEYS, GOVERNANCE, RESEARCH = "keys", "governance", "research"
CLASS_OF = {"enrol": KEYS, "revoke": KEYS, "propose": GOVERNANCE, "vote": GOVERNANCE}


@lru_cache(maxsize=1 << 14)
def class_of(entry: bytes) -> str:
    """Which limit of a block's work an entry counts for, read by hand."""
    try:
        return CLASS_OF.get(msgpack.unpackb(msgpack.unpackb(entry)[1])["kind"], RESEARCH)
    except (ValueError, TypeError, LookupError, msgpack.exceptions.UnpackException):
        return RESEARCH  # a liar's nonsense is thrown away at once


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds on the machines of one seed."""

    slowness: float
    signature_s: float = 0.000_1
    byte_s: float = 0.000_000_02
    research_s: float = 0.000_1
    key_s: float = 0.002
    governance_s: float = 0.005

    def block_s(self, entries: Iterable[bytes]) -> float:
        """To build or check a block of these, signatures aside."""
        total = 0.0
        for raw in entries:
            kind = class_of(raw)
            total += self.byte_s * len(raw)
            total += self.key_s if kind == KEYS else self.governance_s if kind == GOVERNANCE else self.research_s
        return total * self.slowness

    def signatures_s(self, count: int) -> float:
        """To verify so many."""
        return self.signature_s * count * self.slowness

    def most_s(self, entries: int, block_bytes: int, key_entries: int, governance_entries: int) -> float:
        """The most that a valid block may cost under these limits: the signatures of a quorum are nothing beside it."""
        work = key_entries * self.key_s + governance_entries * self.governance_s + entries * self.research_s
        return (work + block_bytes * self.byte_s + entries * self.signature_s) * self.slowness


def burden(node: Node, costs: Costs, loop: SimulatedLoop, met: Counter[str]) -> None:
    """From now on the work of `node` on content takes time."""
    work: BlockWork = node.driver._block_work
    build, finish = work.build, work._finish

    def slow_build(*arguments: Any) -> Any:
        built = build(*arguments)
        if built.block is not None:
            spend(costs.block_s(built.block.entries))
        return built

    def slow_finish(request: Any, *arguments: Any) -> None:
        spend(costs.block_s(request.block.entries))  # what follows from the answer comes after it
        finish(request, *arguments)

    def spend(seconds: float) -> None:
        if seconds > 1.0:
            met["content: took more than a second"] += 1
        loop.work(seconds)

    work.build = slow_build  # type: ignore[method-assign,assignment]
    work._finish = slow_finish  # type: ignore[method-assign,assignment]
    for verifier in (node.verifier, node.catch_up_verifier):
        _slow_verifier(verifier, lambda count: loop.work(costs.signatures_s(count)))


def _slow_verifier(verifier: Any, spend: Callable[[int], None]) -> None:
    check, run = verifier.check, verifier.run

    async def slow_check(checks: Sequence[Any]) -> Any:
        spend(len(checks))
        return await check(checks)

    async def slow_run(jobs: Sequence[Any], signatures: int) -> None:
        spend(len(jobs) * signatures)
        await run(jobs, signatures)

    verifier.check = slow_check
    verifier.run = slow_run
