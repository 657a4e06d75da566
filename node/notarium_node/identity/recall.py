"""Whether this node remembers what its key has signed. One that does not follows without a word until that is harmless.

Consensus survives crashes because each signature is on the disk before it leaves. A disk that was wiped or rolled back
breaks that: the node could sign something else in a round in which it has signed already. What shows it:

- the store is empty, and it is not this node's first start ever, which its operator's `init` tells. If others have
  decided blocks, we may have signed. (If a quorum says that there are none, nothing can have come of it.)
- a certificate holds our own seal, for a block that we do not remember to have committed to.

Such a node is silent until it has caught up with what a quorum claims, and then for MARGIN heights more. That it has to
be is written beside the consensus record, so that a restart on the way does not make it forget that it has forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from notarium_consensus.engine import Engine
from notarium_consensus.inputs import NO_FENCE
from notarium_consensus.signing_record import FENCE_KEY, encode_fence
from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.types import Height, PublicKey
from notarium_store.store import Store

MARGIN: Final = 3
"""Say that the others have decided X. Before it forgot, this node may have decided X+1 with votes that the others lack
as yet, and have signed at X+2. So it signs from X+3 on."""

MARKER: Final = b"recall"
_LOST, _REGAINED = b"lost", b"regained"


class Recall:
    """What is known of our own past."""

    def __init__(self, key: PublicKey | None, store: Store, is_new: bool = False, by_hand: Height = NO_FENCE) -> None:
        """`key`: None for a node that never votes. `is_new`: it has never been started before, and signed nothing.

        `by_hand`: from which height on it may vote, as its operator says.
        """
        self._key = key
        self._store = store
        self._by_hand = by_hand
        height, record = store.record()
        marker = record.pop(MARKER, None)
        blank = store.state.height == 0 and not record and marker is None
        self._lost = marker == _LOST
        self.begins = blank and is_new
        """There is nothing to remember yet, that is as it should be, and it is not noted yet."""
        self.record = record
        """The consensus record for the engine."""
        self.record_height = height if record else None
        self.settled = key is None or (not self._lost and (is_new or not blank))
        """Whether this node may sign, as far as its memory goes."""
        self.vote_from = NO_FENCE
        """Nothing is signed below this height."""
        if marker == _REGAINED and FENCE_KEY in record:
            if by_hand > store.state.height:
                del record[FENCE_KEY]  # We have set it ourselves, and the operator knows better.
            else:
                self.vote_from = Height(int.from_bytes(record[FENCE_KEY], "big"))

    def begin(self) -> None:
        """At the first start, once: note that there is nothing to remember. Raises StoreError."""
        if self.begins:
            self._store.put_record(Height(1), MARKER, _REGAINED)
            self.begins = False

    def own_seal(self, certificates: Iterable[QuorumCertificate], engine: Engine) -> Height | None:
        """The greatest height of a seal of ours that we do not remember, or None."""
        found = [
            each.height
            for each in certificates
            if any(seal.key == self._key for seal in each.seals) and not engine.has_committed(each.height, each.round)
        ]
        return max(found, default=None)

    def lose(self) -> None:
        """Our memory does not reach as far as our signatures. Raises StoreError."""
        self._lost, self.settled = True, False
        self.before_reaching(self._store.state.height)

    def before_reaching(self, height: Height, vote_from: Height = NO_FENCE) -> None:
        """Called before `height` becomes that of the tip: the records up to there go, what they say of us must not.

        `vote_from`: what the engine is fenced by. Raises StoreError.
        """
        if not self.settled:
            self._lost = True  # Others have decided meanwhile.
            self._store.put_record(Height(height + 1), MARKER, _LOST)
        elif vote_from > max(height + 1, self._by_hand):
            fence = [(FENCE_KEY, encode_fence(vote_from))]
            ours = [(MARKER, _REGAINED)] if vote_from == self.vote_from else []
            self._store.put_records(Height(height + 1), fence + ours)

    def settle(self) -> None:
        """We are caught up: sign again, from a height on at which we cannot have signed. Raises StoreError."""
        state = self._store.state
        if self._lost and self._by_hand <= state.height and self._joined_at() < state.height:
            self.vote_from = Height(state.height + MARGIN)
        if self._lost:
            fence = (FENCE_KEY, encode_fence(self.vote_from))
            self._store.put_records(Height(state.height + 1), [fence, (MARKER, _REGAINED)])
        self._lost, self.settled = False, True

    def explain(self, fence: Height) -> str:
        """Why nothing is signed below `fence`, the engine's, in words for the operator."""
        if fence == self._by_hand:
            return "consensus.vote_from says so"
        return "below that its key may have signed what its store does not remember"

    def _joined_at(self) -> Height:
        """The block that made our key a validator's, the last time; 0: it was there from genesis on.

        If it is the tip, nothing was decided since, and a ledger that needs our vote from now on would wait for ever.
        """
        was_in, joined = self._key in self._store.genesis.registry.validators, Height(0)
        for handover in self._store.handovers():
            is_in = self._key in handover.validators
            if is_in and not was_in:
                joined = handover.header.height
            was_in = is_in
        return joined
