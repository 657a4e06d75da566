"""Whether a validator can vote now, and why not: what nodes report to one another, so that each can count.

While nothing is to be decided, no vote shows who votes. So each node says with its height whether it could.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from notarium_consensus.permission import SigningRefusal
from notarium_ledger.types import Height

MAX_CAUSE = 255
NO_HEIGHT = Height(0)


class Cause(IntEnum):
    """Why a node cannot vote; the number is on the wire. Those that this version does not know are OTHER to it."""

    NONE = 0
    OTHER = 1
    INCOMPLETE = 2
    FORGOTTEN = 3
    BY_HAND = 4
    FENCED = 5
    DISK_REFUSES = 6
    DISK_SLOW = 7
    CLOCK_BEHIND = 8
    CANNOT_FOLLOW = 9


TEXTS = {
    Cause.OTHER: "it says that it cannot vote: ask for its status",
    Cause.INCOMPLETE: "it fetches blocks that it lacks",
    Cause.FORGOTTEN: "it does not remember what its key has signed: its /readyz names the remedy",
    Cause.BY_HAND: "its operator set consensus.vote_from",
    Cause.FENCED: "its key may have signed what its store does not remember",
    Cause.DISK_REFUSES: "its disk refuses writes: make room",
    Cause.DISK_SLOW: "its disk is too slow for the longest round: replace it",
    Cause.CLOCK_BEHIND: "its clock is behind the time of the last block: check NTP",
    Cause.CANNOT_FOLLOW: "it cannot follow the ledger: upgrade it",
}
REFUSALS = {
    SigningRefusal.INCOMPLETE: Cause.INCOMPLETE,
    SigningRefusal.FORGOTTEN: Cause.FORGOTTEN,
    SigningRefusal.BY_HAND: Cause.BY_HAND,
    SigningRefusal.FENCED: Cause.FENCED,
}
_CAUSES = {int(each): each for each in Cause}
ENDING_AT_A_HEIGHT = (Cause.BY_HAND, Cause.FENCED)


@dataclass(frozen=True, slots=True)
class Ability:
    """What a node reports of itself."""

    cause: Cause = Cause.NONE
    votes_from: Height = NO_HEIGHT
    """The height at which BY_HAND or FENCED ends; 0 with all other causes."""

    def allows(self, height: int) -> bool:
        """Whether the node can vote at `height`."""
        return self.cause is Cause.NONE or (self.cause in ENDING_AT_A_HEIGHT and self.votes_from <= height)

    def __str__(self) -> str:
        until = f" (it votes from height {self.votes_from} on)" if self.cause in ENDING_AT_A_HEIGHT else ""
        return f"{TEXTS.get(self.cause, '')}{until}"


CAN_VOTE = Ability()


def cause_of(number: int) -> Cause:
    """The cause that a peer reports with this number."""
    return _CAUSES.get(number, Cause.OTHER)
