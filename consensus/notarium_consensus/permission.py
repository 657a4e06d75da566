"""May this node sign at a height, from which height on, and if not, why: one value, and its part of the record.

Consensus survives crashes because each signature is on the disk before it leaves (signing_record.py). A disk that was
wiped or rolled back breaks that: the node could sign something else in a round in which it has signed already. So a
node is silent in these cases:

- It lacks blocks: it could prepare an entry that was decided long ago.
- It may have forgotten: its store is blank although this is not its first start ever, or a fetched certificate holds
  a seal of its own that it does not remember. Such a node catches up with what a quorum claims, and then is silent for
  MARGIN heights more.
- It is fenced: a peer holds a signature of its key that its record lacks, or the record is of a height above the
  chain, or its operator set consensus.vote_from. It signs nothing below the fence.

The node supplies the facts and writes the items; the engine asks. Each height's record holds:

==========  =====================================================================================================
key         value
==========  =====================================================================================================
``fence``   height u64be: sign nothing below it
``recall``  ``lost``: this node has forgotten what it signed, so that a restart does not make it forget this too;
            ``regained``: it may sign again from ``fence`` on (or at its first start: there was nothing to forget)
==========  =====================================================================================================

A transition towards silence takes effect before its items are written, one towards signing only after that.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

from notarium_ledger.blocks.certificate import QuorumCertificate
from notarium_ledger.types import Height, PublicKey, Round

NO_FENCE: Final = Height(1)
MARGIN: Final = 3
"""Say that the others have decided X. Before it forgot, this node may have decided X+1 with votes that the others do
not have yet, and have signed at X+2. So it signs from X+3 on."""

FENCE_KEY: Final = b"fence"
MEMORY_KEY: Final = b"recall"
_LOST: Final = b"lost"
_REGAINED: Final = b"regained"
_FENCE: Final = struct.Struct(">Q")

Item = tuple[bytes, bytes]
"""Key and value, to be written into the record of a height."""


class Memory(Enum):
    """What this node knows of the signatures that its key has made."""

    NEW = "new"
    """It has never been started, and has signed nothing; that is not on the disk yet."""
    INTACT = "intact"
    """All that matters is in the record."""
    UNKNOWN = "unknown"
    """The store is blank, and this is not its first start. If others have decided blocks, it may have signed."""
    LOST = "lost"
    """It may have signed what it does not remember."""


class SigningRefusal(Enum):
    """Why this node does not sign; the value is for the operator."""

    INCOMPLETE = "blocks are missing"
    FORGOTTEN = "waiting for a quorum to report the height of the ledger"
    BY_HAND = "its operator set consensus.vote_from"
    FENCED = "its key may have signed messages below that height that its store does not remember"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether this node signs, as far as that is not a matter of the validator set."""

    memory: Memory = Memory.INTACT
    is_complete: bool = True
    """No block below the tip is missing."""
    by_hand: Height = NO_FENCE
    """The operator's consensus.vote_from."""
    fence: Height = NO_FENCE
    """Nothing below this height is ever signed; it can only be raised."""
    regained: Height = NO_FENCE
    """The fence that was set when this node had forgotten and caught up, so that its operator can lift it."""

    @classmethod
    def read(
        cls, record: Mapping[bytes, bytes], *, tip: Height, by_hand: Height, is_first_start: bool, votes: bool
    ) -> tuple[Permission, dict[bytes, bytes]]:
        """From the latest record, and the rest of that record, which is for the engine.

        `tip`: the height of the chain. `is_first_start`: this node has never been started before. `votes`: it has a
        key to sign with.
        """
        rest = dict(record)
        marker = rest.pop(MEMORY_KEY, None)
        is_blank = tip == 0 and not rest and marker is None
        memory = Memory.INTACT
        if is_blank and is_first_start:
            memory = Memory.NEW
        elif votes and marker == _LOST:
            memory = Memory.LOST
        elif votes and is_blank:
            memory = Memory.UNKNOWN
        fence = NO_FENCE
        if marker == _REGAINED and FENCE_KEY in rest:
            if by_hand > tip:
                del rest[FENCE_KEY]  # This node set it itself, and the operator knows better.
            else:
                fence = Height(int.from_bytes(rest[FENCE_KEY], "big"))  # The engine refuses a damaged one.
        return cls(memory=memory, by_hand=by_hand, fence=fence, regained=fence), rest

    # ---- questions ---------------------------------------------------------------------------------------------

    @property
    def vote_from(self) -> Height:
        """Nothing below this height is signed."""
        return max(self.by_hand, self.fence)

    @property
    def remembers(self) -> bool:
        """Whether this node knows what its key has signed."""
        return self.memory in (Memory.NEW, Memory.INTACT)

    @property
    def is_granted(self) -> bool:
        """Whether this node signs, from `vote_from` on."""
        return self.is_complete and self.remembers

    def refusal(self, height: Height) -> SigningRefusal | None:
        """Why nothing is signed at `height`; None if this node may sign there."""
        if not self.is_complete:
            return SigningRefusal.INCOMPLETE
        if not self.remembers:
            return SigningRefusal.FORGOTTEN
        return None if height >= self.vote_from else self.fenced_by

    def allows(self, height: Height) -> bool:
        """Whether this node may sign at `height`."""
        return self.refusal(height) is None

    @property
    def fenced_by(self) -> SigningRefusal:
        """Why nothing is signed below `vote_from`: BY_HAND or FENCED."""
        return SigningRefusal.BY_HAND if self.vote_from == self.by_hand else SigningRefusal.FENCED

    # ---- transitions towards silence -----------------------------------------------------------------------------

    def raised(self, fence: Height) -> Permission:
        """Nothing below `fence` is signed."""
        return self if fence <= self.fence else replace(self, fence=fence)

    def own_signature_seen(self, height: Height) -> Permission:
        """A peer holds a signature of ours at `height` that our record lacks."""
        return self.raised(Height(height + 1))

    def forgotten(self) -> Permission:
        """Our memory does not reach as far as our signatures."""
        return replace(self, memory=Memory.LOST)

    def others_decided(self) -> Permission:
        """The chain grows by blocks that others decided: what was unknown of our signatures is lost."""
        return self if self.remembers else self.forgotten()

    # ---- transitions towards signing -----------------------------------------------------------------------------

    def started(self) -> Permission:
        """`first_start_items` are on the disk."""
        return replace(self, memory=Memory.INTACT) if self.memory is Memory.NEW else self

    def caught_up(self, height: Height, joined_at: Height) -> Permission:
        """This node is at `height`, as far as a quorum: it signs again, where it cannot have signed.

        `joined_at`: the block that made our key a validator's; 0 for genesis. If it is the tip, nothing was decided
        since, so we have signed nothing, and a ledger that needs our vote from now on would wait without end.
        """
        regained = self.regained
        if self.memory is Memory.LOST and self.by_hand <= height and joined_at < height:
            regained = Height(height + MARGIN)
        return replace(self, memory=Memory.INTACT, regained=regained).raised(regained)

    # ---- record --------------------------------------------------------------------------------------------------

    def first_start_items(self) -> tuple[Item, ...]:
        """For the record of height 1: this node was started, and until then had signed nothing."""
        return ((MEMORY_KEY, _REGAINED),)

    def fence_items(self, height: Height) -> tuple[Item, ...]:
        """For the record of `height`, on arrival there: the fence goes along, since decided heights lose theirs."""
        return ((FENCE_KEY, encode_fence(self.fence)),) if self.fence > max(height, self.by_hand) else ()

    def carried_items(self, height: Height) -> tuple[Item, ...]:
        """For the record of `height`, before the height below is decided and its record goes."""
        if not self.remembers:
            return ((MEMORY_KEY, _LOST),)
        fence = self.fence_items(height)
        return (*fence, (MEMORY_KEY, _REGAINED)) if fence and self.fence == self.regained else fence

    def regained_items(self) -> tuple[Item, ...]:
        """For the record of the height after the tip, once this node has caught up after it had forgotten."""
        return ((FENCE_KEY, encode_fence(self.regained)), (MEMORY_KEY, _REGAINED))


def forgotten_seal(
    key: PublicKey | None,
    certificates: Iterable[QuorumCertificate],
    has_committed: Callable[[Height, Round], bool],
) -> Height | None:
    """The greatest height of a seal of `key` that this node does not remember, or None.

    `has_committed`: whether this node knows that it signed a COMMIT at this height and round.
    """
    found = [
        each.height
        for each in certificates
        if any(seal.key == key for seal in each.seals) and not has_committed(each.height, each.round)
    ]
    return max(found, default=None)


def encode_fence(height: Height) -> bytes:
    """height u64be."""
    return _FENCE.pack(height)


def decode_fence(value: bytes) -> Height:
    """Inverse of encode_fence. Raises struct.error."""
    return Height(_FENCE.unpack(value)[0])
