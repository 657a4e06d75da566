"""Prometheus metrics, read from the node's own counters at each scrape, so that counting costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.process_collector import PROCESS_COLLECTOR

from notarium_node.health.condition import Condition
from notarium_node.health.log_handler import lost
from notarium_node.health.observed import ObservedNode

__all__ = ["CONTENT_TYPE", "Metrics"]


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
        yield from self._of_ledger()
        yield from self._of_health()
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
        yield _gauge("notarium_quorum", "Votes that a decision needs", state.registry.validators.quorum)
        yield _counter("notarium_blocks_decided", "Blocks decided since the start", node.chain.decided)

    def _of_health(self) -> Iterable[Metric]:
        node = self._node
        yield _flag("notarium_voting", "1 if the node signs at the current height", node.engine.is_voting)
        missing = 0 if node.recall.permission.remembers else node.memory_asker.answers().missing
        yield _gauge("notarium_recall_answers_missing", "Answers still needed before it may sign again", missing)
        yield _flag("notarium_ready", "1 if the node is ready", not self._condition.reasons())
        yield _flag("notarium_stalled", "1 if the disk refuses writes", bool(node.driver.stalled))
        yield _flag("notarium_store_damaged", "1 if a read found damage since the start", bool(node.store.damage))
        yield _labelled("notarium_log_lines_lost", "Log lines not written since the start", "reason", lost())

    def _of_entries(self) -> Iterable[Metric]:
        node = self._node
        yield _gauge("notarium_mempool_entries", "Entries that wait for a block", len(node.mempool))
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
        answers = CounterMetricFamily("notarium_api_answers", "Answers of the API", labels=["route", "status"])
        for (route, status), count in sorted(self._node.api_answers.items()):
            answers.add_metric([route, str(status)], count)
        yield answers

    def _of_members(self) -> Iterable[Metric]:
        node = self._node
        yield _labelled("notarium_equivocations", "Equivocations kept here", "member", node.equivocations.by_member())
        connected = GaugeMetricFamily("notarium_peer_connected", "1 for each connected peer", labels=["member", "key"])
        for key in node.network.connected:
            record = node.store.state.registry.nodes.get(key)
            connected.add_metric([record.member if record else "?", key.hex()], 1)
        yield connected


def _gauge(name: str, text: str, value: float) -> Metric:
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
