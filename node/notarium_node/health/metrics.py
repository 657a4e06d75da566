"""Prometheus metrics, read from the node's own counters at each scrape, so that counting costs nothing.

docs/operations.md lists them. The alarms and the dashboard in deploy/ are made of them; tests compare all three.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.process_collector import PROCESS_COLLECTOR

from notarium_node.health.condition import Condition
from notarium_node.health.histogram import Histogram
from notarium_node.health.log_handler import lost
from notarium_node.health.observed import ObservedNode, peers_of
from notarium_node.health.reason import ReasonKind
from notarium_store.store import Store

__all__ = ["CONTENT_TYPE", "Metrics"]

_BUILD = {"version": version("notarium"), "python": platform.python_version()}


class Metrics:
    """One node's collector."""

    def __init__(self, node: ObservedNode, condition: Condition) -> None:
        self._node = node
        self._condition = condition
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._registry.register(PROCESS_COLLECTOR)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the registry for each scrape."""
        yield InfoMetricFamily("notarium_build", "Versions of the node and of Python", value=_BUILD)
        yield from self._of_ledger()
        yield from self._of_readiness()
        yield from self._of_disk()
        yield from self._of_entries()
        yield from self._of_events()
        yield from self._of_api()
        yield from self._of_members()

    def _of_ledger(self) -> Iterable[Metric]:
        node, store, state = self._node, self._node.store, self._node.store.state
        yield _gauge("notarium_height", "Height of the last block on disk", state.height)
        yield _gauge("notarium_log_size", "Entries in the log", state.frontier.size)
        yield _gauge("notarium_block_time_seconds", "Time of the last block", state.time_ms / 1000)
        yield _gauge("notarium_round", "Round at the current height", node.engine.round)
        yield _gauge("notarium_lag_blocks", "Blocks that peers claim to have and this node lacks", node.sync.lag)
        yield _gauge("notarium_history_height", "No block from genesis up to here is missing", store.history.height)
        yield _gauge("notarium_history_missing", "Blocks below the tip still to fetch", self._condition.missing_blocks)
        yield _gauge("notarium_validators", "Validators of the next block", len(state.registry.validators))
        able = self._condition.able_validators
        yield _gauge("notarium_validators_able", "Validators that could vote now, as far as this node knows", able)
        yield _gauge("notarium_quorum", "Votes that a decision needs", state.registry.validators.quorum)
        yield _counter("notarium_blocks_decided", "Blocks decided since the start", node.chain.decided)

    def _of_readiness(self) -> Iterable[Metric]:
        node, kinds = self._node, {each.kind for each in self._condition.reasons()}
        yield _flag("notarium_ready", "1 if the node is ready", not kinds)
        why = GaugeMetricFamily("notarium_not_ready", "1 for each reason why it is not", labels=["reason"])
        for kind in ReasonKind:
            why.add_metric([kind], kind in kinds)
        yield why
        is_validator = node.own.key in node.store.state.registry.validators
        yield _flag("notarium_validator", "1 if the node is a validator of the next block", is_validator)
        yield _flag("notarium_voting", "1 if the node signs at the current height", node.engine.is_voting)
        missing = 0 if node.recall.permission.remembers else node.memory_asker.answers().missing
        yield _gauge("notarium_recall_answers_missing", "Answers still needed before it may sign again", missing)
        drift_ms, limit_ms = self._condition.clock_drift_ms, node.store.state.registry.parameters.clock_precision_ms
        ahead_s = None if drift_ms is None else -drift_ms / 1000
        yield _gauge("notarium_clock_ahead_seconds", "This clock minus the median of the peers' clocks", ahead_s)
        yield _gauge("notarium_clock_precision_seconds", "How far clocks may differ", limit_ms / 1000)
        late = {"": node.loop_late}
        yield _histogram("notarium_loop_late_seconds", "How late the node's periodic work ran", "", late)

    def _of_disk(self) -> Iterable[Metric]:
        node, store = self._node, self._node.store
        yield _flag("notarium_stalled", "1 if the disk refuses writes", bool(node.driver.stalled))
        yield _flag("notarium_store_damaged", "1 if a read found damage since the start", bool(store.damage))
        yield _gauge("notarium_store_free_bytes", "Free bytes of the store's disk", _free_bytes(store))
        yield _gauge("notarium_store_min_free_bytes", "With less free, the store writes nothing", store.min_free_bytes)
        times = {"": node.write_times.histogram}
        yield _histogram("notarium_store_write_seconds", "Duration of synced writes (fsync)", "", times)
        yield _labelled("notarium_log_lines_lost", "Log lines not written since the start", "reason", lost())

    def _of_entries(self) -> Iterable[Metric]:
        node = self._node
        yield _gauge("notarium_mempool_entries", "Entries that wait for a block", len(node.mempool))
        yield _gauge("notarium_mempool_oldest_seconds", "How long the oldest of them waits", node.arrivals.oldest_s())
        times = {"": node.arrivals.decided_after}
        yield _histogram("notarium_entry_wait_seconds", "From an entry's arrival here to its decision", "", times)
        yield _gauge("notarium_mempool_bytes", "Memory of the entries that wait for a block", node.mempool.bytes)
        yield _gauge("notarium_waiting_requests", "Entries for which a request waits", node.waiters.waiting)
        checked = node.verifier.checked + node.catch_up_verifier.checked
        yield _counter("notarium_signatures_checked", "Entry signatures verified", checked)

    def _of_events(self) -> Iterable[Metric]:
        node, network = self._node, self._node.network
        yield _labelled("notarium_consensus_events", "Events of consensus and peers", "event", node.event_counts)
        yield _labelled("notarium_peer_events", "Events of peer links", "event", network.counters)
        yield _labelled("notarium_peers_dropped", "Peers dropped", "reason", network.dropped)
        yield _labelled("notarium_peers_refused", "Peer connections refused", "reason", network.refused)

    def _of_api(self) -> Iterable[Metric]:
        api = self._node.api_answers
        answers = CounterMetricFamily("notarium_api_answers", "Answers of the API", labels=["route", "status"])
        for (route, status), count in sorted(api.counts.items()):
            answers.add_metric([route, str(status)], count)
        yield answers
        yield _labelled("notarium_api_refusals", "Answers that are problems", "reason", api.refusals)
        yield _histogram("notarium_api_answer_seconds", "From a request to its answer", "route", api.times)
        expires_ms = self._node.api_certificate_expires_ms
        expires_s = None if expires_ms is None else expires_ms / 1000
        yield _gauge("notarium_api_certificate_expiry_seconds", "When it expires, in seconds since 1970", expires_s)
        yield _labelled(
            "notarium_api_endings", "Connections that the API ended itself", "reason", self._node.api_endings
        )

    def _of_members(self) -> Iterable[Metric]:
        node = self._node
        yield _labelled("notarium_equivocations", "Equivocations kept here", "member", node.equivocations.by_member())
        labels = ["member", "role", "key"]
        connected = GaugeMetricFamily("notarium_peer_connected", "1 for each connected peer, else 0", labels=labels)
        queued = GaugeMetricFamily("notarium_peer_queue_bytes", "Bytes not sent to it yet", labels=labels)
        text = "How long the oldest message that waits for its line has waited"
        oldest = GaugeMetricFamily("notarium_peer_queue_oldest_seconds", text, labels=labels)
        links = node.network.connected
        for key, record in peers_of(node):
            link, values = links.get(key), [record.member, record.role, key.hex()]
            connected.add_metric(values, link is not None)
            queued.add_metric(values, 0 if link is None else link.queue_bytes)
            oldest.add_metric(values, 0 if link is None else link.queue_age_s)
        yield connected
        yield queued
        yield oldest


def _free_bytes(store: Store) -> int | None:
    try:
        return store.free_bytes()
    except OSError:  # The disk is gone. The other metrics say more about that than a scrape that fails.
        return None


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """None: there is no such value, and so no sample."""
    return GaugeMetricFamily(name, text, value=value)


def _flag(name: str, text: str, value: bool) -> Metric:
    return GaugeMetricFamily(name, text, value=1 if value else 0)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key in sorted(counts):
        family.add_metric([key], counts[key])
    return family


def _histogram(name: str, text: str, label: str, times: Mapping[str, Histogram]) -> Metric:
    """By `label`; "": there is one histogram, under ""."""
    family = HistogramMetricFamily(name, text, labels=[label] if label else [])
    for key, histogram in sorted(times.items()):
        family.add_metric([key] if label else [], histogram.buckets(), histogram.total_s)
    return family
