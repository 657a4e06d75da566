"""The condition of a node: whether it is ready and, if not, why; for /readyz, /v1/status, metrics and log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Container, Iterable, Iterator
from importlib.metadata import version
from typing import Any

import structlog

from notarium_consensus.permission import SigningRefusal
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.types import Height, PublicKey
from notarium_node.health.ability import Ability
from notarium_node.health.certificate import CertificateWatch
from notarium_node.health.observed import ObservedNode, peers_of
from notarium_node.health.operators_word import IdleWord, correction, idle_word, last_resort
from notarium_node.health.reason import Reason, ReasonKind
from notarium_node.health.standstill import Standstill
from notarium_node.health.voters import NOT_CONNECTED, NOT_HEARD, Voters

_log = structlog.get_logger("notarium.node")

LAG_LIMIT = 10
"""A node further behind than this is not ready."""
CONNECT_S = 3.0
"""So long after the start, validators that are not connected are no news: with the default back-off (0.1 s, doubled)
each has been dialled five times by then."""
UNREGISTERED = "unregistered"
"""The role of a node that the registry lacks."""


class Condition:
    """Reads a node's parts; changes nothing of them."""

    def __init__(self, node: ObservedNode, now: Callable[[], float] = time.monotonic) -> None:
        """`now`: seconds of a monotonic clock."""
        self._node = node
        self._now = now
        self._begun_s: float | None = None
        self._is_young = False
        """As of the last look: the node has run for less than CONNECT_S, and has not been connected to all yet."""
        self._logged: tuple[ReasonKind, ...] | None = None
        self._idle: tuple[bool, str] | None = None
        """Of the consensus.vote_from that has no effect, as logged last: is_done and the reason."""
        self._standstill = Standstill(now)
        self._voters = Voters(node)
        self._certificate = CertificateWatch(node.api_certificate_expires_ms, node.clock)

    def look(self) -> None:
        """Called periodically: see whether blocks come, and log what has changed."""
        if self._begun_s is None:
            self._begun_s, self._is_young = self._now(), True
        self._is_young = self._is_young and self._now() - self._begun_s < CONNECT_S and not self._is_all_heard()
        self._standstill.look(self._node.store.state.height, self._is_block_due())
        self._log_changes()
        self._log_word()
        self._certificate.look()

    def _log_word(self) -> None:
        """Log once that the operator's word is idle."""
        idle = self._idle_word()
        said = None if idle is None else (idle.is_done, idle.said)
        if idle is not None and said != self._idle:
            if idle.is_done:
                _log.info("consensus.vote_from is done", reason=idle.said, remedy=idle.remedy)
            else:
                _log.warning("consensus.vote_from has no effect", reason=idle.said, remedy=idle.remedy)
        self._idle = said

    def _is_block_due(self) -> bool:
        """Whether this node, as a validator, waits for a decision; if its disk refuses writes, it hears no votes."""
        node = self._node
        waits = len(node.mempool) > 0 or node.engine.prepared_round is not None
        return waits and self._is_validator and not node.driver.stalled

    def _log_changes(self) -> None:
        """Log when the kinds of reasons change, not when a figure in a text does."""
        reasons = self.reasons()
        kinds = tuple(each.kind for each in reasons)
        if kinds == self._logged or ReasonKind.STARTING in kinds:  # A start is no fault: that ends in seconds.
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
            *self._of_voters(),
            *self._of_decisions(),
            *self._of_missing_blocks(),
            *self._of_clock(),
            *self._certificate.reasons(),
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
            missing = self._not_connected()
            alone = "" if len(missing) < len(node.store.state.registry.validators) else "; no validator is reachable"
            yield Reason(
                ReasonKind.NOT_REGISTERED,
                "this node is not in the registry: it was removed by a vote, or the block that adds it is not here yet"
                f"{self._refused(missing) or alone}",
            )

    def _of_connections(self) -> Iterator[Reason]:
        node, missing = self._node, self._not_connected()
        validators, refused = node.store.state.registry.validators, self._refused(missing)
        reachable = len(validators) - len(missing)
        if node.own.key not in node.store.state.registry.nodes or reachable >= (
            validators.quorum if self._is_validator else 1
        ):
            return
        if self._is_young and not refused:
            count = f"{reachable} of {len(validators)} validators reachable so far"
            yield Reason(ReasonKind.STARTING, f"the node is starting: {count}")
            return
        # Those that have been restarted since a vote took this node out do not trust its certificate, and say nothing.
        alone = ". If the others decide without this node, it is cut off, or was voted out: ask another member"
        more = refused or (alone if self._is_validator and reachable == 1 else "")
        if self._is_validator:
            yield Reason(
                ReasonKind.NO_QUORUM,
                f"no quorum: {reachable} of {len(validators)} validators reachable, {validators.quorum} needed; "
                f"not connected: {self._members(missing)}; nothing is decided here until more return{more}",
            )
        else:
            yield Reason(ReasonKind.NO_VALIDATOR, f"no validator is reachable{more}")

    def _of_voters(self) -> Iterator[Reason]:
        """Enough validators are connected, but too few of them could vote."""
        node, voters = self._node, self._voters
        validators, unable = node.store.state.registry.validators, voters.unable()
        able, reachable = len(validators) - len(unable), len(validators) - len(self._not_connected())
        if not self._is_validator or able >= validators.quorum or reachable < validators.quorum or voters.is_explained:
            return
        if self._is_young and NOT_HEARD in unable.values():
            yield Reason(ReasonKind.STARTING, f"the node is starting: {able} of {len(validators)} validators can vote")
            return
        yield Reason(
            ReasonKind.TOO_FEW_VOTERS,
            f"nothing can be decided: {able} of {len(validators)} validators can vote at height "
            f"{node.store.state.height + 1}, {validators.quorum} needed; {voters.named(unable)}",
        )

    def ability(self) -> Ability:
        """What this node reports to the others."""
        return self._voters.own()

    @property
    def able_validators(self) -> int:
        """The validators that could vote now, as far as this node knows."""
        return len(self._node.store.state.registry.validators) - len(self._voters.unable())

    def _refused(self, missing: Iterable[PublicKey]) -> str:
        """How many of `missing` do not know this node; "" if none has said so."""
        count = sum(map(self._node.network.is_refused_by, missing))
        refuse = "1 validator refuses" if count == 1 else f"{count} validators refuse"
        return f". {refuse} this node: it is not in their registry; ask a member" if count else ""

    def _of_decisions(self) -> Iterator[Reason]:
        """Something waits, and no block comes. If others have decided, `_of_missing_blocks` says so."""
        node, waited_s = self._node, self._waited_s()
        if not waited_s or self._credible_lag():
            return
        validators, missing = node.store.state.registry.validators, node.engine.votes_missing()
        absent = set(self._not_connected())
        named = self._members(missing, absent)
        if not node.engine.is_voting:
            named = ", ".join(filter(None, (named, f"{node.own.member} (this node: its status says why)")))
        heard = len(validators) - len(missing) - (not node.engine.is_voting)
        if heard >= validators.quorum:
            remedy = "the log says why rounds fail ('proposal rejected', 'new round')"
        else:
            connect = "" if absent.isdisjoint(missing) else "start or connect their nodes; "
            remedy = f"{connect}the status of one that runs says why it does not vote"
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
            yield Reason(ReasonKind.MEMORY_LOST, f"not voting: {SigningRefusal.FORGOTTEN.value}. {self._of_answers()}")

    def _of_answers(self) -> str:
        """Whose answers this node has, and what to do where more are needed and they do not come by themselves."""
        answers, idle = self._node.memory_asker.answers(), self._idle_word()
        said = f"It asks the other validators: {answers}"
        is_waiting = answers.is_coming or answers.is_early or (self._is_young and answers.absent)
        steps = [] if is_waiting else list(answers.remedies)
        if idle is None and not is_waiting:  # An idle word has the last resort in its remedy.
            resort = last_resort(self._least)
            steps.append(f"if that cannot be, {resort}" if steps else resort)
        remedy = "; ".join(steps)
        return ". ".join(filter(None, (said, remedy[:1].upper() + remedy[1:], str(idle or ""))))

    def _of_clock(self) -> Iterator[Reason]:
        limit = self._node.store.state.registry.parameters.clock_precision_ms
        drift = self.clock_drift_ms
        if drift is not None and abs(drift) > limit:
            yield Reason(
                ReasonKind.CLOCK_OFF, f"the clock is off: {-drift} ms against its peers, {limit} ms allowed; check NTP"
            )

    def notes(self) -> list[str]:
        """What the operator should know although the node is ready."""
        idle, doubt = self._idle_word(), self._node.network.address_doubt
        words = [] if idle is None else [str(idle)]
        more = self._voters.notes() if self._is_validator else ()
        return [*self._of_fence(), *words, *([doubt] if doubt else []), *more, *self._certificate.notes()]

    def _of_fence(self) -> Iterator[str]:
        permission, height = self._node.engine.permission, self._node.store.state.height
        ahead = permission.vote_from - height - 1
        if not self._is_validator or ahead <= 0:
            return
        if permission.fenced_by is SigningRefusal.BY_HAND:
            remedy = correction(permission.vote_from, self._least)
        else:
            entries = "1 entry" if ahead == 1 else f"{ahead} entries, one after the other"
            remedy = f"on an idle ledger, submit {entries}"
        yield (
            f"votes from height {permission.vote_from} on: {permission.fenced_by.value}; "
            f"until then the quorum must come from the others; {remedy}"
        )

    def _idle_word(self) -> IdleWord | None:
        """The operator's consensus.vote_from, if it changes nothing."""
        node = self._node
        permission = node.recall.permission.raised(node.engine.permission.fence)
        return idle_word(permission, node.recall.stale_word, node.store.state.height, self._least)

    @property
    def _least(self) -> Height:
        """The next height of the ledger, as far as this node knows."""
        return Height(self._node.store.state.height + self._credible_lag() + 1)

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

    def _is_all_heard(self) -> bool:
        return not {NOT_CONNECTED, NOT_HEARD}.intersection(self._voters.unable().values())

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

    @property
    def clock_drift_ms(self) -> int | None:
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
            "role": node.own.role if node.own.key in state.registry.nodes else UNREGISTERED,
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
            "votes_from": node.engine.vote_from if node.recall.permission.remembers else None,
            "complete": node.store.is_complete,
            "catching_up": self._progress(),
            "equivocations": len(node.equivocations),
            "mempool": {"entries": len(node.mempool), "bytes": node.mempool.bytes},
            "uptime_s": round(time.monotonic() - node.started) if node.started else 0,
        }

    def _peers(self) -> list[dict[str, Any]]:
        """The nodes to which this one connects."""
        node, state = self._node, self._node.store.state
        connected, claims = node.network.connected, node.sync.claims
        peers = []
        for key, record in peers_of(node):
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
