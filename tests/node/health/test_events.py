"""All that a node counts is there from its start, with 0."""

from typing import get_args

from notarium_consensus.events import Event
from notarium_node.health.events import EVENTS, NodeEvent, new_event_counts


def test_reports_of_the_engine_and_events_of_the_node_start_at_0():
    counts = new_event_counts()
    assert set(counts) == {each.__name__ for each in get_args(Event)} | {each.value for each in NodeEvent}
    assert set(counts.values()) == {0}
    assert len(EVENTS) == len(set(EVENTS))


def test_two_nodes_do_not_count_together():
    one, other = new_event_counts(), new_event_counts()
    one[NodeEvent.PEER_DROPPED] += 1
    assert (one["peer_dropped"], other["peer_dropped"]) == (1, 0)
