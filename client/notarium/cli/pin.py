"""The command `pin`: the ledgers that this user trusts, in whichever folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from notarium.cli.init import check_hash
from notarium.cli.options import Json
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode
from notarium.pins import add_pin, read_pins
from notarium.project import Homes


def pin(
    *,
    genesis: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The consortium's genesis file.")] = None,
    genesis_hash: Annotated[
        str, typer.Option(metavar="HEX", help="The hash of the genesis file, as the consortium gave it.")
    ] = "",
    as_json: Json = False,
) -> int:
    """Pin a ledger for yourself, in every folder; without FILE, list what you have pinned."""
    printer = Printer(as_json)
    folder = Homes.of(os.environ).pins
    if genesis is not None:
        add_pin(folder, check_hash(genesis, genesis_hash))
    pins = read_pins(folder)
    printer.data({"pins": [{"ledger": each.name, "genesis_hash": each.hash.hex()} for each in pins]})
    for each in pins:
        printer.line(f"pinned {shown(each.name)}  genesis {each.hash.hex()}")
    if genesis is not None and not genesis_hash:
        printer.note("[yellow]note:[/] compare the hash with the consortium's over another channel (by phone)")
    return ExitCode.OK
