"""What this node's store shows of the signatures that its key has made; the rule is notarium_consensus.permission.

The facts are read here: whose memory the store holds, the first start ever (which the operator's `init` marks), a
complete history, and seals of our own in fetched certificates. The items that the rule wants written go into the
consensus record from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from notarium_consensus.engine import Engine
from notarium_consensus.permission import (
    MEMORY_KEY,
    NO_FENCE,
    Item,
    Permission,
    do_answers_bind,
    encode_fence,
    forgotten_seal,
)
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.types import Height, PublicKey, Round
from notarium_store.store import Store

UNRECORDED_KEY = b"unrecorded"
"""In the record of the height after the tip while blocks are missing: Recall.unrecorded, u64be."""


class Recall:
    """Holds the node's Permission and keeps it in the store."""

    def __init__(
        self,
        key: PublicKey | None,
        store: Store,
        is_new: bool = False,
        by_hand: Height | None = None,
        noted: int | None = None,
    ) -> None:
        """`key`: None for a node that never votes. `is_new`: this key has never been used before.

        `by_hand`: the operator's consensus.vote_from, None if it is not set. `noted`: that of the last start that had
        one. If the store is not ours, ours was lost since: then a `by_hand` that is not above `noted` is from before
        that loss, and does not cover what this key has signed since.
        """
        self._key = key
        self._store = store
        self._is_own = key is None or store.owner == key
        height, record = store.record()
        self._noted = dict(record) if self._is_own else {}
        """What the record is known to hold."""
        self._height = max(Height(store.state.height + 1), height or NO_FENCE)
        """Of the record that a restart would read: the highest."""
        self._permission, self.record = Permission.read(
            record,
            tip=store.state.height,
            by_hand=by_hand,
            is_own=self._is_own,
            is_first_start=is_new,
            answers_bind=key is None or do_answers_bind(store.state.registry.validators, key),
            noted=None if noted is None else Height(noted),
        )
        """`record`: the consensus record for the engine."""
        adopted = self.record.pop(UNRECORDED_KEY, None)
        self.record_height = height if self.record else None
        self.stale_word = by_hand if self._permission.by_hand is None else None
        """The operator's vote_from, if it is ignored because it is from before the loss."""
        self.unrecorded = Height(store.history.height + 1)
        """The one height at which this node may have signed before it adopted a snapshot. The record of it is gone."""
        if adopted is not None and not store.is_complete:
            self.unrecorded = Height(int.from_bytes(adopted, "big"))

    @property
    def permission(self) -> Permission:
        """Where this node may sign, as far as the store shows."""
        permission, is_complete = self._permission, self._store.is_complete
        return permission if permission.is_complete == is_complete else replace(permission, is_complete=is_complete)

    def begin(self) -> None:
        """At each start, before anything is signed: the store is this node's, and knows what it said. Idempotent.

        Raises StoreError.
        """
        if self._key is None:
            return
        height = self._latest()
        items = (*self._permission.carried_items(height), *self._gap_items())
        if MEMORY_KEY in self._noted:  # Otherwise what the operator corrects would come back when the line is gone.
            items = (*items, *self._permission.memory_items())
        if self._is_own:
            self._note(height, items)
        else:
            self._store.put_owner(self._key, height, items)
            self._is_own, self._noted = True, dict(items)
        self._permission = self._permission.started()

    def own_seal(self, certificates: Iterable[QuorumCertificate], engine: Engine) -> Height | None:
        """The greatest height of a seal of ours that we do not remember, or None.

        Below the fence such seals are no news: that they may exist is why there is a fence.
        """
        from_ = max(self._permission.vote_from, engine.vote_from)
        return forgotten_seal(self._key, (each for each in certificates if each.height >= from_), engine.has_committed)

    def lose(self) -> None:
        """Our memory does not reach as far as our signatures. Raises StoreError."""
        self._permission = self._permission.forgotten()
        self._note(self._latest(), self._permission.memory_items())

    def before_reaching(self, height: Height, fence: Height = NO_FENCE, changes: Iterable[Height] = ()) -> None:
        """Before `height` becomes that of the tip, when the records up to there go: what they say of us must not.

        `fence`: the engine's. `changes`: the heights from the tip on whose blocks change the validator set. Raises
        StoreError.
        """
        self._permission = self._permission.raised(fence)
        for each in changes:
            self._permission = self._permission.set_changed(each)
        self._write(Height(height + 1), (*self._permission.carried_items(Height(height + 1)), *self._gap_items()))

    def before_adopting(self) -> None:
        """Call this before the store goes on from a snapshot. If it lacks blocks already, nothing was signed since."""
        if self._store.is_complete:
            self.unrecorded = Height(self._store.history.height + 1)

    def adopted(self) -> None:
        """The store goes on from a snapshot. Raises StoreError."""
        self._note(self._latest(), self._gap_items())

    def _gap_items(self) -> tuple[Item, ...]:
        """As long as blocks are missing. Otherwise each restart would exempt one more height from the search for seals.

        If the item is missing, as after a crash right after adopting, no block has been fetched since.
        """
        return () if self._store.is_complete else ((UNRECORDED_KEY, encode_fence(self.unrecorded)),)

    def settle(self, seen: Height) -> None:
        """Enough others have answered: sign again, where we cannot have signed.

        `seen`: the greatest height of a signature of ours in the answers; 0: they show none. Raises StoreError.
        """
        self._settle(self._permission.settled(self._store.state.height, seen))

    def settle_by_word(self, left: Round | None) -> None:
        """The operator has answered: sign again from the height on that he stated.

        `left`: the latest round there in which others have shown a signature of ours, or None. Raises StoreError.
        """
        self._settle(self._permission.settled_by_word(left))

    def _settle(self, permission: Permission) -> None:
        self._write(self._latest(), permission.memory_items())
        self._permission = permission

    def _latest(self) -> Height:
        return max(self._height, Height(self._store.state.height + 1))

    def _note(self, height: Height, items: tuple[Item, ...]) -> None:
        if any(self._noted.get(name) != value for name, value in items):
            self._write(height, items)

    def _write(self, height: Height, items: tuple[Item, ...]) -> None:
        if items:
            self._store.put_records(height, items)
            self._height = max(self._height, height)
            self._noted.update(items)
