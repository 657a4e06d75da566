"""The store of one node: decisions, proofs from stored tree nodes, the state and the consensus record.

    store = Store.open(path, genesis)
    transition = apply_block(store.state, decision.block, store.is_decided)
    store.commit(decision, transition)
    store.receipt(entry_id)

A node that is far behind adopts a snapshot, continues from there at once, and writes the missing blocks below later:

    store.adopt(snapshot)                              # state is the snapshot's, history is where it was
    store.commit(decision, transition)                 # new blocks, on state
    store.backfill([(decision, transition), ...])      # old blocks, on history, until the two meet

A commit is one synced LevelDB batch, and so are an adoption and a backfill: after a crash the store has all parts of a
decision or none. One thread calls the methods that write (commit, adopt, backfill, put_record, put_owner,
put_equivocation, recover, close); any thread may read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from notarium_ledger.blocks.block import Decision
from notarium_ledger.state.chain_state import ChainState, Transition
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.chain import DecidedHeader, Handover
from notarium_ledger.trust.equivocation import Equivocation
from notarium_ledger.trust.snapshot import Snapshot
from notarium_ledger.types import Height, PublicKey
from notarium_store import keys, lookups, opening, registry_records
from notarium_store.database import Database, Item
from notarium_store.errors import StoreCorruption, StoreError
from notarium_store.gap import Gap
from notarium_store.layout import GAPPED_VERSION, StoredState, decision_items, join_nodes, meta_value
from notarium_store.log_reader import LogReader
from notarium_store.recent import RecentBlock, RecentBlocks

Part = tuple[Decision, Transition]
"""A decision and the effects of its block."""


@dataclass(frozen=True, slots=True)
class _Written:
    """A block on its way to the disk."""

    decision: Decision
    transition: Transition
    before: ChainState
    nodes: bytes
    """The joined tree nodes that it completes."""

    @property
    def after(self) -> ChainState:
        """The state after it."""
        return self.transition.state

    @property
    def handover(self) -> Handover | None:
        """The handover, where the validator set changes."""
        after = self.after.registry.validators
        if after.hash == self.before.registry.validators.hash:
            return None
        return Handover(self.transition.header, self.decision.certificate, after)

    def items(self) -> Iterator[Item]:
        """The pairs that it writes."""
        return decision_items(self.decision, self.transition, self.before, self.nodes)

    def recent(self, handovers: tuple[Handover, ...]) -> RecentBlock:
        """The block as it is kept in memory."""
        decided = DecidedHeader(self.transition.header, self.decision.certificate, handovers)
        ids = tuple(entry.id for entry in self.transition.entries)
        return RecentBlock.make(self.before.frontier, decided, ids, self.decision.block.entries, self.nodes)


def _items(run: Sequence[_Written]) -> Iterator[Item]:
    for part in run:
        yield from part.items()


def _changes(run: Sequence[_Written]) -> dict[bytes, bytes | None]:
    return registry_records.changes_of(part.transition for part in run)


class Store(LogReader):
    """An open store. Create it with `Store.open`. LogReader has the methods that read."""

    _record_keys: set[bytes]
    _owner: PublicKey | None

    def __init__(self, path: Path, genesis: Genesis, database: Database) -> None:
        """Only `open` calls this."""
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
        """Open the store in the directory `path`, or create it, and check its tip.

        Writes raise StoreFull while the disk has less than `min_free_bytes` free.
        Raises StoreCorruption, ForeignStore, OtherFormat, StoreLocked, StoreFull or StoreError.
        """
        database = Database(
            path, cache_bytes=cache_bytes, write_buffer_bytes=write_buffer_bytes, min_free_bytes=min_free_bytes
        )
        try:
            return cls(path, genesis, database)
        except BaseException:
            database.close()
            raise

    def time_writes(self, timed: Callable[[], AbstractContextManager[None]]) -> None:
        """Surround each synced write with `timed()`, which measures it."""
        self._db.timed = timed

    def free_bytes(self) -> int:
        """What this user may still write to the store's disk."""
        return self._db.free_bytes()

    @property
    def min_free_bytes(self) -> int:
        """With less, writes are refused."""
        return self._db.min_free_bytes

    def close(self) -> None:
        """Release the directory. Closing twice is harmless."""
        self._db.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Decisions

    def commit(self, decision: Decision, transition: Transition) -> None:
        """Store the decision of the next height. It is on the disk when this returns.

        Committing the tip again has no effect. The caller has verified the certificate, and has `transition` from
        apply_block or advance on `state`. Raises StoreFull or StoreError; nothing has changed then, and the caller may
        try the same commit again.
        """
        self.commit_many([(decision, transition)])

    def commit_many(self, parts: Sequence[Part]) -> None:
        """`commit` of several consecutive decisions with one fsync. Skips those that are already stored."""
        self._recover_if_failed()
        todo = self._after_tip(parts)
        if not todo:
            return
        run = self._run(self._live, todo)
        after = run[-1].after
        handovers = self._handovers
        recent: list[RecentBlock] = []
        for part in run:
            recent.append(part.recent(handovers))
            if part.handover is not None:
                handovers = (*handovers, part.handover)
        done, deleted = self._records_until(after.height), list[bytes]()
        if self._gap is None:
            registry, deleted = registry_records.history_items(_changes(run))
        else:
            registry = registry_records.later_items(_changes(run))
        state = (keys.STATE, StoredState.of(after).encode())
        self._db.write([*_items(run), *registry, state], [*done, *deleted])
        self._record_keys.difference_update(done)
        self._handovers = handovers
        self._live = after
        # Last, so that a reader that finds an entry in memory also finds its block in the state.
        for block in recent:
            self._recent.add(block)

    # Joining

    def snapshot(self) -> Snapshot | None:
        """The snapshot of the tip, or None before the first block."""
        state = self.state
        decided = self.decided_header(state.height)
        return None if decided is None else Snapshot.of(state, decided)

    def adopt(self, snapshot: Snapshot) -> bool:
        """Continue from `snapshot`: it becomes `state`, and `history` does not change. One synced batch.

        Verifies the snapshot. Returns False and changes nothing where it is not above the tip. Deletes the consensus
        records up to its height, as a decision does. Raises InvalidSnapshot, StoreFull or StoreError.
        """
        state = snapshot.verify(self.genesis)
        self._recover_if_failed()
        if state.height <= self.state.height:
            return False
        history = self._live if self._gap is None else self._gap.history
        done = self._records_until(state.height)
        items = [
            (keys.META, meta_value(self.genesis.hash, GAPPED_VERSION)),
            (keys.BASE, snapshot.encode()),
            (keys.HISTORY, StoredState.of(history).encode()),
            (keys.STATE, StoredState.of(state).encode()),
        ]
        # What blocks changed above an earlier snapshot, this one contains.
        self._db.write(items, [*done, *registry_records.later_keys(self._db)])
        self._record_keys.difference_update(done)
        self._gap = Gap(history, snapshot, state)
        self._handovers = snapshot.handovers_after(state.registry)
        self._live = state
        return True

    def backfill(self, parts: Sequence[Part]) -> None:
        """Store the blocks that follow `history` in one synced batch. The last one may be the snapshot's block.

        Skips blocks that `history` already has. The caller has verified the certificates, and has the transitions from
        apply_block with `is_in_history`, one after the other from `history` on. Raises StoreCorruption where history
        and snapshot do not meet, StoreFull or StoreError.
        """
        self._recover_if_failed()
        gap = self._gap
        todo = [each for each in parts if each[0].height > self.history.height]
        if not todo:
            return
        if gap is None or todo[-1][0].height > gap.base.height:
            raise StoreError(self.path, f"block {todo[-1][0].height} is not missing; commit it")
        run = self._run(
            gap.history, [(gap.with_known_certificate(decision), transition) for decision, transition in todo]
        )
        self._check_meets(gap, run)
        history, changes = run[-1].after, _changes(run)
        if history.height < gap.base.height:
            registry, deleted = registry_records.history_items(changes)
            self._db.write([*_items(run), *registry, (keys.HISTORY, StoredState.of(history).encode())], deleted)
            self._gap = gap.with_history(history)
            return
        later = registry_records.read_later(self._db)
        registry, deleted = registry_records.history_items({**changes, **later})
        deleted += [keys.BASE, keys.HISTORY, *(keys.LATER + key for key in later)]
        self._db.write([*_items(run), *registry, (keys.META, meta_value(self.genesis.hash))], deleted)
        self._gap = None

    def _check_meets(self, gap: Gap, run: Sequence[_Written]) -> None:
        """Raise StoreCorruption where the blocks contradict the adopted chain."""

        def fail(height: Height, reason: str) -> StoreCorruption:
            return StoreCorruption(
                self.path,
                f"{reason}: more than a third of the validators certified two histories; inform their operators",
                height,
            )

        for part in run:
            for entry in part.transition.entries:
                position = self.position(entry.id)
                if position is not None and position[1] >= gap.base.frontier.size:
                    raise fail(position[0], f"entry {entry.id.hex()} is already in block {part.decision.height}")
        end = run[-1].after
        if end.height == gap.base.height and (end.tip, end.frontier) != (gap.base.tip, gap.base.frontier):
            raise fail(end.height, "the fetched block is not the block of the adopted snapshot")

    # The consensus record

    def put_record(self, height: Height, key: bytes, value: bytes) -> None:
        """Store a part of the consensus record of an undecided height. It is on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self.put_records(height, [(key, value)])

    def put_records(self, height: Height, parts: Sequence[tuple[bytes, bytes]]) -> None:
        """Store several parts of the record, (key, value) each, with one fsync. Raises StoreFull or StoreError."""
        self._recover_if_failed()
        self._check_open(height)
        items = [(keys.record(height, key), value) for key, value in parts]
        self._db.write(items)
        self._record_keys.update(name for name, _ in items)

    @property
    def owner(self) -> PublicKey | None:
        """The key of the node that signed what the consensus record says; None where `put_owner` was never called."""
        return self._owner

    def put_owner(self, key: PublicKey, height: Height, items: Sequence[Item]) -> None:
        """Make `key` the owner and store its record `items` (key, value) of an undecided height, with one fsync.

        Drops records that are not known to be of `key`: nobody may take them for what it has signed. Raises StoreFull
        or StoreError.
        """
        self._recover_if_failed()
        self._check_open(height)
        named = [(keys.record(height, name), value) for name, value in items]
        kept = {name for name, _ in named}
        dropped = [] if self._owner == key else [name for name in self._record_keys if name not in kept]
        self._db.write([(keys.OWNER, bytes(key)), *named], dropped)
        self._record_keys.difference_update(dropped)
        self._record_keys.update(kept)
        self._owner = key

    def record(self) -> tuple[Height | None, dict[bytes, bytes]]:
        """The consensus record of the highest undecided height that has one: (height, {key: value})."""
        if not self._record_keys:
            return None, {}
        height = max(key[1:9] for key in self._record_keys)
        found = self._db.scan(keys.RECORD + height)
        return Height(int.from_bytes(height, "big")), {key[9:]: value for key, value in found}

    def _check_open(self, height: Height) -> None:
        if height <= self.state.height:
            raise StoreError(self.path, f"block {height} is decided; its consensus record is closed")

    def _records_until(self, height: Height) -> list[bytes]:
        return [key for key in self._record_keys if key[1:9] <= keys.u64(height)]

    # Equivocations

    def put_equivocation(self, number: int, equivocation: Equivocation) -> None:
        """Store an equivocation under an unused number. It is on the disk when this returns.

        Raises StoreFull or StoreError.
        """
        self._recover_if_failed()
        self._db.write([(keys.numbered(keys.EQUIVOCATION, number), equivocation.encode())])

    def equivocations(self) -> list[tuple[int, Equivocation]]:
        """All equivocations with their numbers, ascending. Raises StoreCorruption."""
        return lookups.read_equivocations(self._db)

    # Upkeep

    def recover(self) -> None:
        """After a failed write: close LevelDB, let it recover from its log, and load the state again.

        Every write does this by itself, so a full disk needs no restart. Raises StoreFull while the disk is full.
        """
        self._db.reopen()
        try:
            self._load()
        except StoreError:
            # The stored state is unknown, so nothing may be written on top of the remembered one.
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
        self._owner = loaded.owner
        self._recent = RecentBlocks()
        self._headers.clear()
        self._nodes.clear()

    def _after_tip(self, parts: Sequence[Part]) -> Sequence[Part]:
        """The parts after the tip, if the tip is among them."""
        for number, (decision, _) in enumerate(parts):
            if decision.block.hash == self.state.tip:
                return parts[number + 1 :]
        return parts

    def _run(self, before: ChainState, parts: Sequence[Part]) -> list[_Written]:
        """What the parts write, one after the other from `before` on. Raises StoreError where one does not follow."""
        run: list[_Written] = []
        for decision, transition in parts:
            self._check_next(before, decision, transition)
            run.append(_Written(decision, transition, before, join_nodes(transition.nodes)))
            before = transition.state
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
            raise StoreError(self.path, f"the transition does not belong to block {header.height}")
