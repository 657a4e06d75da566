"""The store of one node: decisions, proofs from stored tree nodes, the state and the consensus record.

    store = Store.open(path, genesis)
    transition = apply_block(store.state, decision.block, store.is_decided)
    store.commit(decision, transition)
    store.receipt(entry_id)

A node far behind adopts a snapshot, goes on from there at once, and writes the missing blocks below it later:

    store.adopt(snapshot)                              # state is the snapshot's, history is where it was
    store.commit(decision, transition)                 # new blocks, on state
    store.backfill([(decision, transition), ...])      # old blocks, on history, until the two meet

A commit is one synced LevelDB batch, and so are an adoption and a backfill: after a crash a decision is there with all
that belongs to it, or not at all.
One thread calls what writes (commit, adopt, backfill, put_record, put_equivocation, recover, close);
any thread may read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from notarium_ledger.blocks.block import Decision
from notarium_ledger.state.chain_state import ChainState, Transition
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height
from notarium_store import keys, lookups, opening
from notarium_store.database import Database, Item
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.gap import ChainEnd, Gap
from notarium_store.layout import GAPPED_VERSION, decision_items, join_nodes, meta_value
from notarium_store.log_reader import LogReader
from notarium_store.recent import RecentBlock, RecentBlocks

Part = tuple[Decision, Transition]
"""A decision and what its block does."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A block on its way to the disk."""

    decision: Decision
    transition: Transition
    before: ChainEnd
    after: ChainEnd
    nodes: bytes
    """The tree nodes that it completes, joined."""

    @property
    def handover(self) -> Handover | None:
        """Of the validator set, where it changes."""
        after = self.after.state.registry.validators
        if after.hash == self.before.state.registry.validators.hash:
            return None
        return Handover(self.transition.header, self.decision.certificate, after)

    def items(self) -> Iterator[Item]:
        """The pairs that it writes for good."""
        return decision_items(self.decision, self.transition, self.before.state, self.nodes)

    def recent(self, handovers: tuple[Handover, ...]) -> RecentBlock:
        """The block for memory."""
        decided = DecidedHeader(self.transition.header, self.decision.certificate, handovers)
        ids = tuple(entry.id for entry in self.transition.entries)
        return RecentBlock.make(self.before.state.frontier, decided, ids, self.decision.block.entries, self.nodes)


def _items(run: Sequence[_Written]) -> Iterator[Item]:
    for part in run:
        yield from part.items()


class Store(LogReader):
    """The store, open. Make one with `Store.open`. What it answers is in LogReader."""

    _record_keys: set[bytes]

    def __init__(self, path: Path, genesis: Genesis, database: Database) -> None:
        """For `open`."""
        super().__init__(path, genesis, database)
        self._load()

    @classmethod
    def open(
        cls,
        path: Path,
        genesis: Genesis,
        *,
        cache_bytes: int = 8 << 20,
        write_buffer_bytes: int = 4 << 20,
        min_free_bytes: int = 0,
    ) -> Store:
        """Open the store in the directory `path`, or create it there, and check its tip.

        `min_free_bytes`: writes are refused while the disk has less than this free.
        Raises StoreCorruption, ForeignStore, StoreLocked, StoreFull or StoreError.
        """
        database = Database(
            path, cache_bytes=cache_bytes, write_buffer_bytes=write_buffer_bytes, min_free_bytes=min_free_bytes
        )
        try:
            return cls(path, genesis, database)
        except BaseException:
            database.close()
            raise

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Decisions

    def commit(self, decision: Decision, transition: Transition) -> None:
        """Store the decision of the next height; it is on the disk when this returns.

        Committing the tip again does nothing. The caller has verified the certificate and got
        `transition` from apply_block or advance on `state`.
        Raises StoreFull or StoreError: then nothing has changed, and the same commit may be tried again.
        """
        self.commit_many([(decision, transition)])

    def commit_many(self, parts: Sequence[Part]) -> None:
        """`commit` of several decisions, one on the other, with one fsync. What is stored up to the tip is skipped."""
        self._recover_if_failed()
        todo = self._after_tip(parts)
        if not todo:
            return
        run = self._run(self._live, todo)
        after = run[-1].after.state
        handovers = self._handovers
        recent: list[RecentBlock] = []
        for part in run:
            recent.append(part.recent(handovers))
            if part.handover is not None:
                handovers = (*handovers, part.handover)
        done = self._records_until(after.height)
        self._db.write([*_items(run), (keys.STATE, run[-1].after.stored().encode())], done)
        self._record_keys.difference_update(done)
        self._handovers = handovers
        self._live = run[-1].after
        # Last, so that whoever finds an entry in memory finds its block in the state as well.
        for block in recent:
            self._recent.add(block)

    # Joining

    def snapshot(self) -> Snapshot | None:
        """The snapshot of the tip, or None before the first block."""
        state = self.state
        decided = self.decided_header(state.height)
        return None if decided is None else Snapshot.of(state, decided)

    def adopt(self, snapshot: Snapshot) -> bool:
        """Go on from `snapshot`: it becomes `state`, and `history` stays where it was. One synced batch.

        Verifies it. False, and nothing changes, where it is not above the tip. The consensus records up to its height
        are dropped, as by a decision. Raises InvalidSnapshot, StoreFull or StoreError.
        """
        state = snapshot.verify(self.genesis)
        self._recover_if_failed()
        if state.height <= self.state.height:
            return False
        history = self._live if self._gap is None else self._gap.history
        live = ChainEnd(state, state.height)
        done = self._records_until(state.height)
        items = [
            (keys.META, meta_value(self.genesis.hash, GAPPED_VERSION)),
            (keys.BASE, snapshot.encode()),
            (keys.HISTORY, history.stored().encode()),
            (keys.STATE, live.stored().encode()),
        ]
        self._db.write(items, done)
        self._record_keys.difference_update(done)
        self._gap = Gap(history, snapshot, state)
        self._handovers = snapshot.handovers_after(state.registry)
        self._live = live
        return True

    def backfill(self, parts: Sequence[Part]) -> None:
        """Store the blocks that follow `history`, in one synced batch; the last one may be that of the snapshot.

        Blocks that history has already are skipped. The caller has verified the certificates and got the transitions
        from apply_block, one on the other from `history` on, with `is_in_history`.
        Raises StoreCorruption where history and snapshot do not meet, StoreFull or StoreError.
        """
        self._recover_if_failed()
        gap = self._gap
        todo = [each for each in parts if each[0].height > self.history.height]
        if not todo:
            return
        if gap is None or todo[-1][0].height > gap.base.height:
            raise StoreError(self.path, f"block {todo[-1][0].height} is not missing; commit it")
        run = self._run(gap.history, [(gap.as_told(decision), transition) for decision, transition in todo])
        self._check_meets(gap, run)
        history, live = run[-1].after, self._live
        if history.state.height < gap.base.height:
            self._db.write([*_items(run), (keys.HISTORY, history.stored().encode())])
            self._gap = gap.with_history(history)
            return
        if live.registry_height == gap.base.height:  # From now on the registry is read from where it last changed.
            live = replace(live, registry_height=history.registry_height)
        whole = [(keys.META, meta_value(self.genesis.hash)), (keys.STATE, live.stored().encode())]
        self._db.write([*_items(run), *whole], [keys.BASE, keys.HISTORY])
        self._live = live
        self._gap = None

    def _check_meets(self, gap: Gap, run: Sequence[_Written]) -> None:
        """That the blocks are those on which the adopted chain stands, as far as they can tell."""

        def fail(height: Height, reason: str) -> StoreCorruption:
            return StoreCorruption(
                self.path, f"{reason}: more than a third of the validators certified two histories; tell them", height
            )

        for part in run:
            for entry in part.transition.entries:
                position = self.position(entry.id)
                if position is not None and position[1] >= gap.base.frontier.size:
                    raise fail(position[0], f"entry {entry.id.hex()} is in block {part.decision.height} already")
        end = run[-1].after.state
        if end.height == gap.base.height and (end.tip, end.frontier) != (gap.base.tip, gap.base.frontier):
            raise fail(end.height, "the block that was fetched is not that of the adopted snapshot")

    # The consensus record

    def put_record(self, height: Height, key: bytes, value: bytes) -> None:
        """Keep a part of the consensus record of an undecided height; on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self.put_records(height, [(key, value)])

    def put_records(self, height: Height, parts: Sequence[tuple[bytes, bytes]]) -> None:
        """Several parts of the record, (key, value) each, with one fsync. Raises StoreFull or StoreError."""
        self._recover_if_failed()
        if height <= self.state.height:
            raise StoreError(self.path, f"block {height} is decided; its consensus record is closed")
        items = [(keys.record(height, key), value) for key, value in parts]
        self._db.write(items)
        self._record_keys.update(name for name, _ in items)

    def record(self) -> tuple[Height | None, dict[bytes, bytes]]:
        """The consensus record of the highest undecided height that has one: (height, {key: value})."""
        if not self._record_keys:
            return None, {}
        height = max(key[1:9] for key in self._record_keys)
        found = self._db.scan(keys.RECORD + height)
        return Height(int.from_bytes(height, "big")), {key[9:]: value for key, value in found}

    def _records_until(self, height: Height) -> list[bytes]:
        return [key for key in self._record_keys if key[1:9] <= keys.u64(height)]

    # Equivocation

    def put_equivocation(self, number: int, equivocation: Equivocation) -> None:
        """Keep equivocation under a number that is not taken; on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self._recover_if_failed()
        self._db.write([(keys.numbered(keys.EQUIVOCATION, number), equivocation.encode())])

    def equivocation(self) -> list[tuple[int, Equivocation]]:
        """All equivocation with its numbers, ascending. Raises StoreCorruption."""
        return lookups.read_equivocation(self._db)

    # Upkeep

    def recover(self) -> None:
        """After a failed write: close LevelDB, let it recover from its log, and load the state again.

        Every write does this by itself, so a full disk needs no restart. Raises StoreFull while there is no room.
        """
        self._db.reopen()
        try:
            self._load()
        except StoreError:
            # What is stored is not known, so nothing may be written on what is remembered.
            self._db.failed = True
            raise

    def _recover_if_failed(self) -> None:
        if self._db.failed:
            self.recover()

    def _load(self) -> None:
        loaded = opening.load(self._db, self.genesis)
        self._live = loaded.live
        self._gap = loaded.gap
        self._handovers = loaded.handovers
        self._record_keys = loaded.record_keys
        self._recent = RecentBlocks()
        self._headers.clear()
        self._nodes.clear()

    def _after_tip(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Those behind the tip, if the tip is among them."""
        for number, (decision, _) in enumerate(parts):
            if decision.block.hash == self.state.tip:
                return parts[number + 1 :]
        return parts

    def _run(self, before: ChainEnd, parts: Sequence[Part]) -> list[_Written]:
        """What the parts write, one on the other from `before` on. Raises StoreError where one does not follow."""
        run: list[_Written] = []
        for decision, transition in parts:
            self._check_next(before.state, decision, transition)
            part = _Written(decision, transition, before, before.after(transition), join_nodes(transition.nodes))
            run.append(part)
            before = part.after
        return run

    def _check_next(self, before: ChainState, decision: Decision, transition: Transition) -> None:
        header = decision.block.header
        if header.height != before.height + 1 or header.parent != before.tip:
            raise StoreError(
                self.path,
                f"block {header.height} does not follow the stored block {before.height}; "
                "apply it to the store's state",
            )
        if transition.header != header or transition.first_index != before.frontier.size:
            raise StoreError(self.path, f"the transition is not that of block {header.height}")
