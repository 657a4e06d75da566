"""The user's own pins: the genesis documents of the ledgers that this user trusts, in the user's configuration.

    <genesis hash>.json     the genesis document, which also names the founders' nodes
    <genesis hash>.nodes    addresses of further nodes, one a line

Where there are any, they are a gate: a project whose ledger is not among them is refused, and so is one that names a
node which is not. So a folder that came from somebody else cannot bring its own ledger along, and has no address of its
own asked, not even as the current folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from notarium.errors import ProjectError, Unwritable
from notarium.files import read_regular, write_atomically
from notarium.genesis_file import read_genesis
from notarium.ledger_access.pool import normal_url
from notarium_ledger.state.genesis import Genesis

MAX_NODES_BYTES = 65_536


def read_pins(folder: Path) -> list[Genesis]:
    """The pinned ledgers, in the order of their hashes. Raises ProjectError, which names a damaged file."""
    pins = []
    for path in sorted(folder.glob("*.json")):
        genesis = read_genesis(path)
        if genesis.hash.hex() != path.stem:
            raise ProjectError(f"{path} has the hash {genesis.hash.hex()}: it was changed; remove it and pin again")
        pins.append(genesis)
    return pins


def add_pin(folder: Path, genesis: Genesis, nodes: Sequence[str] = ()) -> Path:
    """Pin a ledger, and addresses of its nodes besides those pinned already; the path of its file.

    Raises Unwritable, and ProjectError for an address that cannot be used.
    """
    path = folder / f"{genesis.hash.hex()}.json"
    known = pinned_nodes(folder, genesis)
    added = [url for url in dict.fromkeys(map(normal_url, nodes)) if url not in known]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, genesis.encode_json())
        if added:
            before = _added_nodes(folder, genesis)
            write_atomically(_nodes_file(folder, genesis), "".join(f"{url}\n" for url in (*before, *added)).encode())
    except OSError as error:
        raise Unwritable(f"the pin {path} cannot be written", folder, error) from error
    return path


def pinned_nodes(folder: Path, genesis: Genesis) -> tuple[str, ...]:
    """The addresses that may be asked: those of the genesis, and those pinned besides. Raises ProjectError."""
    return (*founders(genesis), *_added_nodes(folder, genesis))


def founders(genesis: Genesis) -> tuple[str, ...]:
    """The addresses that the genesis names."""
    return tuple(normal_url(each.api) for each in genesis.registry.nodes.values() if each.api)


def check_nodes(folder: Path, genesis: Genesis, nodes: Sequence[str], source: Path) -> None:
    """Raise ProjectError where `source` names a node that the user has not pinned."""
    known = pinned_nodes(folder, genesis)
    for url in nodes:
        if url not in known:
            raise ProjectError(
                f"{source} names the node {url}, which neither the genesis nor your pin of {named(genesis)} has, so it "
                f"is not asked. If you trust it, run 'notarium pin FILE --node {url}' with the genesis file; or name "
                "the nodes in NOTARIUM_NODES"
            )


def _nodes_file(folder: Path, genesis: Genesis) -> Path:
    return folder / f"{genesis.hash.hex()}.nodes"


def _added_nodes(folder: Path, genesis: Genesis) -> tuple[str, ...]:
    path = _nodes_file(folder, genesis)
    try:
        data = read_regular(path, MAX_NODES_BYTES)
        if len(data) > MAX_NODES_BYTES:
            raise ProjectError(f"it has more than {MAX_NODES_BYTES} bytes")
        return tuple(normal_url(line) for line in data.decode().splitlines())
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, ProjectError) as error:
        raise ProjectError(f"{path} cannot be used ({error}): remove it, and pin the nodes again") from error


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
