"""A whole consortium on this machine, with real processes, keys, stores, TLS and ports. For demo, tests and benchmarks.

All its files are in one directory:

    genesis.json                 the trust root
    network.json                 the addresses of the nodes
    <member>[-observer]/         one node: node.toml, keys/, store/, node.log, pid
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from notarium.key_files import Purpose, create_key, load_seed
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import PublicKey
from notarium_node.config.sections import FIRST_START
from notarium_node.identity.card import Card
from notarium_node.identity.tls import make_certificate
from notarium_node.operator.ceremony import make_genesis
from notarium_node.startup import read_genesis

START_S = 30.0
STOP_S = 15.0
POLL_S = 0.05
LOOPBACK = "127.0.0.1"


class NetworkError(Exception):
    """A node did not start, stop or answer as expected; the message ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class Institution:
    """A founding member."""

    id: str
    name: str


@dataclass(slots=True)
class LocalNode:
    """One node's directory and, while it runs, its process."""

    member: str
    role: str
    directory: Path
    key: str
    """Hex."""
    peer_port: int
    api_port: int
    host: str = LOOPBACK
    """Where it listens, for peers and for the API."""
    prefix: tuple[str, ...] = ()
    """Words before the command, for example `ip netns exec NAME`; that program must become the node, not its parent."""
    environment: dict[str, str] = field(default_factory=dict)
    """Added to the environment that the node inherits."""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.directory.name

    @property
    def public_key(self) -> PublicKey:
        """The key it votes with; an observer's node key too."""
        return PublicKey(bytes.fromhex(self.key))

    @property
    def api(self) -> str:
        """Base URL."""
        return f"http://{self.host}:{self.api_port}"

    @property
    def log(self) -> Path:
        """The file with its log."""
        return self.directory / "node.log"

    @property
    def pid(self) -> int | None:
        """The id of its process, also if another process, such as an operator's shell, started it."""
        if self.process is not None:
            return self.process.pid if self.process.poll() is None else None
        return self._noted_pid() or _who_locked(self.directory / "store" / "LOCK")

    @property
    def pid_file(self) -> Path:
        """Written at the start, for a later `stop` by another process."""
        return self.directory / "pid"

    def start(self) -> None:
        """Start the process; `LocalNetwork.wait_ready` waits until it serves."""
        run = [sys.executable, "-m", "notarium_node", "run", "--config", str(self.directory / "node.toml")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *run],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, **self.environment},
            )
        self.pid_file.write_text(str(self.process.pid))

    def kill(self) -> None:
        """SIGKILL: it can neither close nor flush anything."""
        self._signal(signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """SIGTERM, and wait until the process has ended."""
        self._signal(signal.SIGTERM)
        self._wait()

    def status(self) -> dict[str, Any]:
        """GET /v1/status. Raises NetworkError where the node does not answer."""
        return self.get("/v1/status")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON answer of the API, also where it refuses. Raises NetworkError where it does not answer."""
        try:
            with urllib.request.urlopen(f"{self.api}{path}", timeout=5) as answer:  # noqa: S310
                return json.load(answer)  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            return json.load(error)  # type: ignore[no-any-return]
        except (OSError, ValueError) as error:
            raise NetworkError(f"{self.name} does not answer: {error}") from error

    def is_running(self) -> bool:
        """Whether the process runs, even if another process started it."""
        return self.pid is not None

    def last_words(self) -> str:
        """The end of the log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-12:])

    def _signal(self, number: signal.Signals) -> None:
        if (pid := self.pid) is None:
            return
        # Another user's process stays, and _wait says so.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    def _noted_pid(self) -> int | None:
        """The pid from the file, if that process is still this node."""
        try:
            pid = int(self.pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(str(self.directory / "node.toml")) in command else None

    def _wait(self) -> None:
        if self.process is not None:
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired as error:
                raise NetworkError(f"{self.name} does not stop\n{self.last_words()}") from error
            self.process = None
        else:
            deadline = time.monotonic() + STOP_S
            while (pid := self.pid) is not None:
                if time.monotonic() > deadline:
                    raise NetworkError(f"{self.name} does not stop; end it with 'kill -9 {pid}'\n{self.last_words()}")
                time.sleep(POLL_S)
        self.pid_file.unlink(missing_ok=True)


@dataclass(slots=True)
class LocalNetwork:
    """All nodes of one consortium on this machine."""

    directory: Path
    genesis: Genesis
    nodes: list[LocalNode]

    @property
    def validators(self) -> list[LocalNode]:
        """The nodes that vote."""
        return [node for node in self.nodes if node.role == "validator"]

    @property
    def observers(self) -> list[LocalNode]:
        """The nodes that only follow."""
        return [node for node in self.nodes if node.role == "observer"]

    @property
    def genesis_file(self) -> Path:
        """The file whose hash all nodes and clients pin."""
        return self.directory / "genesis.json"

    def start(self) -> None:
        """Start every node that is not running."""
        for node in self.nodes:
            if not node.is_running():
                node.start()

    def stop(self) -> None:
        """Stop every node that is running."""
        for node in self.nodes:
            node._signal(signal.SIGTERM)
        for node in self.nodes:
            node._wait()

    def wait_ready(self, nodes: Sequence[LocalNode] | None = None) -> None:
        """Wait until these nodes (default: all) report that they are ready. Raises NetworkError."""
        for node in self.nodes if nodes is None else nodes:
            self.wait_until(lambda node=node: node.get("/readyz")["ready"], f"{node.name} to be ready", node)  # type: ignore[misc]

    def wait_until(
        self, condition: Callable[[], Any], what: str, node: LocalNode | None = None, timeout_s: float = START_S
    ) -> None:
        """Poll until `condition` holds, also while a node does not answer yet. Raises NetworkError."""
        deadline = time.monotonic() + timeout_s
        while True:
            trouble = ""
            try:
                if condition():
                    return
            except NetworkError as error:
                trouble = str(error)
            died = node is not None and not node.is_running()
            if died or time.monotonic() > deadline:
                words = f"\n{node.last_words()}" if node else ""
                raise NetworkError(f"waited {timeout_s:.0f} s for {what}; {trouble or 'not yet'}{words}")
            time.sleep(POLL_S)

    @classmethod
    def create(
        cls,
        directory: Path,
        institutions: Sequence[Institution],
        *,
        observers: Sequence[str] = (),
        researchers: Sequence[tuple[str, PublicKey]] = (),
        name: str = "local consortium",
        parameters: dict[str, int] | None = None,
        extra_config: str = "",
        hosts: Sequence[str] = (),
    ) -> LocalNetwork:
        """Found a consortium: keys, genesis and one directory per node. `observers`: ids of the members that run one.

        `hosts`: an address for each node, validators first; by default all listen on the loopback interface.
        """
        directory = directory.absolute()
        admins = {
            each.id: create_key(_fresh(directory / each.id / "keys") / Purpose.ADMIN.file_name, Purpose.ADMIN)
            for each in institutions
        }
        members = {each.id: Member(each.id, each.name, admins[each.id].public) for each in institutions}
        roles = [(each.id, "validator") for each in institutions] + [(each, "observer") for each in observers]
        ports = free_ports(2 * len(roles))
        addresses = hosts or [LOOPBACK] * len(roles)
        nodes, cards = [], []
        for (member, role), host, peer_port, api_port in zip(roles, addresses, ports[::2], ports[1::2], strict=True):
            home = directory / (member if role == "validator" else f"{member}-observer")
            node, certificate = _make_node(home, member, role, (host, peer_port, api_port))
            nodes.append(node)
            record = NodeRecord(member, role, node.public_key, certificate, f"{host}:{peer_port}", node.api)
            cards.append(Card(members[member], record, time.time_ns() // 1_000_000))
        network = cls(directory, make_genesis(name, cards, researchers, parameters), nodes)
        network._write(extra_config)
        return network

    @classmethod
    def open(cls, directory: Path) -> LocalNetwork:
        """The network that was created in `directory` earlier."""
        directory = directory.absolute()
        listing = json.loads((directory / "network.json").read_text())
        nodes = [
            LocalNode(member, role, directory / name, key, peer_port, api_port, *host)
            for member, role, name, key, peer_port, api_port, *host in listing
        ]
        return cls(directory, read_genesis(directory / "genesis.json"), nodes)

    def _write(self, extra_config: str) -> None:
        """genesis.json, network.json and each node's node.toml."""
        self.genesis_file.write_bytes(self.genesis.encode_json())
        for node in self.nodes:
            _write_config(node, self.genesis_file, self.genesis, extra_config)
        listing = [
            [each.member, each.role, each.directory.name, each.key, each.peer_port, each.api_port, each.host]
            for each in self.nodes
        ]
        (self.directory / "network.json").write_text(json.dumps(listing))


def _make_node(home: Path, member: str, role: str, listen: tuple[str, int, int]) -> tuple[LocalNode, bytes]:
    """A node with new keys and the mark of its first start; and its certificate. `listen`: host, peer and API port."""
    host, peer_port, api_port = listen
    keys = _fresh(home / "keys")
    key = create_key(keys / Purpose.VALIDATOR.file_name, Purpose.VALIDATOR)
    create_key(keys / Purpose.TRANSPORT.file_name, Purpose.TRANSPORT)
    certificate = make_certificate(load_seed(keys / Purpose.TRANSPORT.file_name, Purpose.TRANSPORT))
    (_fresh(home / "store") / FIRST_START).touch()
    return LocalNode(member, role, home, key.public.hex(), peer_port, api_port, host), certificate


def _who_locked(path: Path) -> int | None:
    """The process that holds LevelDB's lock: fcntl(2), F_GETLK with a struct flock.

    A process that has this store open itself must not call this: closing the file here would end its own lock.
    """
    flock = "hhqqi"
    try:
        with path.open("rb") as file:
            asked = struct.pack(flock, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, *_, pid = struct.unpack(flock, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except OSError:
        return None
    return None if kind == fcntl.F_UNLCK else int(pid)


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that no process listens on now."""
    sockets = []
    for _ in range(count):
        each = socket.socket()
        each.bind(("127.0.0.1", 0))
        sockets.append(each)
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _fresh(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    return directory


def _write_config(node: LocalNode, genesis_file: Path, genesis: Genesis, extra: str) -> None:
    relative = os.path.relpath(genesis_file, node.directory)
    (node.directory / "node.toml").write_text(
        f'[node]\ndata_dir = "."\ngenesis = "{relative}"\ngenesis_hash = "{genesis.hash.hex()}"\n\n'
        f'[peer]\nhost = "{node.host}"\nport = {node.peer_port}\n\n'
        f'[api]\nhost = "{node.host}"\nport = {node.api_port}\n\n{extra}'
    )
