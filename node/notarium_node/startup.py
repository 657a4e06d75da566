"""Start-up checks: what is wrong is said before anything is touched, with what to do about it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from notarium_ledger.errors import InvalidGenesis
from notarium_ledger.state.genesis import Genesis
from notarium_node.config import NodeConfig
from notarium_node.identity.keys import Purpose, load_key, load_seed
from notarium_node.identity.own_record import own_record
from notarium_node.identity.recall import Recall
from notarium_node.identity.tls import CertificateError, certificate_key, server_context
from notarium_store.errors import StoreError

DAY_MS = 86_400_000

_log = structlog.get_logger("notarium.startup")


class StartupError(Exception):
    """The node cannot start as it is set up. The message names the problem and the remedy."""


def check(config: NodeConfig) -> Genesis:
    """Everything that can be checked without opening the store. Raises StartupError or KeyFileError."""
    check_data_dir(config)
    genesis = load_genesis(config)
    check_clock(genesis)
    check_keys(config, genesis)
    check_api_tls(config)
    check_port("peer", config.peer.host, config.peer.port)
    check_port("api", config.api.host, config.api.port)
    return genesis


def check_data_dir(config: NodeConfig) -> None:
    """The data directory exists, is ours to write, and its disk has room."""
    path = config.node.data_dir
    if not path.is_dir():
        raise StartupError(
            f"the data directory {path} does not exist: make it with 'notarium-node init', or correct node.data_dir"
        )
    for each in (path, config.node.store_dir):
        if each.exists() and not os.access(each, os.R_OK | os.W_OK | os.X_OK):
            raise StartupError(f"{each} is not writable by user {os.geteuid()}: run as its owner, or chown it")
    status = os.statvfs(path)
    free = status.f_bavail * status.f_frsize
    if free < config.store.min_free_bytes:
        # Not an error: the node may follow and serve, and votes when there is room again.
        _log.warning(
            "little room on the disk, the node will not vote", free_bytes=free, needed_bytes=config.store.min_free_bytes
        )


def use_first_start(mark: Path, recall: Recall) -> None:
    """Before anything is signed: the mark of the first start goes, so that nothing left over from a lost store has it.

    First the store knows that it was started, then the mark goes, each on the disk: a crash in between changes nothing.
    Raises StartupError where the disk does not take it.
    """
    try:
        recall.begin()
        if mark.exists():
            _sync(mark.parent)
            mark.unlink()
            _sync(mark.parent)
    except (StoreError, OSError) as error:
        raise StartupError(
            f"the mark of the first start, {mark}, must go before anything is signed, and the disk does not take that: "
            f"{error}; make room, or give the directory to user {os.geteuid()}, and start again"
        ) from error


def _sync(directory: Path) -> None:
    """Have the names in `directory` on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_genesis(config: NodeConfig) -> Genesis:
    """The genesis file, if it is the pinned one."""
    path = config.node.genesis
    try:
        genesis = Genesis.decode_json(path.read_bytes())
    except OSError as error:
        raise StartupError(f"cannot read the genesis file {path}: {error.strerror}; get it from any member") from error
    except InvalidGenesis as error:
        raise StartupError(f"{path} is not a genesis file: {error}") from error
    if genesis.hash.hex() != config.node.genesis_hash:
        raise StartupError(
            f"wrong genesis: {path} hashes to {genesis.hash.hex()}, but node.genesis_hash pins "
            f"{config.node.genesis_hash}; get the right file, or correct the pin if your partners confirm that hash"
        )
    return genesis


def check_clock(genesis: Genesis, now_ms: int | None = None) -> None:
    """This machine's clock is not before the ledger was made. Whether it is exact, only peers can tell (later)."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    if now < genesis.created_ms - DAY_MS:
        behind = (genesis.created_ms - now) // DAY_MS
        raise StartupError(f"this machine's clock is {behind} days before the ledger was founded: set it, enable NTP")


def check_keys(config: NodeConfig, genesis: Genesis, joining: bool = True) -> None:
    """Both keys are readable by us alone and, at the first start, fit the node's record in genesis.

    `joining`: a node that is not in the genesis may have its record on its own card, for members may vote it in later.

    Later the record may have changed; then the registry in the store is what counts, and the node itself looks there.
    """
    key = load_key(config.node.validator_key, Purpose.VALIDATOR)
    seed = load_seed(config.node.transport_key, Purpose.TRANSPORT)
    mark = config.node.first_start_mark
    if config.node.store_dir.is_dir() and any(path != mark for path in config.node.store_dir.iterdir()):
        return
    record = own_record(genesis.registry, config.node.data_dir if joining else None, key.public)
    if record is None:
        known = ", ".join(sorted({node.member for node in genesis.registry.nodes.values()}))
        raise StartupError(
            f"the key in {config.node.validator_key} ({key.public.hex()[:16]}...) belongs to no node of this ledger "
            f"(members with nodes: {known}): use the key from 'keygen', or the genesis that was made with your card; "
            f"for a node voted in after the founding: 'init --joining', with its card in {config.node.data_dir}"
        )
    try:
        server_context(record.certificate, seed, [])
    except (CertificateError, ssl.SSLError) as error:
        raise StartupError(
            f"the key in {config.node.transport_key} is not the one on {record.member}'s card: restore the right file"
        ) from error
    if certificate_key(record.certificate) == key.public:
        raise StartupError("the same key is used for votes and TLS: make new keys with 'notarium-node keygen'")


def check_api_tls(config: NodeConfig) -> None:
    """The API's certificate and key load."""
    certificate, key = config.api.tls_certificate, config.api.tls_key
    if certificate is None or key is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        raise StartupError(f"api.tls_certificate {certificate} and api.tls_key {key} do not load: {error}") from error


def check_port(what: str, host: str, port: int) -> None:
    """`port` can be listened on. Names the process that has it, where the system lets us see."""
    if port == 0:
        return
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise StartupError(f"{what}.host {host!r} is no address of this machine: {error.strerror}") from error
    family, _, _, _, address = found[0]
    try:
        # As the node itself will: SO_REUSEADDR, so that old connections in TIME_WAIT do not count.
        socket.create_server((str(address[0]), port), family=family).close()
    except OSError as error:
        raise StartupError(_port_problem(what, host, port, error)) from error


def _port_problem(what: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        owner = next(_listeners(port), None)
        return (
            f"{what}.port {port} is taken by {owner or 'another process'}: stop it, or choose another port "
            f"(NOTARIUM_NODE_{what.upper()}__PORT)"
        )
    if error.errno == errno.EACCES:
        return f"{what}.port {port} needs privileges (it is below 1024): choose a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{what}.host {host!r} is no address of this machine: correct it, or leave it empty for all addresses"
    return f"cannot listen on {what} {host}:{port}: {error.strerror}"


def _listeners(port: int) -> Iterator[str]:
    """Processes that listen on TCP `port`, as "pid 12 (name)"; only those this user may look into."""
    inodes = set(_listening_inodes(port))
    for process in Path("/proc").glob("[0-9]*"):
        # Processes come and go, and others' are closed to us: those simply stay unnamed.
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.readlink(descriptor) in inodes:
                        yield f"pid {process.name} ({(process / 'comm').read_text().strip()})"
                        break


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                fields = line.split()
                # Local address as hex ip:port, state 0A is LISTEN, the tenth field is the inode (proc(5)).
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                    yield f"socket:[{fields[9]}]"
