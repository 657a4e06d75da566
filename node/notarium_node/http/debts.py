"""What addresses owe for junk, of which a few units are forgiven each second.

An address that owes as much as it may is refused what costs most, for some seconds. Nothing here reads a clock: `now`
is an argument, in seconds.
"""

from __future__ import annotations

import math

ADDRESSES = 4_096
"""Kept; of more, the one that was at fault longest ago is forgotten."""
LONGEST_S = 10
"""An address is refused at most so long for what it has done so far."""


class Debts:
    """The debts of all addresses."""

    def __init__(self, most: int, forgiven_per_s: int) -> None:
        """`most`: what an address may owe."""
        self._most = most
        self._forgiven_per_s = forgiven_per_s
        self._owed: dict[str, tuple[float, float]] = {}
        """By address, last at fault last: how much, and when that was."""

    def add(self, address: str, amount: int, now: float) -> None:
        """It owes `amount` more."""
        highest = self._most + LONGEST_S * self._forgiven_per_s
        owed = min(self._now(address, now) + amount, highest)
        self._owed.pop(address, None)
        self._owed[address] = owed, now
        if len(self._owed) > ADDRESSES:
            del self._owed[next(iter(self._owed))]

    def wait_s(self, address: str, now: float) -> int:
        """Whole seconds until it owes less than it may; 0 if it does now."""
        above = self._now(address, now) - self._most
        return 0 if above < 0 else max(1, math.ceil(above / self._forgiven_per_s))

    def _now(self, address: str, now: float) -> float:
        owed, since = self._owed.get(address, (0.0, now))
        return max(0.0, owed - (now - since) * self._forgiven_per_s)
