"""What the engine wants done. The runner performs the effects of a step in their order.

The persistence contract: a Persist is on disk (fsync) before any later effect of the list is performed. The
engine puts all Persists of a step first, so consecutive ones may share one synced write. The report of
OwnSignatureSeen comes next: the runner writes down that this node has forgotten before a Decide of the same step ends
the height, and before anything is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from notarium_consensus.events import Event
from notarium_consensus.messages import Message
from notarium_ledger.blocks.block import Block, Decision
from notarium_ledger.types import Height, PublicKey, Round


@dataclass(frozen=True, slots=True)
class RoundTimer:
    """Expires when a round has lasted too long."""

    height: Height
    round: Round


@dataclass(frozen=True, slots=True)
class ResendTimer:
    """Expires when it is time to send the current round's own messages again."""

    height: Height


@dataclass(frozen=True, slots=True)
class ProposeTimer:
    """Expires when this node's clock has passed the parent's time, so that it may propose in this round."""

    height: Height
    round: Round


@dataclass(frozen=True, slots=True)
class AbsenceTimer:
    """Expires when the proposer of a round has been unreachable for so long that its round is left."""

    height: Height
    round: Round


Timer = RoundTimer | ResendTimer | ProposeTimer | AbsenceTimer


@dataclass(frozen=True, slots=True)
class Persist:
    """Write `value` under (height, key), with fsync, before any later effect; a later write of a key replaces it.

    The runner deletes all of a height when that height is decided (in the decision's own synced batch).
    """

    height: Height
    key: bytes
    """One of those in signing_record.py."""
    value: bytes


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send to all other validators (and to observers that follow live); the engine handles its own copy itself."""

    message: Message


@dataclass(frozen=True, slots=True)
class Send:
    """Send to one peer."""

    peer: PublicKey
    message: Message


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Answer with TimerExpired(timer) at `at_ms` or later; replaces an equal timer. Timers are never cancelled."""

    timer: Timer
    at_ms: int
    """On the clock of `now_ms`."""


@dataclass(frozen=True, slots=True)
class RequestBlock:
    """Build a block from the mempool with time_ms = max(clock, earliest_time_ms); answer with BlockBuilt.

    The clock is past the parent's time, so the block has the time at which it is built.
    """

    height: Height
    round: Round
    earliest_time_ms: int


@dataclass(frozen=True, slots=True)
class CheckBlock:
    """Check the content of `block` (entries, state transition, roots); answer with BlockChecked.

    The engine checks genesis, height, parent, proposer, validator set and time itself.
    """

    block: Block
    attempt: int = 0
    """For the answer. It grows when the engine forgets its verdicts: an answer of before does not count then."""


@dataclass(frozen=True, slots=True)
class Decide:
    """Store and apply, then answer with Advance. The content of the block has been checked by this node."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class Report:
    """Something an operator or the runner should know."""

    event: Event


Effect = Persist | Broadcast | Send | SetTimer | RequestBlock | CheckBlock | Decide | Report
