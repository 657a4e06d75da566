"""What Prometheus scrapes is what the node's parts say, read at each scrape."""

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.node.health.fake_node import fake_node

from notarium_node.health.condition import Condition
from notarium_node.health.events import EVENTS
from notarium_node.health.metrics import Metrics


@pytest.fixture
def node():
    return fake_node()


@pytest.fixture
def scrape(node):
    metrics = Metrics(node, Condition(node))

    def read():
        families = text_string_to_metric_families(metrics.render().decode())
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
            if sample.name.startswith("notarium_")
        }

    return read


def test_gauges_and_counters_are_those_of_the_parts(scrape):
    values = scrape()
    assert values["notarium_round",] == 2
    assert (values["notarium_mempool_entries",], values["notarium_mempool_bytes",]) == (3, 300)
    assert (values["notarium_validators",], values["notarium_quorum",]) == (4, 3)
    assert values["notarium_waiting_requests",] == 6
    assert values["notarium_blocks_decided_total",] == 5
    assert values["notarium_signatures_checked_total",] == 30
    assert (values["notarium_voting",], values["notarium_ready",]) == (1, 1)
    assert (values["notarium_equivocations_total", "m0"], values["notarium_equivocations_total", "m1"]) == (1, 0)
    assert values["notarium_peers_dropped_total", "flood"] == 1
    assert values["notarium_peers_refused_total", "bad hello"] == 4
    assert sum(value for name, value in values.items() if name[0] == "notarium_peer_connected") == 2
    assert {name[1] for name in values if name[0] == "notarium_log_lines_lost_total"} == {"unwritten", "repeated"}


def test_a_later_scrape_has_the_later_figures(node, scrape):
    assert (scrape()["notarium_ready",], scrape()["notarium_stalled",]) == (1, 0)
    node.driver.stalled = "the disk is full"
    node.store.damage = "block 7"
    node.engine.is_voting = False
    node.store.base = 12
    values = scrape()
    assert (values["notarium_ready",], values["notarium_stalled",]) == (0, 1)
    assert (values["notarium_store_damaged",], values["notarium_voting",]) == (1, 0)
    assert values["notarium_history_missing",] == 12


def test_every_event_is_there_with_0_before_it_happens(node, scrape):
    values = scrape()
    assert {name[1] for name in values if name[0] == "notarium_consensus_events_total"} == set(EVENTS)
    assert values["notarium_consensus_events_total", "peer_dropped"] == 0
    node.event_counts["peer_dropped"] += 1
    assert scrape()["notarium_consensus_events_total", "peer_dropped"] == 1
