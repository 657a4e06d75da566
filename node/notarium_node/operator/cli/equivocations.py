"""`notarium-node equivocations`: list, show, export and verify them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from notarium_ledger.errors import InvalidEquivocationFile
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.trust.equivocation_file import EquivocationFile
from notarium_node.config.reading import load_config
from notarium_node.config.sections import NodeConfig
from notarium_node.operator import equivocations as proofs
from notarium_node.operator.cli.output import (
    Failure,
    Json,
    NodeExitCode,
    NodeUrl,
    OptionalConfigFile,
    out,
    print_json,
)
from notarium_node.operator.node_api import NodeApi
from notarium_node.operator.setup import write_new
from notarium_node.startup import load_genesis, read_genesis


def equivocations(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="One equivocation, by the beginning of its id.")] = "",
    *,
    out_file: Annotated[
        Path | None, typer.Option("--out", help="Write this equivocation to a file that anyone can verify.")
    ] = None,
    verify: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Verify an equivocation file, without asking a node.")
    ] = None,
    config: OptionalConfigFile = None,
    url: NodeUrl = "",
    genesis_file: Annotated[Path | None, typer.Option("--genesis", help="The genesis file, with --url.")] = None,
    as_json: Json = False,
) -> None:
    """List, show, export or verify proofs that a validator signed two different things.

    Without ID: the node's list. A proof is verified before it is shown or exported.
    """
    loaded = None if config is None else load_config(config)
    try:
        if verify is not None:
            _show(proofs.read(verify, _pinned(loaded, genesis_file)), None, as_json)
            return
        api = NodeApi.of(loaded, url)
        if id_:
            _show(asyncio.run(proofs.fetch(api, id_, _pinned(loaded, genesis_file))), out_file, as_json)
            return
        rows = asyncio.run(proofs.listed(api))
    except InvalidEquivocationFile as error:
        raise Failure(
            f"step {error.step}: {error}; this does not prove an equivocation", NodeExitCode.CHECK_FAILED
        ) from error
    except proofs.NotFound as error:
        raise Failure(str(error), NodeExitCode.CHECK_FAILED) from error
    if as_json:
        print_json({"equivocations": rows})
    else:
        out.print(proofs.table(rows))


def _show(proof: EquivocationFile, out_file: Path | None, as_json: bool) -> None:
    facts = proofs.facts(proof)
    if out_file is not None:
        write_new(out_file, proof.encode_json(), "equivocation file")
    if as_json:
        print_json(facts if out_file is None else facts | {"file": str(out_file)})
    else:
        out.print(proofs.lines(facts))


def _pinned(config: NodeConfig | None, genesis_file: Path | None) -> Genesis:
    """The genesis to verify proofs against."""
    if genesis_file is not None:
        return read_genesis(genesis_file)
    if config is None:
        raise Failure("proofs are verified against the pinned genesis: name the file with --config or --genesis")
    return load_genesis(config)
