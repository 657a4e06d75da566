"""The command `pin`: the ledgers that this user trusts, in whichever folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from notarium.cli.init import check_hash
from notarium.cli.options import Json, given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, ProjectError
from notarium.pins import add_pin, pinned_nodes, read_pins
from notarium.project import Homes


def pin(
    *,
    genesis: Annotated[
        Path | None, typer.Argument(parser=given_path, metavar="[FILE]", help="The consortium's genesis file.")
    ] = None,
    genesis_hash: Annotated[
        str, typer.Option(metavar="HEX", help="The hash of the genesis file, as the consortium gave it.")
    ] = "",
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="A node's API besides those that the genesis file names; repeatable."),
    ] = None,
    as_json: Json = False,
) -> int:
    """Pin a ledger for yourself, in every folder; without FILE, list what you have pinned."""
    printer = Printer(as_json)
    folder = Homes.of(os.environ).pins
    if genesis is not None:
        add_pin(folder, check_hash(genesis, genesis_hash), node or ())
    elif node:
        raise ProjectError("--node needs FILE: a node is pinned for one ledger")
    pins = [(each, pinned_nodes(folder, each)) for each in read_pins(folder)]
    rows = [{"ledger": each.name, "genesis_hash": each.hash.hex(), "nodes": list(nodes)} for each, nodes in pins]
    printer.data({"pins": rows})
    for each, nodes in pins:
        printer.line(f"pinned {shown(each.name)}  genesis {each.hash.hex()}")
        for url in nodes:
            printer.line(f"  node {shown(url)}")
    if genesis is not None and not genesis_hash:
        printer.note("[yellow]note:[/] compare the hash with the consortium's over another channel (by phone)")
    return ExitCode.OK
