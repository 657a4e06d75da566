"""The fields of node.toml, section by section, with their limits and defaults."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from notarium.key_files import Purpose
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_node.peers.limits import BURST_S, PeerLimits
from notarium_node.peers.sizes import MIN_MESSAGE_BYTES

MIB = 1024 * 1024
MEMPOOL_TIMES = 16
"""Of the bytes of a block or a request: a waiting entry costs up to nine times its bytes in memory
(entries/footprint.py), and each class of entries has only a part of the mempool."""
FIRST_START = "FIRST-START"
VOTE_FROM = "VOTE-FROM"
CONFLICT: Final = "conflict"
"""The type of an error in several fields together; its context has their names, as `fields`."""


def _resolve(path: Path, info: ValidationInfo) -> Path:
    base: Path = (info.context or {}).get("base", Path())
    if "\0" in str(path):
        raise ValueError("a path cannot contain the character U+0000: remove it")
    try:
        return base / path.expanduser()
    except RuntimeError as error:
        raise ValueError(f"there is no user {path.parts[0]} on this machine: write the whole path") from error


ConfigPath = Annotated[Path, AfterValidator(_resolve)]
Port = Annotated[int, Field(ge=0, le=65_535)]
"""0 means any free port, which only tests can use: nobody else would find it."""
Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]


def _in_data_dir(*names: str) -> Any:
    """The default of a path: these names in data_dir."""
    return Field(default_factory=lambda checked: checked["data_dir"].joinpath(*names))


def _ip(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError as error:
        raise ValueError("not an IP address: write one like 10.0.0.5 or fd00::5, not a name or a network") from error


IpAddress = Annotated[str, AfterValidator(_ip)]
HostName = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
"""In lower case, without a port."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NodeSection(_Section):
    """Who this node is."""

    data_dir: ConfigPath = Field(default=".", validate_default=True)
    """The directory of the keys and the store. Default: where the configuration file is."""
    genesis: ConfigPath = _in_data_dir("genesis.json")
    """The genesis file."""
    genesis_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The hash of the genesis file: the root of all trust, compared by phone."""
    validator_key: ConfigPath = _in_data_dir("keys", Purpose.VALIDATOR.file_name)
    transport_key: ConfigPath = _in_data_dir("keys", Purpose.TRANSPORT.file_name)

    @property
    def store_dir(self) -> Path:
        """Where the ledger is kept."""
        return self.data_dir / "store"

    @property
    def first_start_mark(self) -> Path:
        """A file that `init` makes for a node that was never started. It is lost together with the store."""
        return self.store_dir / FIRST_START

    @property
    def vote_from_note(self) -> Path:
        """A file with the consensus.vote_from of the last start that had one. It is not lost with the store."""
        return self.data_dir / VOTE_FROM


class PeerSection(_Section):
    """The socket for other nodes. The address where they find it is in the node's record, in the ledger."""

    host: str = ""
    """Address to listen on; empty: all addresses, IPv4 and IPv6."""
    port: Port
    max_message_bytes: Annotated[int, Field(ge=MIN_MESSAGE_BYTES, le=256 * MIB)] = 32 * MIB
    """Not below the largest message that any ledger may need (peers/sizes.py)."""
    send_queue_bytes: Annotated[int, Field(ge=MIN_MESSAGE_BYTES, le=4096 * MIB)] = 64 * MIB
    bytes_per_s: Annotated[int, Field(ge=-(-MIN_MESSAGE_BYTES // BURST_S))] = 200_000_000
    """The amount of two seconds may come at once; that is at least one message."""
    messages_per_s: Annotated[int, Field(ge=100)] = 20_000
    pending_handshakes: Annotated[int, Field(ge=4, le=10_000)] = 64
    handshake_ms: Milliseconds = 10_000
    heartbeat_ms: Milliseconds = 6_000
    """A peer that is silent for this long gets a ping; without an answer within half that time it is disconnected."""
    reconnect_first_ms: Milliseconds = 100
    reconnect_last_ms: Milliseconds = 5_000
    clock_probe_ms: Milliseconds = 30_000
    max_ban_ms: Milliseconds = 600_000

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.send_queue_bytes < self.max_message_bytes:
            raise _conflict(
                f"send_queue_bytes ({self.send_queue_bytes}) is below max_message_bytes ({self.max_message_bytes}) and "
                "would not hold one message: raise it to that or more",
                ("send_queue_bytes", "max_message_bytes"),
            )
        if BURST_S * self.bytes_per_s < self.max_message_bytes:
            raise _conflict(
                f"bytes_per_s ({self.bytes_per_s}) lets {BURST_S * self.bytes_per_s} bytes come at once, less than "
                f"max_message_bytes ({self.max_message_bytes}): raise it to half of that or more",
                ("bytes_per_s", "max_message_bytes"),
            )
        _check_order(self, "reconnect_first_ms", "reconnect_last_ms")
        return self

    def limits(self) -> PeerLimits:
        """As the peer network takes them."""
        return PeerLimits(
            max_message_bytes=self.max_message_bytes,
            send_queue_bytes=self.send_queue_bytes,
            bytes_per_s=self.bytes_per_s,
            messages_per_s=self.messages_per_s,
            handshake_s=self.handshake_ms / 1000,
            pending_handshakes=self.pending_handshakes,
            heartbeat_s=self.heartbeat_ms / 1000,
            clock_probe_s=self.clock_probe_ms / 1000,
            backoff_first_s=self.reconnect_first_ms / 1000,
            backoff_last_s=self.reconnect_last_ms / 1000,
            max_ban_s=self.max_ban_ms / 1000,
        )


class ApiSection(_Section):
    """The HTTP API for researchers."""

    host: str = "127.0.0.1"
    port: Port = 8470
    tls_certificate: ConfigPath | None = None
    """PEM file. Without it the API uses plain HTTP, for localhost or behind a proxy."""
    tls_key: ConfigPath | None = None
    max_request_bytes: Annotated[int, Field(ge=65_536, le=256 * MIB)] = 8 * MIB
    max_clients: Annotated[int, Field(ge=1, le=100_000)] = 1_000
    """How many connections may be open."""
    max_clients_per_address: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """How many of them one address may have; of IPv6, one /64. Default: half of max_clients."""
    proxies: tuple[IpAddress, ...] = ()
    """Addresses of your own proxies. They have no limit, and their X-Forwarded-For names the client's address."""
    hosts: tuple[HostName, ...] = ()
    """Names under which clients may ask, besides addresses, localhost and those of the API's URLs in the registry."""
    wait_ms: Milliseconds = 30_000
    """How long a request may wait for a decision."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise _conflict(
                "tls_certificate and tls_key belong together: set both or neither", ("tls_certificate", "tls_key")
            )
        return self


class ConsensusSection(_Section):
    """Duration of rounds and size of blocks. Nodes may have different values."""

    base_timeout_ms: Milliseconds = 1_000
    """The timeout of round 0, while the heights before needed no more; each further round doubles it."""
    max_timeout_ms: Milliseconds = 10_000
    """Up to here each round doubles the length. If rounds still fail, they grow slowly, up to an hour."""
    resend_ms: Milliseconds = 1_000
    vote_from: Annotated[int, Field(ge=1, le=2**62)] | None = None
    """Sign nothing below this height, and from it on without asking what this node has forgotten. After restoring a
    backup: three above the height that the others have decided. A height that is reached says nothing any more."""
    block_bytes_target: Annotated[int, Field(ge=65_536, le=PARAMETER_LIMITS["max_block_bytes"][1])] = 512 * 1024
    """The size at which a proposer ends its block, below the limit that the consortium has agreed on. It is small, so
    that nobody waits long behind a flood."""
    block_entries_target: Annotated[int, Field(ge=16, le=PARAMETER_LIMITS["max_block_entries"][1])] = 4_096
    """Not below 16: each class of entries has its share (entries/mempool.py)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_order(self, "base_timeout_ms", "max_timeout_ms")
        return self


class MempoolSection(_Section):
    """Entries that wait for a block."""

    max_entries: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000
    max_bytes: Annotated[int, Field(ge=16 * MIB, le=16_384 * MIB)] = 160 * MIB
    """Of memory, as entries/footprint.py counts it: for entries of 200 bytes eight times their bytes."""
    verify_threads: Annotated[int, Field(ge=0, le=256)] | None = None
    """Threads for signatures; 0: none. Default: one per core, none below four cores (see verifier.py)."""


class SyncSection(_Section):
    """Catching up."""

    snapshot_lag_blocks: Annotated[int, Field(ge=10, le=2**62)] = 1_000
    """A node that is more blocks behind than this fetches a snapshot first: it is at the tip at once and fetches the
    older blocks later. Fewer blocks arrive within seconds, and then the node votes sooner without a snapshot."""
    check_signatures: bool | None = None
    """Whether authors' signatures in blocks below a snapshot are verified too. Certificates always are, and each proves
    that a quorum has verified the signatures. Default: on an observer."""
    verify_threads: Annotated[int, Field(ge=0, le=256)] | None = None
    """Threads for certificates and signatures of fetched blocks; 0: none. Default: one per core, none with one core."""


class StoreSection(_Section):
    """LevelDB and the disk under it."""

    cache_bytes: Annotated[int, Field(ge=MIB, le=65_536 * MIB)] = 16 * MIB
    write_buffer_bytes: Annotated[int, Field(ge=MIB, le=1_024 * MIB)] = 8 * MIB
    min_free_bytes: Annotated[int, Field(ge=MIB)] = 256 * MIB
    """With less free disk space the node stops voting, while there is still space to stop cleanly."""


class LogSection(_Section):
    """Logs on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class NodeConfig(_Section):
    """All of node.toml."""

    node: NodeSection
    peer: PeerSection
    api: ApiSection = Field(default_factory=ApiSection)
    consensus: ConsensusSection = Field(default_factory=ConsensusSection)
    mempool: MempoolSection = Field(default_factory=MempoolSection)
    store: StoreSection = Field(default_factory=StoreSection)
    sync: SyncSection = Field(default_factory=SyncSection)
    log: LogSection = Field(default_factory=LogSection)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.peer.port == self.api.port != 0 and not _are_two_addresses(self.peer.host, self.api.host):
            raise _conflict(
                f"peer.port and api.port are both {self.peer.port}: choose another port for one of them, or set "
                "peer.host and api.host to two different IP addresses",
                ("peer.port", "api.port"),
            )
        for field, needed in (
            ("consensus.block_bytes_target", self.consensus.block_bytes_target),
            ("api.max_request_bytes", self.api.max_request_bytes),
        ):
            if self.mempool.max_bytes < MEMPOOL_TIMES * needed:
                raise _conflict(
                    f"mempool.max_bytes ({self.mempool.max_bytes}) is below {MEMPOOL_TIMES} times {field} ({needed}): "
                    "raise the first or lower the second",
                    ("mempool.max_bytes", field),
                )
        return self


def _conflict(text: str, fields: tuple[str, ...]) -> PydanticCustomError:
    """The error in these fields together, named as in the section that raises it."""
    return PydanticCustomError(CONFLICT, "{text}", {"text": text, "fields": fields})


def _check_order(section: _Section, lower: str, upper: str) -> None:
    least, most = getattr(section, lower), getattr(section, upper)
    if least > most:
        raise _conflict(
            f"{lower} ({least}) exceeds {upper} ({most}): lower the first or raise the second", (lower, upper)
        )


def _are_two_addresses(first: str, second: str) -> bool:
    """Whether both hosts can use one port. False for a name: what it means is known only later."""
    try:
        addresses = {ip_address(first), ip_address(second)}
    except ValueError:
        return False
    return len(addresses) == 2 and not any(each.is_unspecified for each in addresses)
