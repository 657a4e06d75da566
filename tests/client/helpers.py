"""Small things that the client's tests share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TypeVar

from notarium.ledger_access.client import Client

T = TypeVar("T")

NOTARIUM = [sys.executable, "-c", "from notarium.cli.app import main; main()"]


def present(value: T | None) -> T:
    """`value`, which must be there."""
    assert value is not None
    return value


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
