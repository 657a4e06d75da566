"""The commands around a running node: run, status, check, version."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from importlib import metadata
from pathlib import Path
from typing import Any

import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from notarium_ledger.state.genesis import Genesis
from notarium_node import startup
from notarium_node.config.reading import load_config
from notarium_node.config.sections import NodeConfig
from notarium_node.health import logs
from notarium_node.operator.cli.output import (
    ConfigFile,
    Failure,
    Json,
    NodeExitCode,
    NodeUrl,
    OptionalConfigFile,
    err,
    out,
    print_json,
)
from notarium_node.operator.node_api import NodeApi, tables
from notarium_store.check import CheckReport, check_chain
from notarium_store.errors import ForeignStore, OtherFormat, StoreCorruption, StoreError

_log = structlog.get_logger("notarium.startup")


def run(config: ConfigFile = Path("node.toml")) -> None:
    """Check the set-up and report all faults at once; without a fault, run the node until SIGTERM or SIGINT."""
    loaded = load_config(config)
    logs.configure(loaded.log.level, loaded.log.format)
    try:
        _check_and_run(loaded)
    finally:
        logs.finish()


def _check_and_run(loaded: NodeConfig) -> None:
    findings = startup.check(loaded)
    for each in findings:
        if each.severity is startup.Severity.WARNING:
            _log.warning(each.message, check=each.check.value, remedy=each.remedy)
    errors = [each for each in findings if each.severity is startup.Severity.ERROR]
    if errors:
        raise startup.StartupError(*errors)
    # Imported late, because this takes a second and the checks above should answer at once.
    from notarium_node import service

    try:
        _run_loop(service.run(loaded))
    except service.NodeCrashed as error:
        raise Failure(str(error), NodeExitCode.CHECK_FAILED) from error
    except (StoreError, OSError) as error:
        raise Failure(str(error)) from error


def status(config: OptionalConfigFile = None, url: NodeUrl = "", as_json: Json = False) -> None:
    """Show a node's condition."""
    api = NodeApi.of(None if config is None else load_config(config), url)
    answer = asyncio.run(api.status())
    if as_json:
        print_json(answer)
        return
    for table in tables(answer):
        out.print(table)


def check(config: ConfigFile = Path("node.toml"), as_json: Json = False) -> None:
    """Verify the whole chain in the node's store, from genesis to its tip. Stop the node first."""
    loaded = load_config(config)
    started = time.monotonic()
    report = _verify(loaded.node.store_dir, startup.load_genesis(loaded))
    if as_json:
        counts = {"height": report.height, "history": report.history, "entries": report.entries}
        print_json({**counts, "tip": report.tip_hash.hex(), "sound": True})
        return
    if report.history < report.height:
        err.print(
            f"only {report.checked} of {report.height} blocks are here, from genesis up to {report.history} and "
            "from a snapshot on: the node fetches the others when it runs",
            style="yellow",
            markup=False,
        )
    out.print(
        f"sound: {report.height} blocks, {report.entries} entries, verified in {time.monotonic() - started:.1f} s\n"
        f"tip    {report.tip_hash.hex()}",
        markup=False,
    )


def version(as_json: Json = False) -> None:
    """Print the version."""
    installed = metadata.version("notarium")
    if as_json:
        print_json({"version": installed})
    else:
        out.print(installed)


def _verify(store_dir: Path, genesis: Genesis) -> CheckReport:
    """Check the chain, with a progress bar. Raises Failure."""
    columns = (TextColumn("verifying blocks"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=err, transient=True) as progress:
            task = progress.add_task("", total=None)
            return check_chain(
                store_dir, genesis, lambda done, total: progress.update(task, completed=done, total=total)
            )
    except StoreCorruption as error:
        code = NodeExitCode.USAGE if isinstance(error, ForeignStore | OtherFormat) else NodeExitCode.CHECK_FAILED
        raise Failure(str(error), code) from error
    except StoreError as error:
        raise Failure(str(error)) from error


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run with uvloop where it is installed: it makes messages about a quarter cheaper."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)
