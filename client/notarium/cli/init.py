"""The command `init`: pin a ledger for a folder and make the researcher's key."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium.cli.git_attributes import keep_from_git
from notarium.cli.options import Json, given_path
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, ProjectError
from notarium.genesis_file import read_genesis
from notarium.key_files import create_key, load_key
from notarium.naming import FOLDER
from notarium.pins import add_pin
from notarium.project import CONFIG, Homes, Project, create_project, find_project
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis

ENROL_ELSEWHERE = "--genesis FILE --url https://NODE"
"""Options of the command that enrols a key, for a machine that does not run the node."""


def init(
    *,
    genesis: Annotated[Path, typer.Option(parser=given_path, metavar="FILE", help="The consortium's genesis file.")],
    issuer: Annotated[str, typer.Option(metavar="ID", help="Your institution: its ROR id or its short id.")],
    genesis_hash: Annotated[
        str, typer.Option(metavar="HEX", help="The hash of the genesis file, as your institution gave it.")
    ] = "",
    node: Annotated[list[str] | None, typer.Option(metavar="URL", help="URL of a node's API; repeatable.")] = None,
    project: Annotated[
        str, typer.Option(metavar="NAME", help="The project's name on the ledger. Default: the folder's name.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing configuration.")] = False,
    as_json: Json = False,
) -> int:
    """Pin a ledger for this folder and make your key."""
    printer = Printer(as_json)
    pinned = check_hash(genesis, genesis_hash)
    if issuer not in pinned.registry.members:
        printer.note(f"[yellow]note:[/] {shown(issuer)} is not a founding member; that is fine if it joined later")
    kept = None if force else _project_without_key(pinned, issuer)
    if kept is None:
        nodes = node or [each.api for each in pinned.registry.nodes.values() if each.api]
        if not nodes:
            raise ProjectError("the genesis file names no API address: give at least one --node URL")
        _check_is_new(pinned, force)
        config = create_project(Path.cwd(), pinned, nodes, issuer, project or Path.cwd().name, replace=force)
    else:
        nodes, config = list(kept.nodes), kept.folder / CONFIG
        printer.note(f"[yellow]note:[/] kept {shown(str(config))} as it is; --force replaces it")
    keep_from_git(config.parent.parent)
    add_pin(Homes.of(os.environ).pins, pinned, nodes)
    made = _Made.key_for(pinned, config, nodes, issuer)
    printer.data(made.to_json())
    _print(printer, made, is_compared=bool(genesis_hash))
    return ExitCode.OK


def enrol_command(issuer: str, key: str) -> str:
    """What the institution's administrator runs, in the node's folder, to enrol a researcher's key.

    FILE is the administrator's key, which is not on the node's machine: only the administrator knows where it is.
    """
    return f"notarium-node enrol --member {shlex.quote(issuer)} --key {key} --admin-key FILE"


def read_hash(text: str) -> bytes:
    """A hash as people pass it on: in hex, perhaps in groups, with spaces, colons or hyphens. Raises ProjectError."""
    digits = re.sub(r"[\s:-]", "", text)
    if not re.fullmatch(r"[0-9A-Fa-f]{64}", digits):
        raise ProjectError(
            f"--genesis-hash is malformed: {len(digits)} characters where 64 hexadecimal digits are needed "
            "(groups, spaces and colons do not matter; quote it)"
        )
    return bytes.fromhex(digits)


def _key_file(genesis: Genesis) -> Path:
    """Where the researcher's key for this ledger is, or will be."""
    return Path(os.environ.get("NOTARIUM_KEY") or Homes.of(os.environ).key_file(genesis.name))


def _project_without_key(pinned: Genesis, issuer: str) -> Project | None:
    """The project in this folder, where it is set up like this already and only the key file is missing."""
    if not (Path.cwd() / FOLDER / CONFIG).is_file() or _key_file(pinned).exists():
        return None
    try:
        # Who runs this in a folder trusts what the folder says, and pins it.
        here = find_project(are_nodes_trusted=True)
    except ProjectError:
        # Its settings cannot be used, so they are no reason to keep them: create_project reports that they exist.
        return None
    return here if here.genesis.hash == pinned.hash and here.issuer == issuer else None


def _check_is_new(pinned: Genesis, force: bool) -> None:
    """Raise ProjectError where this folder has a configuration; who lost his public key reads it there."""
    config, key = Path.cwd() / FOLDER / CONFIG, _key_file(pinned)
    if config.exists() and not force and key.exists():
        public = load_key(key).public.hex()
        raise ProjectError(
            f"{config} exists already; edit it, or use --force to replace it; your public key is {public}"
        )


def check_hash(genesis_file: Path, genesis_hash: str) -> Genesis:
    """The genesis in the file. Raises ProjectError where it has another hash than the one given."""
    genesis = read_genesis(genesis_file)
    if genesis_hash and read_hash(genesis_hash) != genesis.hash:
        raise ProjectError(
            f"{genesis_file} has the hash {genesis.hash.hex()}, not {genesis_hash}: it is another ledger's, or it was "
            "changed; ask your institution for the right file"
        )
    return genesis


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What `init` made."""

    genesis: Genesis
    config: Path
    nodes: Sequence[str]
    issuer: str
    key_path: Path
    key: SigningKey
    is_new_key: bool

    @classmethod
    def key_for(cls, genesis: Genesis, config: Path, nodes: Sequence[str], issuer: str) -> _Made:
        """Make the researcher's key, or use the one that is there. Raises KeyFileError."""
        path = _key_file(genesis)
        is_new = not path.exists()
        return cls(
            genesis=genesis,
            config=config,
            nodes=nodes,
            issuer=issuer,
            key_path=path,
            key=create_key(path) if is_new else load_key(path),
            is_new_key=is_new,
        )

    @property
    def public_key(self) -> str:
        return self.key.public.hex()

    @property
    def is_enrolled(self) -> bool:
        return self.key.public in self.genesis.registry.researchers

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "config": str(self.config),
            "ledger": self.genesis.name,
            "genesis_hash": self.genesis.hash.hex(),
            "nodes": list(self.nodes),
            "key": str(self.key_path),
            "key_created": self.is_new_key,
            "public_key": self.public_key,
            "enrolled_at_genesis": self.is_enrolled,
            "enrol_command": enrol_command(self.issuer, self.public_key),
        }


def _print(printer: Printer, made: _Made, *, is_compared: bool) -> None:
    printer.line(f"[green]pinned[/] {shown(made.genesis.name)}  genesis {made.genesis.hash.hex()}")
    if not is_compared:
        printer.note("[yellow]note:[/] compare this hash with your institution's over another channel (by phone)")
    printer.line(f"{'created' if made.is_new_key else 'found'} key {shown(str(made.key_path))}")
    printer.line(f"public key {made.public_key}")
    if made.is_enrolled:
        return
    printer.line("Send the public key to your institution's administrator, who runs in the node's folder:")
    printer.line(f"  {shown(enrol_command(made.issuer, made.public_key))}")
    printer.line("where FILE is the administrator's key, wherever it is kept now.")
    printer.line(f"On a machine other than the node's, add {ENROL_ELSEWHERE}.")
