"""What this node's store shows of the signatures that its key has made; the rule is notarium_consensus.permission.

The facts are read here: a blank store, the first start ever (which the operator's `init` marks), a complete history,
seals of our own in fetched certificates, and the block that made our key a validator's. The items that the rule wants
written go into the consensus record from here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from notarium_consensus.engine import Engine
from notarium_consensus.permission import NO_FENCE, Item, Memory, Permission, forgotten_seal
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.types import Height, PublicKey
from notarium_store.store import Store


class Recall:
    """Holds the node's Permission and keeps it in the store."""

    def __init__(self, key: PublicKey | None, store: Store, is_new: bool = False, by_hand: Height = NO_FENCE) -> None:
        """`key`: None for a node that never votes. `is_new`: it has never been started before, and signed nothing.

        `by_hand`: the operator's consensus.vote_from.
        """
        self._key = key
        self._store = store
        height, record = store.record()
        self._permission, self.record = Permission.read(
            record, tip=store.state.height, by_hand=by_hand, is_first_start=is_new, votes=key is not None
        )
        """`record`: the consensus record for the engine."""
        self.record_height = height if self.record else None
        self.unrecorded = Height(store.history.height + 1)
        """The one height above the stored history at which we may have signed; its record may be gone by now."""

    @property
    def permission(self) -> Permission:
        """Where this node may sign, as far as the store shows."""
        return replace(self._permission, is_complete=self._store.is_complete)

    def begin(self) -> None:
        """At the first start, once: note that there is nothing to remember. Raises StoreError."""
        if self._permission.memory is Memory.NEW:
            self._write(Height(1), self._permission.first_start_items())
            self._permission = self._permission.started()

    def own_seal(self, certificates: Iterable[QuorumCertificate], engine: Engine) -> Height | None:
        """The greatest height of a seal of ours that we do not remember, or None."""
        return forgotten_seal(self._key, certificates, engine.has_committed)

    def lose(self) -> None:
        """Our memory does not reach as far as our signatures. Raises StoreError."""
        self._permission = self._permission.forgotten()
        self._carry_to(Height(self._store.state.height + 1))

    def before_reaching(self, height: Height, fence: Height = NO_FENCE) -> None:
        """Before `height` becomes that of the tip, when the records up to there go: what they say of us must not.

        `fence`: the engine's. Raises StoreError.
        """
        self._permission = self._permission.raised(fence).others_decided()
        self._carry_to(Height(height + 1))

    def before_adopting(self) -> None:
        """Before the store goes on from a snapshot."""
        self.unrecorded = Height(self._store.history.height + 1)

    def settle(self) -> None:
        """We are caught up: sign again, from a height on at which we cannot have signed. Raises StoreError."""
        height = self._store.state.height
        permission = self._permission.caught_up(height, self._joined_at())
        if self._permission.memory is Memory.LOST:
            self._write(Height(height + 1), permission.regained_items())
        self._permission = permission

    def _carry_to(self, height: Height) -> None:
        self._write(height, self._permission.carried_items(height))

    def _write(self, height: Height, items: tuple[Item, ...]) -> None:
        if items:
            self._store.put_records(height, items)

    def _joined_at(self) -> Height:
        """The block that made our key a validator's, the last time; 0: it was there from genesis on."""
        was_in, joined = self._key in self._store.genesis.registry.validators, Height(0)
        for handover in self._store.handovers():
            is_in = self._key in handover.validators
            if is_in and not was_in:
                joined = handover.header.height
            was_in = is_in
        return joined
