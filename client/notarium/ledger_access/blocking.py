"""The client for code that is not async: scripts, and notebooks (whose own loop is running already).

One background thread runs the loop; every method submits its work there and waits.
"""

from __future__ import annotations

import threading
from collections.abc import Coroutine, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from notarium.errors import LyingNode
from notarium.ledger_access.answers import NodeStatus, VerifiedReceipt
from notarium.ledger_access.found import Found
from notarium_ledger.blocks.block import Header
from notarium_ledger.entries.commitment import Body
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis

if TYPE_CHECKING:
    from notarium.ledger_access.client import Client

T = TypeVar("T")


class BlockingClient:
    """`Client` with methods that wait. Safe to use from several threads. Use with `with`, or call `close`."""

    def __init__(
        self,
        genesis: Genesis | Path | str,
        nodes: Sequence[str],
        key: SigningKey | None = None,
        *,
        timeout: float = 30.0,
        attempt_timeout: float = 5.0,
    ) -> None:
        """As `Client`."""
        # Only what uses the network pays for loading it: 130 ms of CPU time.
        import asyncio

        from notarium.ledger_access.client import Client

        self._client: Client = Client(genesis, nodes, key, timeout=timeout, attempt_timeout=attempt_timeout)
        self._start = asyncio.run_coroutine_threadsafe
        self._loop = asyncio.new_event_loop()
        # A daemon, so that a client that was never closed does not prevent a script from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="notarium-client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections and end the thread; a second call does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def genesis(self) -> Genesis:
        """The pinned genesis."""
        return self._client.genesis

    @property
    def lies(self) -> tuple[LyingNode, ...]:
        """As `Client.lies`."""
        return self._client.lies

    def submit(self, body: Body) -> VerifiedReceipt:
        """As `Client.submit`."""
        return self._run(self._client.submit(body))

    def submit_entry(self, raw: bytes, within_s: float | None = None) -> VerifiedReceipt:
        """As `Client.submit_entry`."""
        return self._run(self._client.submit_entry(raw, within_s))

    def submit_batch(self, bodies: Sequence[Body], batch_signed: bool = True) -> list[VerifiedReceipt]:
        """As `Client.submit_batch`."""
        return self._run(self._client.submit_batch(bodies, batch_signed))

    def submit_entries(self, raws: Sequence[bytes]) -> list[VerifiedReceipt]:
        """As `Client.submit_entries`."""
        return self._run(self._client.submit_entries(raws))

    def receipt(self, id_: bytes | str, wait: float = 0.0) -> VerifiedReceipt:
        """As `Client.receipt`."""
        return self._run(self._client.receipt(id_, wait))

    def entry(self, id_: bytes | str) -> VerifiedReceipt:
        """As `Client.entry`."""
        return self._run(self._client.entry(id_))

    def find(
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
        """As `Client.find`."""
        found = self._client.find(
            digest,
            issuer=issuer,
            project=project,
            kind=kind,
            since_ms=since_ms,
            until_ms=until_ms,
            limit=limit,
            after=after,
        )
        return self._run(found)

    def references(
        self, id_: bytes | str, *, rel: str = "", issuer: str = "", limit: int = 100, after: int = -1
    ) -> Found:
        """As `Client.references`."""
        return self._run(self._client.references(id_, rel=rel, issuer=issuer, limit=limit, after=after))

    def status(self) -> list[NodeStatus]:
        """As `Client.status`."""
        return self._run(self._client.status())

    def members(self) -> dict[str, Any]:
        """As `Client.members`."""
        return self._run(self._client.members())

    def parent(self, header: Header) -> Header | None:
        """As `Client.parent`."""
        return self._run(self._client.parent(header))

    def consistency(self, older: VerifiedReceipt, newer: VerifiedReceipt) -> None:
        """As `Client.consistency`."""
        self._run(self._client.consistency(older, newer))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this client is closed")
        future = self._start(work, self._loop)
        try:
            return future.result()
        except BaseException:
            # KeyboardInterrupt while waiting: the work must not continue in the background.
            future.cancel()
            raise
