"""How results look: data on stdout, everything else on stderr, colour and bars only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from notarium import terminal
from notarium.evidence.hashing import HashingProgress, OnProgress
from notarium.verifying.account import Account, without_shared
from notarium.verifying.parts import Parts
from notarium.verifying.rendering import limited, shown_parts
from notarium.verifying.result import Verification, VerificationStatus
from notarium_ledger.state.genesis import Genesis

_COLOURS: dict[str, str] = {VerificationStatus.VERIFIED: "green", VerificationStatus.MISMATCH: "bold red"}
_REFUSED_REMEDY = (
    "Fix the cause (have the key enrolled, or correct issuer or key: the entry is then signed again) and run "
    "'notarium status --flush' to send it, or run 'notarium status --drop {id}' to give it up."
)


class Printer:
    """Prints results for people, or with `as_json` one JSON document on stdout."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        # Made here and not at import, so that the streams are those of this call. Rich itself honours NO_COLOR.
        self._out = terminal.console()
        self._err = terminal.console(stderr=True)

    def data(self, document: Any) -> None:
        """The result, where --json was asked for."""
        if self.as_json:
            terminal.write(terminal.json_text(document, indent=1), sys.stdout)

    def data_on_stderr(self, document: Any) -> None:
        """The result as one line on stderr, where --json was asked for and stdout belongs to another program."""
        if self.as_json:
            terminal.write(terminal.json_text(document), sys.stderr)

    def line(self, markup: str) -> None:
        """A line of the result for people."""
        if not self.as_json:
            self._out.print(terminal.printable(markup))

    def note(self, markup: str) -> None:
        """A line on stderr."""
        self._err.print(terminal.printable(markup))

    def text(self, text: str, *, is_error: bool = False) -> None:
        """Text of this program as it is, such as help: on stdout, or on stderr."""
        terminal.write(text, sys.stderr if is_error else sys.stdout)

    def error(self, text: str) -> None:
        """An error, once, in one line."""
        self.note(f"[bold red]error:[/] {shown(text)}")

    def refused_remedy(self, id_: str, *, on_stderr: bool = False) -> None:
        """What to do about a refused entry. `id_`: the beginning of its id, or ID for any of several."""
        (self.note if on_stderr else self.line)(_REFUSED_REMEDY.format(id=id_))

    @contextmanager
    def hashing(self) -> Iterator[OnProgress]:
        """A progress bar on stderr, on a terminal only."""
        if not self._err.is_terminal:
            yield lambda _: None
            return
        columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            task = progress.add_task("hashing", total=None)

            def show(done: HashingProgress) -> None:
                progress.update(task, completed=done.bytes_done, total=done.bytes)

            yield show

    def verification(self, result: Verification, status: str = "", reason: str = "") -> None:
        """A verdict alone; `status` and `reason` where they are not the result's own."""
        self.accounts([result.account(status, reason)])

    def accounts(self, accounts: Sequence[Account]) -> None:
        """Verdicts: a line for each, its findings and its four parts; what all of them share comes once, at the end."""
        rows, common = without_shared(accounts)
        for each in rows:
            colour = _colour(each)
            self.line(f"[{colour}]{shown(each.outcome)}[/] {shown(each.path)}  {shown(each.about)}".rstrip())
            for note in each.notes:
                self.line(f"  {shown(note)}")
            for finding in limited(each.findings):
                what, _, rest = finding.partition(" ")
                self.line(f"  [{colour}]{shown(what)}[/] {shown(rest)}")
            self._parts(each.parts, is_alone=len(rows) == 1)
        if common != Parts():
            self.line("all of them")
            self._parts(common, is_alone=False)

    def _parts(self, parts: Parts, *, is_alone: bool) -> None:
        for title, said in shown_parts(parts, is_alone=is_alone):
            self.line(f"  [bold]{title}[/]")
            for each in said:
                self.line(f"    {shown(each)}")


def _colour(account: Account) -> str:
    """Green is for what has nothing against it."""
    is_marked = account.marks and account.status == VerificationStatus.VERIFIED
    return "yellow" if is_marked else _COLOURS.get(account.status, "yellow")


def shown(text: str) -> str:
    """`text` from outside for a line: no markup in it counts. The line escapes what steers a terminal."""
    return escape(terminal.printable(text))


def ledger_of(genesis: Genesis) -> dict[str, str]:
    """For --json: the ledger that an answer holds for."""
    return {"ledger": genesis.name, "genesis_hash": genesis.hash.hex()}
