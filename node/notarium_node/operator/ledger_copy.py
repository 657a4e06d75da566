"""Copies of the decided blocks, from a node's API into a backup or a store; each block is verified from genesis on.

A store that is written here holds no memory of what any key has signed: the node that starts with it asks the other
validators before it signs (docs/adr/0015-a-lost-memory.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from notarium_ledger.blocks.block import Decision
from notarium_ledger.errors import LedgerError
from notarium_ledger.state.chain_state import ChainState, Transition, apply_block
from notarium_ledger.types import Hash
from notarium_node.operator.node_api import NodeApi, NodeUnreachable
from notarium_store.store import Store

TOGETHER_BYTES = 4 * 1024 * 1024
"""Blocks up to this size are written with one fsync."""
TOGETHER = 200
REFUSALS = (429, 503)
ATTEMPTS = 30
WAIT_S = 1.0
"""Before a busy node is asked again, where it does not say itself."""

Progress = Callable[[int, int], None]
"""(blocks done, blocks in all; 0 while unknown)."""


class CopyError(Exception):
    """The blocks cannot be copied. The message says why and what to do."""


class StoreWriter:
    """Writes verified blocks into the store of a node that does not run."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._state: ChainState = store.state
        self._waiting: list[tuple[Decision, Transition]] = []
        self._ids: set[Hash] = set()
        """Of the entries that wait."""
        self._bytes = 0

    @property
    def height(self) -> int:
        """Of the last block that was added."""
        return self._state.height

    def add(self, raw: bytes) -> None:
        """One more decision: every entry, signature, hash and certificate is verified. Raises CopyError, StoreError."""
        height = self._state.height + 1
        try:
            decision = Decision.decode(raw)
            if decision.height != height:
                raise CopyError(f"block {decision.height} stands where block {height} should: use another source")
            transition = apply_block(self._state, decision.block, self._is_decided)
            validators = self._state.registry.validators
            decision.certificate.verify(self._state.genesis, validators, decision.height, decision.block.hash)
        except LedgerError as error:
            raise CopyError(f"block {height} is not valid: {error}; use another source, and ask why") from error
        self._waiting.append((decision, transition))
        self._ids.update(entry.id for entry in transition.entries)
        self._bytes += len(raw)
        self._state = transition.state
        if self._bytes >= TOGETHER_BYTES or len(self._waiting) >= TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Raises StoreError."""
        if self._waiting:
            self._store.commit_many(self._waiting)
        self._waiting, self._bytes = [], 0
        self._ids.clear()

    def _is_decided(self, id_: Hash) -> bool:
        return id_ in self._ids or self._store.position(id_) is not None


async def blocks_of(api: NodeApi, progress: Progress, after: int = 0) -> AsyncIterator[bytes]:
    """The decisions of a node above `after`, one by one, up to its height at the end; not verified here.

    A busy node is asked again. Raises NodeUnreachable, CopyError.
    """
    height, most = after, 0
    while True:
        if height >= most:
            most = int((await api.status())["height"])
            if height >= most:
                return
        height += 1
        yield await _block(api, height)
        progress(height - after, most - after)


async def _block(api: NodeApi, height: int) -> bytes:
    for _ in range(ATTEMPTS):
        status, body = await api.get(f"/v1/blocks/{height}", accept="application/msgpack")
        if status == 200:
            return body
        if status not in REFUSALS:
            raise CopyError(f"{api.url} answers HTTP {status} for block {height}: ask another node")
        await asyncio.sleep(WAIT_S)
    raise NodeUnreachable(
        f"{api.url} does not give block {height}: it is busy, or is still fetching it; try later, or ask another node"
    )
