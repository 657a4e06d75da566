"""The commands of the founding: keygen, genesis, init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import PublicKey
from notarium_node.identity.card import read_card
from notarium_node.operator import setup
from notarium_node.operator.ceremony import grouped, make_genesis, ungrouped, warnings
from notarium_node.operator.cli.output import Failure, Json, err, out, print_json


def keygen(
    *,
    directory: Annotated[Path, typer.Option("--dir", help="The node's directory; created if it does not exist.")],
    member: Annotated[str, typer.Option(help="The institution's ROR id or a short id.")],
    name: Annotated[str, typer.Option(help="The institution's name.")],
    address: Annotated[str, typer.Option(help="HOST:PORT where other nodes reach this one.")],
    role: Annotated[str, typer.Option(help="validator or observer.")] = "validator",
    api: Annotated[str, typer.Option(help="Base URL of its HTTP API for researchers, if public.")] = "",
    admin_key: Annotated[
        Path | None, typer.Option(help="The member's governance key, if it has one from another node.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a node's keys and its public card for the genesis ceremony."""
    made = setup.make_keys(directory, setup.NodeDescription(member, name, role, address, api), admin_key)
    if as_json:
        print_json({"card": str(made.card), "keys": [str(key) for key in made.keys], "member": member})
        return
    for key in made.keys:
        out.print(f"key   {key}", markup=False)
    out.print(f"card  {made.card}", markup=False)
    off = ", and keep admin.key off the server" if admin_key is None else ""
    err.print(f"Send the card to the other members; it holds no secret. Keep the keys{off}.")


def genesis(
    cards: Annotated[list[Path], typer.Argument(help="The cards of all nodes.")],
    *,
    name: Annotated[str, typer.Option(help="The ledger's name.")],
    out_file: Annotated[Path, typer.Option("--out", help="Where to write the genesis file.")] = Path("genesis.json"),
    researcher: Annotated[
        list[str] | None, typer.Option(help="MEMBER=HEXKEY, a key enrolled from the start; repeatable.")
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER, a ledger parameter; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Make the genesis file from all cards. The same cards always give the same file and the same hash."""
    made = make_genesis(
        name,
        [read_card(path) for path in cards],
        [_researcher(text) for text in researcher or []],
        dict(_parameter(text) for text in parameter or []),
    )
    setup.write_new(out_file, made.encode_json(), "genesis file")
    concerns = warnings(made)
    validators = made.registry.validators
    if as_json:
        print_json(
            {
                "genesis": str(out_file),
                "hash": made.hash.hex(),
                "validators": len(validators),
                "quorum": validators.quorum,
                "faulty": validators.faulty,
                "warnings": concerns,
            }
        )
    else:
        out.print(_member_table(made))
        out.print(
            f"{len(validators)} validator{'s' if len(validators) > 1 else ''}: a quorum is {validators.quorum}, "
            f"and {validators.faulty or 'none'} may fail or lie. "
            f"Written to {out_file}.",
            markup=False,
        )
        out.print("\nGenesis hash. Compare it by phone with every member:\n", style="bold")
        out.print(grouped(made.hash) + "\n", markup=False)
    for concern in concerns:
        err.print(f"WARNING  {concern}", style="bold yellow", markup=False)


def init(
    *,
    directory: Annotated[Path, typer.Option("--dir", help="The node's directory, with the keys from keygen.")],
    genesis_file: Annotated[Path, typer.Option("--genesis", help="The genesis file.")],
    genesis_hash: Annotated[str, typer.Option(help="Its hash, as compared by phone.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT for the peer socket [default: all, port of the card]")] = "",
    api_listen: Annotated[
        str, typer.Option(help="HOST:PORT for the HTTP API [default: localhost, port of the card]")
    ] = "",
    joining: Annotated[
        bool, typer.Option("--joining", help="For a node that members vote in after the founding: use its card.")
    ] = False,
    used_keys: Annotated[
        bool, typer.Option("--used-keys", help="For keys that a node has run with before, such as keys from a backup.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prepare a node to run: check that its keys are in the genesis, write node.toml, make the store's directory."""
    made = setup.initialise(
        directory,
        genesis_file,
        ungrouped(genesis_hash),
        listen=listen,
        api_listen=api_listen,
        joining=joining,
        used_keys=used_keys,
    )
    if as_json:
        print_json({"config": str(made.config), "member": made.record.member, "role": made.record.role})
        return
    out.print(f"{made.config}: {made.record.role} of {made.record.member}", markup=False)
    if made.admin_key is not None:
        err.print(f"Move {made.admin_key} to a safe place off this server; the node does not need it.", markup=False)
    err.print(f"Start the node with: notarium-node run --config {made.config}", markup=False)


def _researcher(text: str) -> tuple[str, PublicKey]:
    member, separator, digits = text.rpartition("=")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if not separator or not member or not is_valid_key(key):
        raise Failure(f"--researcher {text!r}: expected MEMBER=HEXKEY with the 64 hex digits of an Ed25519 public key")
    return member, PublicKey(key)


def _parameter(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not (number.isascii() and number.isdigit()):
        raise Failure(f"--parameter {text!r}: expected NAME=NUMBER")
    return name, int(number)


def _member_table(made: Genesis) -> Table:
    columns = ("member", "name", "role", "address", "api", "node key")
    table = Table(*columns, title=f"{made.name}", title_justify="left", box=None)
    members = made.registry.members
    for node in sorted(made.registry.nodes.values(), key=lambda node: (node.member, node.role)):
        table.add_row(
            node.member, members[node.member].name, node.role, node.address, node.api or "-", node.key.hex()[:16]
        )
    return table
