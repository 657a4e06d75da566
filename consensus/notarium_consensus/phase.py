"""How far the current round of a height is."""

from __future__ import annotations

from enum import Enum


class Phase(Enum):
    """How far the current round is, as this node sees it."""

    WAITING = "waiting"
    """No acceptable proposal yet."""
    CHECKING = "checking"
    """A justified proposal is here; its content is being checked."""
    REJECTED = "rejected"
    """The proposal's content is invalid; the round will time out."""
    PREPARING = "preparing"
    """The block is good; waiting for Q prepares."""
    COMMITTING = "committing"
    """Q prepares are here; waiting for Q commits."""
    DECIDED = "decided"
    """Nothing more happens at this height."""
