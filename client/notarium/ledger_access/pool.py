"""Which node to ask next: the last good one first, nodes that failed recently last.

No IO and no clock in here: `now` is an argument, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from notarium.errors import LyingNode, ProjectError

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 15.0
LIAR_PAUSE_S = 600.0
"""A node that lied is asked again only after this time, or when there is no other node."""


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
        circuit.open_until = now + min(FIRST_PAUSE_S * 2**circuit.failures, LONGEST_PAUSE_S)
        circuit.failures = min(circuit.failures + 1, 16)

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
