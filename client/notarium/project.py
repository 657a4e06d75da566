"""Where a project's settings are stored, and which setting overrides which.

    <project>/.notarium/config.toml    ledger, nodes, issuer, project name; commit it
    <project>/.notarium/genesis.json   the pinned genesis document; commit it
    <project>/.notarium/runs/          the starts of runs, with their receipts; commit them
    <project>/.notarium/outbox/, log.jsonl, superseded/   belong to this working copy (git-ignored)
    <config home>/keys/<ledger>.key    the researcher's key, never in the repository
    <config home>/pins/<hash>.json     the ledgers that the user trusts; a project on any other one is refused

NOTARIUM_GENESIS, NOTARIUM_NODES (comma-separated), NOTARIUM_ISSUER, NOTARIUM_PROJECT and NOTARIUM_KEY override the
file, so CI needs no file at all. NOTARIUM_HOME replaces the XDG folders.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from notarium.errors import ProjectError, Unwritable
from notarium.evidence.author import Author
from notarium.evidence.digest_cache import DigestCache
from notarium.files import write_atomically
from notarium.genesis_file import read_genesis
from notarium.key_files import load_key
from notarium.ledger_access.pool import normal_url
from notarium.naming import FOLDER
from notarium.pins import check_nodes, check_pinned, only_pin, pinned_nodes, read_pins
from notarium.toml_file import read_toml
from notarium_ledger.entries.commitment import MEMBER_ID_PATTERN
from notarium_ledger.signing import SigningKey
from notarium_ledger.state.genesis import Genesis

CONFIG = "config.toml"
GENESIS = "genesis.json"
INIT = "notarium init --genesis FILE --genesis-hash HASH --issuer ID"
_IGNORED = (
    "# belongs to this working copy only\noutbox/\nsuperseded/\nlog.jsonl\nruns/*.open.json\nruns/*.said.jsonl*\n"
)


@dataclass(frozen=True, slots=True)
class Homes:
    """The user's folders."""

    config: Path
    cache: Path
    state: Path

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Homes:
        """By NOTARIUM_HOME, or by the XDG Base Directory Specification."""
        if chosen := environ.get("NOTARIUM_HOME"):
            home = Path(chosen).absolute()
            return cls(home, home / "cache", home / "state")

        def xdg(name: str, default: str) -> Path:
            # The specification says to ignore relative paths.
            value = environ.get(name, "")
            return (Path(value) if os.path.isabs(value) else Path.home() / default) / "notarium"

        return cls(
            xdg("XDG_CONFIG_HOME", ".config"), xdg("XDG_CACHE_HOME", ".cache"), xdg("XDG_STATE_HOME", ".local/state")
        )

    def key_file(self, ledger: str) -> Path:
        """The researcher's key for the ledger of that name."""
        return self.config / "keys" / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', ledger).lstrip('.') or 'ledger'}.key"

    @property
    def pins(self) -> Path:
        """The ledgers that the user has pinned."""
        return self.config / "pins"

    def digest_cache(self) -> DigestCache:
        """The cache of file digests."""
        return DigestCache(self.cache / "digests.sqlite")


@dataclass(frozen=True, slots=True)
class Project:
    """Everything needed to anchor from here."""

    genesis: Genesis
    nodes: tuple[str, ...]
    issuer: str
    """The institution the researcher writes for; "" where none is configured."""
    name: str
    """The project's name on the ledger; may be a pseudonym."""
    key_path: Path
    folder: Path
    """Where outbox and log are: `.notarium` of the project, or a folder of the user where there is no project."""
    root: Path | None
    """The folder that holds `.notarium`, or None."""
    homes: Homes

    def key(self) -> SigningKey:
        """The researcher's key. Raises ProjectError."""
        return load_key(self.key_path)

    def issuer_or_fail(self) -> str:
        """The issuer. Raises ProjectError where none is configured."""
        if not self.issuer:
            raise ProjectError(f"no issuer is configured: run '{INIT}', or set NOTARIUM_ISSUER")
        return self.issuer

    def author(self, key: SigningKey) -> Author:
        """Who signs with `key` from here. Raises ProjectError where no issuer is configured."""
        return Author(key.public, self.issuer_or_fail(), self.name)


def public_key_of(project: Project) -> str:
    """The researcher's public key, hex; "" where there is no key file that can be used, as whatever signs reports."""
    try:
        return project.key().public.hex()
    except ProjectError:
        return ""


def find_project(
    start: Path | None = None,
    environ: Mapping[str, str] | None = None,
    *,
    are_nodes_trusted: bool = False,
    genesis_file: Path | None = None,
) -> Project:
    """The project around `start` (default: the working directory), with the environment's overrides.

    `are_nodes_trusted`: take the nodes of its configuration, though the user has pinned others. `genesis_file`: of the
    ledger, instead of the one that is pinned here.
    Raises ProjectError, naming file, field and remedy.
    """
    environ = os.environ if environ is None else environ
    homes = Homes.of(environ)
    root = find_root(start or Path.cwd())
    settings = _Settings.read(root / FOLDER / CONFIG) if root else _Settings()
    genesis = read_genesis(genesis_file) if genesis_file is not None else find_genesis(root, settings, environ)
    fallback = root.name if root else Path.cwd().name
    # Absolute: a run may change the working directory before it ends.
    key_path = Path(environ["NOTARIUM_KEY"]).absolute() if environ.get("NOTARIUM_KEY") else homes.key_file(genesis.name)
    nodes = _nodes(root, settings, environ, genesis)
    if root is not None and not environ.get("NOTARIUM_NODES") and not are_nodes_trusted and read_pins(homes.pins):
        check_nodes(homes.pins, genesis, nodes, root / FOLDER / CONFIG)
    return Project(
        genesis=genesis,
        nodes=nodes or pinned_nodes(homes.pins, genesis),
        issuer=environ.get("NOTARIUM_ISSUER") or settings.issuer,
        name=environ.get("NOTARIUM_PROJECT") or settings.project or fallback or "project",
        key_path=key_path,
        folder=root / FOLDER if root else homes.state / genesis.hash.hex()[:16],
        root=root,
        homes=homes,
    )


def _nodes(root: Path | None, settings: _Settings, environ: Mapping[str, str], genesis: Genesis) -> tuple[str, ...]:
    """The nodes' addresses, from the environment or else from the file. Raises ProjectError, which names the source."""
    chosen = [each.strip() for each in environ.get("NOTARIUM_NODES", "").split(",") if each.strip()]
    # NOTARIUM_GENESIS may name another ledger than the file does; its nodes know nothing of that one.
    configured = settings.nodes if settings.genesis_hash == genesis.hash.hex() else ()
    try:
        return tuple(normal_url(each) for each in chosen or configured)
    except ProjectError as error:
        source = "NOTARIUM_NODES" if chosen else f"{root and root / FOLDER / CONFIG}: ledger.nodes"
        raise ProjectError(f"{source}: {error}") from error


def find_root(start: Path) -> Path | None:
    """The nearest folder at or above `start` that holds `.notarium/config.toml`."""
    here = start.absolute()
    return next((each for each in (here, *here.parents) if (each / FOLDER / CONFIG).is_file()), None)


def other_project(path: Path, here: Path | None) -> Path | None:
    """The root of the project that `path` lies in, where it is not `here`; its settings count for nothing."""
    root = find_root(path.absolute().parent)
    return root if root is not None and root.resolve() != (here and here.resolve()) else None


def find_genesis(
    root: Path | None, settings: _Settings | None = None, environ: Mapping[str, str] | None = None
) -> Genesis:
    """The pinned genesis: of the environment, else of the project, else the user's only pin. Raises ProjectError."""
    environ = os.environ if environ is None else environ
    if chosen := environ.get("NOTARIUM_GENESIS"):
        try:
            return read_genesis(Path(chosen))
        except ProjectError as error:
            raise ProjectError(f"NOTARIUM_GENESIS: {error}") from error
    pins = read_pins(Homes.of(environ).pins)
    if root is None:
        if (chosen_pin := only_pin(pins)) is not None:
            return chosen_pin
        raise ProjectError(f"no project here: run '{INIT}' in the project's folder, or set NOTARIUM_GENESIS")
    settings = settings or _Settings.read(root / FOLDER / CONFIG)
    genesis = read_genesis(root / FOLDER / GENESIS)
    if genesis.hash.hex() != settings.genesis_hash:
        raise ProjectError(
            f"{root / FOLDER / GENESIS} has the hash {genesis.hash.hex()}, but {CONFIG} pins "
            f"{settings.genesis_hash or 'none'}: one of them was changed; get both from your institution again"
        )
    check_pinned(pins, genesis, root / FOLDER)
    return genesis


def trusted_genesis(genesis_file: Path | None = None) -> Genesis:
    """The genesis to verify against: `genesis_file`, else NOTARIUM_GENESIS, the project around here, the user's pin.

    Never what lies beside a file that is verified: whoever wrote the file may have written that, too.
    Raises ProjectError.
    """
    if genesis_file is not None:
        return read_genesis(genesis_file)
    root = find_root(Path.cwd())
    if root is None and not os.environ.get("NOTARIUM_GENESIS") and not read_pins(Homes.of(os.environ).pins):
        # Most often an auditor, who has no project and needs none.
        raise ProjectError(
            "no project here: give the consortium's genesis file with --genesis FILE, or set NOTARIUM_GENESIS to it, "
            f"or pin the ledger once with 'notarium pin FILE --genesis-hash HASH'; in a project's folder, run '{INIT}'"
        )
    return find_genesis(root)


def create_project(
    root: Path, genesis: Genesis, nodes: Sequence[str], issuer: str, name: str, *, replace: bool = False
) -> Path:
    """Write `.notarium/` into `root`; the path of config.toml. Raises ProjectError, Unwritable."""
    folder = root / FOLDER
    config = folder / CONFIG
    if config.exists() and not replace:
        raise ProjectError(f"{config} exists already; edit it, or use --force to replace it")
    if not re.fullmatch(MEMBER_ID_PATTERN, issuer):
        raise ProjectError(f"{issuer!r} is not the id of an institution: give its ROR address or its short id")
    if name != name.encode(errors="replace").decode():
        raise ProjectError(f"the project's name {name!r} is not UTF-8: give another one with --project NAME")
    urls = [normal_url(each) for each in nodes]
    text = (
        "# Notarium: which ledger this project anchors to. Commit this folder; your key is not in it.\n\n"
        f"[ledger]\nname = {_toml(genesis.name)}\ngenesis_hash = {_toml(genesis.hash.hex())}\n"
        f"nodes = [{', '.join(map(_toml, urls))}]\n\n"
        f"[project]\nissuer = {_toml(issuer)}\nname = {_toml(name)}\n"
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / GENESIS, genesis.encode_json())
        write_atomically(folder / ".gitignore", _IGNORED.encode())
        write_atomically(config, text.encode())
    except OSError as error:
        raise Unwritable(f"the project's settings in {folder} cannot be written", folder, error) from error
    return config


@dataclass(frozen=True, slots=True)
class _Settings:
    """What config.toml says."""

    genesis_hash: str = ""
    nodes: tuple[str, ...] = ()
    issuer: str = ""
    project: str = ""

    @classmethod
    def read(cls, path: Path) -> _Settings:
        """Raises ProjectError."""
        try:
            document = read_toml(path)
        except OSError as error:
            raise ProjectError(f"cannot read {path}: {error.strerror}") from error
        ledger, project = _table(path, document, "ledger"), _table(path, document, "project")
        for table, known in ((ledger, {"name", "genesis_hash", "nodes"}), (project, {"issuer", "name"})):
            if unknown := sorted(table.keys() - known):
                raise ProjectError(f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}")
        nodes = ledger.get("nodes", [])
        if not isinstance(nodes, list) or not all(isinstance(each, str) for each in nodes):
            raise ProjectError(f"{path}: ledger.nodes must be a list of addresses")
        return cls(
            _text(path, ledger, "ledger.genesis_hash"),
            tuple(nodes),
            _text(path, project, "project.issuer"),
            _text(path, project, "project.name"),
        )


def _table(path: Path, document: dict[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise ProjectError(f"{path}: {name} must be a table")
    return table


def _text(path: Path, table: dict[str, Any], name: str) -> str:
    value = table.get(name.rpartition(".")[2], "")
    if not isinstance(value, str):
        raise ProjectError(f"{path}: {name} must be text")
    return value


def _toml(text: str) -> str:
    # A JSON string is a TOML basic string, except that TOML escapes DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
