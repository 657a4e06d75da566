"""The node's configuration: one TOML file, with overrides from the environment.

``NOTARIUM_NODE_<SECTION>__<FIELD>`` overrides one field, for example ``NOTARIUM_NODE_PEER__PORT=9000``. Its value is
read as in TOML, or as plain text where that is no TOML value. Paths are relative to the configuration file.
"""

from __future__ import annotations

import difflib
import json
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic_core import ErrorDetails

from notarium.key_files import Purpose
from notarium_ledger.entries.commitment import PARAMETER_LIMITS
from notarium_node.peers.limits import BURST_S, PeerLimits
from notarium_node.peers.sizes import LARGEST_MESSAGE, MIN_MESSAGE_BYTES

ENVIRONMENT_PREFIX = "NOTARIUM_NODE_"
MIB = 1024 * 1024
FIRST_START = "FIRST-START"
VOTE_FROM = "VOTE-FROM"
MAX_CONFIG_BYTES = 32_768
"""The time to parse TOML grows with the square of a line's length."""
_TOO_DEEP = "nested too deeply: no field is deeper than a list"


class ConfigError(Exception):
    """A configuration that cannot be used; one line per problem, each with the field, its limit and the remedy."""


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


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NodeSection(_Section):
    """Who this node is."""

    data_dir: ConfigPath
    """The directory of the keys and the store. Default: where the configuration file is."""
    genesis: ConfigPath
    """The genesis file. Default: genesis.json in data_dir."""
    genesis_hash: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    """The hash of the genesis file: the root of all trust, compared by phone."""
    validator_key: ConfigPath
    """Default: keys/validator.key in data_dir."""
    transport_key: ConfigPath
    """Default: keys/transport.key in data_dir."""

    @model_validator(mode="before")
    @classmethod
    def _defaults(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        data_dir = value.get("data_dir", ".")
        if not isinstance(data_dir, str):
            return value
        defaults = {
            "data_dir": data_dir,
            "genesis": str(Path(data_dir, "genesis.json")),
            "validator_key": str(Path(data_dir, "keys", Purpose.VALIDATOR.file_name)),
            "transport_key": str(Path(data_dir, "keys", Purpose.TRANSPORT.file_name)),
        }
        return defaults | value

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
    max_message_bytes: Annotated[int, Field(ge=1, le=256 * MIB)] = 32 * MIB
    """Not below the largest message that any ledger may need (peers/sizes.py)."""
    send_queue_bytes: Annotated[int, Field(ge=1, le=4096 * MIB)] = 64 * MIB
    bytes_per_s: Annotated[int, Field(ge=1)] = 200_000_000
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
        if self.max_message_bytes < MIN_MESSAGE_BYTES:
            raise ValueError(
                f"max_message_bytes ({self.max_message_bytes}) is below {LARGEST_MESSAGE} ({MIN_MESSAGE_BYTES} bytes), "
                f"which peers may send: raise it to {MIN_MESSAGE_BYTES} or more"
            )
        if self.send_queue_bytes < self.max_message_bytes:
            raise ValueError(
                f"send_queue_bytes ({self.send_queue_bytes}) is below max_message_bytes ({self.max_message_bytes}) and "
                "would not hold one message: raise it to that or more"
            )
        if BURST_S * self.bytes_per_s < self.max_message_bytes:
            raise ValueError(
                f"bytes_per_s ({self.bytes_per_s}) lets {BURST_S * self.bytes_per_s} bytes come at once, less than "
                f"max_message_bytes ({self.max_message_bytes}): raise it to half of that or more"
            )
        if self.reconnect_first_ms > self.reconnect_last_ms:
            raise ValueError(
                _exceeds("reconnect_first_ms", self.reconnect_first_ms, "reconnect_last_ms", self.reconnect_last_ms)
            )
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
    wait_ms: Milliseconds = 30_000
    """How long a request may wait for a decision."""

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key belong together: set both or neither")
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
    block_bytes_target: Annotated[int, Field(ge=65_536, le=PARAMETER_LIMITS["max_block_bytes"][1])] = 2 * MIB
    """The size at which a proposer ends its block, below the limit that the consortium has agreed on."""
    block_entries_target: Annotated[int, Field(ge=16, le=PARAMETER_LIMITS["max_block_entries"][1])] = 4_096
    """Not below 16: each class of entries has its share (entries/mempool.py)."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.base_timeout_ms > self.max_timeout_ms:
            raise ValueError(_exceeds("base_timeout_ms", self.base_timeout_ms, "max_timeout_ms", self.max_timeout_ms))
        return self


class MempoolSection(_Section):
    """Entries that wait for a block."""

    max_entries: Annotated[int, Field(ge=100, le=10_000_000)] = 50_000
    max_bytes: Annotated[int, Field(ge=MIB, le=16_384 * MIB)] = 64 * MIB
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
        # Twice, because each class of entries has only a part of the mempool.
        for field, needed in (
            ("consensus.block_bytes_target", self.consensus.block_bytes_target),
            ("api.max_request_bytes", self.api.max_request_bytes),
        ):
            if self.mempool.max_bytes < 2 * needed:
                raise ValueError(
                    f"mempool.max_bytes ({self.mempool.max_bytes}) is below twice {field} ({needed}): "
                    "raise the first or lower the second"
                )
        return self


def _exceeds(name: str, value: int, limit_name: str, limit: int) -> str:
    return f"{name} ({value}) exceeds {limit_name} ({limit}): lower the first or raise the second"


def load_config(path: Path, environment: Mapping[str, str] | None = None) -> NodeConfig:
    """Read `path` and the overrides in `environment` (default: the process's). Raises ConfigError."""
    try:
        content = tomllib.loads(_text_of(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist: make it with 'notarium-node init', or name another") from error
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError, UnicodeDecodeError, and a number with more digits than Python reads.
        raise ConfigError(f"{path} is not TOML: {error}") from error
    _override(content, os.environ if environment is None else environment)
    return parse_config(content, path)


def _text_of(path: Path) -> str:
    """The file's content. Raises OSError, or ValueError where it is too large or not UTF-8."""
    with path.open("rb") as file:
        content = file.read(MAX_CONFIG_BYTES + 1)
    if len(content) > MAX_CONFIG_BYTES:
        raise ValueError(f"more than {MAX_CONFIG_BYTES} bytes, which no configuration needs")
    return content.decode()


def parse_config(content: Mapping[str, Any], path: Path) -> NodeConfig:
    """Validate `content` as the content of the file `path`. Raises ConfigError."""
    try:
        # Through JSON, whose strict rules accept text for paths, but not for numbers.
        return NodeConfig.model_validate_json(
            json.dumps(content, default=str), context={"base": path.absolute().parent}
        )
    except ValidationError as error:
        lines = [f"{path}: {_explain(each)}" for each in error.errors(include_url=False)]
        raise ConfigError("\n".join(lines)) from error
    except RecursionError as error:
        raise ConfigError(f"{path}: {_TOO_DEEP}") from error


def _override(content: dict[str, Any], environment: Mapping[str, str]) -> None:
    """Put the environment's values into `content`. An unknown name is an error now, not a surprise later.

    Raises ConfigError with one line for each unknown name.
    """
    unknown = []
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        section, separator, field = name[len(ENVIRONMENT_PREFIX) :].lower().partition("__")
        if not separator or field not in _fields(section):
            unknown.append(
                f"environment variable {name} does not name a field{_nearest(name, _environment_names())}: "
                "correct or unset it"
            )
            continue
        content.setdefault(section, {})
        if isinstance(content[section], dict):
            content[section][field] = _toml_value(environment[name])
    if unknown:
        raise ConfigError("\n".join(unknown))


def _fields(section: str) -> list[str]:
    """The names of a section's fields; an empty list for an unknown section."""
    info = NodeConfig.model_fields.get(section)
    model = None if info is None else info.annotation
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, _Section) else []


def _environment_names() -> list[str]:
    return [
        f"{ENVIRONMENT_PREFIX}{section.upper()}__{field.upper()}"
        for section in NodeConfig.model_fields
        for field in _fields(section)
    ]


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _explain(error: ErrorDetails) -> str:
    """ "peer.port: 70000 is not allowed: input should be ... . Correct it there or in NOTARIUM_NODE_PEER__PORT"."""
    if error["type"] == "json_invalid":  # The JSON was made above, so only its depth can be wrong.
        return _TOO_DEEP
    location = [str(part) for part in error["loc"]]
    field = ".".join(location)
    variable = ENVIRONMENT_PREFIX + "__".join(location[:2]).upper()
    reason = error["msg"].removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    if error["type"] == "missing":
        if len(location) == 1:
            return f"{field}: the section is missing: add [{field}]"
        return f"{field} is missing: add it to section [{location[0]}], or set {variable}"
    if error["type"] == "extra_forbidden":
        known = _fields(location[0]) if len(location) > 1 else list(NodeConfig.model_fields)
        return f"{field} is unknown{_nearest(location[-1], known)}: remove or correct it. Known: {', '.join(known)}"
    if error["type"] == "value_error":
        return f"{field}: {reason}" if field else reason
    given = repr(error["input"])
    given = given if len(given) <= 200 else given[:200] + "…"
    return f"{field}: {given} is not allowed: {reason}. Correct it, or set {variable}"


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {found[0]}?)" if found else ""
