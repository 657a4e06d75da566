"""What Prometheus scrapes is what the node's parts say, read at each scrape."""

import platform
import re
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.node.health.fake_node import fake_node

from notarium_node.health.condition import Condition
from notarium_node.health.events import EVENTS
from notarium_node.health.metrics import Metrics
from notarium_node.health.reason import ReasonKind


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


def test_the_reasons_are_told_apart_and_are_there_before_they_apply(node, scrape):
    reasons = {name[1]: value for name, value in scrape().items() if name[0] == "notarium_not_ready"}
    assert reasons == dict.fromkeys(ReasonKind, 0)
    node.store.damage = "block 7"
    node.api_certificate_expires_ms = node.clock() - 1
    values = Metrics(node, Condition(node)).render().decode()
    assert 'notarium_not_ready{reason="store-damaged"} 1.0' in values
    assert 'notarium_not_ready{reason="certificate-expired"} 1.0' in values
    assert "notarium_ready 0.0" in values


def test_each_other_node_of_the_registry_has_a_series_connected_or_not(node, scrape):
    values = scrape()
    connected = {name[2:]: value for name, value in values.items() if name[0] == "notarium_peer_connected"}
    others = [("m1", "validator"), ("m2", "validator"), ("m3", "validator"), ("m0", "observer")]
    assert connected == dict(zip(others, (1, 1, 0, 0), strict=True))
    queued = {name[2:]: value for name, value in values.items() if name[0] == "notarium_peer_queue_bytes"}
    assert queued == dict(zip(others, (7, 7, 0, 0), strict=True))
    oldest = {name[2:]: value for name, value in values.items() if name[0] == "notarium_peer_queue_oldest_seconds"}
    assert oldest == dict(zip(others, (0.5, 0.5, 0, 0), strict=True))
    assert values["notarium_validators_able",] == 3


def test_observers_that_never_connect_to_one_another_raise_no_alarm_and_are_not_shown():
    node = fake_node("observer")
    registry = node.store.state.registry
    second = next(each for each in registry.nodes.values() if each.member == "m3" and each.role == "validator")
    nodes = {**registry.nodes, second.key: replace(second, role="observer")}
    node.store.state = replace(node.store.state, registry=replace(registry, nodes=nodes))
    text = Metrics(node, Condition(node)).render().decode()
    named = re.findall(r'notarium_peer_connected{.*member="(\w+)".*} ', text)
    assert sorted(named) == ["m0", "m1", "m2"]
    shown = Condition(node).status()["peers"]
    assert sorted(each["member"] for each in shown) == ["m0", "m1", "m2"]


def test_the_disk_of_the_store(node, scrape):
    node.write_times.histogram.add(0.4)
    values = scrape()
    assert (values["notarium_store_free_bytes",], values["notarium_store_min_free_bytes",]) == (9_000, 1_000)
    assert values["notarium_store_write_seconds_bucket", "0.2"] == 0
    assert values["notarium_store_write_seconds_bucket", "0.5"] == 1
    assert (values["notarium_store_write_seconds_count",], values["notarium_store_write_seconds_sum",]) == (1, 0.4)


def test_a_disk_that_is_gone_does_not_end_the_scrape(node, scrape):
    def gone():
        raise OSError(5, "Input/output error")

    node.store.free_bytes = gone
    values = scrape()
    assert ("notarium_store_free_bytes",) not in values
    assert values["notarium_height",] == 0


def test_answers_by_route_and_status(node, scrape):
    node.api_answers.note("/v1/log", 200, 0.2)
    node.api_answers.note("/v1/log", 429, 0.01)
    values = scrape()
    assert values["notarium_api_answers_total", "/v1/log", "429"] == 1
    assert values["notarium_api_answer_seconds_bucket", "0.25", "/v1/log"] == 2
    assert values["notarium_api_answer_seconds_count", "/v1/log"] == 2


def test_what_is_not_known_has_no_sample(node, scrape):
    values = scrape()
    assert ("notarium_api_certificate_expiry_seconds",) not in values
    assert ("notarium_clock_ahead_seconds",) not in values
    node.api_certificate_expires_ms = 1_800_000_000_000
    node.network.offsets = [-200, -300, -400]
    values = scrape()
    assert values["notarium_api_certificate_expiry_seconds",] == 1_800_000_000
    assert values["notarium_clock_ahead_seconds",] == 0.3


def test_the_versions_are_there(scrape):
    [build] = [name for name in scrape() if name[0] == "notarium_build_info"]
    assert platform.python_version() in build
