"""Notifies what waits for decisions: requests that submitted entries, and subscribers to decided blocks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from notarium_ledger.blocks.block import Decision
from notarium_ledger.state.chain_state import Transition
from notarium_ledger.trust.receipt import Receipt
from notarium_ledger.types import Hash

Subscriber = Callable[[Decision, Transition], None]


class Waiter:
    """Waits for the receipts of some entries."""

    __slots__ = ("future", "ids", "receipts", "remaining")

    def __init__(self, ids: Sequence[Hash]) -> None:
        self.ids = ids
        self.receipts: dict[Hash, Receipt] = {}
        """Those of the entries decided so far."""
        self.remaining = len(set(ids))
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when every entry is decided, or with the error of the first that became invalid."""


class Waiters:
    """All waiters, by entry id. They are answered once the decision is on disk."""

    def __init__(self) -> None:
        self._waiters: dict[Hash, list[Waiter]] = {}
        self._subscribers: list[Subscriber] = []

    def wait(self, ids: Sequence[Hash]) -> Waiter:
        """Wait for pending entries; call `leave` in the end, whether they were decided or not."""
        waiter = Waiter(ids)
        for each in set(ids):
            self._waiters.setdefault(each, []).append(waiter)
        return waiter

    async def wait_for(self, ids: Sequence[Hash], timeout_s: float) -> dict[Hash, Receipt]:
        """Receipts of those among these pending entries that are decided within `timeout_s`.

        Raises the error of the first entry that becomes invalid meanwhile.
        """
        waiter = self.wait(ids)
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.future
        except TimeoutError:
            pass  # The caller sees which receipts are missing.
        finally:
            self.leave(waiter)
        return waiter.receipts

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting."""
        if waiter.remaining == 0:
            return
        for each in waiter.ids:
            others = self._waiters.get(each)
            if others and waiter in others:
                others.remove(waiter)
                if not others:
                    del self._waiters[each]

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` for each decision. Returns the function that ends the subscription."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    def is_awaited(self, entry_id: Hash) -> bool:
        """Whether a request waits for this entry."""
        return entry_id in self._waiters

    def resolve(self, entry_id: Hash, receipt: Receipt) -> None:
        """The entry is decided."""
        for waiter in self._waiters.pop(entry_id, ()):
            waiter.receipts[entry_id] = receipt
            waiter.remaining -= 1
            if waiter.remaining == 0 and not waiter.future.done():
                waiter.future.set_result(None)

    def refuse(self, entry_id: Hash, error: Exception) -> None:
        """The entry became invalid while it waited."""
        for waiter in self._waiters.pop(entry_id, ()):
            if not waiter.future.done():
                waiter.future.set_exception(error)

    def announce(self, decision: Decision, transition: Transition) -> None:
        """A decision is on disk."""
        for subscriber in list(self._subscribers):
            subscriber(decision, transition)

    @property
    def waiting(self) -> int:
        """The number of entries that a request waits for."""
        return len(self._waiters)
