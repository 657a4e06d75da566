"""Builds and checks the content of blocks for the engine; the answer is an input to it.

Only the checking of signatures that the mempool has not seen leaves the event loop (Admission.verify). All that
needs no signature is checked first, so a liar's block of too many entries costs no verification.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from notarium_consensus import inputs
from notarium_consensus.effects import CheckBlock, RequestBlock
from notarium_ledger.blocks.block import Block
from notarium_ledger.entries.entry import Entry, decode_entry
from notarium_ledger.errors import InvalidBlock, InvalidEntry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.state.chain_state import (
    CLASS_LIMITS,
    ChainState,
    Transition,
    advance,
    apply_block,
    check_admissible,
    check_classes,
    check_sizes,
    select_entries,
)
from notarium_ledger.types import Hash, PublicKey
from notarium_node.entries.admission import Admission
from notarium_node.entries.mempool import Mempool
from notarium_node.entries.waiters import Waiters
from notarium_store.store import Store

DROPPED = 4_096
"""Entries that one block has made invalid are removed up to this number; more at the next one."""


@dataclass(frozen=True, slots=True)
class BlockTarget:
    """How large this proposer makes its blocks, within the limits of the consortium."""

    entries: int
    bytes: int


class Asker(Protocol):
    """Receives the result of a check: the driver."""

    def feed(self, event: inputs.Input) -> None:
        """Take the answer."""

    def fail(self, error: Exception) -> None:
        """Take the error that ended a check: a defect, or a damaged store."""


class BlockWork:
    """Builds and checks the blocks that may follow the store's tip."""

    def __init__(
        self,
        own_key: PublicKey,
        store: Store,
        mempool: Mempool,
        admission: Admission,
        waiters: Waiters,
        target: BlockTarget,
    ) -> None:
        self._own_key = own_key
        self._store = store
        self._mempool = mempool
        self._admission = admission
        self._waiters = waiters
        self.target = target
        self._transitions: dict[Hash, Transition] = {}
        self._checks: set[asyncio.Task[None]] = set()

    def transition(self, block: Hash) -> Transition:
        """What a block that was built or found valid here does to the state. Raises KeyError for others."""
        return self._transitions[block]

    def forget(self) -> None:
        """Each block is checked again: the tip has moved, or this node lacked history until now."""
        self._transitions.clear()

    def stop(self) -> None:
        """Give no more answers."""
        for task in self._checks:
            task.cancel()

    def build(self, request: RequestBlock, now_ms: int) -> inputs.BlockBuilt:
        """Cut a block from waiting entries. Those that became invalid are removed, and their senders get an error."""
        state = self._store.state
        block: Block | None = None
        if request.height == state.height + 1:
            time_ms = max(now_ms, request.earliest_time_ms)
            chosen = self._choose(state, time_ms)
            if chosen:
                transition = advance(state, chosen, time_ms, self._own_key)
                block = Block(transition.header, tuple(entry.raw for entry in chosen))
                self._transitions[block.hash] = transition
        return inputs.BlockBuilt(request.height, request.round, block)

    def _choose(self, state: ChainState, time_ms: int) -> list[Entry]:
        """The entries of a block; none only if nothing that waits makes one."""
        limits = state.registry.parameters
        count, size = min(self.target.entries, limits.max_block_entries), min(self.target.bytes, limits.max_block_bytes)
        while True:
            # What waits was not decided when it came in, and what is decided leaves the mempool.
            candidates = self._mempool.oldest(count, size, CLASS_LIMITS)
            chosen, rejected = select_entries(state, candidates, lambda _: False, time_ms)
            for entry, error in rejected:
                self._drop(entry, error)
            if chosen or not rejected:
                return chosen

    def drop_invalid(self, now_ms: int) -> None:
        """Remove what the tip has made invalid, so that what still waits makes a block due.

        The entries behind a valid one are left: it makes a block due, and they come to the front when it is decided.
        While blocks are missing, what seems invalid may have been decided in one of them.
        """
        if not self._store.is_complete:
            return
        state = self._store.state
        time_ms = max(now_ms, state.time_ms + 1)
        valid: set[Hash] = set()
        for _ in range(DROPPED):
            entry = next((each for each in self._mempool.fronts() if each.id not in valid), None)
            if entry is None:
                return
            try:
                check_admissible(state, entry, time_ms)
                valid.add(entry.id)
            except InvalidEntry as error:
                self._drop(entry, error)

    def _drop(self, entry: Entry, error: InvalidEntry) -> None:
        self._mempool.remove([entry.id])
        self._waiters.refuse(entry.id, error)

    def check(self, request: CheckBlock, asker: Asker) -> None:
        """Check the content of a block and answer `asker`.

        Entries that wait in the mempool are verified already; the signatures of the others are checked in threads.
        """
        block = request.block
        done = self._transitions.get(block.hash)
        # The header binds the entries, but the sender of this copy may have put others under it.
        if done is not None and tuple(entry.raw for entry in done.entries) == block.entries:
            asker.feed(inputs.BlockChecked(block.hash, True, "", request.attempt))
            return
        if self._is_late(block):
            return
        try:
            check_sizes(self._store.state.registry.parameters, block.entries)
        except InvalidBlock as error:
            self._refuse(request, error, asker)
            return
        known = self._known(block)
        if len(known) == len(block.entries):
            self._finish(request, known, asker)
            return
        task = asyncio.create_task(self._read_and_finish(request, asker))
        self._checks.add(task)
        task.add_done_callback(lambda ended: self._ended(ended, asker))

    def _ended(self, task: asyncio.Task[None], asker: Asker) -> None:
        self._checks.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            asker.fail(error)

    def _is_late(self, block: Block) -> bool:
        """Whether the height was decided meanwhile: the answer is not needed."""
        return block.height != self._store.state.height + 1

    def _known(self, block: Block) -> dict[bytes, Entry]:
        """The block's entries that wait in the mempool, by their bytes."""
        waiting = ((raw, self._mempool.get(leaf_hash(raw))) for raw in block.entries)
        return {raw: entry for raw, entry in waiting if entry is not None}

    async def _read_and_finish(self, request: CheckBlock, asker: Asker) -> None:
        # Most of them are being verified right now, because gossip and proposal travel at the same time.
        await self._admission.under_way()
        block = request.block
        if self._is_late(block):
            return
        most = self._store.state.registry.parameters.max_entry_bytes
        entries = self._known(block)
        try:
            fresh = {raw: decode_entry(raw, most) for raw in block.entries if raw not in entries}
            entries.update(fresh)
            check_classes(entries[raw] for raw in block.entries)
            await self._admission.verify(list(fresh.values()))
        except (InvalidEntry, InvalidBlock) as error:
            self._refuse(request, error, asker)
            return
        self._finish(request, entries, asker)

    def _refuse(self, request: CheckBlock, error: InvalidEntry | InvalidBlock, asker: Asker) -> None:
        asker.feed(inputs.BlockChecked(request.block.hash, False, str(error), request.attempt))

    def _finish(self, request: CheckBlock, entries: dict[bytes, Entry], asker: Asker) -> None:
        block = request.block
        if self._is_late(block):
            return
        try:
            transition = apply_block(
                self._store.state,
                block,
                lambda id_: id_ not in self._mempool and self._store.is_decided(id_),
                entries.__getitem__,
            )
        except InvalidBlock as error:
            self._refuse(request, error, asker)
            return
        self._transitions[block.hash] = transition
        asker.feed(inputs.BlockChecked(block.hash, True, "", request.attempt))
