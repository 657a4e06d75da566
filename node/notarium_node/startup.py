"""Start-up checks: all that is wrong is found before anything is touched, each with what to do about it."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from notarium.errors import ProjectError
from notarium.files import open_regular, read_regular
from notarium.genesis_file import read_genesis as read_genesis_file
from notarium.key_files import KeyFileError, Purpose, load_key, load_seed
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import NodeRecord
from notarium_node.config.reading import set_by
from notarium_node.config.sections import NodeConfig
from notarium_node.identity.card import CardError
from notarium_node.identity.own_record import own_record
from notarium_node.identity.recall import Recall
from notarium_node.identity.tls import CertificateError, certificate_key, server_context
from notarium_store.errors import StoreError

DAY_MS = 86_400_000
MAX_NOTE_BYTES = 64


class Check(StrEnum):
    """What was checked."""

    DATA_DIRECTORY = "data directory"
    DISK_SPACE = "disk space"
    FIRST_START = "first start"
    VOTE_FROM = "consensus.vote_from"
    GENESIS = "genesis"
    CLOCK = "clock"
    KEYS = "keys"
    IDENTITY = "identity"
    API_TLS = "API certificate"
    PORT = "port"


class Severity(StrEnum):
    """Whether the node can start all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class StartupFinding:
    """One thing that is wrong."""

    check: Check
    message: str
    """Names the field or file, and its limit."""
    remedy: str
    """An instruction, as a sentence; "" where the message has it."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class StartupError(Exception):
    """The node cannot start as it is set up. One line for each finding."""

    def __init__(self, *findings: StartupFinding) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


def check(config: NodeConfig) -> tuple[StartupFinding, ...]:
    """All that is wrong, as far as it shows without opening the store. Changes nothing."""
    return tuple(_findings(config))


def _findings(config: NodeConfig) -> Iterator[StartupFinding]:
    yield from check_data_dir(config)
    yield from check_vote_from(config)
    genesis: Genesis | None = None
    if _is_expected(config.node.genesis, config):
        try:
            genesis = load_genesis(config)
        except StartupError as error:
            yield from error.findings
    if genesis is not None:
        yield from check_clock(genesis)
    yield from check_keys(config, genesis)
    yield from check_api_tls(config)
    yield from check_port("peer", config.peer.host, config.peer.port)
    yield from check_port("api", config.api.host, config.api.port)


def _is_expected(path: Path, config: NodeConfig) -> bool:
    """False for a file in a data directory that is not there or cannot be entered: one finding about it is enough."""
    return _is_open(config.node.data_dir) or not path.is_relative_to(config.node.data_dir)


def _is_open(directory: Path) -> bool:
    """Whether there is such a directory and this user may look into it."""
    return os.path.isdir(directory) and os.access(directory, os.R_OK | os.X_OK)


def check_data_dir(config: NodeConfig) -> Iterator[StartupFinding]:
    """The data directory exists, this user may write to it, and its disk has room."""
    path = config.node.data_dir
    if not os.path.isdir(path):
        yield StartupFinding(
            Check.DATA_DIRECTORY,
            f"the data directory {path} does not exist",
            "Make it with 'notarium-node init', or correct node.data_dir.",
        )
        return
    for each in (path, config.node.store_dir):
        if os.path.exists(each) and not os.access(each, os.R_OK | os.W_OK | os.X_OK):
            yield StartupFinding(
                Check.DATA_DIRECTORY,
                f"{each} is not writable by user {os.geteuid()}",
                "Run the node as the owner of this directory, or change the owner with chown.",
            )
    status = os.statvfs(path)
    free, needed = status.f_bavail * status.f_frsize, config.store.min_free_bytes
    if free < needed:
        # Not an error: the node can follow the ledger and answer, and votes as soon as there is room again.
        yield StartupFinding(
            Check.DISK_SPACE,
            f"little free disk space, the node does not vote: {free} bytes free, store.min_free_bytes is {needed}",
            "Free disk space, or lower store.min_free_bytes.",
            Severity.WARNING,
        )


def use_first_start(mark: Path, recall: Recall) -> None:
    """Remove the mark of the first start before anything is signed, so that it never outlives a store that is lost.

    First the store records that the node was started, then the mark is removed, and both are synced: a crash in between
    changes nothing. Raises StartupError where the disk refuses this.
    """
    try:
        recall.begin()
        if mark.exists():
            _sync(mark.parent)
            mark.unlink()
            _sync(mark.parent)
    except (StoreError, OSError) as error:
        raise StartupError(
            StartupFinding(
                Check.FIRST_START,
                f"the mark of the first start, {mark}, must be removed before anything is signed: {error}",
                f"Make room on the disk, or give the directory to user {os.geteuid()}; then start again.",
            )
        ) from error


def check_vote_from(config: NodeConfig) -> Iterator[StartupFinding]:
    """The operator's word is not one that was left in the configuration from an earlier loss."""
    value = config.consensus.vote_from
    if value is None or not _is_open(config.node.data_dir) or _has_store(config):
        return
    try:
        noted = noted_vote_from(config.node.vote_from_note)
    except StartupError as error:
        yield from error.findings
        return
    if noted is not None and value <= noted:
        yield stale_vote_from(config, value)


def stale_vote_from(config: NodeConfig, value: int) -> StartupFinding:
    """The store was lost after a start that had this `value`, or a higher one."""
    note = config.node.vote_from_note
    return StartupFinding(
        Check.VOTE_FROM,
        f"consensus.vote_from = {value} is ignored: it is from before this store was lost, as {note} shows, and says "
        "nothing about what this node has signed since",
        f'If it is for the present loss ("A lost store" in docs/operations.md), remove {note} and start the node '
        "again; if not, remove the setting: the node asks the other validators.",
        Severity.WARNING,
    )


def noted_vote_from(note: Path) -> int | None:
    """The consensus.vote_from of the last start that had one; None: there was none. Raises StartupError."""
    try:
        return int(read_regular(note, MAX_NOTE_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StartupError(
            StartupFinding(
                Check.VOTE_FROM,
                f"cannot read {note}, the last consensus.vote_from: {error}",
                "Remove the file, and consensus.vote_from too unless you have set it for the present loss.",
            )
        ) from error


def note_vote_from(note: Path, value: int) -> None:
    """Note the operator's word before anything is signed by it. Raises StartupError where the disk refuses."""
    fresh = note.with_name(note.name + ".new")
    try:
        if noted_vote_from(note) == value:
            return
        with fresh.open("w", encoding="ascii") as file:
            file.write(f"{value}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(note)
        _sync(note.parent)
    except OSError as error:
        raise StartupError(
            StartupFinding(
                Check.VOTE_FROM,
                f"consensus.vote_from must be noted in {note} before it counts: {error}",
                f"Make room on the disk, or give the directory to user {os.geteuid()}; then start again.",
            )
        ) from error


def _sync(directory: Path) -> None:
    """Sync the names in `directory` to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_genesis(path: Path) -> Genesis:
    """The genesis file at `path`, whatever its hash. Raises StartupError."""
    try:
        return read_genesis_file(path)
    except ProjectError as error:
        cause = error.__cause__
        message = f"cannot read {path}: {cause.strerror}" if isinstance(cause, OSError) else str(error)
        raise StartupError(StartupFinding(Check.GENESIS, message, "Get the genesis file from any member.")) from error


def load_genesis(config: NodeConfig) -> Genesis:
    """The genesis file, if it is the pinned one. Raises StartupError."""
    path = config.node.genesis
    genesis = read_genesis(path)
    if genesis.hash.hex() != config.node.genesis_hash:
        raise StartupError(
            StartupFinding(
                Check.GENESIS,
                f"wrong genesis: {path} hashes to {genesis.hash.hex()}, but node.genesis_hash "
                f"(from {set_by('node.genesis_hash')}) pins {config.node.genesis_hash}",
                "Get the right file, or correct the pin if the other members confirm the hash of this file.",
            )
        )
    return genesis


def check_clock(genesis: Genesis, now_ms: int | None = None) -> Iterator[StartupFinding]:
    """This machine's clock is not before the founding. Whether it is exact shows later, by comparison with peers."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    if now < genesis.created_ms - DAY_MS:
        behind = (genesis.created_ms - now) // DAY_MS
        yield StartupFinding(
            Check.CLOCK,
            f"this machine's clock is {behind} days before the founding of the ledger",
            "Set the clock, and enable NTP.",
        )


def check_keys(config: NodeConfig, genesis: Genesis | None, joining: bool = True) -> Iterator[StartupFinding]:
    """Only this user can read both keys and, before the first start, they match the node's record.

    `genesis`: None where it cannot be read, so that only the files are checked. `joining`: a node that is not in the
    genesis may have its record on its own card, because members may vote it in later.

    After the first start the record may have changed. The registry in the store counts then, and the node looks there.
    """
    node = config.node
    key: SigningKey | None = None
    seed: bytes | None = None
    if _is_expected(node.validator_key, config):
        try:
            key = load_key(node.validator_key, Purpose.VALIDATOR)
        except KeyFileError as error:
            yield StartupFinding(Check.KEYS, str(error), "")
    if _is_expected(node.transport_key, config):
        try:
            seed = load_seed(node.transport_key, Purpose.TRANSPORT)
        except KeyFileError as error:
            yield StartupFinding(Check.KEYS, str(error), "")
    if genesis is None or key is None or _has_store(config):
        return
    try:
        record = own_record(genesis.registry, node.data_dir if joining else None, key.public)
    except CardError as error:
        yield StartupFinding(Check.IDENTITY, str(error), "Restore the card, or move it out of the data directory.")
        return
    if record is None:
        yield _stranger(config, genesis, key)
    elif seed is not None:
        yield from _check_transport_key(config, record, key, seed)


def _has_store(config: NodeConfig) -> bool:
    """Whether there is more in the store's directory than the mark of the first start; assumed if it cannot be seen."""
    directory = config.node.store_dir
    if not _is_open(directory):
        return os.path.exists(directory)
    return any(path != config.node.first_start_mark for path in directory.iterdir())


def _stranger(config: NodeConfig, genesis: Genesis, key: SigningKey) -> StartupFinding:
    members = ", ".join(sorted({node.member for node in genesis.registry.nodes.values()}))
    return StartupFinding(
        Check.IDENTITY,
        f"the key in {config.node.validator_key} ({key.public.hex()[:16]}...) belongs to no node of this ledger "
        f"(members with nodes: {members})",
        "Use the key from 'keygen', or the genesis that was made with your card. For a node voted in after the "
        f"founding, use 'init --joining' and put its card into {config.node.data_dir}.",
    )


def _check_transport_key(
    config: NodeConfig, record: NodeRecord, key: SigningKey, seed: bytes
) -> Iterator[StartupFinding]:
    try:
        server_context(record.certificate, seed, [])
        is_shared = certificate_key(record.certificate) == key.public
    except (CertificateError, ssl.SSLError):
        yield StartupFinding(
            Check.KEYS,
            f"the key in {config.node.transport_key} is not the one on {record.member}'s card",
            "Restore the right key file.",
        )
        return
    if is_shared:
        yield StartupFinding(
            Check.KEYS, "the same key is used for votes and for TLS", "Make new keys with 'notarium-node keygen'."
        )


def check_api_tls(config: NodeConfig) -> Iterator[StartupFinding]:
    """The API's certificate and key load."""
    certificate, key = config.api.tls_certificate, config.api.tls_key
    if certificate is None or key is None:
        return
    try:
        for each in (certificate, key):
            # A pipe in its place would hang the node.
            os.close(open_regular(each))
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: b"")
    except (OSError, ValueError) as error:
        yield StartupFinding(
            Check.API_TLS,
            f"api.tls_certificate {certificate} and api.tls_key {key} do not load: {error}",
            "Give a certificate and its key without a passphrase, both in PEM, that this user can read.",
        )


def check_port(what: str, host: str, port: int) -> Iterator[StartupFinding]:
    """The node can listen on `port`. Names the process that has it, where the system shows it."""
    if port == 0:
        return
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        yield _not_an_address(what, host, f": {error.strerror}")
        return
    for family, _, _, _, address in found:
        try:
            # As the node itself will: SO_REUSEADDR, so that old connections in TIME_WAIT do not count.
            socket.create_server((str(address[0]), port), family=family).close()
        except OSError as error:
            if host == "" and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue  # "All addresses" means those that the machine has: it may have no IPv6.
            yield port_finding(what, host, port, error)
            return


def port_finding(what: str, host: str, port: int, error: OSError) -> StartupFinding:
    """Why the node cannot listen on `port`; `what`: the section, peer or api."""
    if error.errno == errno.EADDRINUSE:
        owner = next(_listeners(port), "another process")
        return StartupFinding(
            Check.PORT,
            f"{what}.port {port} is taken by {owner}",
            f"Stop that process, or choose another port (NOTARIUM_NODE_{what.upper()}__PORT).",
        )
    if error.errno == errno.EACCES:
        return StartupFinding(
            Check.PORT, f"{what}.port {port} is below 1024 and needs privileges", "Choose a port from 1024 on."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return _not_an_address(what, host)
    return StartupFinding(
        Check.PORT,
        f"cannot listen on {host}:{port} ({what}.host, {what}.port): {error.strerror}",
        f"Correct {what}.host and {what}.port.",
    )


def _not_an_address(what: str, host: str, reason: str = "") -> StartupFinding:
    return StartupFinding(
        Check.PORT,
        f"{what}.host {host!r} is not an address of this machine{reason}",
        f"Correct {what}.host, or leave it empty to listen on all addresses.",
    )


def _listeners(port: int) -> Iterator[str]:
    """Processes that listen on TCP `port`, as "pid 12 (name)"; only those that this user may inspect."""
    inodes = set(_listening_inodes(port))
    for process in Path("/proc").glob("[0-9]*"):
        # Processes end meanwhile, and those of other users are closed to this one: they stay unnamed.
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
