"""The client of the ledger: several nodes, fail-over, and every answer verified before it is used.

Entries are idempotent (an entry has one id and one place in the log), so sending one again, to the same node or to
another, is always safe. Answers are checked against the pinned genesis. The client records a node whose answer does
not verify in `Client.lies` and asks another one.

Absence cannot be proven: a node may hide a search hit or call an entry unknown, but it cannot invent one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from notarium.errors import LyingNode, NotAnchored, NotariumError, ProjectError
from notarium.genesis_file import read_genesis
from notarium.ledger_access import answers, failures
from notarium.ledger_access.answers import Answer, NodeStatus, NotYet, Unknown, VerifiedReceipt
from notarium.ledger_access.failover import ATTEMPT_S, Failover, Request, in_parallel
from notarium.ledger_access.finding import Finder
from notarium.ledger_access.found import Found, Wanted, entry_id
from notarium.ledger_access.pool import NodePool
from notarium_ledger.blocks.block import Header
from notarium_ledger.encoding import canonical
from notarium_ledger.entries.commitment import BODY_VERSION, Body
from notarium_ledger.entries.entry import MAX_BATCH, decode_entry, sign_batch, sign_entry
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.receipt import ReceiptVerifier

REQUEST_BYTES = 4 * 1024 * 1024
"""Entries of one batch request, together; every node accepts at least this much."""
CONCURRENT_REQUESTS = 4
"""How many requests of one large batch run at the same time."""
ENTRY_TYPE = "application/vnd.notarium.entry.v1+msgpack"


class Client:
    """Anchors commitments and fetches proofs. Use as `async with Client(...) as client:`."""

    def __init__(
        self,
        genesis: Genesis | Path | str,
        nodes: Sequence[str],
        key: SigningKey | None = None,
        *,
        timeout: float = 30.0,
        attempt_timeout: float = ATTEMPT_S,
        connections: int = 128,
    ) -> None:
        """`timeout`: seconds for one call with all its retries; `attempt_timeout`: seconds for one node's answer.

        `key` signs what is passed to `submit`; without it the client can still send signed entries and read.
        Raises ProjectError for a genesis or an address that cannot be used.
        """
        self.genesis = genesis if isinstance(genesis, Genesis) else read_genesis(Path(genesis))
        self.key = key
        self.timeout = timeout
        self.verifier = ReceiptVerifier(self.genesis)
        self.pool = NodePool(nodes)
        self._asker = Failover(
            self.pool,
            refusals=self.genesis.registry.validators.honest_minimum,
            timeout=timeout,
            attempt_timeout=attempt_timeout,
            connections=connections,
        )
        self._receipts = answers.ReceiptReader(self.verifier)
        self._finder = Finder(self._asker, self.receipt)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._asker.close()

    @property
    def lies(self) -> tuple[LyingNode, ...]:
        """Answers that failed verification, with the node that gave them."""
        return tuple(self.pool.lies)

    # Sending.

    async def submit(self, body: Body) -> VerifiedReceipt:
        """Sign `body`, have it decided and return its verified receipt.

        Raises InvalidEntry for a body that every node would refuse, Rejected where nodes refuse it, Unreachable.
        """
        raw = sign_entry(self._signing_key(), self.genesis.hash, {"v": BODY_VERSION, **body})
        return await self._submit(raw, trusted=True)

    async def submit_entry(self, raw: bytes, within_s: float | None = None) -> VerifiedReceipt:
        """Have a signed entry decided. Sending the same entry again gives the same receipt.

        `within_s`: seconds for this call, if not the client's timeout.
        """
        decode_entry(raw)
        return await self._submit(raw, trusted=False, within_s=within_s)

    async def submit_batch(self, bodies: Sequence[Body], batch_signed: bool = True) -> list[VerifiedReceipt]:
        """Sign and submit many bodies; their receipts in the same order.

        `batch_signed`: one signature for up to 4,096 entries, each still provable on its own; otherwise one for each.
        """
        key, genesis = self._signing_key(), self.genesis.hash
        complete = [{"v": BODY_VERSION, **body} for body in bodies]
        if batch_signed:
            raws: list[bytes] = []
            for start in range(0, len(complete), MAX_BATCH):
                raws += sign_batch(key, genesis, complete[start : start + MAX_BATCH])
        else:
            raws = [sign_entry(key, genesis, body) for body in complete]
        return await self._submit_many(raws, trusted=True)

    async def submit_entries(self, raws: Sequence[bytes]) -> list[VerifiedReceipt]:
        """Submit many signed entries; their receipts in the same order."""
        for raw in raws:
            decode_entry(raw)
        return await self._submit_many(raws, trusted=False)

    async def _submit(self, raw: bytes, *, trusted: bool, within_s: float | None = None) -> VerifiedReceipt:
        def judge(answer: Answer) -> VerifiedReceipt:
            if answer.status == 202:
                raise NotYet("has the entry, but it is not decided yet")
            answer.expect(200)
            return self._receipts.read(answer, raw, check_author=not trusted)

        request = Request(
            "POST",
            "/v1/entries",
            query={"wait": "decided"},
            wait_name="timeout_ms",
            body=raw,
            headers={"Content-Type": ENTRY_TYPE},
            writing=True,
        )
        return await self._asker.ask(request, judge, within_s=within_s)

    async def _submit_many(self, raws: Sequence[bytes], *, trusted: bool) -> list[VerifiedReceipt]:
        chunks = _chunks(raws)
        under_way = asyncio.Semaphore(CONCURRENT_REQUESTS)

        async def send(chunk: Sequence[bytes]) -> list[VerifiedReceipt]:
            async with under_way:
                return await self._submit_chunk(chunk, trusted=trusted)

        return [each for done in await in_parallel([send(chunk) for chunk in chunks]) for each in done]

    async def _submit_chunk(self, raws: Sequence[bytes], *, trusted: bool) -> list[VerifiedReceipt]:
        done: dict[int, VerifiedReceipt] = {}
        body = canonical.encode(list(raws))

        def judge(answer: Answer) -> None:
            answer.expect(200, 202)
            done.update(self._receipts.read_batch(answer, raws, check_author=not trusted))
            if len(done) < len(raws):
                raise NotYet(f"has the entries, but {len(raws) - len(done)} are not decided yet")

        request = Request(
            "POST",
            "/v1/entries/batch",
            query={"wait": "decided"},
            wait_name="timeout_ms",
            body=body,
            headers={"Content-Type": "application/msgpack", "Accept": "application/msgpack"},
            writing=True,
        )
        await self._asker.ask(request, judge)
        return [done[number] for number in range(len(raws))]

    def _signing_key(self) -> SigningKey:
        if self.key is None:
            raise ProjectError("this client has no key to sign with: pass one as key=, or submit signed entries")
        return self.key

    # Reading.

    async def receipt(self, id_: bytes | str, wait: float = 0.0) -> VerifiedReceipt:
        """The verified receipt of an entry. Raises NotAnchored where no node that answers knows it.

        `wait`: seconds to wait for the decision of an entry that is still pending.
        """
        wanted = entry_id(id_)

        def judge(answer: Answer) -> VerifiedReceipt:
            if answer.status == 404:
                raise Unknown(NotAnchored(f"entry {wanted.hex()} is not in the log"))
            if answer.status == 202:
                raise NotYet("has the entry, but it is not decided yet")
            answer.expect(200)
            found = self._receipts.read(answer, None, check_author=True)
            if found.id != wanted:
                raise LyingNode(answer.url, f"a receipt of {found.id.hex()}, not of {wanted.hex()}")
            return found

        request = Request("GET", f"/v1/receipts/{wanted.hex()}", wait_name="wait_ms" if wait else "")
        return await self._asker.ask(request, judge, within_s=wait if wait > 0 else None, rounds=None if wait else 2)

    async def entry(self, id_: bytes | str) -> VerifiedReceipt:
        """The entry with its proof: `.entry.body` is what was committed to."""
        return await self.receipt(id_)

    async def find(
        self,
        digest: bytes | str,
        *,
        issuer: str = "",
        project: str = "",
        kind: str = "",
        since_ms: int | None = None,
        until_ms: int | None = None,
        limit: int = 100,
        after: int = -1,
    ) -> Found:
        """The entries (at most `limit`) that name `digest`, each with a verified receipt, oldest first.

        `issuer`, `project`, `kind`: only such entries; `since_ms` (included), `until_ms` (excluded): only those decided
        then. `after`: go on after this log index, which is `next` of what was found before.
        Plain digests are on the ledger only where the author disclosed them; that of a record always is.
        Anyone can name a digest that is public: the filters find one institution's entries among those of many others.
        """
        wanted = Wanted(entry_id(digest), False, issuer, project, kind, since_ms, until_ms)
        return await self._finder.find(wanted, limit, after)

    async def references(
        self, id_: bytes | str, *, rel: str = "", issuer: str = "", limit: int = 100, after: int = -1
    ) -> Found:
        """Entries that refer to an entry, oldest first, each proven: reviews, replications, what supersedes it.

        `rel`, `issuer`: only those by this relation, and of this institution. A node can leave entries out.
        """
        wanted = Wanted(entry_id(id_), True, issuer, relation=rel)
        return await self._finder.find(wanted, limit, after)

    async def status(self) -> list[NodeStatus]:
        """The status of every node, asked once and in parallel. Claims, not proofs; marks nodes of another ledger."""
        return await in_parallel([self._status_of(url) for url in self.pool.urls])

    async def _status_of(self, url: str) -> NodeStatus:
        try:
            answer = await self._asker.ask_node(url, Request("GET", "/v1/status"))
            answer.expect(200)
            return answers.read_status(answer, self.genesis.hash)
        except (NotariumError, aiohttp.ClientError, OSError, TimeoutError) as error:
            return NodeStatus(url, None, failures.describe(error, url))

    async def members(self) -> dict[str, Any]:
        """The consortium as one node reports it, checked against the latest block that it proves.

        Proven are height, state root and the validators, with their handovers from the pinned genesis. Names, addresses
        and the list of researchers are claims of that node.
        """

        def judge(answer: Answer) -> tuple[str, dict[str, Any]]:
            answer.expect(200)
            return answer.url, answer.json_object()

        url, said = await self._asker.ask(Request("GET", "/v1/members"), judge)
        header = await self._header_at(answers.height_of(url, said))
        answers.check_members(url, said, header, self.genesis)
        return said

    async def _header_at(self, height: int) -> Header | None:
        """The proven header of a block, by the receipt of one of its entries; None for height 0."""
        if height == 0:
            return None

        def judge(answer: Answer) -> bytes:
            answer.expect(200)
            return answers.read_block_entry(answer)

        proof = await self.receipt(await self._asker.ask(Request("GET", f"/v1/blocks/{height}"), judge))
        return proof.header

    async def parent(self, header: Header) -> Header | None:
        """The header of the block before, None for the first one. Raises LyingNode, or as `receipt` does."""
        found = await self._header_at(header.height - 1)
        if found is not None and found.hash != header.parent:
            raise LyingNode(", ".join(self.pool.urls), f"its block {found.height} is not the parent of {header.height}")
        return found

    async def consistency(self, older: VerifiedReceipt, newer: VerifiedReceipt) -> None:
        """Check that the log under `newer` extends the log under `older`: nothing was removed or changed in between.

        Both heads are proven, so this trusts no node. Raises LyingNode or Unreachable where no node gives a proof.
        """
        first, second = sorted((older.header, newer.header), key=lambda header: header.tree_size)

        def judge(answer: Answer) -> None:
            answer.expect(200)
            answers.check_consistency(answer, first, second)

        sizes = {"from": str(first.tree_size), "to": str(second.tree_size)}
        await self._asker.ask(Request("GET", "/v1/proofs/consistency", query=sizes), judge)


def _chunks(raws: Sequence[bytes]) -> list[Sequence[bytes]]:
    """Runs of entries that fit one request each."""
    chunks: list[Sequence[bytes]] = []
    start = size = 0
    for number, raw in enumerate(raws):
        if number - start == MAX_BATCH or (number > start and size + len(raw) > REQUEST_BYTES):
            chunks.append(raws[start:number])
            start, size = number, 0
        size += len(raw)
    if start < len(raws):
        chunks.append(raws[start:])
    return chunks
