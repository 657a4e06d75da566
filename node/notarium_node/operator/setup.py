"""What `keygen` and `init` do on the disk.

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

from notarium_ledger.signing import SigningKey
from notarium_ledger.state.registry import Member, NodeRecord
from notarium_ledger.types import KEY_BYTES
from notarium_node.config import parse_config
from notarium_node.identity.keys import KeyFileError, Purpose, create_key, load_key, load_seed
from notarium_node.identity.own_record import own_record
from notarium_node.identity.tls import make_certificate
from notarium_node.operator.ceremony import LOCAL_HOSTS, Card, CeremonyError, split_address
from notarium_node.startup import StartupError, check_keys, load_genesis

KEY_DIRECTORY = "keys"
DEFAULT_API_PORT = 8470


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
    """The governance key, if it still lies beside the node's."""


def make_keys(
    directory: Path, member: str, name: str, role: str, address: str, api: str, admin_key: Path | None = None
) -> MadeKeys:
    """Make a node's keys and card. Raises KeyFileError or CeremonyError, and then has written nothing."""
    try:
        split_address(address)
    except ValueError as error:
        raise CeremonyError(f"--address: {error}") from error
    if api and not api.startswith(("http://", "https://")):
        raise CeremonyError(f"--api: {api!r} is not a URL: it begins with https:// or http://")
    keys = directory / KEY_DIRECTORY
    paths = {purpose: keys / purpose.file_name for purpose in Purpose}
    card_path = directory / f"{member.rstrip('/').rpartition('/')[2]}.card.json"
    created = [paths[Purpose.VALIDATOR], paths[Purpose.TRANSPORT]]
    if admin_key is None:
        created.insert(0, paths[Purpose.ADMIN])
    for path in (*created, card_path):
        if path.exists():
            raise KeyFileError(f"{path} exists already and is not overwritten: choose another --dir or move it away")
    # A trial with throw-away keys, so that a bad name is refused before anything is written.
    given = None if admin_key is None else load_key(admin_key, Purpose.ADMIN)
    throwaway = os.urandom(KEY_BYTES)
    _make_card(member, name, role, address, api, SigningKey(throwaway), SigningKey(throwaway), throwaway)
    try:
        keys.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise KeyFileError(f"cannot make {keys}: {error.strerror}") from error
    admin = given or create_key(paths[Purpose.ADMIN], Purpose.ADMIN)
    validator = create_key(paths[Purpose.VALIDATOR], Purpose.VALIDATOR)
    create_key(paths[Purpose.TRANSPORT], Purpose.TRANSPORT)
    transport = load_seed(paths[Purpose.TRANSPORT], Purpose.TRANSPORT)
    write_new(card_path, _make_card(member, name, role, address, api, admin, validator, transport), "card")
    return MadeKeys(tuple(created), card_path)


def read_card(path: Path) -> Card:
    """The card in `path`. Raises CeremonyError."""
    try:
        return Card.read(path.read_bytes())
    except OSError as error:
        raise CeremonyError(f"cannot read {path}: {error.strerror}") from error
    except CeremonyError as error:
        raise CeremonyError(f"{path}: {error}") from error


def initialise(
    directory: Path,
    genesis: Path,
    genesis_hash: str,
    listen: str = "",
    api_listen: str = "",
    joining: bool = False,
    used_keys: bool = False,
) -> Initialised:
    """Make `directory`, which has keys, ready to run. `genesis_hash` in hex.

    `joining`: the node joins after the founding, so it is not in the genesis; its card in `directory` counts.
    `used_keys`: a node with these keys has run before, elsewhere or here, so it may have signed already.

    Raises StartupError, KeyFileError, ConfigError or CeremonyError.
    """
    config_path = directory / "node.toml"
    if config_path.exists():
        raise StartupError(f"{config_path} exists already: this node is initialised; edit it, or choose another --dir")
    content: dict[str, dict[str, str | int]] = {"node": {"genesis_hash": genesis_hash}, "peer": {"port": 1}}
    # First with the genesis where it lies: nothing is written until all of it fits.
    content["node"]["genesis"] = str(genesis.absolute())
    draft = parse_config(content, config_path)
    checked = load_genesis(draft)
    check_keys(draft, checked, joining)
    key = load_key(draft.node.validator_key, Purpose.VALIDATOR)
    record = own_record(checked.registry, draft.node.data_dir if joining else None, key.public)
    if record is None:
        raise StartupError(f"{directory} holds a store already, but no node.toml: restore it or choose another --dir")
    del content["node"]["genesis"]
    host, port = split_address(record.address)
    # A node that is only known by a local address has no reason to listen to the world.
    content["peer"] = _listen(listen, "--listen", host if host in LOCAL_HOSTS else "", port)
    content["api"] = _listen(api_listen, "--api-listen", "127.0.0.1", URL(record.api).port or DEFAULT_API_PORT)
    parse_config(content, config_path)
    if genesis.absolute() != (directory / "genesis.json").absolute():
        write_new(directory / "genesis.json", checked.encode_json(), "genesis file")
    draft.node.store_dir.mkdir(mode=0o700, exist_ok=True)
    if not used_keys:
        draft.node.first_start_mark.touch()
    write_new(config_path, _toml(content, record).encode(), "configuration")
    admin_key = directory / KEY_DIRECTORY / Purpose.ADMIN.file_name
    return Initialised(config_path, record, admin_key if admin_key.exists() else None)


def write_new(path: Path, content: bytes, what: str) -> None:
    """Write a file that is not there yet, or is there with this very content. Raises CeremonyError."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        if path.read_bytes() != content:
            raise CeremonyError(f"{path} exists and is another {what}: move it away or choose another path") from error
    except OSError as error:
        raise CeremonyError(f"cannot write {path}: {error.strerror}") from error


def _make_card(
    member: str,
    name: str,
    role: str,
    address: str,
    api: str,
    admin: SigningKey,
    validator: SigningKey,
    transport_seed: bytes,
) -> bytes:
    """The card's file, checked as its readers will. Raises CeremonyError."""
    node = NodeRecord(member, role, validator.public, make_certificate(transport_seed), address, api)
    card = Card(Member(member, name, admin.public), node, time.time_ns() // 1_000_000).sign(admin)
    Card.read(card)
    return card


def _listen(given: str, option: str, host: str, port: int) -> dict[str, str | int]:
    if given:
        try:
            host, port = split_address(given)
        except ValueError as error:
            raise CeremonyError(f"{option}: {error}") from error
    return {"host": host, "port": port}


def _toml(content: dict[str, dict[str, str | int]], record: NodeRecord) -> str:
    lines = [
        f"# The {record.role} of {record.member}. Every field and its default: docs/operations.md.",
        "# NOTARIUM_NODE_<SECTION>__<FIELD> in the environment overrides a field.",
    ]
    for section, fields in content.items():
        # A JSON string is a TOML basic string.
        lines += ["", f"[{section}]", *(f"{field} = {json.dumps(value)}" for field, value in fields.items())]
    return "\n".join(lines) + "\n"
