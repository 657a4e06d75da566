"""The command `status`: the nodes, what waits in the outbox, and runs that have not ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from notarium.anchoring.delivery import Delivery, deliver, targets
from notarium.anchoring.open_runs import OpenRun, open_runs
from notarium.anchoring.outbox import Damaged, Outbox, Waiting, WaitingState, outbox_of
from notarium.cli import runs
from notarium.cli.options import Json, Timeout
from notarium.cli.output import Printer, shown
from notarium.errors import ExitCode, ProjectError
from notarium.ledger_access.answers import NodeStatus
from notarium.ledger_access.blocking import BlockingClient
from notarium.project import Project, find_project, public_key_of
from notarium.verdicts import gravest
from notarium_ledger.encoding.json_file import iso_time

SHOWN_REASON = 600
"""Characters: the whole sentence of a node has at most 500."""
NODE_S = 5.0
"""How long one node may take to report its status."""
_STATES = {
    WaitingState.PENDING: "[yellow]waiting[/]",
    WaitingState.QUOTA: "[yellow]quota[/]  ",
    WaitingState.REFUSED: "[red]refused[/]",
}


@dataclass(frozen=True, slots=True)
class _Report:
    """What the command found and did."""

    project: Project
    nodes: Sequence[NodeStatus]
    dropped: Sequence[Waiting]
    sent: Sequence[Delivery]
    waiting: Sequence[Waiting]
    damaged: Sequence[Damaged]
    runs: Sequence[OpenRun]
    """Begun here and not ended."""
    public_key: str
    """Hex; "" where there is no key that can be used."""

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        return {
            "ledger": self.project.genesis.name,
            "genesis_hash": self.project.genesis.hash.hex(),
            "public_key": self.public_key or None,
            "nodes": [
                {"url": each.url, "ready": each.ready, "problem": each.problem or None, "answer": each.answer}
                for each in self.nodes
            ],
            "dropped": [each.id for each in self.dropped],
            "sent": [each.waiting.id for each in self.sent if each.receipt is not None],
            "outbox": [_waiting_json(each) for each in self.waiting],
            "runs": [runs.to_json(each) for each in self.runs],
            "damaged": [{"file": str(each.path), "reason": str(each)} for each in self.damaged],
        }

    def exit_code(self, *, is_flush: bool) -> ExitCode:
        """With --flush the gravest reason why something still waits, otherwise whether any node answers.

        A damaged file is wrong in any case.
        """
        found = [ExitCode.USAGE] if self.damaged else []
        if is_flush and self.waiting:
            found += [each.error.exit_code for each in self.sent if each.error] or [ExitCode.UNREACHABLE]
        elif all(each.problem for each in self.nodes):
            found.append(ExitCode.UNREACHABLE)
        return gravest([ExitCode.OK, *found])


def status(
    *,
    flush: Annotated[bool, typer.Option("--flush", help="Send what waits in the outbox.")] = False,
    drop: Annotated[
        list[str] | None,
        typer.Option(
            "--drop", metavar="ID", help="Give up the waiting entry with this id (or the beginning of it) permanently."
        ),
    ] = None,
    timeout: Timeout = 10.0,
    as_json: Json = False,
) -> int:
    """Show the nodes, what waits in the outbox, and the runs that began and have not ended."""
    printer = Printer(as_json)
    here = find_project()
    outbox = outbox_of(here)
    dropped = _drop(outbox, drop or [])
    sent = deliver(here, outbox.list(), timeout) if flush else []
    waiting = outbox.list()
    with BlockingClient(here.genesis, here.nodes, timeout=timeout, attempt_timeout=min(timeout, NODE_S)) as client:
        nodes = client.status()
    report = _Report(here, nodes, dropped, sent, waiting, outbox.damaged(), open_runs(here), public_key_of(here))
    printer.data(report.to_json())
    _print(printer, report)
    return report.exit_code(is_flush=flush)


def _drop(outbox: Outbox, starts: Sequence[str]) -> list[Waiting]:
    """Remove the entries whose ids begin so. Raises ProjectError where an entry that stays may refer to one of them."""
    if starts:
        outbox.check()
    dropped = [outbox.matching(each) for each in starts]
    gone = {each.id for each in dropped}
    for each in outbox.list():
        # It would be anchored with a reference to nothing.
        if each.id not in gone and (missing := sorted(gone & targets(each))):
            raise ProjectError(
                f"{each.id[:16]}… is waiting too and refers to {missing[0][:16]}…: drop both, or fix what keeps the "
                "latter from being sent, then send both"
            )
    for each in dropped:
        outbox.remove(each.id)
    return dropped


def _waiting_json(waiting: Waiting) -> dict[str, Any]:
    return {
        "id": waiting.id,
        "kind": waiting.kind,
        "receipt": str(waiting.receipt_path),
        "time": iso_time(waiting.created_ms),
        "reason": waiting.reason or None,
        "status": waiting.state.value,
        "refused": waiting.refused,
    }


def _print(printer: Printer, report: _Report) -> None:
    if report.public_key:
        printer.line(f"public key {report.public_key}")
    for node in report.nodes:
        _print_node(printer, node)
    for delivery in report.sent:
        if delivery.receipt is not None:
            place = shown(str(delivery.waiting.receipt_path))
            printer.line(f"[green]sent[/] {delivery.waiting.id[:16]}…  → {place}")
    for each in report.dropped:
        printer.line(f"dropped {each.id[:16]}…  {each.kind}  {shown(str(each.receipt_path))}")
    for each in report.waiting:
        printer.line(f"{_STATES[each.state]} {each.id[:16]}…  {each.kind}  {shown(_short(each.reason))}")
    runs.print_open(printer, report.runs)
    for file in report.damaged:
        printer.line(f"[red]damaged[/] {shown(str(file))}")
    refused = [each.id[:16] for each in report.waiting if each.refused]
    if refused:
        printer.refused_remedy(refused[0] if len(refused) == 1 else "ID")


def _print_node(printer: Printer, node: NodeStatus) -> None:
    if node.problem:
        printer.line(f"[red]{'unusable':<11}[/] {shown(node.url)}  {shown(node.problem)}")
        return
    said = node.answer or {}
    state = "[green]ready[/]      " if node.ready else "[yellow]not ready[/]  "
    role, member, height = (shown(str(said.get(name, "?"))) for name in ("role", "member", "height"))
    reasons = shown(" · ".join(map(str, said.get("reasons") or [])))
    printer.line(f"{state} {shown(node.url)}  {role} of {member} · height {height} {reasons}")


def _short(reason: str) -> str:
    """What fits a line; --json has it all."""
    return reason if len(reason) <= SHOWN_REASON else f"{reason[: SHOWN_REASON - 1]}…"
