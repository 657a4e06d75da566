"""The seed of a run that nobody chose, from the decided block of the run's start, with what proves it later."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from notarium.anchoring.start import Start
from notarium.errors import NotAnchored
from notarium.ledger_access.blocking import BlockingClient
from notarium.project import Project
from notarium_ledger.trust.seed import check_first_block, derive_seed


@dataclass(frozen=True, slots=True)
class LedgerSeed:
    """A seed, and where it comes from. With the start's receipt, anyone can check it offline."""

    name: str
    seed: int
    start: str
    """Id of the run's start, hex."""
    block: str
    """Hash of the block that decided it, hex."""
    parent: str
    """Header of the block before, hex: it shows that the start was not in the log yet. "" where that is the genesis."""

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return {
            "name": self.name,
            "seed": self.seed,
            "start": self.start,
            "block": self.block,
            "parent_header": self.parent,
        }


def draw_seed(project: Project, start: Start, name: str, timeout: float) -> LedgerSeed:
    """Wait until the start is decided, and derive the seed of that name. Raises NotariumError, LedgerError, OSError."""
    deadline = time.monotonic() + timeout
    start.wait(timeout)
    receipt = start.receipt()
    if receipt is None:
        raise NotAnchored("the start of the run is not on the ledger yet; run 'notarium status' to see why it waits")
    left = max(deadline - time.monotonic(), 1.0)
    with BlockingClient(project.genesis, project.nodes, timeout=left) as client:
        parent = client.parent(receipt.header)
    check_first_block(receipt.header, receipt.index, parent)
    return LedgerSeed(
        name=name,
        seed=derive_seed(receipt.header.hash, receipt.id, name),
        start=receipt.id.hex(),
        block=receipt.header.hash.hex(),
        parent=parent.raw.hex() if parent is not None else "",
    )
