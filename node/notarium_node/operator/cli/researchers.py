"""The commands about researchers' keys: enrol, revoke."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from notarium.errors import NotariumError, Unreachable
from notarium_ledger.state.genesis import Genesis
from notarium_node.config.reading import load_config
from notarium_node.operator import enrolment, node_api
from notarium_node.operator.cli.output import ConfigFile, Failure, Json, NodeExitCode, out, print_json
from notarium_node.operator.enrolment import MemberAction
from notarium_node.startup import load_genesis, read_genesis

Key = Annotated[str, typer.Option("--key", help="The researcher's public key, as 'notarium init' prints it.")]
AdminKey = Annotated[Path, typer.Option("--admin-key", help="The member's governance key.")]
Member = Annotated[
    str | None, typer.Option("--member", help="The institution. Default: the member with this governance key.")
]
GenesisFile = Annotated[Path | None, typer.Option("--genesis", help="The genesis file, where there is no node.toml.")]
Urls = Annotated[list[str] | None, typer.Option("--url", help="API of a validator; default: this node's.")]


def enrol(
    *,
    key: Key,
    admin_key: AdminKey = Path("keys/admin.key"),
    member: Member = None,
    config: ConfigFile = Path("node.toml"),
    genesis_file: GenesisFile = None,
    url: Urls = None,
    as_json: Json = False,
) -> None:
    """Let a researcher write to the ledger in this institution's name."""
    genesis, nodes = _ledger(config, genesis_file, url)
    _submit(MemberAction.ENROL, key, enrolment.Authority(genesis, nodes, admin_key, member), as_json)


def revoke(
    *,
    key: Key,
    admin_key: AdminKey = Path("keys/admin.key"),
    member: Member = None,
    config: ConfigFile = Path("node.toml"),
    genesis_file: GenesisFile = None,
    url: Urls = None,
    as_json: Json = False,
) -> None:
    """Revoke a researcher's key permanently. What it signed before stays valid."""
    genesis, nodes = _ledger(config, genesis_file, url)
    _submit(MemberAction.REVOKE, key, enrolment.Authority(genesis, nodes, admin_key, member), as_json)


def _ledger(config: Path, genesis_file: Path | None, urls: list[str] | None) -> tuple[Genesis, list[str]]:
    """The genesis and the nodes to submit to: this node's, or those of the genesis file."""
    if genesis_file is None:
        loaded = load_config(config)
        return load_genesis(loaded), urls or [node_api.api_url(loaded)]
    genesis = read_genesis(genesis_file)
    nodes = genesis.registry.nodes.values()
    return genesis, urls or [node.api for node in nodes if node.role == "validator" and node.api]


def _submit(action: MemberAction, key: str, authority: enrolment.Authority, as_json: bool) -> None:
    try:
        receipt = enrolment.submit(action, key, authority)
    except Unreachable as error:
        if error.reports and all("takes no entries" in each.said for each in error.reports):
            raise Failure(f"{error}. Name a validator's API with --url") from error
        again = "A node that has the entry keeps it, so run the same command again: nothing is written twice"
        raise Failure(f"{error}. {again}", NodeExitCode.UNREACHABLE) from error
    except NotariumError as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json({"key": key, "status": action.result, "entry": receipt.id.hex(), "height": receipt.height})
    else:
        out.print(f"{action.result} {key}\nentry  {receipt.id.hex()}, block {receipt.height}", markup=False)
