"""What `keygen` and `init` write to the disk.

DIR/keys/admin.key, validator.key, transport.key    secret, 0600 in a 0700 directory
DIR/<member>.card.json                              public
DIR/genesis.json, node.toml, store/                 by init
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from yarl import URL

from notarium.files import read_regular
from notarium.key_files import KeyFileError, Purpose, create_key, load_key, load_seed
from notarium_ledger.entries.address import api_url, split_address
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import KEY_BYTES
from notarium_node.config.reading import ConfigError, parse_config
from notarium_node.config.sections import NodeConfig
from notarium_node.identity.card import Card
from notarium_node.identity.own_record import own_record
from notarium_node.identity.tls import make_certificate
from notarium_node.operator.ceremony import LOCAL_HOSTS
from notarium_node.startup import StartupError, check_keys, load_genesis

KEY_DIRECTORY = "keys"
NODE_PURPOSES = (Purpose.ADMIN, Purpose.VALIDATOR, Purpose.TRANSPORT)
DEFAULT_API_PORT = 8470

Sections = dict[str, dict[str, str | int]]
"""The content of node.toml."""


class SetupError(Exception):
    """Files or options with which a command cannot go on. The message says which and what to do."""


@dataclass(frozen=True, slots=True)
class NodeDescription:
    """What an institution decides about its node."""

    member: str
    """Its ROR id or a short id."""
    name: str
    """The institution's name."""
    role: str
    """validator or observer."""
    address: str
    """HOST:PORT where other nodes reach it."""
    api: str = ""
    """Base URL of its HTTP API, if public."""

    def card(self, admin: SigningKey, validator: SigningKey, transport_seed: bytes) -> bytes:
        """The card's file, checked as its readers will check it. Raises CardError."""
        certificate = make_certificate(transport_seed)
        node = NodeRecord(self.member, self.role, validator.public, certificate, self.address, self.api)
        card = Card(Member(self.member, self.name, admin.public), node, time.time_ns() // 1_000_000).sign(admin)
        Card.read(card)
        return card

    def check(self) -> None:
        """Raises SetupError or CardError where no card can say this."""
        try:
            split_address(self.address)
        except ValueError as error:
            raise SetupError(f"--address: {error}") from error
        try:
            if self.api:
                api_url(self.api)
        except ValueError as error:
            raise SetupError(f"--api: {error}") from error
        throwaway = os.urandom(KEY_BYTES)
        self.card(SigningKey(throwaway), SigningKey(throwaway), throwaway)


@dataclass(frozen=True, slots=True)
class MadeKeys:
    """What make_keys wrote."""

    keys: tuple[Path, ...]
    card: Path


@dataclass(frozen=True, slots=True)
class Initialised:
    """What initialise wrote."""

    config: Path
    record: NodeRecord
    admin_key: Path | None
    """The governance key, if it is still beside the node's keys."""


def make_keys(directory: Path, description: NodeDescription, admin_key: Path | None = None) -> MadeKeys:
    """Make a node's keys and card; `admin_key`: the member's governance key, if it has one already.

    Raises SetupError, KeyFileError or CardError, and then has written nothing.
    """
    keys = directory / KEY_DIRECTORY
    purposes = NODE_PURPOSES if admin_key is None else NODE_PURPOSES[1:]
    paths = {purpose: keys / purpose.file_name for purpose in purposes}
    card_path = directory / f"{description.member.rstrip('/').rpartition('/')[2]}.card.json"
    for path in (*paths.values(), card_path):
        if path.exists():
            raise KeyFileError(f"{path} exists already and is not overwritten: choose another --dir or move it away")
    given = None if admin_key is None else load_key(admin_key, Purpose.ADMIN)
    description.check()
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"cannot make {keys}: {error.strerror}") from error
    made = {purpose: create_key(path, purpose) for purpose, path in paths.items()}
    transport_seed = load_seed(paths[Purpose.TRANSPORT], Purpose.TRANSPORT)
    card = description.card(given or made[Purpose.ADMIN], made[Purpose.VALIDATOR], transport_seed)
    write_new(card_path, card, "card")
    return MadeKeys(tuple(paths.values()), card_path)


def initialise(
    directory: Path,
    genesis_file: Path,
    genesis_hash: str,
    *,
    listen: str = "",
    api_listen: str = "",
    joining: bool = False,
    used_keys: bool = False,
) -> Initialised:
    """Make `directory`, which has keys, ready to run. `genesis_hash` in hex.

    `joining`: the node joins after the founding, so it is not in the genesis; its card in `directory` counts.
    `used_keys`: a node with these keys has run before, elsewhere or here, so it may have signed already.

    Nothing is written before everything is checked. Raises SetupError, StartupError, KeyFileError, ConfigError or
    CardError.
    """
    config_path = directory / "node.toml"
    if config_path.exists():
        raise SetupError(f"{config_path} exists already, so this node is initialised: edit it, or choose another --dir")
    pinned: dict[str, str | int] = {"genesis_hash": genesis_hash}
    # The checks read the genesis from where it is now.
    given = {**pinned, "genesis": str(genesis_file.absolute())}
    draft = parse_config({"node": given, "peer": {"port": 1}}, config_path)
    genesis = load_genesis(draft)
    record = _own_record(draft, genesis, joining)
    content: Sections = {"node": pinned, **_sockets(record, listen, api_listen)}
    try:
        parse_config(content, config_path)
    except ConfigError as error:
        raise SetupError(f"{error} (options --listen and --api-listen)") from error

    if genesis_file.absolute() != (directory / "genesis.json").absolute():
        write_new(directory / "genesis.json", genesis.encode_json(), "genesis file")
    draft.node.store_dir.mkdir(mode=0o700, exist_ok=True)
    if not used_keys:
        draft.node.first_start_mark.touch()
    write_new(config_path, _toml(content, record).encode(), "configuration")
    admin_key = directory / KEY_DIRECTORY / Purpose.ADMIN.file_name
    return Initialised(config_path, record, admin_key if admin_key.exists() else None)


def write_new(path: Path, content: bytes, what: str) -> None:
    """Write a file that does not exist yet, or exists with exactly this content. Raises SetupError."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        if read_regular(path, len(content)) != content:
            raise SetupError(f"{path} exists and is a different {what}: move it away or choose another path") from error
    except OSError as error:
        raise SetupError(f"cannot write {path}: {error.strerror}") from error


def _own_record(draft: NodeConfig, genesis: Genesis, joining: bool) -> NodeRecord:
    """The record that the keys belong to, in the genesis or on the card."""
    findings = tuple(check_keys(draft, genesis, joining))
    if findings:
        raise StartupError(*findings)
    key = load_key(draft.node.validator_key, Purpose.VALIDATOR)
    record = own_record(genesis.registry, draft.node.data_dir if joining else None, key.public)
    if record is None:
        raise SetupError(
            f"{draft.node.data_dir} has a store already, but no node.toml: restore node.toml, or choose another --dir"
        )
    return record


def _sockets(record: NodeRecord, listen: str, api_listen: str) -> Sections:
    host, port = split_address(record.address)
    # A node that is known by a local address only need not listen to the network.
    peer = _listen(listen, "--listen", host if host in LOCAL_HOSTS else "", port)
    api = _listen(api_listen, "--api-listen", "127.0.0.1", URL(record.api).port or DEFAULT_API_PORT)
    return {"peer": peer, "api": api}


def _listen(given: str, option: str, host: str, port: int) -> dict[str, str | int]:
    if given:
        try:
            host, port = split_address(given)
        except ValueError as error:
            raise SetupError(f"{option}: {error}") from error
    return {"host": host, "port": port}


def _toml(content: Sections, record: NodeRecord) -> str:
    lines = [
        f"# The {record.role} of {record.member}. Every field and its default: docs/operations.md.",
        "# NOTARIUM_NODE_<SECTION>__<FIELD> in the environment overrides a field.",
    ]
    for section, fields in content.items():
        # A JSON string is a TOML basic string.
        lines += ["", f"[{section}]", *(f"{field} = {json.dumps(value)}" for field, value in fields.items())]
    return "\n".join(lines) + "\n"
