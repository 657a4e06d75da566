"""May this node sign at a height, from which height on, and if not, why: one value, and its part of the record.

Consensus survives crashes because each signature is on the disk before it leaves (signing_record.py). A disk that was
wiped or rolled back breaks that: the node could sign something else in a round in which it has signed already. So a
node is silent in these cases:

- It lacks blocks: it could prepare an entry that was decided long ago.
- It has forgotten: its store is blank or another node's although this is not its first start ever, or others hold a
  signature of its key that its record lacks. Such a node asks the other validators (docs/adr/0015-a-lost-memory.md).
  When enough of them that remember have answered, and it is as far as they are, it is silent for MARGIN heights more.
- It is fenced: a height is still to come below which it may have signed what it does not remember, or its operator
  set consensus.vote_from. It signs nothing below the fence.

The node supplies the facts and writes the items; the engine asks. Each height's record holds:

==========  =====================================================================================================
key         value
==========  =====================================================================================================
``fence``   height u64be: sign nothing below it
``recall``  ``lost`` ‖ answered u64be ‖ outdated u64be: this node has forgotten what it signed (on the disk, so that
            a restart does not forget this too); or regained u64be ‖ answered u64be ‖ left u64be ‖ outdated u64be: it
            had forgotten, or its operator set a height; it signs nothing below `regained`. `answered`: the part of this
            that comes from the answers, which no operator can lower. `left`: 0, or where it signs again by the
            operator's word alone, 1 + the number of rounds of height `regained` that it leaves out, from round 0
            on. `outdated`: a `vote_from` up to this height is from before the loss, and does not count
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
from notarium_ledger.blocks.validators import ValidatorSet
from notarium_ledger.types import Height, PublicKey, Round

NO_FENCE: Final = Height(1)
MARGIN: Final = 3
"""Let T be the height of a node that forgot, when all answers that count are at T or below. Before it forgot, it
decided T+1 at most, and signed at T+2 at most (the proof: docs/adr/0015-a-lost-memory.md). So it signs from T+3 on."""

NO_WORD: Final = Height(0)

FENCE_KEY: Final = b"fence"
MEMORY_KEY: Final = b"recall"
_LOST: Final = b"lost"
_FENCE: Final = struct.Struct(">Q")
_FORGOTTEN: Final = struct.Struct(">QQ")
_REGAINED: Final = struct.Struct(">QQQQ")

Item = tuple[bytes, bytes]
"""Key and value, to be written into the record of a height."""


class Memory(Enum):
    """What this node knows of the signatures that its key has made."""

    NEW = "new"
    """It has never been started, and has signed nothing; that is not on the disk yet."""
    INTACT = "intact"
    """All that matters is in the record."""
    LOST = "lost"
    """It may have signed what it does not remember."""


class SigningRefusal(Enum):
    """Why this node does not sign; the value is for the operator."""

    INCOMPLETE = "blocks are missing"
    FORGOTTEN = "it does not remember what its key has signed"
    BY_HAND = "its operator set consensus.vote_from"
    FENCED = "its key may have signed messages below that height that its store does not remember"


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether this node signs, as far as that is not a matter of the validator set."""

    memory: Memory = Memory.INTACT
    is_complete: bool = True
    """No block below the tip is missing."""
    by_hand: Height | None = None
    """The operator's consensus.vote_from; None: not set, or from before the loss."""
    fence: Height = NO_FENCE
    """Nothing below this height is ever signed; it can only be raised."""
    regained: Height = NO_FENCE
    """The same after a loss, or where the operator set vote_from. The operator can lower it, to `answered` at least."""
    answered: Height = NO_FENCE
    """The part of `regained` that comes from the answers of others: the operator's word does not lower it."""
    is_by_word: bool = False
    """It had forgotten, and signs again because the operator says so, not because others answered."""
    left: Round | None = None
    """Then: at `regained`, nothing is signed in this round or in an earlier one, as the answers show. None: in any."""
    outdated: Height = NO_WORD
    """A vote_from up to this height was set before the loss, so it says nothing about the loss."""

    @classmethod
    def read(
        cls,
        record: Mapping[bytes, bytes],
        *,
        tip: Height,
        by_hand: Height | None,
        is_own: bool,
        is_first_start: bool,
        answers_bind: bool = True,
        noted: Height | None = None,
    ) -> tuple[Permission, dict[bytes, bytes]]:
        """From the latest record, and the rest of that record, which is for the engine.

        `tip`: the height of the chain. `is_own`: the store says that this record is of our key; a blank one does not.
        `is_first_start`: our key has never been used before. That counts only where the record is not ours.
        `answers_bind`: the other validators are a quorum without us, so what they answered binds our operator too.
        `noted`: the by_hand of the last start that had one. If the record is not ours, that value and those below it
        are from before the loss, also at later starts; None: the operator removed the note, or never set a value.
        """
        rest = dict(record) if is_own else {}
        marker = rest.pop(MEMORY_KEY, None)
        found = cls(outdated=noted or NO_WORD)
        if not is_own:
            found = replace(found, memory=Memory.NEW if is_first_start else Memory.LOST)
        elif marker is None:
            found = cls()
        else:
            found = found._of_marker(marker)
        if by_hand is None or by_hand <= found.outdated:
            return found, rest
        found = replace(found, by_hand=by_hand)
        if by_hand > tip:
            found = found if answers_bind else replace(found, answered=NO_FENCE)
            if by_hand != found.regained:
                # The operator knows better than what this node found out by itself, but not better than the others.
                regained = max(by_hand, found.answered)
                # If it signed by an earlier word alone, it asks which rounds to leave at the new height.
                memory = Memory.LOST if found.is_by_word else found.memory
                found = replace(found, memory=memory, regained=regained, is_by_word=False, left=None)
        return found, rest

    def _of_marker(self, marker: bytes) -> Permission:
        """`outdated` is that of the marker, unless the operator has removed the note."""
        if len(marker) == _REGAINED.size:
            regained, answered, left, outdated = _REGAINED.unpack(marker)
            known = replace(self, regained=Height(regained), answered=Height(answered), is_by_word=left > 0)
            known = replace(known, left=Round(left - 2) if left > 1 else None)
        else:
            answered, outdated = NO_FENCE, self.outdated  # Lost, also where the marker cannot be read.
            if marker.startswith(_LOST) and len(marker) == len(_LOST) + _FORGOTTEN.size:
                answered, outdated = _FORGOTTEN.unpack(marker[len(_LOST) :])
            known = replace(self, memory=Memory.LOST, regained=Height(answered), answered=Height(answered))
        return replace(known, outdated=NO_WORD if self.outdated == NO_WORD else Height(outdated))

    # ---- questions ---------------------------------------------------------------------------------------------

    @property
    def vote_from(self) -> Height:
        """Nothing below this height is signed."""
        return max(self.regained, self.fence)

    @property
    def remembers(self) -> bool:
        """Whether this node knows what its key has signed."""
        return self.memory is not Memory.LOST

    @property
    def is_granted(self) -> bool:
        """Whether this node signs, from `vote_from` on."""
        return self.is_complete and self.remembers

    def is_stated(self, tip: Height) -> bool:
        """Whether the operator has said from which height after the tip on this node may sign.

        A height that is reached says nothing: the line was written at an earlier time, for another loss.
        """
        return self.by_hand is not None and self.by_hand > tip

    def is_overruled(self, height: Height) -> bool:
        """Whether a signature of ours at `height` that we do not remember is no reason to be silent there.

        The operator has let a node vote that has forgotten, since the ledger would wait without end, and the others may
        hold what it signed at that very height. It votes in later rounds only.
        """
        return self.is_by_word and height == self.regained

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
        """Why nothing is signed below `vote_from`: BY_HAND, also where the line is gone by now, or FENCED."""
        is_by_hand = self.regained > max(self.answered, self.fence)  # Only the operator raises it above the answers.
        return SigningRefusal.BY_HAND if is_by_hand else SigningRefusal.FENCED

    def is_word_idle(self, tip: Height) -> bool:
        """Whether the operator's consensus.vote_from changes nothing: its height is decided, or a greater one counts.

        If this node has forgotten, a vote_from above the tip has an effect even below the fence: it ends the silence.
        """
        return self.by_hand is not None and (self.by_hand <= tip or (self.remembers and self.by_hand < self.vote_from))

    # ---- transitions towards silence -----------------------------------------------------------------------------

    def raised(self, fence: Height) -> Permission:
        """Nothing below `fence` is signed."""
        return self if fence <= self.fence else replace(self, fence=fence)

    def own_signature_seen(self, height: Height) -> Permission:
        """A peer holds a signature of ours at `height` that our record lacks."""
        return self.raised(Height(height + 1))

    def forgotten(self) -> Permission:
        """Our memory does not reach as far as our signatures."""
        return replace(self, memory=Memory.LOST, is_by_word=False, left=None)

    def set_changed(self, height: Height) -> Permission:
        """The block of `height` changes the validator set.

        The answers after which this node set its fence were of the set before. The set that decides from now on may
        have decided more than they knew. So while the fence is not reached, this node forgets again, and asks that set.
        """
        return self.forgotten() if height < self.regained else self

    # ---- transitions towards signing -----------------------------------------------------------------------------

    def started(self) -> Permission:
        """The first start is on the disk."""
        return replace(self, memory=Memory.INTACT) if self.memory is Memory.NEW else self

    def settled(self, tip: Height, seen: Height) -> Permission:
        """This node signs again, where it cannot have signed: never without a fence.

        It has `answers_needed` answers and is as far as they are. `seen`: the greatest height of a signature of ours in
        the answers; 0: they show none. The operator's word can only raise the fence.
        """
        answered = Height(max(tip + MARGIN, seen + 1, self.answered))
        regained = max(answered, self.by_hand or NO_FENCE)
        return replace(self, memory=Memory.INTACT, regained=regained, answered=answered, is_by_word=False, left=None)

    def settled_by_word(self, left: Round | None) -> Permission:
        """Where the answers are not enough, and `is_stated`: this node signs again by the operator's word alone.

        `left`: the latest round in which others have shown a signature of ours at the stated height; None: in none.
        """
        if self.by_hand is None:
            raise ValueError("no operator has said anything")
        if self.by_hand < self.answered:  # Earlier answers knew better.
            return replace(self, memory=Memory.INTACT, regained=self.answered, is_by_word=False, left=None)
        return replace(self, memory=Memory.INTACT, regained=self.by_hand, is_by_word=True, left=left)

    # ---- record --------------------------------------------------------------------------------------------------

    def fence_items(self, height: Height) -> tuple[Item, ...]:
        """For the record of `height`, on arrival there: the fence goes along, since decided heights lose theirs."""
        return ((FENCE_KEY, encode_fence(self.fence)),) if self.fence > height else ()

    def memory_items(self) -> tuple[Item, ...]:
        """For the record of the height after the tip, where the memory changes."""
        if not self.remembers:
            return ((MEMORY_KEY, _LOST + _FORGOTTEN.pack(self.answered, self.outdated)),)
        left = 0 if not self.is_by_word else 1 if self.left is None else self.left + 2
        return ((MEMORY_KEY, _REGAINED.pack(self.regained, self.answered, left, self.outdated)),)

    def carried_items(self, height: Height) -> tuple[Item, ...]:
        """For the record of `height`, before the height below is decided and its record goes."""
        is_needed = not self.remembers or max(self.regained, self.outdated) > height
        return (*self.fence_items(height), *(self.memory_items() if is_needed else ()))


def answers_needed(validators: ValidatorSet, key: PublicKey) -> int:
    """How many other validators must answer a node with `key` that has forgotten: Q, or all if they are fewer.

    0: there is nobody to ask, so only the operator can help.
    """
    return min(validators.quorum, len(validators) - (key in validators))


def do_answers_bind(validators: ValidatorSet, key: PublicKey) -> bool:
    """Whether the others can decide without the node with `key`, so that it can keep to what they answer.

    Not in a ledger of two, nor of one: there the fence of a lost node would never be reached.
    """
    return answers_needed(validators, key) >= validators.quorum


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
