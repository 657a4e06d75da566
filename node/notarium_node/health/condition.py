"""The condition of a node: whether it is ready and, if not, why; for /readyz, /v1/status, metrics and log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import structlog

from notarium_consensus.permission import SigningRefusal
from notarium_ledger.encoding.json_file import iso_time
from notarium_node.health.observed import ObservedNode

_log = structlog.get_logger("notarium.node")

LAG_LIMIT = 10
"""A node further behind than this is not ready."""


class ReasonKind(StrEnum):
    """Why a node is not ready."""

    STARTING = "starting"
    DISK_REFUSES_WRITES = "disk-refuses-writes"
    STORE_DAMAGED = "store-damaged"
    CANNOT_FOLLOW = "cannot-follow"
    NO_QUORUM = "no-quorum"
    NO_VALIDATOR = "no-validator"
    NOT_REGISTERED_YET = "not-registered-yet"
    NOT_REGISTERED = "not-registered"
    BEHIND = "behind"
    HISTORY_MISSING = "history-missing"
    MEMORY_LOST = "memory-lost"
    CLOCK_OFF = "clock-off"


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason: its kind for programs, its text with the present figures for the operator."""

    kind: ReasonKind
    text: str


class Condition:
    """Reads a node's parts; changes nothing."""

    def __init__(self, node: ObservedNode) -> None:
        self._node = node
        self._logged: tuple[ReasonKind, ...] = ()

    def log_changes(self) -> None:
        """Log when the kinds of reasons change, not when a figure in a text does."""
        reasons = self.reasons()
        kinds = tuple(each.kind for each in reasons)
        if kinds == self._logged:
            return
        self._logged = kinds
        if reasons:
            log = _log.error if ReasonKind.STORE_DAMAGED in kinds else _log.warning
            log("not ready", reasons=[each.text for each in reasons])
        else:
            _log.info("ready", height=self._node.store.state.height)

    def not_ready(self) -> list[str]:
        """The texts of the reasons why the node is not ready now; empty when it is."""
        return [each.text for each in self.reasons()]

    def reasons(self) -> list[Reason]:
        """Why the node is not ready now; empty when it is."""
        return [
            *self._of_process_and_disk(),
            *self._of_connections(),
            *self._of_registry(),
            *self._of_missing_blocks(),
            *self._of_clock(),
        ]

    def _of_process_and_disk(self) -> Iterator[Reason]:
        node = self._node
        if not node.started:
            yield Reason(ReasonKind.STARTING, "the node is starting")
        if node.driver.stalled:
            yield Reason(ReasonKind.DISK_REFUSES_WRITES, f"not voting: {node.driver.stalled}")
        if node.store.damage:
            # The node goes on voting: the start checked what new blocks build on, and a bad sector under old blocks is
            # no reason to stop an institution. Only a restart ends this, because nothing else shows that the disk was
            # repaired.
            yield Reason(ReasonKind.STORE_DAMAGED, f"the store is damaged: {node.store.damage}")
        if node.sync.obstacle:
            yield Reason(ReasonKind.CANNOT_FOLLOW, f"cannot follow the ledger: {node.sync.obstacle}")

    def _of_connections(self) -> Iterator[Reason]:
        node, validators = self._node, self._node.store.state.registry.validators
        reachable = self._reachable()
        if node.own.role == "validator" and reachable < validators.quorum:
            yield Reason(
                ReasonKind.NO_QUORUM,
                f"no quorum: {reachable} of {len(validators)} validators reachable, {validators.quorum} needed; "
                "nothing is decided until more return",
            )
        if node.own.role == "observer" and reachable == 0:
            yield Reason(ReasonKind.NO_VALIDATOR, "no validator is reachable")

    def _of_registry(self) -> Iterator[Reason]:
        node = self._node
        record = node.store.state.registry.nodes.get(node.own.key)
        if record is None and node.sync.lag:
            yield Reason(ReasonKind.NOT_REGISTERED_YET, "this node is not in the registry of the blocks it has so far")
        elif record is None:
            yield Reason(
                ReasonKind.NOT_REGISTERED, "this node is not in the registry: it was removed, or not added yet"
            )

    def _of_missing_blocks(self) -> Iterator[Reason]:
        node, validators = self._node, self._node.store.state.registry.validators
        is_validator = node.own.role == "validator"
        # The claim of one liar must not make a node unready. An observer may follow a single validator, so it believes
        # each one.
        lag = node.sync.credible_lag(validators.faulty if is_validator else 0)
        if lag > LAG_LIMIT:
            yield Reason(ReasonKind.BEHIND, f"catching up: {lag} blocks behind")
        if not node.store.is_complete:
            silent = ", and does not vote" if is_validator else ""
            yield Reason(
                ReasonKind.HISTORY_MISSING, f"fetching the history: {self.missing_blocks} blocks are missing{silent}"
            )
        if not node.recall.permission.remembers and node.own.key in validators:
            stale = node.recall.stale_word
            ignored = "" if stale is None else f" (the present one, {stale}, is from before the loss and is ignored)"
            yield Reason(
                ReasonKind.MEMORY_LOST,
                f"not voting: {SigningRefusal.FORGOTTEN.value}. It asks the other validators: "
                f"{node.memory_asker.answers()}. Start or connect those that are missing; if they cannot answer any "
                f"more, set consensus.vote_from{ignored}",
            )

    def _of_clock(self) -> Iterator[Reason]:
        limit = self._node.store.state.registry.parameters.clock_precision_ms
        drift = self._clock_drift()
        if drift is not None and abs(drift) > limit:
            yield Reason(
                ReasonKind.CLOCK_OFF, f"the clock is off: {-drift} ms against its peers, {limit} ms allowed; check NTP"
            )

    def notes(self) -> list[str]:
        """What the operator should know although the node is ready."""
        node, permission = self._node, self._node.engine.permission
        is_validator = node.own.key in node.store.state.registry.validators
        if not is_validator or permission.vote_from <= node.store.state.height + 1:
            return []
        why = permission.fenced_by.value
        return [f"votes from height {permission.vote_from} on: {why}; until then the quorum must come from the others"]

    @property
    def missing_blocks(self) -> int:
        """Blocks between the history and the adopted snapshot."""
        store = self._node.store
        return 0 if store.base is None else store.base - store.history.height

    def _reachable(self) -> int:
        """Validators that are connected, this node included if it is one."""
        node = self._node
        return sum(
            each.key == node.own.key or node.network.is_connected(each.key)
            for each in node.store.state.registry.validators.validators
        )

    def _clock_drift(self) -> int | None:
        """The median of the peers' clocks minus this node's, ms; None with too few peers to outvote liars."""
        node = self._node
        offsets = node.network.clock_offsets()
        if len(offsets) < max(2, node.store.state.registry.validators.faulty * 2):
            return None
        return round(statistics.median(offsets))

    # The answer of GET /v1/status

    def status(self) -> dict[str, Any]:
        """The answer of GET /v1/status."""
        node, state = self._node, self._node.store.state
        reasons = self.not_ready()
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
            "peers": self._peers(),
            "lag": node.sync.lag,
            "voting": node.engine.is_voting,
            "votes_from": node.engine.vote_from,
            "complete": node.store.is_complete,
            "catching_up": self._progress(),
            "equivocations": len(node.equivocations),
            "mempool": {"entries": len(node.mempool), "bytes": node.mempool.bytes},
            "uptime_s": round(time.monotonic() - node.started) if node.started else 0,
        }

    def _peers(self) -> list[dict[str, Any]]:
        """The other nodes of the registry, in the order of their keys."""
        node, state = self._node, self._node.store.state
        connected, claims = node.network.connected, node.sync.claims
        peers = []
        for key, record in sorted(state.registry.nodes.items()):
            if key == node.own.key:
                continue
            link, claim = connected.get(key), claims.get(key)
            peers.append(
                {
                    "member": record.member,
                    "role": record.role,
                    "key": key.hex(),
                    "connected": link is not None,
                    "height": None if claim is None else claim.height,
                    "lag": None if claim is None else max(0, state.height - claim.height),
                    "clock_offset_ms": None if link is None else link.clock_offset_ms,
                }
            )
        return peers

    def _progress(self) -> dict[str, Any] | None:
        """What is being fetched, how far it is and how fast it comes; None when nothing is fetched."""
        node = self._node
        if not node.store.is_complete:
            now: dict[str, int] = {"height": node.store.history.height, "target": node.store.base or 0}
            return {"what": "history", **node.sync.history_progress.figures(), **now}
        if node.sync.lag > 1:
            now = {"height": node.store.state.height, "target": node.sync.target}
            return {"what": "blocks", **node.sync.live_progress.figures(), **now}
        return None
