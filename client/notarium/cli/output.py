"""How results look: data on stdout, everything else on stderr, colour and bars only on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.markup import escape

from notarium import terminal
from notarium.evidence.hashing import HashingProgress, OnProgress
from notarium.verifying.result import Verification, VerificationStatus
from notarium_ledger.state.genesis import Genesis

_COLOURS = {
    VerificationStatus.VERIFIED: "green",
    VerificationStatus.MISMATCH: "bold red",
    VerificationStatus.NOT_ANCHORED: "yellow",
    VerificationStatus.INCOMPLETE_EVIDENCE: "yellow",
}
_SHOWN_FINDINGS = 20
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
            sys.stdout.write(terminal.json_text(document, indent=1) + "\n")
            sys.stdout.flush()

    def data_on_stderr(self, document: Any) -> None:
        """The result as one line on stderr, where --json was asked for and stdout belongs to another program."""
        if self.as_json:
            sys.stderr.write(terminal.json_text(document) + "\n")
            sys.stderr.flush()

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
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            task = progress.add_task("hashing", total=None)

            def show(done: HashingProgress) -> None:
                progress.update(task, completed=done.bytes_done, total=done.bytes)

            yield show

    def verification(self, result: Verification, status: str = "", reason: str = "") -> None:
        """One line, and one more for each finding; `status` and `reason` where they are not the result's own."""
        colour = _COLOURS[result.status]
        said = result.about
        head = f"[{colour}]{status or result.status}[/] {shown(result.path)}"
        if said:
            head += f"  {said['kind']} · {shown(str(said.get('issuer', said.get('member', ''))))} · {said['time']}"
            head += f" · #{said['index']} · {result.checked}"
        self.line(head)
        if reason:
            self.line(f"  {shown(reason)}")
        for finding in result.findings[:_SHOWN_FINDINGS]:
            self.line(f"  [{colour}]{finding.what}[/] {shown(finding.path)} ({shown(finding.detail)})")
        if len(result.findings) > _SHOWN_FINDINGS:
            self.line(f"  … and {len(result.findings) - _SHOWN_FINDINGS} more (--json lists all)")


def shown(text: str) -> str:
    """`text` from outside for a line: no markup in it counts. The line escapes what steers a terminal."""
    return escape(terminal.printable(text))


def ledger_of(genesis: Genesis) -> dict[str, str]:
    """For --json: the ledger that an answer holds for."""
    return {"ledger": genesis.name, "genesis_hash": genesis.hash.hex()}
