"""How a node is doing: whether it does its part and, if not, why; for /readyz, /v1/status, the metrics and the log."""

from __future__ import annotations

import statistics
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog

from notarium_consensus.permission import Refusal
from notarium_ledger.encoding.json_file import iso_time

if TYPE_CHECKING:
    from notarium_node.node import Node

_log = structlog.get_logger("notarium.node")

NOT_STARTED = "the node is starting"
LAG_LIMIT = 10
"""A node further behind than this is not ready."""


class Condition:
    """Reads a node's parts; changes nothing."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._told: tuple[str, ...] = ()

    def log_changes(self) -> None:
        """One line when the node ceases to do its part or does it again, not one for each changed figure."""
        node = self._node
        reasons = self.not_ready()
        kinds = tuple(reason.partition(":")[0] for reason in reasons)
        if kinds == self._told:
            return
        self._told = kinds
        if reasons:
            say = _log.error if node.store.damage else _log.warning
            say("not ready", reasons=reasons)
        else:
            _log.info("ready", height=node.store.state.height)

    def not_ready(self) -> list[str]:
        """Why the node does not do its part now; empty when it does."""
        node = self._node
        reasons: list[str] = []
        if not node.started:
            reasons.append(NOT_STARTED)
        if node.driver.stalled:
            reasons.append(f"not voting: {node.driver.stalled}")
        if node.store.damage:
            # It votes on: what is built on was checked at the start, and a bad sector under old blocks is no reason to
            # stop an institution. Until a restart, for nothing else tells that it was mended.
            reasons.append(f"the store is damaged: {node.store.damage}")
        if node.sync.obstacle:
            reasons.append(f"cannot follow the ledger: {node.sync.obstacle}")
        validators = node.store.state.registry.validators
        reachable = sum(
            each.key == node.own.key or node.network.is_connected(each.key) for each in validators.validators
        )
        if node.own.role == "validator" and reachable < validators.quorum:
            reasons.append(
                f"no quorum: {reachable} of {len(validators)} validators reachable, {validators.quorum} needed; "
                "nothing is decided until more return"
            )
        if node.own.role == "observer" and reachable == 0:
            reasons.append("no validator is reachable")
        record = node.store.state.registry.nodes.get(node.own.key)
        if record is None and node.sync.lag:
            reasons.append("this node is not in the registry of the blocks it has so far")
        elif record is None:
            reasons.append("this node is not in the registry: it was removed, or not added yet")
        elif record.role != node.own.role:
            reasons.append(f"this node is a {record.role} now: restart it")
        # One liar's claim makes nobody unready. An observer may follow a single validator, so it believes any.
        lag = node.sync.credible_lag(validators.faulty if node.own.role == "validator" else 0)
        if lag > LAG_LIMIT:
            reasons.append(f"catching up: {lag} blocks behind")
        if not node.store.is_complete:
            silent = ", and does not vote" if node.own.role == "validator" else ""
            reasons.append(f"fetching the history: {self.missing_blocks} blocks are missing{silent}")
        elif not node.recall.permission.remembers and node.own.key in validators and reachable >= validators.quorum:
            reasons.append(f"not voting: {Refusal.FORGOTTEN.value}")
        drift = self._clock_drift()
        if drift is not None and abs(drift) > node.store.state.registry.parameters.clock_precision_ms:
            limit = node.store.state.registry.parameters.clock_precision_ms
            reasons.append(f"the clock is off: {-drift} ms against its peers, {limit} ms allowed; check NTP")
        return reasons

    def notes(self) -> list[str]:
        """What the operator of a node that does its part should know all the same."""
        node, permission = self._node, self._node.engine.permission
        is_validator = node.own.key in node.store.state.registry.validators
        if not is_validator or permission.vote_from <= node.store.state.height + 1:
            return []
        why = permission.fenced_by.value
        return [f"votes from height {permission.vote_from} on: {why}; until then the quorum is up to the others"]

    @property
    def missing_blocks(self) -> int:
        """Between the history and the adopted snapshot."""
        store = self._node.store
        return 0 if store.base is None else store.base - store.history.height

    def _clock_drift(self) -> int | None:
        """The peers' clocks minus ours, median, in ms; None while too few are compared to outvote liars."""
        node = self._node
        offsets = node.network.clock_offsets()
        if len(offsets) < max(2, node.store.state.registry.validators.faulty * 2):
            return None
        return round(statistics.median(offsets))

    def _progress(self) -> dict[str, Any] | None:
        """What is being fetched, how far it is and how fast it comes; None where nothing is."""
        node = self._node
        if not node.store.is_complete:
            now: dict[str, int] = {"height": node.store.history.height, "target": node.store.base or 0}
            return {"what": "history", **node.sync.history_progress.figures(), **now}
        if node.sync.lag > 1:
            now = {"height": node.store.state.height, "target": node.sync.target}
            return {"what": "blocks", **node.sync.live_progress.figures(), **now}
        return None

    def status(self) -> dict[str, Any]:
        """The answer of GET /v1/status."""
        node = self._node
        state = node.store.state
        reasons = self.not_ready()
        connected = node.network.connected
        peers = []
        for key, record in sorted(state.registry.nodes.items()):
            if key == node.own.key:
                continue
            info = connected.get(key)
            claim = node.sync.claims.get(key)
            peers.append(
                {
                    "member": record.member,
                    "role": record.role,
                    "key": key.hex(),
                    "connected": info is not None,
                    "height": None if claim is None else claim.height,
                    "lag": None if claim is None else max(0, state.height - claim.height),
                    "clock_offset_ms": info.clock_offset_ms if info else None,
                }
            )
        return {
            "version": version("notarium"),
            "ledger": node.genesis.name,
            "genesis": node.genesis.hash.hex(),
            "member": node.own.member,
            "role": node.own.role,
            "key": node.own.key.hex(),
            "height": state.height,
            "tip": state.tip.hex(),
            "time": iso_time(state.time_ms),
            "tree_size": state.frontier.size,
            "tree_root": state.frontier.root().hex(),
            "round": node.engine.round,
            "phase": node.engine.phase.value,
            "ready": not reasons,
            "reasons": reasons,
            "notes": self.notes(),
            "peers": peers,
            "lag": node.sync.lag,
            "voting": node.engine.is_voting,
            "votes_from": node.engine.vote_from,
            "complete": node.store.is_complete,
            "catching_up": self._progress(),
            "equivocations": len(node.equivocations),
            "mempool": {"entries": len(node.mempool), "bytes": node.mempool.bytes},
            "uptime_s": round(time.monotonic() - node.started) if node.started else 0,
        }
