"""Entries that peers send as gossip: admitted as a client's are, but nothing is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from notarium_ledger.types import PublicKey
from notarium_node.entries.admission import Admission, AdmissionStatus
from notarium_node.health.events import NodeEvent
from notarium_node.peers.conduct import Conduct
from notarium_node.peers.tasks import PeerTasks
from notarium_store.store import Store


class GossipReceiver:
    """Admits the entries of peers, and drops a peer that sends an entry which no honest node passes on."""

    def __init__(
        self,
        is_validator: Callable[[], bool],
        store: Store,
        admission: Admission,
        *,
        conduct: Conduct,
        tasks: PeerTasks,
        counts: Counter[str],
    ) -> None:
        """`is_validator`: this node's role now."""
        self._is_validator = is_validator
        self._store = store
        self._admission = admission
        self._conduct = conduct
        self._tasks = tasks
        self._counts = counts

    def hear(self, peer: PublicKey, raws: list[bytes]) -> None:
        """ENTRIES of a peer. Ignored by an observer, and by a node that does not have the whole log: it cannot find out
        which of them are decided."""
        if self._is_validator() and self._store.is_complete:
            self._tasks.begin(self._admit(peer, raws))

    async def _admit(self, peer: PublicKey, raws: list[bytes]) -> None:
        outcomes, full = await self._admission.admit_what_fits(raws)
        if full is not None:
            # The peer keeps them and proposes them when its turn comes.
            self._counts[NodeEvent.GOSSIP_REFUSED_FULL] += 1
        bad = next((each for each in outcomes if each.status is AdmissionStatus.REFUSED and each.malicious), None)
        if bad is not None:
            self._conduct.drop(peer, "invalid entry", str(bad.error))
