"""Decides when the engine learns that a block is due: at once when idle, with a full block under load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from notarium_node.entries.mempool import Mempool

BUSY_ENTRIES = 8
"""A block with this many entries came from several senders at once."""
LINGER_S = 0.020
"""How long a busy proposer waits for the next entries at most."""


class Pacing:
    """Watches the mempool between two blocks.

    The senders of the last block's entries have just received their answers and are sending the next entries. Waiting
    a moment for as many again, besides what waits already, makes fewer and larger blocks of the same work.
    """

    def __init__(self, mempool: Mempool, block_entries: int) -> None:
        """`block_entries`: entries that this node puts into a block at most."""
        self._mempool = mempool
        self._block_entries = block_entries
        self._linger: asyncio.TimerHandle | None = None
        self._expected = 0

    def is_due(self) -> bool:
        """Whether a block is due now. Ends the wait once the expected number of entries is here."""
        if self._linger is not None and len(self._mempool) >= self._expected:
            self.stop()
        return self._linger is None and len(self._mempool) > 0

    def after_block(self, entries: int, on_end: Callable[[], None]) -> None:
        """A block with `entries` entries was decided. `on_end` is called if the wait for more ends at its deadline."""
        self.stop()
        self._expected = min(entries + len(self._mempool), self._block_entries)
        if entries >= BUSY_ENTRIES and len(self._mempool) < self._expected:
            self._linger = asyncio.get_running_loop().call_later(LINGER_S, self._end, on_end)

    def stop(self) -> None:
        """End the wait."""
        if self._linger is not None:
            self._linger.cancel()
            self._linger = None

    def _end(self, on_end: Callable[[], None]) -> None:
        self._linger = None
        on_end()
