"""`notarium-node`: what an operator does. Data goes to stdout, messages to stderr; `--json` for programs.

Exit codes: 0 ok, 1 check failed, 2 usage or configuration, 5 unreachable.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from enum import IntEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from notarium_ledger.errors import InvalidEquivocationFile, LedgerError
from notarium_ledger.signing import is_valid_key
from notarium_ledger.state.genesis import Genesis
from notarium_ledger.types import PublicKey
from notarium_node.config import ConfigError, NodeConfig, load_config
from notarium_node.identity.keys import KeyFileError
from notarium_node.identity.tls import CertificateError
from notarium_node.operator import setup
from notarium_node.operator.ceremony import CeremonyError, grouped, make_genesis, ungrouped, warnings
from notarium_node.startup import StartupError

app = typer.Typer(
    name="notarium-node",
    help="Run one institution's node of a Notarium ledger.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_out = Console(highlight=False, soft_wrap=True)
_err = Console(stderr=True, highlight=False, soft_wrap=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
ConfigOption = Annotated[Path, typer.Option("--config", help="The node's configuration file.")]


class ExitCode(IntEnum):
    """What the exit code says."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    UNREACHABLE = 5


class Failure(Exception):
    """A command's sober end: a sentence for people and an exit code for programs."""

    def __init__(self, message: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command and ends the process, with a sentence instead of a traceback where it failed."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        app(args=given, prog_name="notarium-node")
    except Failure as failure:
        _end(str(failure), failure.code, "--json" in given)
    except (CeremonyError, ConfigError, KeyFileError, StartupError, CertificateError, LedgerError) as error:
        _end(str(error), ExitCode.USAGE, "--json" in given)


def _end(message: str, code: ExitCode, as_json: bool) -> None:
    if as_json:
        _print_json({"error": message, "exit_code": int(code)})
    _err.print("error:", style="bold red", end=" ")
    _err.print(message, markup=False)
    sys.exit(code)


@app.command()
def keygen(
    directory: Annotated[Path, typer.Option("--dir", help="The node's directory; made if it is not there.")],
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
    """Make a node's keys and the public card for the genesis ceremony."""
    made = setup.make_keys(directory, member, name, role, address, api, admin_key)
    if as_json:
        _print_json({"card": str(made.card), "keys": [str(key) for key in made.keys], "member": member})
        return
    for key in made.keys:
        _out.print(f"key   {key}", markup=False)
    _out.print(f"card  {made.card}", markup=False)
    _err.print("Send the card to your partners; it holds no secret. Keep the keys, and keep admin.key off the server.")


@app.command()
def genesis(
    cards: Annotated[list[Path], typer.Argument(help="The cards of all nodes.")],
    name: Annotated[str, typer.Option(help="The ledger's name.")],
    out: Annotated[Path, typer.Option(help="Where to write the genesis file.")] = Path("genesis.json"),
    researcher: Annotated[
        list[str] | None, typer.Option(help="MEMBER=HEXKEY, a researcher's key from the start; repeatable.")
    ] = None,
    parameter: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER, a ledger parameter; repeatable.")] = None,
    as_json: Json = False,
) -> None:
    """Make the genesis file from all cards. Everybody who does this gets the same file and the same hash."""
    made = make_genesis(
        name,
        [setup.read_card(path) for path in cards],
        [_researcher(text) for text in researcher or []],
        dict(_parameter(text) for text in parameter or []),
    )
    setup.write_new(out, made.encode_json(), "genesis file")
    concerns = warnings(made)
    validators = made.registry.validators
    if as_json:
        _print_json(
            {
                "genesis": str(out),
                "hash": made.hash.hex(),
                "validators": len(validators),
                "quorum": validators.quorum,
                "faulty": validators.faulty,
                "warnings": concerns,
            }
        )
    else:
        _out.print(_member_table(made))
        _out.print(
            f"{len(validators)} validators, {validators.quorum} must agree, {validators.faulty} may fail or lie. "
            f"Written to {out}.",
            markup=False,
        )
        _out.print("\nGenesis hash, to be compared by phone with every member:\n", style="bold")
        _out.print(grouped(made.hash) + "\n", markup=False)
    for concern in concerns:
        _err.print(f"WARNING  {concern}", style="bold yellow", markup=False)


@app.command()
def init(
    directory: Annotated[Path, typer.Option("--dir", help="The node's directory, with the keys from keygen.")],
    genesis_file: Annotated[Path, typer.Option("--genesis", help="The genesis file.")],
    genesis_hash: Annotated[str, typer.Option(help="Its hash, as compared by phone.")],
    listen: Annotated[str, typer.Option(help="HOST:PORT for the peer socket [default: all, port of the card]")] = "",
    api_listen: Annotated[
        str, typer.Option(help="HOST:PORT for the HTTP API [default: localhost, port of the card]")
    ] = "",
    joining: Annotated[
        bool, typer.Option("--joining", help="Members vote this node in after the founding: its card counts.")
    ] = False,
    used_keys: Annotated[
        bool, typer.Option("--used-keys", help="The keys come from a backup: a node has run with them before.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prepare a node to run: check that its keys are in the genesis, write node.toml, make the store's directory."""
    made = setup.initialise(directory, genesis_file, ungrouped(genesis_hash), listen, api_listen, joining, used_keys)
    if as_json:
        _print_json({"config": str(made.config), "member": made.record.member, "role": made.record.role})
        return
    _out.print(f"{made.config}: {made.record.role} of {made.record.member}", markup=False)
    if made.admin_key is not None:
        _err.print(f"Move {made.admin_key} to a safe place off this server; the node does not need it.", markup=False)
    _err.print(f"Start it with: notarium-node run --config {made.config}", markup=False)


@app.command()
def run(config: ConfigOption = Path("node.toml")) -> None:
    """Check what can be checked, then run the node until SIGTERM or SIGINT."""
    from notarium_node import startup
    from notarium_node.health import logs

    loaded = load_config(config)
    logs.configure(loaded.log.level, loaded.log.format)
    startup.check(loaded)
    # Late, because they take a second to import and the checks above should answer at once.
    from notarium_node import service
    from notarium_store.errors import StoreError

    try:
        _run_loop(service.run(loaded))
    except service.NodeFailed as error:
        raise Failure(str(error), ExitCode.CHECK_FAILED) from error
    except (StartupError, StoreError, OSError) as error:
        raise Failure(str(error)) from error


@app.command()
def status(
    config: Annotated[Path | None, typer.Option(help="The node's configuration file.")] = None,
    url: Annotated[str, typer.Option(help="Base URL of a node's HTTP API, instead of --config.")] = "",
    as_json: Json = False,
) -> None:
    """Ask a node how it is."""
    from notarium_node.operator import node_api as asking

    if (config is None) == (not url):
        raise Failure("name the node by either --config or --url")
    loaded = None if config is None else load_config(config)
    try:
        answer = asyncio.run(asking.get_status(asking.api_url(loaded) if loaded else url, _trusted(loaded)))
    except asking.Unreachable as error:
        raise Failure(str(error), ExitCode.UNREACHABLE) from error
    if as_json:
        _print_json(answer)
        return
    for table in asking.tables(answer):
        _out.print(table)


@app.command()
def equivocations(
    id_: Annotated[str, typer.Argument(metavar="[ID]", help="One piece, by its id or the beginning of it.")] = "",
    out: Annotated[Path | None, typer.Option(help="Write that piece to a file that anyone can verify.")] = None,
    verify: Annotated[Path | None, typer.Option(metavar="FILE", help="Verify such a file; asks no node.")] = None,
    config: Annotated[Path | None, typer.Option(help="The node's configuration file.")] = None,
    url: Annotated[str, typer.Option(help="Base URL of a node's HTTP API, instead of --config.")] = "",
    genesis_file: Annotated[Path | None, typer.Option("--genesis", help="The genesis file, with --url.")] = None,
    as_json: Json = False,
) -> None:
    """List, show, export or verify proofs that a validator signed two different things.

    Without ID the node's list; what is shown or exported is verified first.
    """
    from notarium_node.operator import equivocations as equivocation_files
    from notarium_node.operator import node_api as asking

    loaded = None if config is None else load_config(config)
    try:
        if verify is not None:
            held = equivocation_files.read(verify, equivocation_files.pinned(loaded, genesis_file))
            said, shown = equivocation_files.about(held), equivocation_files.facts(held)
        else:
            if (loaded is None) == (not url):
                raise Failure("name the node by either --config or --url")
            node = equivocation_files.Asked(asking.api_url(loaded) if loaded else url, _trusted(loaded))
            if id_:
                held = asyncio.run(node.file(id_, equivocation_files.pinned(loaded, genesis_file)))
                said, shown = equivocation_files.about(held), equivocation_files.facts(held)
                if out is not None:
                    setup.write_new(out, held.encode_json(), "equivocation file")
                    said |= {"file": str(out)}
            else:
                rows = asyncio.run(node.listed())
                said, shown = {"equivocations": rows}, equivocation_files.table(rows)
    except asking.Unreachable as error:
        raise Failure(str(error), ExitCode.UNREACHABLE) from error
    except InvalidEquivocationFile as error:
        raise Failure(f"step {error.step}: {error}; this proves no equivocation", ExitCode.CHECK_FAILED) from error
    except equivocation_files.NotFound as error:
        raise Failure(str(error), ExitCode.CHECK_FAILED) from error
    if as_json:
        _print_json(said)
    else:
        _out.print(shown)


@app.command()
def check(config: ConfigOption = Path("node.toml"), as_json: Json = False) -> None:
    """Verify the whole chain in the node's store, from genesis to its tip. The node must be stopped."""
    from notarium_node.startup import load_genesis
    from notarium_store.check import check_chain
    from notarium_store.errors import ForeignStore, StoreCorruption, StoreError

    loaded = load_config(config)
    expected = load_genesis(loaded)
    columns = (TextColumn("verifying blocks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=_err, transient=True) as progress:
            task = progress.add_task("", total=None)
            started = time.monotonic()
            report = check_chain(
                loaded.node.store_dir,
                expected,
                lambda done, total: progress.update(task, completed=done, total=total),
            )
    except ForeignStore as error:
        raise Failure(str(error)) from error
    except StoreCorruption as error:
        raise Failure(str(error), ExitCode.CHECK_FAILED) from error
    except StoreError as error:
        raise Failure(str(error)) from error
    seconds = time.monotonic() - started
    if as_json:
        found = {"height": report.height, "history": report.history, "entries": report.entries}
        _print_json({**found, "tip": report.tip_hash.hex(), "sound": True})
    else:
        if report.history < report.height:
            _err.print(
                f"only {report.checked} of {report.height} blocks are here, from genesis up to {report.history} and "
                "behind a snapshot: the node fetches the others when it runs",
                style="yellow",
                markup=False,
            )
        _out.print(
            f"sound: {report.height} blocks, {report.entries} entries, verified in {seconds:.1f} s\n"
            f"tip    {report.tip_hash.hex()}",
            markup=False,
        )


KeyOption = Annotated[str, typer.Option("--key", help="The researcher's public key, as 'notarium init' prints it.")]
AdminKeyOption = Annotated[Path, typer.Option("--admin-key", help="The member's governance key.")]
MemberOption = Annotated[str | None, typer.Option("--member", help="The institution; default: by its governance key.")]
GenesisOption = Annotated[Path | None, typer.Option("--genesis", help="The genesis file, where there is no node.toml.")]
UrlOption = Annotated[list[str] | None, typer.Option("--url", help="API of a validator; default: this node's.")]


@app.command()
def enrol(
    key: KeyOption,
    admin_key: AdminKeyOption = Path("keys/admin.key"),
    member: MemberOption = None,
    config: ConfigOption = Path("node.toml"),
    genesis_file: GenesisOption = None,
    url: UrlOption = None,
    as_json: Json = False,
) -> None:
    """Let a researcher write to the ledger in this institution's name."""
    _speak("enrol", key, admin_key, member, config, genesis_file, url, as_json)


@app.command()
def revoke(
    key: KeyOption,
    admin_key: AdminKeyOption = Path("keys/admin.key"),
    member: MemberOption = None,
    config: ConfigOption = Path("node.toml"),
    genesis_file: GenesisOption = None,
    url: UrlOption = None,
    as_json: Json = False,
) -> None:
    """Take a researcher's key back, for ever. What it signed before stays valid."""
    _speak("revoke", key, admin_key, member, config, genesis_file, url, as_json)


def _speak(
    kind: str,
    key: str,
    admin_key: Path,
    member: str | None,
    config: Path,
    genesis_file: Path | None,
    url: list[str] | None,
    as_json: bool,
) -> None:
    from notarium.errors import NotariumError, Unreachable
    from notarium_node.operator import enrolment
    from notarium_node.operator import node_api as asking
    from notarium_node.startup import load_genesis

    if genesis_file is not None:
        pinned = enrolment.read_genesis(genesis_file)
        nodes = url or [node.api for node in pinned.registry.nodes.values() if node.role == "validator" and node.api]
    else:
        loaded = load_config(config)
        pinned = load_genesis(loaded)
        nodes = url or [asking.api_url(loaded)]
    try:
        receipt = enrolment.speak(kind, key, pinned, nodes, admin_key, member)
    except Unreachable as error:
        raise Failure(str(error), ExitCode.UNREACHABLE) from error
    except (enrolment.EnrolmentError, NotariumError) as error:
        raise Failure(str(error)) from error
    done = {"enrol": "enrolled", "revoke": "revoked"}[kind]
    if as_json:
        _print_json({"key": key, "status": done, "entry": receipt.id.hex(), "height": receipt.height})
    else:
        _out.print(f"{done} {key}\nentry  {receipt.id.hex()}, block {receipt.height}", markup=False)


@app.command("version")
def show_version(as_json: Json = False) -> None:
    """Print the version."""
    if as_json:
        _print_json({"version": version("notarium")})
    else:
        _out.print(version("notarium"))


def _run_loop(work: Any) -> None:
    """Run with uvloop, which makes messages about a quarter cheaper, where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _trusted(config: NodeConfig | None) -> Path | None:
    return config.api.tls_certificate if config else None


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
    table = Table(title=f"{made.name}", title_justify="left")
    for column in ("member", "name", "role", "address", "api", "node key"):
        table.add_column(column, overflow="fold")
    members = made.registry.members
    for node in sorted(made.registry.nodes.values(), key=lambda node: (node.member, node.role)):
        table.add_row(
            node.member, members[node.member].name, node.role, node.address, node.api or "-", node.key.hex()[:16]
        )
    return table


def _print_json(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
