"""What all commands share: how they print, how they fail, and their common options.

Data goes to stdout, messages to stderr. With --json a command prints one JSON object on stdout.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from notarium import terminal
from notarium.endings import UNEXPECTED

out = terminal.console(width=1_000_000)
"""Wider than any table: otherwise rich would break hashes in a narrow terminal, and at 80 columns in a pipe."""
err = terminal.console(stderr=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
ConfigFile = Annotated[Path, typer.Option("--config", help="The node's configuration file.")]
OptionalConfigFile = Annotated[Path | None, typer.Option("--config", help="The node's configuration file.")]
NodeUrl = Annotated[str, typer.Option("--url", help="Base URL of a node's HTTP API, instead of --config.")]


class NodeExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    """Usage or configuration."""
    UNREACHABLE = 5
    UNEXPECTED = UNEXPECTED
    """A defect of this program, which says nothing about what was asked."""


class Failure(Exception):
    """Ends a command with a sentence for people and an exit code for programs."""

    def __init__(self, message: str, code: NodeExitCode = NodeExitCode.USAGE) -> None:
        super().__init__(message)
        self.code = code


def print_error(message: str, code: int, *, as_json: bool) -> None:
    """Print the error, one paragraph for each line of `message`."""
    if as_json:
        print_json({"error": message, "exit_code": code})
    for line in message.splitlines():
        err.print("error:", style="bold red", end=" ")
        err.print(line, markup=False)


def print_json(value: dict[str, Any]) -> None:
    """One line on stdout."""
    terminal.write(terminal.json_text(value), sys.stdout)
