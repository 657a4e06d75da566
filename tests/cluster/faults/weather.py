"""Bad weather on the cables: delay, jitter, loss, duplicates, reordering and thin lines, of all that a host sends.

The kernel's netem does it where the kernel has it. Otherwise (`tc` says "qdisc kind is unknown"), packets take a
way through `emulator.py`: what comes out of a host's cable is redirected to a tap device, delayed or dropped there by a
program, and enters the switch from that device. Both act at one place, on frames that left the host, with the same
figures; only their accuracy differs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from tests.cluster.faults.ground import Ground, GroundError, Host, run

ROOT = Path(__file__).parents[3]
STOP_S = 10.0
PACKET_BYTES = 1_500


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to each packet that a host sends; shares from 0 to 1."""

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    """The delay is drawn evenly from delay − jitter to delay + jitter, so packets overtake each other."""
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    """This share is not delayed at all and overtakes the others."""
    rate_mbit_s: float = 0.0
    """How much each host can send; 0: as much as it likes."""
    queue_bytes: int = 128 * 1024
    """Where the rate is limited: what may wait for its turn; what comes on top is lost."""

    def netem(self) -> list[str]:
        """As arguments of tc-netem(8)."""
        limit = self.queue_bytes // PACKET_BYTES if self.rate_mbit_s else 100_000
        words = ["limit", str(limit), "delay", f"{self.delay_ms}ms", f"{self.jitter_ms}ms"]
        if self.rate_mbit_s:
            words += ["rate", f"{self.rate_mbit_s}mbit"]
        shares = (("loss", self.loss), ("duplicate", self.duplicate), ("reorder", self.reorder))
        return words + [word for name, share in shares if share for word in (name, f"{share:%}")]


class Sky(Protocol):
    """Makes weather."""

    name: str

    def worsen(self, hosts: Sequence[Host], weather: Weather) -> None:
        """From now on it is like this on these hosts' cables."""

    def clear(self) -> str:
        """Fair weather everywhere; what happened to how many packets, in words."""


class Netem:
    """The kernel's."""

    name = "tc netem"

    def __init__(self) -> None:
        self._hosts: list[Host] = []

    def worsen(self, hosts: Sequence[Host], weather: Weather) -> None:
        """See Sky."""
        for host in hosts:
            host.run("tc", "qdisc", "replace", "dev", "eth0", "root", "netem", *weather.netem())
        self._hosts = list(hosts)

    def clear(self) -> str:
        """See Sky."""
        sent = dropped = 0
        for host in self._hosts:
            shown = host.run("tc", "-statistics", "qdisc", "show", "dev", "eth0")
            if found := re.search(r"Sent \d+ bytes (\d+) pkt \(dropped (\d+)", shown):
                sent, dropped = sent + int(found.group(1)), dropped + int(found.group(2))
            host.run("tc", "qdisc", "delete", "dev", "eth0", "root")
        self._hosts = []
        return f"{sent} packets sent, {dropped} dropped"


class Emulator:
    """A program, for kernels without netem."""

    name = "a program at a tap device (this kernel has no netem)"

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._hosts: list[Host] = []
        self._process: subprocess.Popen[str] | None = None

    def worsen(self, hosts: Sequence[Host], weather: Weather) -> None:
        """See Sky."""
        self._hosts = list(hosts)
        taps = [_tap(host) for host in hosts]
        for tap in taps:
            run("ip", "tuntap", "add", tap, "mode", "tap")
            run("ip", "link", "set", tap, "txqueuelen", "10000", "master", self._ground.bridge, "up")
            # The switch sends nothing out by the tap: it serves one direction only.
            quiet = [word for name in ("learning", "flood", "mcast_flood", "bcast_flood") for word in (name, "off")]
            run("bridge", "link", "set", "dev", tap, *quiet)
        settings = json.dumps({"taps": taps, **asdict(weather)})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.faults.emulator", settings],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise GroundError("the emulator did not start: see its message above")
        for host, tap in zip(hosts, taps, strict=True):
            # Where the host is, the switch no longer learns from its packets.
            run("bridge", "fdb", "replace", host.mac, "dev", host.namespace, "master", "static")
            run("tc", "qdisc", "add", "dev", host.namespace, "clsact")
            everything = ("protocol", "all", "u32", "match", "u32", "0", "0")
            redirect = ("action", "mirred", "egress", "redirect", "dev", tap)
            run("tc", "filter", "add", "dev", host.namespace, "ingress", *everything, *redirect)

    def clear(self) -> str:
        """See Sky."""
        for host in self._hosts:
            run("tc", "qdisc", "delete", "dev", host.namespace, "clsact")
            run("bridge", "fdb", "delete", host.mac, "dev", host.namespace, "master")
        counts = ""
        if self._process is not None:
            try:
                counts, _ = self._process.communicate("", timeout=STOP_S)
            finally:
                self._process.kill()
        for host in self._hosts:
            with suppress(GroundError):  # The device went with the program, or with the ground.
                run("ip", "link", "delete", _tap(host))
        self._hosts, self._process = [], None
        return counts.strip()


def _tap(host: Host) -> str:
    return f"{host.namespace}t"


def make_sky(ground: Ground) -> Sky:
    """Whatever this machine has."""
    if has_netem(ground.bridge):
        return Netem()
    return Emulator(ground)


def has_netem(device: str) -> bool:
    """Whether the kernel makes weather itself; tried on `device`."""
    try:
        run("tc", "qdisc", "add", "dev", device, "root", "netem", "delay", "1ms")
    except GroundError:
        return False
    run("tc", "qdisc", "delete", "dev", device, "root")
    return True
