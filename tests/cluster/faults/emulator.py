"""A link emulator in user space: reads Ethernet frames from tap devices, delays, loses, doubles, reorders and queues
them, and writes them back. For kernels without netem; see `weather.py`.

    python -m tests.cluster.faults.emulator '{"taps": ["tap0"], "delay_ms": 50, "jitter_ms": 10, "loss": 0.01, ...}'

Prints "ready", works until its standard input ends, then prints what it did.
"""

from __future__ import annotations

import fcntl
import heapq
import json
import os
import random
import selectors
import struct
import sys
import time
from collections import Counter

from tests.cluster.faults.weather import Weather

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
FRAME_BYTES = 65_536
QUEUE = 200_000
"""Frames under way; more are lost, as in any router."""
ALMOST = 1 + 1e-9
"""Sums of many fractions are a little off."""
READS = 64
"""From one device before the others and the clock get their turn."""


def open_tap(name: str) -> int:
    """A file descriptor whose reads and writes are frames."""
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
    return descriptor


class Emulator:
    """Frames under way, in order of when they are due."""

    def __init__(self, weather: Weather, seed: int) -> None:
        self._weather = weather
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, int, bytes]] = []
        self._number = 0
        self._free: dict[int, float] = {}
        """By device with a limited rate: when all that waits there will be sent."""
        self.counts: Counter[str] = Counter()

    def take(self, device: int, frame: bytes, now: float) -> None:
        """A frame came from `device`."""
        weather, draw = self._weather, self._random.random
        self.counts["packets"] += 1
        if draw() < weather.loss:
            self.counts["lost"] += 1
            return
        copies = 1
        if draw() < weather.duplicate:
            self.counts["doubled"] += 1
            copies = 2
        for _ in range(copies):
            delay_ms = 0.0
            if draw() < weather.reorder:
                self.counts["let through first"] += 1
            else:
                delay_ms = weather.delay_ms + weather.jitter_ms * (2 * draw() - 1)
            sent = self._sent_at(device, len(frame), now)
            if sent is None or len(self._due) >= QUEUE:
                self.counts["too many"] += 1
                return
            self._number += 1
            heapq.heappush(self._due, (sent + delay_ms / 1000, self._number, device, frame))

    def _sent_at(self, device: int, size: int, now: float) -> float | None:
        """When so many bytes have left the device, after those that wait there; None if its queue is full."""
        weather = self._weather
        if not weather.rate_mbit_s:
            return now
        bytes_s = weather.rate_mbit_s * 1e6 / 8
        free = max(now, self._free.get(device, now))
        if (free - now) * bytes_s + size > weather.queue_bytes * ALMOST:
            return None
        self._free[device] = free + size / bytes_s
        return self._free[device]

    def next_s(self, now: float) -> float | None:
        """Seconds until something is due; None where nothing is under way."""
        return max(0.0, self._due[0][0] - now) if self._due else None

    def give(self, now: float) -> list[tuple[int, bytes]]:
        """What is due, with its device."""
        ready = []
        while self._due and self._due[0][0] <= now:
            _, _, device, frame = heapq.heappop(self._due)
            ready.append((device, frame))
        return ready


def main() -> None:
    """Work until standard input ends."""
    settings = json.loads(sys.argv[1])
    selector = selectors.DefaultSelector()
    for name in settings.pop("taps"):
        selector.register(open_tap(name), selectors.EVENT_READ)
    selector.register(sys.stdin, selectors.EVENT_READ)
    emulator = Emulator(Weather(**settings), seed=1)
    print("ready", flush=True)
    going = True
    while going:
        for key, _ in selector.select(emulator.next_s(time.monotonic())):
            if key.fileobj is sys.stdin:
                going = bool(os.read(key.fd, 1024))
            else:
                read_all(emulator, key.fd)
        for device, frame in emulator.give(time.monotonic()):
            try:
                os.write(device, frame)
            except BlockingIOError:
                emulator.counts["too many"] += 1
    print(", ".join(f"{count} {name}" for name, count in emulator.counts.items()))


def read_all(emulator: Emulator, device: int) -> None:
    """What has come by a device, up to its share of the time."""
    for _ in range(READS):
        try:
            frame = os.read(device, FRAME_BYTES)
        except BlockingIOError:
            return
        emulator.take(device, frame, time.monotonic())


if __name__ == "__main__":
    main()
