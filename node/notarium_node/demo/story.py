"""How the demo shows what happens: a line for each thing done, with how long it took."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.markup import escape

from notarium import terminal
from notarium.ledger_access.answers import VerifiedReceipt
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.state.genesis import Genesis


class Story:
    """Prints to stdout; on a terminal, a spinner shows that something is in progress."""

    def __init__(self) -> None:
        self.console = terminal.console()
        self._started = time.monotonic()

    def chapter(self, title: str) -> None:
        """A heading."""
        self.console.print(f"\n[bold cyan]{title}[/]")

    @contextmanager
    def doing(self, what: str) -> Iterator[list[str]]:
        """Show `what` as in progress, then as done, followed by the lines that the caller puts into the list."""
        details: list[str] = []
        start = time.monotonic()
        with self.console.status(what):
            yield details
        self.console.print(f"  [green]✓[/] {what}[dim]  {time.monotonic() - start:.1f} s[/]")
        for line in details:
            self.console.print(f"      {line}")

    def say(self, text: str) -> None:
        """A line of the story."""
        self.console.print(f"  {text}")

    def columns(self, *rows: tuple[str, str]) -> None:
        """Names and what they stand for, the second column aligned."""
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            self.console.print(f"  [bold]{escape(name):<{width}}[/]  {escape(value)}")

    def steps(self, *commands: tuple[str, str]) -> None:
        """Numbered commands to try next, each on its own line."""
        self.console.print()
        for number, (purpose, command) in enumerate(commands, 1):
            self.console.print(f"  {number}. {purpose}:\n     [bold]{escape(command)}[/]")

    def command(self, words: list[str], output: str, code: int) -> None:
        """A command as typed, its output and its exit code."""
        self.console.print(f"  [bold]$ {escape(' '.join(words))}[/]")
        for line in output.splitlines():
            self.console.print(f"    {line}", markup=False)
        self.console.print(f"    [dim]exit code {code}[/]")

    def receipt(self, receipt: VerifiedReceipt, path: Path, genesis: Genesis) -> None:
        """What a receipt proves, in words."""
        body, header = receipt.body, receipt.header
        nodes, members = genesis.registry.nodes, genesis.registry.members
        signers = [members[nodes[seal.key].member].name for seal in receipt.receipt.decided.certificate.seals]
        rows = {
            "what": f"{body['kind']} of project {body['project']}",
            "issuer": f"{members[body['issuer']].name}, researcher's key {receipt.entry.key.hex()[:16]}…",
            "entry": receipt.id.hex(),
            "record": f"SHA-256 {body['record'].hex()}",
            "refers to": "\n".join(f"{each['rel']} {each['entry'].hex()[:16]}…" for each in body.get("refs", ())),
            "position": f"leaf {receipt.index} of {header.tree_size} in the log, block {receipt.height}",
            "decided": f"{iso_time(header.time_ms)} in round {receipt.receipt.decided.certificate.round}",
            "signed by": "\n".join(signers),
            "trust root": f"genesis {genesis.hash.hex()}",
            "file": f"{shown(path)}, {path.stat().st_size:,} bytes",
        }
        for name, value in rows.items():
            for number, line in enumerate(value.splitlines()):
                # Lines, not a table: a hash must be printed whole in a narrow terminal too.
                self.console.print(f"  [dim]{'' if number else name:<12}[/]{escape(line)}")

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._started


def shown(path: Path) -> str:
    """`path` as typed from the current directory."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
