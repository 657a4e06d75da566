"""Which node to ask next, and when: the last good one first, nodes that failed or hung recently last.

A node that has not answered after the usual time is not waited for alone any longer: the next one is asked as well. In
a ledger that is slow as a whole this would multiply its load, so only one request in ten may do so that soon.

No IO and no clock in here: `now` is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from notarium.errors import LyingNode, ProjectError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
LIAR_PAUSE_S = 600.0
"""A node that lied is asked again only after this time, or when there is no other node."""
HUNG_PAUSE_S = 15.0
"""A node that was overtaken by one asked after it is asked last for this long."""
SHORTEST_PATIENCE_S, FIRST_PATIENCE_S, LONGEST_PATIENCE_S = 0.25, 1.0, 2.5
"""Bounds of the usual time of an answer, and what it is until enough answers were seen."""
SEEN = 64
ENOUGH = 8
MOST_SPARE = 10.0
SPARE_FOR_EACH = 0.1
"""How many requests may ask another node after the usual time: a store, and what each answer adds to it."""


@dataclass(slots=True)
class _Usual:
    """How long answers took, in seconds, the last ones only."""

    seen: deque[float] = field(default_factory=lambda: deque(maxlen=SEEN))

    def patience_s(self) -> float:
        """The time within which 95 % of the answers came, within bounds."""
        if len(self.seen) < ENOUGH:
            return FIRST_PATIENCE_S
        percentile = sorted(self.seen)[len(self.seen) * 95 // 100]
        return min(max(percentile, SHORTEST_PATIENCE_S), LONGEST_PATIENCE_S)


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float = 0.0
    read_only: bool = False


class NodePool:
    """The node addresses of a client and what it has learned about them."""

    def __init__(self, urls: Sequence[str]) -> None:
        """`urls`: base addresses such as https://node.example.org:8443. Raises ProjectError."""
        self._circuits = {normal_url(url): _Circuit() for url in urls}
        self._preferred = next(iter(self._circuits), "")
        self._usual = {waiting: _Usual() for waiting in (False, True)}
        self._spare = MOST_SPARE
        self.lies: list[LyingNode] = []
        """Every answer that failed verification, oldest first (the last hundred)."""

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses, in the order given."""
        return tuple(self._circuits)

    def order(self, now: float, *, writing: bool = False) -> list[str]:
        """All addresses, most promising first. `writing` puts nodes that take no entries last."""

        def rank(url: str) -> tuple[bool, bool, bool]:
            circuit = self._circuits[url]
            return (circuit.open_until > now, writing and circuit.read_only, url != self._preferred)

        return sorted(self._circuits, key=rank)

    def succeeded(self, url: str) -> None:
        """`url` gave a verified answer: ask it first from now on."""
        circuit = self._circuits[url]
        circuit.failures, circuit.open_until = 0, 0.0
        self._preferred = url

    def failed(self, url: str, now: float) -> None:
        """`url` gave no usable answer: do not ask it for a while, longer each time."""
        circuit = self._circuits[url]
        pause = min(FIRST_PAUSE_S * 2**circuit.failures, LONGEST_PAUSE_S)
        circuit.open_until = max(circuit.open_until, now + pause)
        circuit.failures = min(circuit.failures + 1, 16)

    def hung(self, url: str, now: float) -> None:
        """A node that was asked later than `url` has answered first."""
        circuit = self._circuits[url]
        circuit.open_until = max(circuit.open_until, now + HUNG_PAUSE_S)

    def answered(self, seconds: float, *, waiting: bool) -> None:
        """A good answer took so long. `waiting`: to a request that waits for a decision."""
        self._usual[waiting].seen.append(seconds)
        self._spare = min(MOST_SPARE, self._spare + SPARE_FOR_EACH)

    def patience_s(self, share_s: float, *, waiting: bool) -> float:
        """How long to wait for one node alone: the usual time, while that is spared, but never longer than its share.

        `share_s`: its part of the time that is left.
        """
        return min(share_s, self._usual[waiting].patience_s()) if self._spare >= 1 else share_s

    def asked_another(self) -> None:
        """Another node was asked before the first has answered."""
        self._spare = max(0.0, self._spare - 1)

    def lied(self, lie: LyingNode, now: float) -> None:
        """Record an answer that failed verification."""
        self._circuits[lie.url].open_until = now + LIAR_PAUSE_S
        self.lies = [*self.lies[-99:], lie]

    def is_read_only(self, url: str) -> None:
        """`url` takes no entries (an observer)."""
        self._circuits[url].read_only = True


def normal_url(url: str) -> str:
    """`url` without a trailing slash. Raises ProjectError for anything but http(s)://host[:port][/path]."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username is not None:
        raise ProjectError(f"{url!r} is not a node address; expected an address such as https://node.example.org:8443")
    return url.rstrip("/")
