"""What clients share: bytes, connections or streams, of which no address holds more than its part.

The limit of one address comes before the limit of all, so that one stranger can take his part and no more. Of IPv6 the
first 64 bits count as the address: everybody has the other 64 to himself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import Enum
from ipaddress import IPv6Address, ip_address

PART = 2
"""One address may hold one half."""
FORWARDED = "X-Forwarded-For"
UNKNOWN = "?"


class Held(Enum):
    """Who holds too much for another one to be let in."""

    BY_ADDRESS = "by this address"
    BY_ALL = "by all clients"


class Places:
    """Counts what each address holds of a whole."""

    def __init__(self, most: int, most_of_one: int | None = None) -> None:
        """`most_of_one`: by default one PART-th of `most`, but at least 1."""
        self.most = most
        self.most_of_one = max(1, most // PART) if most_of_one is None else most_of_one
        self._held = Counter[str]()
        self.taken = 0

    def full(self, address: str, amount: int = 1) -> Held | None:
        """Why `amount` more cannot be had, or None. One that is larger than the part is alone, or waits."""
        if self.taken == 0:
            return None
        if self._held[address] + amount > self.most_of_one:
            return Held.BY_ADDRESS
        return Held.BY_ALL if self.taken + amount > self.most else None

    def take(self, address: str, amount: int = 1) -> Held | None:
        """Take `amount`, or say who holds too much."""
        held = self.full(address, amount)
        if held is None:
            self._held[address] += amount
            self.taken += amount
        return held

    def release(self, address: str, amount: int = 1) -> None:
        """Give back what was taken."""
        self._held[address] -= amount
        self.taken -= amount
        if self._held[address] <= 0:
            del self._held[address]

    def held_by(self, address: str) -> int:
        """How much an address holds."""
        return self._held[address]


def address_of(peer: str | None, forwarded: str, proxies: Collection[str]) -> str:
    """The client's address, for its part.

    `peer`: the other end of the connection. `forwarded`: the X-Forwarded-For headers, joined by commas; each proxy
    appends whom it was asked by. They count only as far as they come from `proxies`, read from the right: what stands
    further left, anybody can write.
    """
    here = _normal(peer)
    for each in reversed(forwarded.split(",")) if forwarded else ():
        if here not in proxies:
            break
        here = _normal(each.strip())
    return here


def _normal(text: str | None) -> str:
    try:
        address = ip_address((text or "").strip("[]").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> 64 << 64)) if not address.is_loopback else str(address)
    return str(address)
