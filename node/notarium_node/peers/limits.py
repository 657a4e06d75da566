"""Bounds on what a peer may cost this node: limits, token buckets, back-off, penalties.

Nothing here reads a clock: `now` is an argument. All times are seconds of one monotonic clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from notarium_ledger.types import PublicKey

BURST_S = 2
"""The amount of so many seconds may come at once."""


@dataclass(frozen=True, slots=True)
class PeerLimits:
    """Bounds of the peer socket. The defaults fit tens of validators on ordinary links."""

    max_message_bytes: int = 32 * 1024 * 1024
    """Longest message in either direction."""
    send_queue_bytes: int = 64 * 1024 * 1024
    """Unsent bytes per peer, of each of three: consensus with a block, catch-up and gossip, small messages. A message
    that would exceed them is dropped and counted; of consensus the oldest gives way."""
    bytes_per_s: int = 200_000_000
    """Inbound, per peer; the amount of BURST_S may come at once. A peer that sends more is dropped."""
    messages_per_s: int = 20_000
    """Inbound, per peer, as above."""
    handshake_s: float = 10.0
    """From TCP connection to HELLO, in either role."""
    pending_handshakes: int = 64
    """Connections that have not proven their identity; the oldest is closed for a newer one."""
    heartbeat_s: float = 6.0
    """A peer that is silent this long is pinged; without an answer within half as long, its link ends."""
    clock_probe_s: float = 30.0
    """How often a peer is asked for its time."""
    backoff_first_s: float = 0.1
    backoff_last_s: float = 5.0
    stable_s: float = 5.0
    """A link that lasted this long resets the back-off."""
    max_ban_s: float = 600.0


class TokenBucket:
    """Allows `rate` units a second on average and `burst` at once."""

    __slots__ = ("_burst", "_filled_at", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def take(self, amount: float, now: float) -> bool:
        """Take `amount` if it is there; otherwise take nothing and return False."""
        tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if tokens < amount:
            self._tokens = tokens
            return False
        self._tokens = tokens - amount
        return True


class Backoff:
    """Growing delays, each drawn from the upper half of its step so that nodes do not dial at the same time."""

    __slots__ = ("_first_s", "_last_s", "_random", "_step_s")

    def __init__(self, first_s: float, last_s: float) -> None:
        self._first_s = first_s
        self._last_s = last_s
        self._step_s = first_s
        self._random = random.SystemRandom()

    def next_s(self) -> float:
        """The next delay in seconds."""
        step = self._step_s
        self._step_s = min(step * 2, self._last_s)
        return step * (0.5 + self._random.random() / 2)

    def reset(self) -> None:
        """Start again with the shortest delay."""
        self._step_s = self._first_s


class Penalties:
    """Refused peers and until when. Each strike doubles the time, up to a bound; an hour without a strike resets it."""

    FORGIVEN_S = 3600.0
    __slots__ = ("_max_ban_s", "_strikes", "_until")

    def __init__(self, max_ban_s: float) -> None:
        self._max_ban_s = max_ban_s
        self._until: dict[PublicKey, float] = {}
        self._strikes: dict[PublicKey, int] = {}

    def strike(self, peer: PublicKey, ban_s: float, now: float) -> float:
        """Refuse `peer` for `ban_s`, doubled per earlier strike. Returns the seconds.

        The time is bounded: a fault that was repaired must not keep a validator from the quorum permanently.
        """
        if now - self._until.get(peer, now) > self.FORGIVEN_S:
            self._strikes.pop(peer, None)
        strikes = self._strikes.get(peer, 0)
        self._strikes[peer] = min(strikes + 1, 32)
        duration: float = min(ban_s * 2**strikes, self._max_ban_s)
        self._until[peer] = max(self._until.get(peer, 0.0), now + duration)
        return duration

    def remaining_s(self, peer: PublicKey, now: float) -> float:
        """Seconds until `peer` is admitted again; 0 if it is now."""
        return max(0.0, self._until.get(peer, 0.0) - now)

    def forget(self, peer: PublicKey) -> None:
        """`peer` left the registry."""
        self._until.pop(peer, None)
        self._strikes.pop(peer, None)
