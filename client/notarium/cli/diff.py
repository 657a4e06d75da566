"""The command `diff`: what differs between two records, or between a record and what is here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from notarium.cli.options import GenesisFile, Json, given_path


def diff(
    *,
    first: Annotated[
        Path, typer.Argument(parser=given_path, metavar="A", help="A run, receipt, record, artifact, id.")
    ],
    second: Annotated[
        Path | None,
        typer.Argument(parser=given_path, metavar="B", help="Another one; without it: what is here now."),
    ] = None,
    genesis: GenesisFile = None,
    as_json: Json = False,
) -> int:
    """Compare two records, or a record with the files, packages and code that are here now.

    Exit code 0: nothing differs. 1: something does.
    """
    # Here and not above: no other command pays for it at its start.
    from notarium.cli.comparing import compare_records

    return compare_records(first, second, genesis, as_json=as_json)
