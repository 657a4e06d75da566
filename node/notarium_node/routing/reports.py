"""From a report of the consensus engine to the part of the node that deals with it, and to the log."""

from __future__ import annotations

from collections import Counter

import structlog

from notarium_consensus.events import (
    EquivocationDetected,
    Event,
    OwnSignatureSeen,
    PeerAhead,
    PeerBehind,
    ProposalRejected,
    ProtocolViolation,
    RoundStarted,
)
from notarium_node.catchup.announcing import HeightAnnouncer
from notarium_node.catchup.sync import Sync
from notarium_node.equivocation.collection import Equivocations
from notarium_node.peers.conduct import Conduct

_log = structlog.get_logger("notarium.node")


class ReportRouter:
    """Counts the reports of the consensus engine and hands them on."""

    def __init__(
        self,
        announcer: HeightAnnouncer,
        sync: Sync,
        equivocations: Equivocations,
        *,
        conduct: Conduct,
        counts: Counter[str],
    ) -> None:
        """`counts`: the node's event counts."""
        self._announcer = announcer
        self._sync = sync
        self._equivocations = equivocations
        self._conduct = conduct
        self._counts = counts

    def hear(self, event: Event) -> None:
        """Deal with one report."""
        self._counts[type(event).__name__] += 1
        match event:
            case ProtocolViolation():
                self._conduct.drop(event.peer, "protocol violation", event.reason)
            case PeerBehind():
                self._announcer.send_to(event.peer)
            case PeerAhead():
                self._sync.on_hint(event.peer, event.height)
            case EquivocationDetected():
                self._equivocations.detect(event.equivocation)
            case _:
                self._log(event)

    def _log(self, event: Event) -> None:
        match event:
            case OwnSignatureSeen() if self._counts[OwnSignatureSeen.__name__] == 1:
                # Once: a validator that lost its disk finds its own seal in most blocks that it fetches.
                _log.error(
                    "another process or an earlier state of this disk signed with this node's key; "
                    "not voting up to its height",
                    height=event.height,
                    remedy="use this key on one node only",
                )
            case ProposalRejected():
                _log.warning(
                    "proposal rejected",
                    height=event.height,
                    round=event.round,
                    reason=event.reason,
                    **self._conduct.named(event.proposer),
                )
            case RoundStarted() if event.round > 0:
                _log.warning("new round", height=event.height, round=event.round, reason=event.reason)
