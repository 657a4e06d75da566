"""Small things that the client's tests share."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeVar

from tests.client.fake_node import FakeLedger
from tests.support.records import recorded

from notarium.ledger_access.client import Client
from notarium_ledger.entries.entry import Entry, decode_entry, sign_entry

T = TypeVar("T")

NOTARIUM = [sys.executable, "-c", "from notarium.cli.app import main; main()"]


def present(value: T | None) -> T:
    """`value`, which must be there."""
    assert value is not None
    return value


def facts_of(run):
    """What the record of a run says."""
    return recorded(run.record_path)


def warnings_of(caplog):
    """Ours: asyncio may speak of a fake node of another test, whenever its remains are collected."""
    ours = [record for record in caplog.records if record.name.startswith("notarium")]
    return [record.getMessage() for record in ours if record.levelno >= logging.WARNING]


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def notarium(*arguments, **options):
    return subprocess.run([*NOTARIUM, *arguments], capture_output=True, text=True, timeout=60, check=False, **options)


def client_of(ledger, nodes, **options):
    options = {"timeout": 60.0, "attempt_timeout": 20.0, **options}
    urls = [each if isinstance(each, str) else each.url for each in nodes]
    return Client(ledger.consortium.genesis, urls, ledger.consortium.researcher, **options)


def body(ledger, **over):
    return ledger.consortium.body("dataset", **over)


def submit(ledger: FakeLedger, number: int, **over: Any) -> Entry:
    """An entry of the researcher of m<number>, decided in a block of its own."""
    consortium = ledger.consortium
    body = consortium.body(**{"kind": "dataset", "issuer": f"m{number}", "project": f"study of m{number}", **over})
    entry = decode_entry(sign_entry(consortium.researcher_keys[number], consortium.genesis.hash, body))
    ledger.submit([entry.raw])
    return entry
