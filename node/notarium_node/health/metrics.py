"""Prometheus metrics, read from the node's own counters when scraped, so that counting costs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client.process_collector import ProcessCollector

if TYPE_CHECKING:
    from notarium_node.node import Node

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """One node's collector."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self._registry)

    def collect(self) -> Iterable[Metric]:
        """Called by the registry for each scrape."""
        node = self._node
        state = node.store.state
        yield _gauge("notarium_height", "Height of the last block on disk", state.height)
        yield _gauge("notarium_log_size", "Entries in the log", state.frontier.size)
        yield _gauge("notarium_block_time_seconds", "Time of the last block", state.time_ms / 1000)
        yield _gauge("notarium_round", "Round at the current height", node.engine.round)
        yield _gauge("notarium_lag_blocks", "Blocks that peers claim to have and this node has not", node.sync.lag)
        store = node.store
        yield _gauge("notarium_history_height", "Up to here no block from genesis on is missing", store.history.height)
        yield _gauge("notarium_history_missing", "Blocks below the tip still to fetch", node.condition.missing_blocks)
        yield _gauge("notarium_voting", "1 if the node signs at the present height", 1 if node.engine.is_voting else 0)
        yield _gauge("notarium_ready", "1 if the node does its part", 0 if node.condition.not_ready() else 1)
        yield _gauge("notarium_stalled", "1 if the disk refuses writes", 1 if node.driver.stalled else 0)
        yield _gauge("notarium_store_damaged", "1 if a read met damage since the start", 1 if node.store.damage else 0)
        yield _gauge("notarium_mempool_entries", "Entries that wait for a block", len(node.mempool))
        yield _gauge("notarium_mempool_bytes", "Bytes that wait for a block", node.mempool.bytes)
        yield _gauge("notarium_validators", "Validators of the next block", len(state.registry.validators))
        yield _gauge("notarium_quorum", "Votes that a decision needs", state.registry.validators.quorum)
        yield _gauge("notarium_waiting_requests", "Entries that a request waits for", node.waiters.waiting)
        yield _counter("notarium_blocks_decided", "Blocks decided since the start", node.chain.decided)
        checked = node.verifier.checked + node.catch_up_verifier.checked
        yield _counter("notarium_signatures_checked", "Entry signatures verified", checked)
        yield _labelled("notarium_consensus_events", "Reports of the consensus engine", "event", node.event_counts)
        yield _labelled("notarium_peer_events", "Events of peer links", "event", node.network.counters)
        yield _labelled("notarium_peers_dropped", "Peers dropped for misbehaviour", "reason", node.network.dropped)
        yield _labelled("notarium_peers_refused", "Peer connections refused", "reason", node.network.refused)
        accused = CounterMetricFamily("notarium_equivocations", "Equivocations kept here", labels=["member"])
        for member, count in sorted(node.equivocations.by_member().items()):
            accused.add_metric([member], count)
        yield accused
        connected = GaugeMetricFamily("notarium_peer_connected", "1 for each connected peer", labels=["member", "key"])
        for key, info in node.network.connected.items():
            del info
            record = state.registry.nodes.get(key)
            connected.add_metric([record.member if record else "?", key.hex()], 1)
        yield connected


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)


def _counter(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _labelled(name: str, text: str, label: str, counts: Mapping[Any, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for key in sorted(counts):
        family.add_metric([key], counts[key])
    return family
