"""Thin lines: full blocks at 2, 5 and 10 Mbit/s. What was sent again each second once took the whole line, and a round
as long as the cap was shorter than the transfer, so that at 5 Mbit/s nothing was ever decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from tests.mistakes.network import Net
from tests.mistakes.planted import must_fail

from notarium_consensus.inputs import MessageReceived
from notarium_consensus.messages import Message, decode_message, encode_message
from notarium_consensus.patience import RoundLengths
from notarium_ledger.blocks.statements import StatementKind, Vote

MIB = 1 << 20
BLOCK_BYTES = 2 * MIB
HEIGHTS = 5
LATENCY_MS = 20
Link = tuple[int, int]


@dataclass
class Line:
    """From one node to another: bytes leave in order, at a rate."""

    free_at_ms: float = 0
    bulk_until_ms: dict[StatementKind, float] = field(default_factory=dict)


class ThinNet(Net):
    """Each node's line to the rest has `mbit` Mbit/s, in equal shares; bulk is not queued while the last is under way.

    As in a node, where a message with a block waits in no queue while an earlier one of its kind is not acknowledged.
    """

    def __init__(self, size: int, mbit: int, dead: int) -> None:
        super().__init__(size, base_timeout_ms=1_000, max_timeout_ms=10_000, resend_ms=1_000)
        self.bytes_per_ms = mbit * 125 / (size - 1)
        self.lines: dict[Link, Line] = {}
        self.silent = set(range(size - dead, size))
        self.alive = range(size - dead)
        self.bytes_sent = 0

    @property
    def bare_s(self) -> float:
        """How long a full block takes to all others, on lines that carry nothing else."""
        return BLOCK_BYTES / self.bytes_per_ms / 1000

    def send(self, sender: int, receiver: int, message: Message) -> None:
        if {sender, receiver} & self.silent:
            return
        data, peer = encode_message(message), self.keys[sender].public
        line = self.lines.setdefault((sender, receiver), Line())
        if not isinstance(message, Vote) and message.block is not None:
            if line.bulk_until_ms.get(message.kind, 0) > self.now_ms:
                return
            line.bulk_until_ms[message.kind] = self._after(line, data) + LATENCY_MS
        line.free_at_ms = self._after(line, data)
        self.bytes_sent += len(data)

        def arrive() -> None:
            self.nodes[receiver].feed(MessageReceived(decode_message(data), peer))

        self.later(int(line.free_at_ms - self.now_ms) + LATENCY_MS, arrive)

    def _after(self, line: Line, data: bytes) -> float:
        return max(self.now_ms, line.free_at_ms) + len(data) / self.bytes_per_ms

    def decide(self, height: int) -> float:
        """Seconds until a full block is decided at all that live."""
        start_ms = self.now_ms
        self.work(b"ok %d" % height + bytes(BLOCK_BYTES), at=self.alive)
        assert self.run(600_000, lambda: min(self.heights(self.alive)) == height), "never decided"
        return (self.now_ms - start_ms) / 1000


@pytest.mark.parametrize(("size", "dead"), [(4, 0), (4, 1), (7, 1)])
@pytest.mark.parametrize("mbit", [2, 5, 10])
def test_full_blocks_are_decided_on_thin_lines_and_soon_about_as_fast_as_the_line_carries_them(
    mbit: int, size: int, dead: int
) -> None:
    net = ThinNet(size, mbit, dead)
    net.start()
    took_s = [net.decide(height) for height in range(1, HEIGHTS + 1)]
    rounds = [decision.certificate.round for decision in net.nodes[0].decisions]
    shown = " ".join(f"{took:.0f} (round {round_})" for took, round_ in zip(took_s, rounds, strict=True))
    print(f"{mbit} Mbit/s, n = {size}, {dead} dead: bare {net.bare_s:.0f} s; {shown}; {net.bytes_sent // MIB} MiB")
    assert took_s[0] < 10 * net.bare_s, "the first height learns how long rounds must be"
    assert took_s[1] < 1.2 * net.bare_s, "and the second knows it"
    assert min(took_s[-2:]) < 1.2 * net.bare_s
    assert sum(took_s) < HEIGHTS * 4 * net.bare_s
    assert net.bytes_sent < HEIGHTS * 3 * size * BLOCK_BYTES * size


def lengths_end_at_the_cap(patch: pytest.MonkeyPatch) -> None:
    """A round is never longer than max_timeout_ms."""
    of_level = RoundLengths.of_level
    patch.setattr(RoundLengths, "of_level", lambda self, level: min(of_level(self, level), self.max_ms))


def nothing_is_learned(patch: pytest.MonkeyPatch) -> None:
    """Each height starts with the shortest rounds."""
    patch.setattr(RoundLengths, "level_after", lambda self, *_: 0)


def test_planted_is_caught() -> None:
    test = test_full_blocks_are_decided_on_thin_lines_and_soon_about_as_fast_as_the_line_carries_them
    must_fail(lengths_end_at_the_cap, test, 5, 4, 0)
    must_fail(nothing_is_learned, test, 5, 4, 0)
