"""What the command line prints: data on stdout, everything else on stderr, colour and bars only on a terminal."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from notarium.anchoring.anchor import Anchored
from notarium.evidence.contents import HashingProgress as Hashed
from notarium.evidence.contents import OnProgress
from notarium.ledger_access.answers import CONTROL, VerifiedReceipt
from notarium.verifying.verification import Verification, VerificationStatus
from notarium_ledger.encoding.json_file import iso_time
from notarium_ledger.trust.receipt import about

_COLOURS = {
    VerificationStatus.VERIFIED: "green",
    VerificationStatus.MISMATCH: "bold red",
    VerificationStatus.NOT_ANCHORED: "yellow",
    VerificationStatus.INCOMPLETE_EVIDENCE: "yellow",
}
_SHOWN_FINDINGS = 20
REFUSED_REMEDY = (
    "When the cause is mended (the key enrolled, issuer or key corrected: it is then signed anew), "
    "'notarium status --flush' sends it; 'notarium status --drop {id}' gives it up."
)


class Printer:
    """Prints results for people, or with `as_json` one JSON document on stdout."""

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        # Made here and not at import, so that the streams are those of this call. Rich itself honours NO_COLOR.
        self._out = Console(soft_wrap=True, highlight=False)
        self._err = Console(stderr=True, soft_wrap=True, highlight=False)

    def data(self, document: Any) -> None:
        """The result, where --json was asked for."""
        if self.as_json:
            sys.stdout.write(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
            sys.stdout.flush()

    def line(self, markup: str) -> None:
        """A line of the result for people."""
        if not self.as_json:
            self._out.print(markup)

    def note(self, markup: str) -> None:
        """A line on stderr."""
        self._err.print(markup)

    def error(self, text: str) -> None:
        """An error, once, in one line."""
        self._err.print(f"[bold red]error:[/] {shown(text)}")

    @contextmanager
    def hashing(self) -> Iterator[OnProgress]:
        """A progress bar on stderr, on a terminal only."""
        if not self._err.is_terminal:
            yield lambda _: None
            return
        columns = (TextColumn("hashing"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=self._err, transient=True) as progress:
            task = progress.add_task("hashing", total=None)

            def show(done: Hashed) -> None:
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
            self.line(f"  [{colour}]{finding.what}[/] {shown(finding.path)} {shown(_bracketed(finding.detail))}")
        if len(result.findings) > _SHOWN_FINDINGS:
            self.line(f"  … and {len(result.findings) - _SHOWN_FINDINGS} more (--json lists all)")

    def anchored(self, result: Anchored) -> None:
        """One line."""
        where = f"{shown(str(result.receipt_path))}"
        if result.status == "pending":
            self.line(f"[yellow]pending[/] {shown(str(result.path))}  in the outbox as {result.id[:16]}…")
            self.note(f"[yellow]not sent:[/] {shown(str(result.error))}")
            return
        if result.status == "refused":
            self.line(f"[red]refused[/] {shown(str(result.path))}  in the outbox as {result.id[:16]}…")
            self.note(f"[red]refused:[/] {shown(str(result.error))}")
            self.note(REFUSED_REMEDY.format(id=result.id[:16]))
            return
        receipt = result.receipt
        at = f"  #{receipt.index} · block {receipt.height} · {iso_time(receipt.time_ms)}" if receipt else ""
        self.line(f"[green]{result.status}[/] {shown(str(result.path))}{at}  → {where}")


def shown(text: str) -> str:
    """`text` for a line of the terminal: no markup, no control characters (file names may hold them)."""
    return escape(CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def describe_receipt(receipt: VerifiedReceipt) -> dict[str, Any]:
    """A verified entry for --json and `show`."""
    return {
        **about(receipt.entry, receipt.index, receipt.header),
        "body": _plain(receipt.body),
        "block": receipt.header.hash.hex(),
        "round": receipt.receipt.decided.certificate.round,
        "signers": [seal.key.hex() for seal in receipt.receipt.decided.certificate.seals],
        "tree_size": receipt.header.tree_size,
        "tree_root": receipt.header.tree_root.hex(),
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _bracketed(text: str) -> str:
    return f"({text})" if text else ""
