"""The ground that a network stands on: hosts (network namespaces), joined by cables (veth) to one switch (bridge).

    root namespace: clients, <tag>br .254 ── <tag>0 ═ eth0 .1   namespace <tag>0
                                         ├── <tag>1 ═ eth0 .2   namespace <tag>1
                                         └── ...

`tag` is "nf<pid>-", with the process id of the run that made it, so that runs do not meet and what a killed run left
behind can be distinguished from what is in use. Needs root, iproute2 and nftables.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ASKED = "NOTARIUM_CLUSTER_FAULTS"
"""Environment variable without which pytest does not collect these runs; SLOW: also the slow ones."""
SLOW = "--slow"
SUBNETS = ipaddress.IPv4Network("10.251.0.0/16")
TAG = re.compile(r"^nf(\d+)-")
PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "bridge": "iproute2",
    "nft": "nftables",
    "mount": "mount",
    "faketime": "faketime",
}
"""Program → Debian package."""


class GroundError(Exception):
    """The machine did not do what the ground needs; the message holds the command and what it said."""


def run(*command: str, stdin: str | None = None) -> str:
    """What a command prints. Raises GroundError where it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GroundError(f"{' '.join(command)}: {done.stderr.strip() or f'exit code {done.returncode}'}")
    return done.stdout


def missing() -> list[str]:
    """What stands in the way of a run here, each with the remedy; empty where nothing does."""
    problems = []
    if os.geteuid() != 0:
        problems.append("network namespaces need root: run as root, for example with sudo")
    packages = sorted({package for program, package in PACKAGES.items() if shutil.which(program) is None})
    if packages:
        problems.append(f"missing Debian packages: apt-get install {' '.join(packages)}")
    return problems


@dataclass(frozen=True, slots=True)
class Host:
    """A machine of its own, as far as the network is concerned."""

    namespace: str
    """Also the name of the switch's end of its cable."""
    address: str
    mac: str

    @property
    def prefix(self) -> tuple[str, ...]:
        """Runs a command there; it becomes the command, so the process id is the command's."""
        return ("ip", "netns", "exec", self.namespace)

    def run(self, *command: str, stdin: str | None = None) -> str:
        """What a command prints there."""
        return run(*self.prefix, *command, stdin=stdin)

    def refuse(self, senders: Sequence[Host]) -> None:
        """From now on nothing arrives here from these hosts; from all others everything does."""
        table = "table inet faults\ndelete table inet faults\ntable inet faults {\n"
        table += "  chain arriving {\n    type filter hook input priority 0;\n"
        if senders:
            table += f"    ip saddr {{ {', '.join(each.address for each in senders)} }} counter drop;\n"
        self.run("nft", "-f", "-", stdin=f"{table}  }}\n}}\n")

    def refused_packets(self) -> int:
        """How many packets were dropped since the last call of `refuse`."""
        listing = self.run("nft", "list", "table", "inet", "faults")
        return sum(int(count) for count in re.findall(r"counter packets (\d+)", listing))


@dataclass(slots=True)
class Ground:
    """One switch and what is plugged into it. Use as a context manager."""

    tag: str = field(default_factory=lambda: f"nf{os.getpid()}-")
    hosts: list[Host] = field(default_factory=list)
    _subnet: ipaddress.IPv4Network = field(init=False)

    @property
    def bridge(self) -> str:
        """The switch's name."""
        return f"{self.tag}br"

    def __enter__(self) -> Ground:
        self._subnet = _free_subnet()
        try:
            run("ip", "link", "add", self.bridge, "type", "bridge")
            run("ip", "address", "add", f"{self._subnet[254]}/24", "dev", self.bridge)
            run("ip", "link", "set", self.bridge, "up")
        except GroundError:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def add_host(self) -> Host:
        """Plug in another host; its address is reachable when this returns."""
        number = len(self.hosts)
        namespace = f"{self.tag}{number}"
        address = str(self._subnet[number + 1])
        run("ip", "netns", "add", namespace)
        run("ip", "link", "add", namespace, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        run("ip", "link", "set", namespace, "master", self.bridge, "up")
        inside = ("ip", "-netns", namespace)
        mac = json.loads(run(*inside, "-json", "link", "show", "eth0"))[0]["address"]
        host = Host(namespace, address, mac)
        self.hosts.append(host)
        run(*inside, "link", "set", "lo", "up")
        run(*inside, "address", "add", f"{address}/24", "dev", "eth0")
        run(*inside, "link", "set", "eth0", "up")
        run(*inside, "route", "add", "default", "via", str(self._subnet[254]))
        return host

    def cut(self, cuts: Mapping[int, Sequence[int]]) -> None:
        """By receiver, whose packets do not arrive; everything else does. One table a host, replaced in one step."""
        for number, host in enumerate(self.hosts):
            host.refuse([self.hosts[sender] for sender in cuts.get(number, ())])

    def small_disk(self, folder: Path, size: str) -> None:
        """Mount an empty file system of that size."""
        folder.mkdir(mode=0o700, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", f"size={size}", f"{self.tag}disk", str(folder))

    def close(self) -> None:
        """Take everything away, as far as it is there."""
        _remove(self.tag)
        self.hosts.clear()


def split(*sides: Sequence[int]) -> dict[int, list[int]]:
    """Cuts for `Ground.cut` with which hosts of different sides do not hear each other."""
    return {
        receiver: [sender for other in sides if other is not side for sender in other]
        for side in sides
        for receiver in side
    }


def clean_up() -> list[str]:
    """Remove what runs that are over have left behind. Their tags."""
    tags = {match.group() for name in _names() if (match := TAG.match(name))}
    stale = [tag for tag in sorted(tags) if not _is_alive(int(TAG.match(tag).group(1)))]  # type: ignore[union-attr]
    for tag in stale:
        _remove(tag)
    return stale


def _is_alive(pid: int) -> bool:
    """Whether the process is one of ours; ids are used again by others."""
    try:
        return b"faults" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _names() -> Iterator[str]:
    """Of all namespaces, interfaces and mounted devices."""
    yield from (each["name"] for each in json.loads(run("ip", "-json", "netns", "list") or "[]"))
    yield from (each["ifname"] for each in json.loads(run("ip", "-json", "link", "show")))
    yield from (device for device, _ in _mounted())


def _mounted() -> list[tuple[str, str]]:
    """(device, folder) of everything that is mounted; spaces in a folder's name are octal, as in proc(5)."""
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [(line[0], line[1].replace("\\040", " ")) for line in lines]


def _remove(tag: str) -> None:
    """Processes first: they hold namespaces and mounts."""
    names = list(_names())
    namespaces = list(Path("/run/netns").glob(f"{tag}*"))
    for each in namespaces:
        for pid in run("ip", "netns", "pids", each.name).split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
    for device, folder in _mounted():
        if device == f"{tag}disk":
            run("umount", "--lazy", folder)
    for each in namespaces:
        run("ip", "netns", "delete", each.name)
    for name in names:
        # A cable's end goes with its namespace, a little later; what is gone already needs no removing.
        if name.startswith(tag):
            with suppress(GroundError):
                run("ip", "link", "delete", name)


def _free_subnet() -> ipaddress.IPv4Network:
    """One that this machine has no address in."""
    used = [
        ipaddress.ip_network(f"{info['local']}/{info['prefixlen']}", strict=False)
        for link in json.loads(run("ip", "-json", "-4", "address", "show"))
        for info in link.get("addr_info", [])
    ]
    for subnet in SUBNETS.subnets(new_prefix=24):
        if not any(subnet.overlaps(each) for each in used if isinstance(each, ipaddress.IPv4Network)):
            return subnet
    raise GroundError(f"no /24 of {SUBNETS} is free: remove addresses that are not needed")
