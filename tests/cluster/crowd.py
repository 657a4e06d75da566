"""A network under test with the clients that load it, and the checks at the end."""

from __future__ import annotations

import asyncio
import os
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from notarium import Client, Unreachable
from notarium_ledger.blocks.block import Decision
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.entry import sign_entry
from notarium_ledger.log.hashes import leaf_hash
from notarium_ledger.signing import SigningKey
from notarium_ledger.trust.receipt import Receipt, ReceiptVerifier
from notarium_ledger.trust.receipt_batch import decode_receipts
from notarium_node.demo.local_network import LocalNetwork, LocalNode, NetworkError
from notarium_store.check import check_chain

SETTLE_S = 60.0
BATCH = 500
ENTRY_TYPE = "application/msgpack"


@dataclass
class Cluster:
    """A network, its researcher, and what was promised to her."""

    network: LocalNetwork
    researcher: SigningKey
    acknowledged: dict[str, bytes] = field(default_factory=dict)
    """Entry bytes by id, of every entry for which a valid receipt was given."""

    @property
    def nodes(self) -> list[LocalNode]:
        return self.network.nodes

    @property
    def validators(self) -> list[LocalNode]:
        return self.network.validators

    def entry(self) -> bytes:
        """Another signed entry."""
        return self.entry_of(self.researcher, "m0")

    def entry_of(self, key: SigningKey, issuer: str) -> bytes:
        """Another entry of any researcher."""
        body = {"v": 1, "kind": "dataset", "issuer": issuer, "project": "cluster", "disclosure": "consortium"}
        return sign_entry(key, self.network.genesis.hash, {**body, "record": os.urandom(32)})

    # Load

    async def submit(self, client: Client, raws: Sequence[bytes]) -> None:
        """Send entries until they are acknowledged; an entry is idempotent, so sending it again is safe."""
        while True:
            try:
                receipts = await client.submit_entries(raws)
            except Unreachable:
                continue  # Each call has its own deadline and pauses between its attempts.
            for raw, receipt in zip(raws, receipts, strict=True):
                assert receipt.receipt.entry == raw
                self.acknowledged[leaf_hash(raw).hex()] = raw
            return

    async def crowd(self, clients: int, requests: int, entries: int = 1, pause_s: float = 0.0) -> list[float]:
        """`clients` at once make `requests` each, of some `entries`, and think `pause_s` between two.

        Returns the seconds to the verified receipts, sorted.
        """
        latencies: list[float] = []

        async def work(number: int) -> None:
            apis = [node.api for node in self.nodes]
            rotated = apis[number % len(apis) :] + apis[: number % len(apis)]
            async with Client(self.network.genesis, rotated, timeout=20, attempt_timeout=8) as client:
                for _ in range(requests):
                    began = time.monotonic()
                    await self.submit(client, [self.entry() for _ in range(entries)])
                    latencies.append(time.monotonic() - began)
                    await asyncio.sleep(pause_s)

        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                group.create_task(work(number))
        return sorted(latencies)

    async def decide(self, *nodes: LocalNode) -> float:
        """Have one entry decided by way of these nodes; how many seconds it took."""
        began = time.monotonic()
        async with Client(self.network.genesis, [node.api for node in nodes], timeout=SETTLE_S) as client:
            await self.submit(client, [self.entry()])
        return time.monotonic() - began

    async def post(self, node: LocalNode, raw: bytes, query: str = "") -> tuple[int, Any]:
        """One plain POST: status and JSON."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{node.api}/v1/entries{query}", data=raw, headers={"Content-Type": ENTRY_TYPE}) as answer,
        ):
            return answer.status, await answer.json(content_type=None)

    # Watching

    def metric(self, node: LocalNode, name: str, **labels: str) -> float:
        """The sum of a node's samples of this name that have these labels."""
        return sum(
            sample.value for sample in samples(node) if sample.name == name and labels.items() <= sample.labels.items()
        )

    def settle(self, nodes: Sequence[LocalNode] | None = None) -> dict[str, Any]:
        """Wait until these nodes have nothing pending and stand at one block; the first one's status."""
        watched = list(self.nodes if nodes is None else nodes)
        last: list[dict[str, Any]] = []

        def agree() -> bool:
            last[:] = [node.status() for node in watched]
            idle = all(status["mempool"]["entries"] == 0 for status in last)
            return idle and len({(status["height"], status["tip"]) for status in last}) == 1

        self.network.wait_until(agree, "all nodes to agree", timeout_s=SETTLE_S)
        return last[0]

    def wait_unready(self, node: LocalNode) -> None:
        """Wait until `node` says that it does not do its part."""
        self.network.wait_until(lambda: not node.get("/readyz")["ready"], f"{node.name} to notice", node)

    def wait_decided(self, node: LocalNode, ids: Sequence[str]) -> None:
        """Wait until `node` has decided all these entries."""

        def decided() -> bool:
            return all(node.get(f"/v1/entries/{id_}").get("status") == "decided" for id_ in ids)

        self.network.wait_until(decided, f"{len(ids)} entries to be decided", node, SETTLE_S)

    # Checks

    async def check_log(self, nodes: Sequence[LocalNode] | None = None) -> int:
        """Same blocks everywhere; everything acknowledged is there exactly once. How many entries there are."""
        chains = [await chain_of(node) for node in (self.nodes if nodes is None else nodes)]
        hashes = [[decision.block.hash for decision in chain] for chain in chains]
        assert all(each == hashes[0] for each in hashes), "the chains differ"
        counts = Counter(leaf_hash(raw).hex() for decision in chains[0] for raw in decision.block.entries)
        twice = [id_ for id_, count in counts.items() if count != 1]
        assert not twice, f"{len(twice)} entries are in the log more than once"
        lost = self.acknowledged.keys() - counts.keys()
        assert not lost, f"{len(lost)} acknowledged entries are not in the log"
        return len(counts)

    async def check_receipts(self, nodes: Sequence[LocalNode] | None = None) -> int:
        """Every node has a receipt, valid with the genesis alone, of everything acknowledged. How many were checked.

        Validators are sent the entries again, which is how a client that lost its receipts gets them, and must not
        decide them again; observers are asked for the receipts.
        """
        raws, checked = list(self.acknowledged.values()), 0
        async with aiohttp.ClientSession() as session:
            for node in self.nodes if nodes is None else nodes:
                verifier = ReceiptVerifier(self.network.genesis)
                size = node.status()["tree_size"]
                for start in range(0, len(raws), BATCH):
                    part = raws[start : start + BATCH]
                    fetch = _fetch_by_batch if node.role == "validator" else _fetch_one_by_one
                    for raw, receipt in zip(part, await fetch(session, node, part), strict=True):
                        assert receipt is not None, f"{node.name} has no receipt of {leaf_hash(raw).hex()}"
                        assert verifier.verify(receipt).entry.raw == raw
                        checked += 1
                assert node.status()["tree_size"] == size
        return checked

    def check_stores(self) -> None:
        """Stop all nodes and verify each one's whole store."""
        self.network.stop()
        reports = [check_chain(node.directory / "store", self.network.genesis, lambda *_: None) for node in self.nodes]
        assert len(set(reports)) == 1, reports

    def check_honesty(self, nodes: Sequence[LocalNode] | None = None) -> None:
        """Nobody has seen a validator sign two things."""
        for node in self.nodes if nodes is None else nodes:
            assert self.metric(node, "notarium_consensus_events_total", event="Equivocation") == 0, node.name
            assert node.status()["equivocations"] == 0, node.name  # Of runs before a restart, too.


async def _fetch_by_batch(session: aiohttp.ClientSession, node: LocalNode, raws: list[bytes]) -> list[Receipt | None]:
    body, headers = canonical.encode([*raws]), {"Content-Type": ENTRY_TYPE, "Accept": ENTRY_TYPE}
    async with session.post(f"{node.api}/v1/entries/batch?wait=none", data=body, headers=headers) as answer:
        assert answer.status == 200, f"{node.name}: HTTP {answer.status}"
        return decode_receipts(await answer.read(), raws)


async def _fetch_one_by_one(session: aiohttp.ClientSession, node: LocalNode, raws: list[bytes]) -> list[Receipt | None]:
    found: list[Receipt | None] = []
    for raw in raws:
        async with session.get(f"{node.api}/v1/receipts/{leaf_hash(raw).hex()}") as answer:
            found.append(Receipt.decode_json(await answer.read()) if answer.status == 200 else None)
    return found


def samples(node: LocalNode) -> list[Any]:
    """Everything a node shows to Prometheus."""
    try:
        with urllib.request.urlopen(f"{node.api}/metrics", timeout=5) as answer:  # noqa: S310
            text = answer.read().decode()
    except OSError as error:
        raise NetworkError(f"{node.name} shows no metrics: {error}") from error
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


async def chain_of(node: LocalNode) -> list[Decision]:
    """All decisions that a node has."""
    chain = []
    async with aiohttp.ClientSession(headers={"Accept": "application/msgpack"}) as session:
        for height in range(1, node.status()["height"] + 1):
            async with session.get(f"{node.api}/v1/blocks/{height}") as answer:
                chain.append(Decision.from_value(canonical.decode(await answer.read())))
    return chain


def percentile(latencies: Sequence[float], share: float) -> float:
    """Of sorted values."""
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]
