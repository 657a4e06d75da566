"""What a node counts: the reports of the consensus engine, and events of its own."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import get_args

from notarium_consensus.events import Event


class NodeEvent(StrEnum):
    """An event that the node counts itself. The value is the label in the metrics."""

    PEER_DROPPED = "peer_dropped"
    """A peer broke the protocol and was disconnected."""
    LATER_VERSION = "later_version"
    """A message of a later version was ignored."""
    GOSSIP_REFUSED_FULL = "gossip_refused_full"
    """Entries of a peer were not taken because the mempool was full."""
    GOSSIP_DISCARDED = "gossip_discarded"
    """Entries of a peer were not looked at because it had sent too many."""
    FAILED_TASK = "failed_task"
    """Work for a peer ended with an error: a defect."""


ENGINE_EVENTS: tuple[str, ...] = tuple(each.__name__ for each in get_args(Event))
EVENTS: tuple[str, ...] = (*ENGINE_EVENTS, *NodeEvent)


def new_event_counts() -> Counter[str]:
    """Totals by event. Every event starts at 0: a rate over a counter begins with its first sample."""
    return Counter(dict.fromkeys(EVENTS, 0))
