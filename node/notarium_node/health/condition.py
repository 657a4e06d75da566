"""The condition of a node: whether it is ready and, if not, why; for /readyz, /v1/status, metrics and log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from typing import Any

import structlog

from notarium_consensus.permission import SigningRefusal
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.types import PublicKey
from notarium_node.health.observed import ObservedNode
from notarium_node.health.standstill import Standstill

_log = structlog.get_logger("notarium.node")

LAG_LIMIT = 10
"""A node further behind than this is not ready."""


class ReasonKind(StrEnum):
    """Why a node is not ready."""

    STARTING = "starting"
    DISK_REFUSES_WRITES = "disk-refuses-writes"
    STORE_DAMAGED = "store-damaged"
    CANNOT_FOLLOW = "cannot-follow"
    NOT_REGISTERED_YET = "not-registered-yet"
    NOT_REGISTERED = "not-registered"
    NO_QUORUM = "no-quorum"
    NO_VALIDATOR = "no-validator"
    NOTHING_DECIDED = "nothing-decided"
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
    """Reads a node's parts; changes nothing of them."""

    def __init__(self, node: ObservedNode, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds of a monotonic clock."""
        self._node = node
        self._logged: tuple[ReasonKind, ...] = ()
        self._idle = ""
        """Why consensus.vote_from has no effect, as logged last; "" if it has one."""
        self._standstill = Standstill(now)

    def look(self) -> None:
        """Called periodically: see whether blocks come, and log what has changed."""
        self._standstill.look(self._node.store.state.height, self._is_block_due())
        self._log_changes()
        idle = self._idle_word()
        if idle and not self._idle:
            _log.warning("consensus.vote_from has no effect", reason=idle, remedy="remove the line")
        self._idle = idle

    def _is_block_due(self) -> bool:
        """Whether this node, as a validator, waits for a decision; if its disk refuses writes, it hears no votes."""
        node = self._node
        waits = len(node.mempool) > 0 or node.engine.prepared_round is not None
        return waits and self._is_validator and not node.driver.stalled

    def _log_changes(self) -> None:
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
            *self._of_registry(),
            *self._of_connections(),
            *self._of_decisions(),
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

    def _of_registry(self) -> Iterator[Reason]:
        node = self._node
        record = node.store.state.registry.nodes.get(node.own.key)
        if record is None and node.sync.lag:
            yield Reason(ReasonKind.NOT_REGISTERED_YET, "this node is not in the registry of the blocks it has so far")
        elif record is None:
            yield Reason(
                ReasonKind.NOT_REGISTERED,
                "this node is not in the registry: it was removed by a vote, or the block that adds it is not here yet",
            )

    def _of_connections(self) -> Iterator[Reason]:
        validators, missing = self._node.store.state.registry.validators, self._not_connected()
        reachable = len(validators) - len(missing)
        if not self._is_validator:
            if reachable == 0:
                yield Reason(ReasonKind.NO_VALIDATOR, "no validator is reachable")
        elif reachable < validators.quorum:
            # The others refuse a node that was voted out while it was cut off, so it cannot learn why.
            alone = (
                ". If the others decide without this node, it is cut off, or was voted out: ask another member"
                if reachable == 1
                else ""
            )
            yield Reason(
                ReasonKind.NO_QUORUM,
                f"no quorum: {reachable} of {len(validators)} validators reachable, {validators.quorum} needed; "
                f"not connected: {self._members(missing)}; nothing is decided here until more return{alone}",
            )

    def _of_decisions(self) -> Iterator[Reason]:
        """Something waits, and no block comes. If others have decided, `_of_missing_blocks` says so."""
        node, waited_s = self._node, self._waited_s()
        if not waited_s or self._credible_lag():
            return
        validators, missing = node.store.state.registry.validators, node.engine.votes_missing()
        named = self._members(missing, set(self._not_connected()))
        if not node.engine.is_voting:
            named = ", ".join(filter(None, (named, f"{node.own.member} (this node: its status says why)")))
        heard = len(validators) - len(missing) - (not node.engine.is_voting)
        remedy = (
            "the log says why rounds fail ('proposal rejected', 'new round')"
            if heard >= validators.quorum
            else "start or connect their nodes; the status of one that runs says why it does not vote"
        )
        yield Reason(
            ReasonKind.NOTHING_DECIDED,
            f"nothing is decided: a block has been due for {waited_s:.0f} s at height {node.engine.height}; "
            f"{heard} of {len(validators)} validators are heard in round {node.engine.round}, "
            f"{validators.quorum} needed; no vote from: {named or 'nobody'}; {remedy}",
        )

    def _of_missing_blocks(self) -> Iterator[Reason]:
        node, lag, waited_s = self._node, self._credible_lag(), self._waited_s()
        if lag > LAG_LIMIT or (lag and waited_s):
            stuck = f", and none has come for {waited_s:.0f} s" if waited_s else ""
            yield Reason(ReasonKind.BEHIND, f"catching up: {lag} blocks behind{stuck}")
        if not node.store.is_complete:
            silent = ", and does not vote" if node.own.role == "validator" else ""
            yield Reason(
                ReasonKind.HISTORY_MISSING, f"fetching the history: {self.missing_blocks} blocks are missing{silent}"
            )
        if not node.recall.permission.remembers and self._is_validator:
            idle = self._idle_word()
            yield Reason(
                ReasonKind.MEMORY_LOST,
                f"not voting: {SigningRefusal.FORGOTTEN.value}. It asks the other validators: "
                f"{node.memory_asker.answers()}. Start or connect those that are missing; if they cannot answer any "
                f"more, set consensus.vote_from{f' ({idle})' if idle else ''}",
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
        idle, doubt = self._idle_word(), self._node.network.address_doubt
        return [*self._of_fence(), *([f"{idle}; remove the line"] if idle else []), *([doubt] if doubt else [])]

    def _of_fence(self) -> Iterator[str]:
        permission, height = self._node.engine.permission, self._node.store.state.height
        if not self._is_validator or permission.vote_from <= height + 1:
            return
        why, correct = permission.fenced_by, ""
        if why is SigningRefusal.BY_HAND:
            ahead = permission.vote_from - height - 1
            correct = f"; if {ahead} more blocks are too many, start the node again with the right one"
        yield (
            f"votes from height {permission.vote_from} on: {why.value}; "
            f"until then the quorum must come from the others{correct}"
        )

    def _idle_word(self) -> str:
        """Why the operator's consensus.vote_from changes nothing; "" if it counts, or is not set."""
        node, height = self._node, self._node.store.state.height
        permission = node.recall.permission.raised(node.engine.permission.fence)
        if node.recall.stale_word is not None:
            return f"consensus.vote_from = {node.recall.stale_word} has no effect: it is from before the loss"
        if not permission.is_word_idle(height):
            return ""
        if permission.by_hand is not None and permission.by_hand <= height:
            why = f"block {height} is decided"
        else:
            why = f"by what the others have shown, the node votes from height {permission.vote_from} on"
        return f"consensus.vote_from = {permission.by_hand} has no effect: {why}"

    @property
    def missing_blocks(self) -> int:
        """Blocks between the history and the adopted snapshot."""
        store = self._node.store
        return 0 if store.base is None else store.base - store.history.height

    @property
    def _is_validator(self) -> bool:
        """Whether this node is in the set that decides the next block."""
        return self._node.own.key in self._node.store.state.registry.validators

    def _not_connected(self) -> list[PublicKey]:
        """Validators without a live link, this node aside."""
        node = self._node
        keys = (each.key for each in node.store.state.registry.validators.validators)
        return [key for key in keys if key != node.own.key and not node.network.is_connected(key)]

    def _members(self, keys: Iterable[PublicKey], not_connected: Container[PublicKey] = ()) -> str:
        nodes = self._node.store.state.registry.nodes
        return ", ".join(
            sorted(f"{nodes[key].member}{' (not connected)' if key in not_connected else ''}" for key in keys)
        )

    def _credible_lag(self) -> int:
        """Blocks that others have decided and this node lacks.

        The claim of one liar must not make a node unready. An observer may follow a single validator, so it believes
        each one.
        """
        node = self._node
        faulty = node.store.state.registry.validators.faulty
        return node.sync.credible_lag(faulty if node.own.role == "validator" else 0)

    def _waited_s(self) -> float:
        """How long a block has been due; 0 while that is no longer than dead proposers and one slow round take."""
        waited_s = self._standstill.seconds
        return waited_s if waited_s * 1000 > self._node.engine.patience_ms else 0.0

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
