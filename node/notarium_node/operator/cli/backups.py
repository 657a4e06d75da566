"""The commands for a loss: backup, restore, rebuild."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from notarium.files import open_regular
from notarium.key_files import Purpose, load_key
from notarium_ledger.encoding.json_file import iso_time
from notarium_node import startup
from notarium_node.config.reading import load_config
from notarium_node.identity.own_record import own_record
from notarium_node.operator import backup as making
from notarium_node.operator import restore as reading
from notarium_node.operator.cli.output import ConfigFile, Failure, Json, err, out, print_json
from notarium_node.operator.ledger_copy import Progress as Count
from notarium_node.operator.ledger_copy import StoreWriter, blocks_of
from notarium_node.operator.node_api import NodeApi
from notarium_node.operator.sealed_file import MOST_PASSPHRASE, check_passphrase
from notarium_store.errors import StoreError
from notarium_store.store import Store

PassphraseFile = Annotated[
    Path | None, typer.Option(help="File with the passphrase, mode 0600. Without this option, the command asks.")
]


def backup(
    *,
    to: Annotated[Path, typer.Option("--to", help="The file to write. Never overwritten.")],
    config: ConfigFile = Path("node.toml"),
    with_ledger: Annotated[
        bool, typer.Option("--with-ledger", help="Also all decided blocks, from the running node.")
    ] = False,
    url: Annotated[str, typer.Option(help="Take the blocks from this node's API instead.")] = "",
    without_keys: Annotated[bool, typer.Option("--without-keys", help="No secret; the file is not encrypted.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: Json = False,
) -> None:
    """Write a backup of what only this node has, while it runs. It is encrypted unless it holds no keys."""
    loaded = load_config(config)
    genesis = startup.load_genesis(loaded)
    key = load_key(loaded.node.validator_key, Purpose.VALIDATOR)
    files, outside = making.files_of(loaded, config, not without_keys)
    passphrase = None if without_keys else _passphrase(passphrase_file, confirm=True)
    api = NodeApi.of(None if url else loaded, url)
    summary = making.Summary(
        making.FORMAT,
        time.time_ns() // 1_000_000,
        metadata.version("notarium"),
        genesis.name,
        genesis.hash.hex(),
        "" if (record := own_record(genesis.registry, loaded.node.data_dir, key.public)) is None else record.member,
        key.public.hex(),
        not without_keys,
        with_ledger,
    )
    with making.new_file(to) as file, _counting("blocks") as count:
        blocks = blocks_of(api, count) if with_ledger else None
        copied = asyncio.run(making.write(file, summary, files, blocks, passphrase))
    names = [each.name for each in files]
    if as_json:
        left_out = [str(each) for each in outside]
        print_json(
            {"file": str(to), "files": names, "blocks": copied, "encrypted": not without_keys, "left_out": left_out}
        )
        return
    ledger = f"{copied} blocks" if with_ledger else "no blocks: the other members have them"
    out.print(f"{to}: {', '.join(names)}; {ledger}", markup=False)
    for each in outside:
        err.print(
            f"{each} is not in the data directory, in keys/ or in tls/, and not in the backup: back it up yourself",
            markup=False,
        )
    if without_keys:
        err.print("The keys are not in it: without them nobody can run this node again.", markup=False)


def restore(
    file: Annotated[Path, typer.Argument(help="The backup.")],
    directory: Annotated[Path, typer.Option("--dir", help="The node's new directory; must not exist or be empty.")],
    passphrase_file: PassphraseFile = None,
    only_check: Annotated[
        bool,
        typer.Option("--check", help="Test the backup only: restore it beside --dir, report what it holds, remove it."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Restore a node's directory from its backup. The node observes until it is safe to sign."""
    passphrase = _passphrase(passphrase_file, confirm=False) if reading.is_sealed(file) else None
    try:
        with _counting("blocks verified") as count:
            restored = reading.restore(file, directory, passphrase, count, only_check=only_check)
    except StoreError as error:
        raise Failure(str(error)) from error
    summary = restored.summary
    if as_json:
        said = {"ledger": summary.ledger, "genesis": summary.genesis, "node": summary.node, "height": restored.height}
        print_json(
            {
                "checked": only_check,
                "dir": str(directory),
                "files": list(restored.files),
                **said,
                "notes": list(restored.notes),
            }
        )
        return
    made = iso_time(summary.created_ms)
    out.print(f"backup of {made}, ledger {summary.ledger}, genesis {summary.genesis}", markup=False)
    out.print(f"{len(restored.files)} files, {restored.height} verified blocks, node {summary.node}", markup=False)
    for note in restored.notes:
        err.print(note, markup=False)
    if only_check:
        out.print("This backup can be restored.", markup=False)
        return
    if not summary.has_keys:
        err.print(
            f"The keys are not in this backup: put them into {directory / 'keys'} before the start.", markup=False
        )
    err.print(
        "Make sure that the old node is dead and stays dead. Then start this one: it fetches what is missing, asks the "
        "other validators what its key has signed, and signs nothing until that is safe (its status says when).",
        markup=False,
    )


def rebuild(
    *,
    url: Annotated[str, typer.Option("--url", help="The API of any member's node.")],
    config: ConfigFile = Path("node.toml"),
    as_json: Json = False,
) -> None:
    """Rebuild a node's lost store from another member's blocks, verified from genesis on. Stop the node first."""
    loaded = load_config(config)
    genesis = startup.load_genesis(loaded)
    loaded.node.store_dir.mkdir(mode=0o700, exist_ok=True)
    try:
        with Store.open(loaded.node.store_dir, genesis) as store, _counting("blocks verified") as count:
            if store.owner is not None or not store.is_complete:
                raise Failure(
                    f"{loaded.node.store_dir} is the store of a node, which fetches by itself what it lacks: start the "
                    "node; or, if the store is damaged, move it away first"
                )
            writer = StoreWriter(store)
            asyncio.run(_fetch(writer, NodeApi(url), count))
    except StoreError as error:
        raise Failure(str(error)) from error
    if as_json:
        print_json({"store": str(loaded.node.store_dir), "height": writer.height})
        return
    out.print(f"{loaded.node.store_dir}: {writer.height} verified blocks", markup=False)


async def _fetch(writer: StoreWriter, api: NodeApi, count: Count) -> None:
    async for raw in blocks_of(api, count, writer.height):
        writer.add(raw)
    writer.flush()


@contextmanager
def _counting(what: str) -> Iterator[Count]:
    columns = (TextColumn(what), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total or None)


def _passphrase(path: Path | None, *, confirm: bool) -> bytes:
    """From the file, or asked for; never an argument, because other users see those. Raises Failure, SealError."""
    if path is not None:
        return check_passphrase(_first_line(path))
    if not sys.stdin.isatty():
        raise Failure("there is no terminal to ask for the passphrase: give it with --passphrase-file FILE")
    return check_passphrase(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=confirm, err=True))


def _first_line(path: Path) -> str:
    descriptor = open_regular(path)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            raise Failure(f"{path} must be a file that only you can read: run 'chmod 600 {path}'")
        content = os.read(descriptor, 4 * MOST_PASSPHRASE + 2)
    finally:
        os.close(descriptor)
    try:
        return content.decode().partition("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Failure(f"{path} is not UTF-8 text") from error
