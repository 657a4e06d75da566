"""The user's own pins: the genesis documents of the ledgers that this user trusts, in the user's configuration.

Where there are any, they are a gate: a project whose ledger is not among them is refused. So a folder that came from
somebody else cannot bring its own ledger along, not even as the current folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from notarium.errors import ProjectError, Unwritable
from notarium.files import write_atomically
from notarium.genesis_file import read_genesis
from notarium_ledger.state.genesis import Genesis


def read_pins(folder: Path) -> list[Genesis]:
    """The pinned ledgers, in the order of their hashes. Raises ProjectError, which names a damaged file."""
    pins = []
    for path in sorted(folder.glob("*.json")):
        genesis = read_genesis(path)
        if genesis.hash.hex() != path.stem:
            raise ProjectError(f"{path} has the hash {genesis.hash.hex()}: it was changed; remove it and pin again")
        pins.append(genesis)
    return pins


def add_pin(folder: Path, genesis: Genesis) -> Path:
    """Pin a ledger; the path of its file. Raises Unwritable."""
    path = folder / f"{genesis.hash.hex()}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, genesis.encode_json())
    except OSError as error:
        raise Unwritable(f"the pin {path} cannot be written", folder, error) from error
    return path


def check_pinned(pins: Sequence[Genesis], genesis: Genesis, source: Path) -> None:
    """Raise ProjectError where the user has pins and `genesis`, which the folder `source` brings along, is not one."""
    if pins and all(each.hash != genesis.hash for each in pins):
        raise ProjectError(
            f"{source} brings the ledger {named(genesis)}, which you have not pinned; you have pinned "
            f"{', '.join(map(named, pins))}. If you trust it, compare the hash with the consortium's over another "
            "channel, then run 'notarium pin' with its genesis file"
        )


def only_pin(pins: Sequence[Genesis]) -> Genesis | None:
    """The ledger where neither project nor option names one; None without pins. Raises ProjectError for several."""
    if len(pins) > 1:
        raise ProjectError(
            f"no project here, and you have pinned {len(pins)} ledgers: {', '.join(map(named, pins))}; "
            "choose one with --genesis FILE or NOTARIUM_GENESIS"
        )
    return pins[0] if pins else None


def named(genesis: Genesis) -> str:
    """Name and hash; only the hash says which ledger it is."""
    return f"{genesis.name} ({genesis.hash.hex()})"
